"""The figure's data model: what goes in comes out, what is wrong is refused in words."""

import csv
import io
import json

import numpy as np
import pytest

from alignlib.book import WALL_TIME, Figure, Guide, Panel, Series, panel, series
from alignlib.book.figure import Wiring
from alignlib.errors import InvalidValue

ALT = "Two curves that fall from ninety to forty within four epochs."


def lines(**details):
    y = [[3.0, 2.0, np.nan], [3.5, 2.5, 1.5]]
    return panel("lines", series("DFA", [0, 1, 2], y, "dfa", seeds=[0, 7]), **details)


def figure(*panels, **changes):
    made = {"id": "an-example", "chapter": "04-direct", "panels": panels or (lines(),), "alt": ALT, **changes}
    return Figure(**made)


def wiring():
    nodes = [{"id": name, "label": name} for name in ("input", "layer 1", "layer 2", "error")]
    return Wiring("dfa", nodes, [{"source": "error", "target": "layer 1", "matrices": ["B1"]}])


def everything() -> Figure:
    return figure(
        lines(title="t", guides=[Guide("y", 90.0, "chance")], y_limits=(0.0, 100.0), x_scale="log"),
        panel("dots", series("BP", ["a", "b"], [[1, 2], [3, 4]], "bp")),
        panel("bars", series("n", ["a"], [1.5], free=WALL_TIME)),
        panel("image", series("z", ["l", "r"], [[1, 2], [3, np.nan]], rows=["u", "d"])),
        panel("image", [series("0", [], np.eye(3)), series("1", [], np.ones((3, 3)))]),
        Panel(kind="wiring", wiring=wiring()),
        provenance={"chapter": "04-direct", "parameters": {"epochs": 2}},
    )


def test_json_goes_there_and_back():
    text = json.dumps(everything().to_json(), allow_nan=False)
    assert Figure.from_json(json.loads(text)).to_json() == json.loads(text)


def test_json_of_a_series_is_the_agreed_one():
    data = lines().to_json()["series"][0]
    assert data == {
        "name": "DFA",
        "rule": "dfa",
        "x": [0.0, 1.0, 2.0],
        "y": [[3.0, 2.0, None], [3.5, 2.5, 1.5]],
        "seeds": [0, 7],
    }
    assert {type(value) for value in data["x"]} == {float}


def test_only_a_series_that_is_not_compared_says_why():
    made = series("seconds", [0], [1.5], free=WALL_TIME)
    assert made.to_json()["free"] == "wall time"
    assert Series.from_json(made.to_json()).free == "wall time"
    assert "free" not in series("error", [0], [1.5]).to_json()


def test_every_bit_of_a_number_survives():
    value = 0.1 + 0.2
    there = Series.from_json(json.loads(json.dumps(series("a", [0], [value]).to_json())))
    assert there.y[0] == value


def test_what_is_not_finite_is_a_gap():
    assert series("a", [0, 1], [np.inf, 1.0]).to_json()["y"] == [None, 1.0]


def test_a_series_keeps_its_own_copy():
    y = np.zeros(3)
    made = series("a", [0, 1, 2], y)
    y[0] = 1
    assert made.y[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        made.y[0] = 1


def test_digest_sees_numbers_but_not_their_last_bits():
    before = figure(panel("lines", series("a", [0, 1], [1.0, 2.0]))).digest
    assert figure(panel("lines", series("a", [0, 1], [1.0, 2.0 * (1 + 1e-12)]))).digest == before
    assert figure(panel("lines", series("a", [0, 1], [1.0, 2.00001]))).digest != before


def test_digest_leaves_wall_times_out():
    def timed(seconds):
        return figure(panel("lines", [series("a", [0], [1]), series("t", [0], [seconds], free=WALL_TIME)]))

    assert timed(1.0).digest == timed(2.0).digest


def test_digest_sees_the_wiring():
    other = Wiring("dfa", wiring().nodes, [{"source": "error", "target": "layer 2", "matrices": ["B1"]}])
    made = [figure(Panel(kind="wiring", wiring=w)).digest for w in (wiring(), other)]
    assert made[0] != made[1]


def test_a_published_interval_goes_everywhere_with_its_number():
    def published(half):
        return figure(panel("dots", series("paper", ["2×800"], [1.7], spread=[half])))

    made = published(0.06)
    assert Figure.from_json(made.to_json()).panels == made.panels
    assert "paper ±,,2×800,0.06" in made.to_csv()
    assert made.digest != published(0.07).digest


def test_provenance_carries_the_digest():
    assert everything().to_json()["provenance"]["digest"] == everything().digest


def test_csv_has_one_number_a_line():
    rows = list(csv.DictReader(io.StringIO(figure().to_csv())))
    assert list(rows[0]) == ["panel", "series", "seed", "x", "y"]
    assert [row["seed"] for row in rows] == ["0"] * 3 + ["7"] * 3
    assert [row["y"] for row in rows] == ["3.0", "2.0", "", "3.5", "2.5", "1.5"]


def test_csv_of_every_kind():
    rows = list(csv.reader(io.StringIO(everything().to_csv())))
    assert {len(row) for row in rows} == {5}
    assert ["4", "z", "", "d / l", "3.0"] in rows
    assert ["6", "wiring", "", "error → layer 1", "B1"] in rows


def test_figures_compare_by_content():
    assert everything() == everything()
    assert everything() != figure()
    assert len({series("a", [0], [1]), series("a", [0], [1])}) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: figure(alt="angles"), "alternative text"),
        (lambda: figure(alt="  " + "x" * 10 + " " * 30), "at least 20"),
        (lambda: figure(id="Two words"), "lower-case words joined by hyphens"),
        (lambda: Figure("an-example", "04-direct", (), ALT), "no panel"),
        (lambda: panel("line", series("a", [0], [1])), "did you mean 'lines'"),
        (lambda: panel("lines", []), "no series"),
        (lambda: panel("lines", [series("a", [0], [1]), series("a", [0], [2])]), "two series called 'a'"),
        (lambda: panel("lines", series("a", ["x"], [1])), "for names take 'dots'"),
        (lambda: panel("dots", series("a", [0], [1])), "for numbers take 'lines'"),
        (lambda: panel("lines", series("a", [], np.ones((2, 2)))), "no x values"),
        (lambda: panel("image", series("a", [0], [1])), r"\(rows, columns\)"),
        (lambda: panel("lines", series("a", [0], [1]), y_scale="logarithmic"), "Accepted: linear, log"),
        (lambda: Panel(kind="wiring"), "belongs to a panel of kind 'wiring'"),
        (lambda: Panel("lines", [series("a", [0], [1])], wiring=wiring()), "belongs to a panel of kind 'wiring'"),
        (lambda: series("a", [0, 1], [1, 2, 3]), "2 x values"),
        (lambda: series("a", [0], np.ones((1, 1, 1))), r"\(seeds, n\)"),
        (lambda: series("a", [0], [[1], [2]], seeds=[1]), "1 seeds"),
        (lambda: series("a", ["x"], [[1], [2]], rows=["only"]), "1 rows named"),
        (lambda: Guide("z", 1.0), "guide axis"),
        (lambda: Wiring("dfa", [{"id": "input"}], [{"source": "error", "target": "input", "matrices": []}]), "error"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(InvalidValue, match=message):
        make()


def test_a_broken_file_is_named():
    data = everything().to_json()
    del data["panels"][0]["series"][0]["x"]
    with pytest.raises(InvalidValue, match=r"'an-example' cannot be read: KeyError\('x'\)"):
        Figure.from_json(data)
