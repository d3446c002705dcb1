"""What a figure hands to the page: its own numbers and looks, short, and only where a hand can go along an axis."""

import json
from pathlib import Path

import numpy as np
import pytest

from alignlib import book
from alignlib.book import interactive, style
from alignlib.book.figure import Figure
from alignlib.errors import InvalidValue

ALT = "Lines that fall over the epochs."


def figure(*panels):
    return Figure("small", "04-small", panels, ALT)


def lines(y_label="angle of δ to BP (°)", **details):
    y = np.array([[90.0, 60.123456789, np.nan], [80.0, 50.0, 1e-20]])
    both = [book.series("layer 1", [0, 1, 2], y, "dfa", seeds=[0, 1]), book.series("layer 2", [0, 1, 2], y[0], "dfa")]
    return book.panel("lines", both, y_label=y_label, x_label="epoch", **details)


def test_the_payload_is_the_figure_in_short():
    made = interactive.payload(figure(lines(guides=[book.Guide("y", 90.0, "90°")], y_limits=(0, 100))))
    (panel,) = made["panels"]
    first, second = panel["series"]
    assert (made["id"], made["alt"], panel["xLabel"], panel["yLimits"]) == ("small", ALT, "epoch", [0.0, 100.0])
    assert first["runs"] == [[90, 60.123, None], [80, 50, 1e-20]]
    assert second["runs"] == [[90, 60.123, None]]
    assert panel["guides"] == [{"axis": "y", "value": 90.0, "label": "90°"}]


def test_the_looks_are_those_of_the_picture():
    panel = lines()
    made = interactive.payload(figure(panel))["panels"][0]["series"]
    (looks,) = style.looks([panel])
    assert [(one["light"], one["dark"]) for one in made] == [
        (looks[name].colour.light, looks[name].colour.dark) for name in ("layer 1", "layer 2")
    ]
    assert made[0]["light"] != made[1]["light"]


def test_angles_are_known_by_their_unit():
    panels = [lines(), lines("test error (%)"), lines("angle (°), layer 1")]
    assert [p["angles"] for p in interactive.payload(figure(*panels))["panels"]] == [True, False, True]


def test_a_panel_without_an_axis_of_numbers_is_refused():
    dots = book.panel("dots", book.series("BP", ["BP"], [1.0]))
    with pytest.raises(InvalidValue, match="kind 'dots' cannot be interactive; only lines can"):
        interactive.payload(figure(lines(), dots))


CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem[:2])
def test_one_figure_of_each_chapter_answers_to_the_hand(path):
    expected = path.parents[1] / "expected" / "digits" / path.stem
    if not expected.is_dir():
        pytest.skip("no reference yet")
    items = [json.loads(file.read_text(encoding="utf-8")) for file in expected.glob("[!_]*.json")]
    able = {item["id"] for item in items if {panel["kind"] for panel in item.get("panels", [])} == {"lines"}}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if interactive.TAG in cell["metadata"].get("tags", [])]
    chosen = {cell["metadata"]["mystnb"]["figure"]["name"].removeprefix("fig-") for cell in tagged}
    assert chosen <= able
    assert len(chosen) == 1 or not able, f"give one of {sorted(able)} the tag `{interactive.TAG}`"
