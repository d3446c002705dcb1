"""What the drawing shows, read from the Matplotlib artists and from the finished files."""

import io
import itertools
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from fake_results import fakes
from PIL import Image

from alignlib import book
from alignlib.book import Figure, Guide, panel, series, style
from alignlib.book.figure import MIME, Panel
from alignlib.book.naming import REFERENCE_NAME, numbers_alike, short_number, spread_apart
from alignlib.book.wirings import wiring_panel
from alignlib.errors import InvalidValue
from alignlib.wiring import Edge

ALT = "Lines that fall, one for each rule, and dots that stand in rows."


def figure(*panels, id="an-example"):
    return Figure(id, "04-direct", panels, ALT, {"chapter": "04-direct"})


def texts(drawing):
    found = [text.get_text() for axes in drawing.axes for text in axes.texts if text.get_text()]
    return found + [text.get_text() for legend in drawing.legends for text in legend.get_texts()]


def one_of_each_kind():
    grid = np.arange(6.0).reshape(2, 3)
    return {
        "lines": book.curves(fakes(), "test_error", guides=[Guide("y", 5.0, "published"), Guide("x", 1.0, "here")]),
        "dots": book.finals(fakes(), guides=[Guide("y", 5.0, "published")]),
        "bars": panel("bars", [series(name, ["BP", "DFA"], [1.0, -2.0]) for name in ("to", "fro")], y_label="cost"),
        "heat": panel("image", series("error", ["a", "b", "c"], grid, rows=["u", "d"])),
        "picture": panel("image", series("", [], grid)),
        "pictures": panel("image", [series(str(i), [], grid) for i in range(7)], title="Seven"),
        "wiring": book.wirings("dfa")[0],
    }


@pytest.mark.parametrize("kind", list(one_of_each_kind()))
def test_every_kind_is_drawn_in_every_form(kind):
    bundle = figure(one_of_each_kind()[kind])._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "image/png", MIME, "text/plain"}
    root = ElementTree.fromstring(bundle["image/svg+xml"])
    assert root.get("viewBox", "").split()[2] == f"{style.WIDTH * 72:g}"
    assert bundle["text/plain"] == ALT


def test_nothing_of_a_panel_sticks_out_of_the_picture():
    for kind, made in one_of_each_kind().items():
        drawing = figure(made).draw()
        box = drawing.get_tightbbox()
        width, height = drawing.get_size_inches()
        assert box.x0 > -0.02, kind
        assert box.x1 < width + 0.02, kind
        assert box.y0 > -0.02, kind
        assert box.y1 < height + 0.02, kind


def test_same_bytes_in_another_process():
    script = (
        "import sys, hashlib; from fake_results import fakes; from alignlib import book\n"
        "panels = [book.curves(fakes(), 'test_error'), *book.wirings(['bp', 'dfa'])]\n"
        "f = book.Figure('a', '04-direct', panels, 'a' * 30)\n"
        "print(hashlib.sha256(f.svg().encode() + f.png()).hexdigest())"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=here,
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, threads in (("0", "1"), ("4711", "2"))
    }
    assert len(digests) == 1


def test_svg_and_png_say_where_they_come_from_but_not_when():
    made = figure(one_of_each_kind()["lines"])
    svg, png = made.svg(), made.png()
    assert '"chapter": "04-direct"' in svg.replace("&quot;", '"')
    assert made.digest in svg
    assert "<dc:date>" not in svg
    assert "Matplotlib v" not in svg
    picture = Image.open(io.BytesIO(png))
    assert made.digest in picture.info["Description"]
    assert "Software" not in picture.info
    assert picture.info["dpi"][0] == pytest.approx(150, abs=0.5)
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_svg_is_transparent_and_follows_the_theme():
    svg = figure(one_of_each_kind()["lines"]).svg()
    assert "@media (prefers-color-scheme: dark)" in svg
    assert f"fill: {style.INK.light}" in svg
    assert f"fill:{style.INK.dark} !important" in svg
    assert f"stroke:{style.look('dfa').colour.dark} !important" in svg
    assert "fill: #ffffff" not in svg
    assert "font-family" not in svg


@pytest.mark.parametrize("kind", list(one_of_each_kind()))
def test_only_colours_with_a_dark_partner_are_used(kind):
    """But for cells of heat maps and what is written on them, which keep their colour in both themes."""
    allowed = set(style.partners())
    if kind in ("heat", "picture"):
        return
    drawn = figure(one_of_each_kind()[kind]).svg().split("</style>", 1)[1]
    used = set(re.findall(r"(?:stroke|fill): (#[0-9a-f]{6})", drawn))
    assert used <= allowed


def test_pyplot_is_not_needed_and_settings_stay():
    script = (
        "import sys; from alignlib import book\n"
        "print([m for m in ('matplotlib', 'IPython', 'papermill', 'sphinx', 'nbformat') if m in sys.modules])\n"
        "import matplotlib; from matplotlib import rcParams\n"
        "settings = lambda: {k: rcParams[k] for k in rcParams if k != 'backend'}\n"
        "before = settings()\n"
        "book.Figure('a', '04-direct', [book.panel('lines', book.series('a', [0], [1]))], 'a' * 30).svg()\n"
        "print('matplotlib.pyplot' in sys.modules, settings() == before)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False True"]


def test_a_users_settings_do_not_change_the_book():
    made = figure(one_of_each_kind()["lines"])
    before = made.svg()
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.hashsalt": "other", "text.color": "red"}):
        assert made.svg() == before


def test_every_seed_is_thin_and_the_median_bold():
    axes = figure(book.curves(fakes(("dfa",), seeds=3), "test_error")).draw().axes[0]
    thin = [line for line in axes.lines if line.get_linewidth() < 1]
    bold = [line for line in axes.lines if line.get_linewidth() > 2]
    assert len(thin) == 3
    np.testing.assert_array_equal(bold[0].get_ydata(), np.median([line.get_ydata() for line in thin], axis=0))
    assert {line.get_color() for line in axes.lines if line.get_linewidth() != 1.1} == {style.look("dfa").colour.light}


def test_the_median_ends_where_the_first_seed_stops():
    y = [[1.0, 2.0, 3.0], [1.0, 2.0, np.nan]]
    axes = figure(panel("lines", series("a", [0, 1, 2], y))).draw().axes[0]
    bold = next(line for line in axes.lines if line.get_linewidth() > 2)
    np.testing.assert_array_equal(bold.get_ydata(), [1.0, 2.0, np.nan])


def test_lines_are_named_at_their_ends_without_a_legend():
    drawing = figure(book.curves(fakes(("bp", "fa", "dfa", "ifa", "shallow")), "test_error")).draw()
    assert {"BP", "FA", "DFA", "IFA"} <= set(texts(drawing))
    assert not drawing.legends
    boxes = sorted(
        (t.get_window_extent().y0, t.get_window_extent().y1)
        for t in drawing.axes[0].texts
        if t.get_text() in ("BP", "FA", "DFA", "IFA")
    )
    assert all(upper[0] > lower[1] - 1 for lower, upper in itertools.pairwise(boxes))


def test_long_names_go_to_a_legend():
    made = [series(f"a name that is far too long {i}", [0, 1], [i, i]) for i in range(3)]
    assert len(texts(figure(panel("lines", made)).draw())) == 3


def test_lines_that_end_early_go_to_a_legend():
    made = [series("long", [0, 10], [0, 1]), series("short", [0, 2], [0, 1])]
    assert figure(panel("lines", made)).draw().legends


def test_a_name_with_several_colours_is_shown_in_ink():
    panels = [book.layer_curves(fakes((rule,)), "delta_angle") for rule in ("fa", "dfa", "ifa", "shallow")]
    drawing = figure(*panels).draw()
    handles = drawing.legends[0].get_lines()
    assert [handle.get_color() for handle in handles] == [style.INK.light] * 2


def test_guides_are_drawn_and_named():
    drawing = figure(one_of_each_kind()["lines"]).draw()
    assert {"published", "here"} <= set(texts(drawing))


def test_the_reference_lies_in_grey_behind_and_is_named_once():
    ours = figure(book.curves(fakes(), "test_error"), book.curves(fakes(), "seconds"))
    axes = ours.draw(reference=ours).axes[0]
    grey = [line for line in axes.lines if line.get_color() == style.REFERENCE.light]
    coloured = [line for line in axes.lines if line.get_color() == style.look("dfa").colour.light]
    assert grey
    assert max(line.get_zorder() for line in grey) < min(line.get_zorder() for line in coloured)
    assert texts(ours.draw(reference=ours)).count(REFERENCE_NAME) == 1
    assert REFERENCE_NAME not in texts(ours.draw())


@pytest.mark.parametrize("kind", list(one_of_each_kind()))
def test_every_kind_takes_a_reference(kind):
    made = figure(one_of_each_kind()[kind])
    assert ElementTree.fromstring(made.svg(reference=made)).tag.endswith("svg")


def test_a_reference_with_other_rows_is_drawn_where_they_meet():
    ours = figure(panel("dots", series("n", ["a", "b", "c"], [1.0, 2.0, 3.0])))
    theirs = figure(panel("dots", [series("n", ["c", "z", "a"], [30.0, 0.0, 10.0]), series("m", ["a"], [5.0])]))
    axes = ours.draw(reference=theirs).axes[0]
    grey = next(line for line in axes.lines if line.get_color() == style.REFERENCE.light)
    rows = [round(float(y)) for y in grey.get_ydata()]
    assert dict(zip(rows, grey.get_xdata(), strict=True)) == {2: 30.0, 0: 10.0}


def test_an_interval_reaches_as_far_as_it_says():
    paper = series("paper", ["a", "b"], [1.0, 3.0], spread=[0.5, float("nan")])
    (axes,) = figure(panel("dots", paper)).draw().axes
    ends = [segment[:, 0].tolist() for lines in axes.collections for segment in lines.get_segments() if len(segment)]
    assert ends == [[0.5, 1.5]]


def test_a_reference_of_another_shape_is_refused():
    with pytest.raises(InvalidValue, match=r"\['lines'\], its reference 'other' has \['dots'\]"):
        figure(one_of_each_kind()["lines"]).draw(figure(one_of_each_kind()["dots"], id="other"))


def test_small_heat_maps_are_annotated_and_large_ones_not():
    assert {"0", "5"} <= set(texts(figure(one_of_each_kind()["heat"]).draw()))
    large = panel("image", series("z", list("abcdefgh"), np.ones((8, 8)), rows=list("abcdefgh")))
    assert not texts(figure(large).draw())


def test_an_empty_grid_is_drawn():
    assert figure(panel("image", series("z", ["a"], [[np.nan]], rows=["b"]))).svg()


def test_log_scales_reach_the_axes():
    made = panel("lines", series("a", [0.1, 1, 10], [1, 10, 100]), x_scale="log", y_scale="log")
    axes = figure(made).draw().axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    lying = panel("bars", series("a", ["b"], [100]), y_scale="log")
    assert figure(lying).draw().axes[0].get_xscale() == "log"


def test_a_short_log_axis_has_more_numbers_than_powers_of_ten():
    made = panel("lines", series("a", [0, 1], [8, 60]), y_scale="log")
    drawing = figure(made).draw()
    labels = [label.get_text() for label in drawing.axes[0].get_yticklabels()]
    assert {"10", "20", "50"} <= set(labels)


@pytest.mark.parametrize(
    ("x", "labels"),
    [
        ([2, 4, 8, 16], ["2", "4", "8", "16"]),  # a few places that were measured
        ([1, 105, 4000], ["1", "105", "4000"]),
        ([2, 3, 4, 5, 6, 7, 8, 9], ["2", "5"]),  # too many of them
        ([1000, 1010, 4000], ["1000", "2000"]),  # two of them too near
    ],
)
def test_a_log_axis_is_numbered_where_the_data_are_if_they_are_few(x, labels):
    axes = figure(panel("lines", series("a", x, [1.0] * len(x)), x_scale="log")).draw().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == labels


def test_a_long_log_axis_has_powers_of_ten_and_never_too_many():
    axes = figure(panel("lines", series("a", [0, 1], [1e-26, 1.0]), y_scale="log")).draw().axes[0]
    exponents = np.log10(axes.get_yticks())
    assert 3 <= len(exponents) <= 7
    np.testing.assert_allclose(np.diff(exponents), 5)  # 29 powers with the margins, so every fifth
    assert 0 in exponents.round(9)


def test_whole_epochs_have_whole_ticks():
    ticks = figure(panel("lines", series("a", range(4), range(4)))).draw().axes[0].get_xticks()
    assert all(float(tick).is_integer() for tick in ticks)


def test_wirings_show_what_reaches_which_layer():
    drawn = {name: " ".join(texts(figure(book.wirings(name)[0]).draw())) for name in ("bp", "dfa", "shallow")}
    assert r"W_{3}^{\mathsf{T}}" in drawn["bp"]
    assert "B_{1}" in drawn["dfa"]
    assert "B_{2}" in drawn["dfa"]
    assert "no signal" in drawn["shallow"]
    assert "no signal" not in drawn["dfa"]


def test_a_wiring_begins_at_the_target_or_goes_by_way_of_the_input():
    drtp, pepita = (" ".join(texts(figure(book.wirings(name)[0]).draw())) for name in ("drtp", "pepita"))
    assert "$e$" not in drtp
    assert "$y$" in drtp
    assert {r"$\delta_{0}$", "$F$", "$e$"} <= set(pepita.split())


def test_a_wiring_may_send_targets_and_pseudo_inverses():
    edges = [Edge("target", "layer 2", ("V⁺",)), Edge("layer 2", "layer 1", ("W2⁺",))]
    made = wiring_panel(edges, 2, "tp", "closed form", signal="t")
    drawn = " ".join(texts(figure(made).draw()))
    for name in ("$t_{1}$", "$t_{2}$", "$V^{+}$", "$W_{2}^{+}$", "$y$"):
        assert name in drawn
    assert "delta" not in drawn
    assert Panel.from_json(made.to_json()).wiring == made.wiring


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], []),
        ([50], [50]),
        ([10, 90], [10, 90]),
        ([50, 50, 50], [40, 50, 60]),
        ([45, 55, 90], [45, 55, 90]),
        ([0, 0, 0], [5, 15, 25]),
        ([100, 100], [85, 95]),
        ([20, 21, 29], [13.333, 23.333, 33.333]),
    ],
)
def test_labels_are_moved_apart_as_little_as_needed(wanted, expected):
    assert spread_apart(wanted, 10, 0, 100) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (3.14159, "3.14"), (1234.0, "1234"), (33290.0, "33,290"), (1e-5, "1.00e-05"), (-2.5, "-2.5")],
)
def test_numbers_are_short(value, text):
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([5.87, 12.41, 0.44], ["5.9", "12.4", "0.4"]),  # not "5.87", "12.4", "0.44"
        ([1.0, 250.0], ["1", "250"]),
        ([0.0, np.nan, 3.14159], ["0.00", "", "3.14"]),
        ([1e-5, 2.0], ["1.00e-05", "2"]),  # together the first would be nothing
        ([0.0, 0.0], ["0", "0"]),
    ],
)
def test_numbers_read_together_have_the_same_decimals(values, texts):
    assert numbers_alike(np.array(values)) == texts


def test_the_name_of_a_guide_keeps_clear_of_lines_between_their_points():
    """Both points lie far from the guide: only the line between them crosses it."""
    guide = Guide("y", 0.5, "chance level")
    line = panel("lines", [series("a", [0, 1], [0.4, 0.7])], y_limits=(0, 1), guides=[guide])
    drawing = figure(line).draw()
    (name,) = [text for text in drawing.axes[0].texts if text.get_text() == "chance level"]
    box = name.get_window_extent().transformed(drawing.axes[0].transData.inverted())
    along = np.linspace(box.x0, box.x1, 50)
    height = 0.4 + 0.3 * along
    assert box.width > 0.1
    assert not np.any((along > 0) & (along < 1) & (height > box.y0) & (height < box.y1))
