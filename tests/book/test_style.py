"""The palette: readable in both themes, told apart by the colour-blind, and swapped by the SVG itself."""

import itertools
import re

import matplotlib
import numpy as np
import pytest

from alignlib import book
from alignlib.book import style
from alignlib.errors import InvalidValue

FIRST_FIVE = ("bp", "fa", "dfa", "ifa", "shallow")
# Machado, Oliveira & Fernandes (2009), severity 1: what is left of linear RGB
EYES = {
    "normal": np.eye(3),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def every_look():
    for count in range(1, style.STEPS + 1):
        for rule in (None, *style.RULES):
            for look in style.shades(rule, count):
                yield rule, count, look.colour


def test_every_line_stands_out_in_both_themes():
    for rule, count, colour in every_look():
        assert contrast(colour.light, style.LIGHT_BACKGROUND) >= 3, (rule, count, colour)
        assert contrast(colour.dark, style.DARK_BACKGROUND) >= 3, (rule, count, colour)


@pytest.mark.parametrize("rule", style.RULES)
def test_names_written_in_the_colour_of_a_rule_are_readable_text(rule):
    colour = style.look(rule).colour
    assert contrast(colour.light, style.LIGHT_BACKGROUND) >= 4.5
    assert contrast(colour.dark, style.DARK_BACKGROUND) >= 4.5


@pytest.mark.parametrize("colour", [style.INK, style.MUTED])
def test_text_is_readable(colour):
    assert contrast(colour.light, style.LIGHT_BACKGROUND) >= 4.5
    assert contrast(colour.dark, style.DARK_BACKGROUND) >= 4.5


def test_the_reference_is_visible_and_yet_behind():
    assert contrast(style.REFERENCE.light, style.LIGHT_BACKGROUND) >= 3
    assert contrast(style.REFERENCE.dark, style.DARK_BACKGROUND) >= 3


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_five_rules_differ_for_every_eye(eyes, theme):
    seen = {rule: lab(EYES[eyes] @ linear(getattr(style.look(rule).colour, theme))) for rule in FIRST_FIVE}
    for one, other in itertools.combinations(FIRST_FIVE, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)


def test_the_first_five_rules_differ_without_colour():
    cues = {(style.look(rule).marker, str(style.look(rule).dash)) for rule in FIRST_FIVE}
    assert len(cues) == len(FIRST_FIVE)
    assert len({style.look(rule).marker for rule in FIRST_FIVE}) == len(FIRST_FIVE)


def test_no_two_rules_share_a_colour():
    colours = [look.colour for look in style.RULES.values()]
    assert len({c.light for c in colours}) == len(colours) == len({c.dark for c in colours})


def test_every_light_colour_has_one_dark_partner():
    partner: dict[str, str] = {}
    for rule, count, colour in every_look():
        assert partner.setdefault(colour.light, colour.dark) == colour.dark, (rule, count)


def test_an_unknown_rule_has_no_look():
    with pytest.raises(InvalidValue, match="did you mean 'dfa'"):
        style.look("dfaa")


def test_the_style_ends_with_its_block():
    before = dict(matplotlib.rcParams)
    with style.applied():
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert dict(matplotlib.rcParams) == before


def test_dark_mode_swaps_stroke_and_fill():
    ink, dfa = style.INK, style.look("dfa").colour
    svg = f'<svg width="1"><path style="fill: none; stroke: {dfa.light}"/><g style="fill: {ink.light}"/></svg>'
    themed = style.theme_svg(svg)
    assert "@media (prefers-color-scheme: dark)" in themed
    assert f'[style*="stroke: {dfa.light}"]{{stroke:{dfa.dark} !important}}' in themed
    assert f'[style*="fill: {ink.light}"]{{fill:{ink.dark} !important}}' in themed
    assert f"fill: {dfa.light}" not in re.sub("<path.*", "", themed)
    assert themed.endswith("</svg>")


def test_theming_swaps_gradients_too():
    themed = style.theme_svg(f'<svg><stop style="stop-color: {style.MUTED.light}"/></svg>')
    assert f"stop-color:{style.MUTED.dark} !important" in themed


def test_a_name_looks_the_same_in_all_panels():
    few, more = (book.panel("lines", [book.series(n, [0, 1], [0, 1]) for n in names]) for names in ("ab", "cab"))
    first, second = style.looks([few, more])
    assert {name: second[name] for name in "ab"} == first
    assert len({look.colour for look in second.values()}) == 3


def test_the_only_series_of_a_rule_has_the_rules_own_look():
    panels = [book.panel("lines", book.series(name, [0, 1], [0, 1], "dfa")) for name in ("DFA", "DFA, deep")]
    assert [looks[name] for looks, name in zip(style.looks(panels), ("DFA", "DFA, deep"), strict=True)] == [
        style.look("dfa")
    ] * 2


def test_panels_with_more_names_than_shades_are_each_for_themselves():
    panels = [book.panel("lines", [book.series(f"{n}{i}", [0, 1], [0, 1]) for i in range(8)]) for n in "ab"]
    for looks in style.looks(panels):
        assert len({look.colour for look in looks.values()}) == 8
