"""How every figure of the book looks: one Matplotlib style, one colour per rule, drawings that follow the theme.

Each colour is a pair of fixed hex values: a drawing is made with the light ones, and :func:`theme_svg` adds the
rule by which a browser in dark mode swaps each for its dark partner. So each light value stands for one dark one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from alignlib.book.figure import Panel, Series

WIDTH = 6.0  #: inches; 350 px on a phone leaves text of 12 points ten pixels high
PNG_DPI = 150
LIGHT_BACKGROUND = "#ffffff"
DARK_BACKGROUND = "#121212"


@dataclass(frozen=True)
class Colour:
    """One colour in both themes."""

    light: str
    dark: str


@dataclass(frozen=True)
class Look:
    """How a series is told from its neighbours: a colour and, for who does not see it, a marker and a dash."""

    colour: Colour
    marker: str = "o"
    dash: Any = "-"


INK = Colour("#1a1b2e", "#e8e8ee")
MUTED = Colour("#5d5e6b", "#a9aab6")
REFERENCE = Colour("#8b8c95", "#7d7e88")  #: the book's own run, behind the reader's
FAINT = Colour("#d5d6dd", "#3d3e48")  #: frames and grid: decoration only
PAPER = Colour("#fefefe", "#17181c")  #: fills that hide what lies behind them

_DASHED, _DOTTED, _DASH_DOT, _LONG = (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2))

#: One look per rule, the same in the whole book. The first five must be told apart by colour alone.
RULES: dict[str, Look] = {
    "bp": Look(Colour("#3b3b4f", "#e4e4ec"), "o", "-"),
    "fa": Look(Colour("#0068b0", "#3f9fe8"), "s", _LONG),
    "dfa": Look(Colour("#bf4a00", "#ff9a5c"), "^", "-"),
    "ifa": Look(Colour("#00805c", "#2fd6a3"), "D", _DASH_DOT),
    "shallow": Look(Colour("#9c4a86", "#ee8fca"), "v", _DOTTED),
    "usf": Look(Colour("#2c6e8f", "#7cc3de"), "P", "-"),
    "brsf": Look(Colour("#4a5fc1", "#9fb0ff"), "X", _DASHED),
    "frsf": Look(Colour("#6f4fb0", "#c3a8f5"), "h", _DASH_DOT),
    "kp": Look(Colour("#8a6200", "#e3bd4e"), "p", "-"),
    "wm": Look(Colour("#8c3a3a", "#f09a94"), "<", _DASHED),
    "dkp": Look(Colour("#a8480f", "#ffb27a"), ">", _LONG),
    "drtp": Look(Colour("#b03060", "#ff9ebc"), "d", _DASH_DOT),
    "sdfa": Look(Colour("#945600", "#f2b366"), "*", _DOTTED),
    "pepita": Look(Colour("#5b7300", "#b9d353"), "H", "-"),
    "ff": Look(Colour("#3f6b3a", "#8fd087"), "8", _DASHED),
    "tp": Look(Colour("#00717a", "#4fd0d9"), "P", _LONG),
    "dtp": Look(Colour("#1d7a4c", "#62d896"), "X", _DOTTED),
}

#: Series that are no rule (depths, widths, data sets), from first to last: an order of three hues, light to dark.
PLAIN = (Colour("#a97b06", "#f2d27a"), Colour("#a33f7c", "#f07fb4"), Colour("#2d3080", "#a9acff"))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES = ("-", _LONG, _DASHED, _DASH_DOT, _DOTTED)

RC: dict[str, Any] = {
    "figure.dpi": 72,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same letters on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 12.5,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "text.color": INK.light,
    "axes.labelcolor": INK.light,
    "axes.titlecolor": INK.light,
    "axes.edgecolor": MUTED.light,
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "xtick.labelcolor": INK.light,
    "ytick.labelcolor": INK.light,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
    "svg.fonttype": "path",
    "svg.hashsalt": "alignlib",
    "path.simplify": True,
}


@contextmanager
def applied() -> Iterator[None]:
    """Draw in the book's style inside the ``with`` block; Matplotlib's settings are as before after it."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast(Any, RC))
        yield


def _mixed(first: str, second: str, share: float) -> str:
    """Return the hex colour that lies ``share`` of the way from ``first`` to ``second``."""
    pairs = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def between(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` of the way from ``first`` to ``second``, in both themes."""
    return Colour(_mixed(first.light, second.light, share), _mixed(first.dark, second.dark, share))


STEPS = 8  #: shades that a colour has room for


def ramp(stops: Sequence[Colour], count: int) -> list[Colour]:
    """Return ``count`` shades from the first of the stops to the last; beyond eight they repeat the last one."""
    count_drawn = max(1, min(count, STEPS))
    shades = [_along(stops, i / max(1, count_drawn - 1)) for i in range(count_drawn)]
    return [shades[min(i, count_drawn - 1)] for i in range(count)]


def _along(stops: Sequence[Colour], share: float) -> Colour:
    """Return the colour that lies ``share`` of the way along the stops."""
    place = share * (len(stops) - 1)
    before = min(int(place), max(0, len(stops) - 2))
    return between(stops[before], stops[min(before + 1, len(stops) - 1)], place - before)


def shades(rule: str | None, count: int) -> list[Look]:
    """Return looks for ``count`` series that belong to one rule (layers of a net), or to none."""
    if rule is not None and count == 1:
        return [look(rule)]
    if rule is None:
        stops = list(PLAIN) if count > 1 else [PLAIN[-1]]
    else:
        own = look(rule).colour
        stops = [between(own, Colour("#ffffff", "#ffffff"), 0.14), between(own, INK, 0.72)]
    colours = ramp(stops, count)
    return [Look(c, MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)]) for i, c in enumerate(colours)]


def look(rule: str) -> Look:
    """Return the look of a rule; InvalidValue for one that has none yet."""
    from alignlib.errors import choose

    return RULES[choose("rule with a colour", rule, RULES)]


Looks = dict[str, Look]


def looks(panels: Sequence[Panel]) -> list[Looks]:
    """Return the looks of the series of each panel by their names.

    They are the rule's own, or shades where several series belong to one rule or to none. A name looks the same in
    all panels of a figure, unless together these have more names than there are shades.
    """
    everything = [one for panel in panels for one in panel.series]
    return [_looks_of(panel.series, everything) for panel in panels]


def _looks_of(series: Sequence[Series], everything: Sequence[Series]) -> Looks:
    found: Looks = {}
    for rule in dict.fromkeys(one.rule for one in series):
        own, everywhere = (
            list(dict.fromkeys(one.name for one in some if one.rule == rule)) for some in (series, everything)
        )
        rules_own = rule is not None and len(own) == 1
        shaded = own if rules_own or len(everywhere) > STEPS else everywhere
        of_name = dict(zip(shaded, shades(rule, len(shaded)), strict=True))
        found.update({name: of_name[name] for name in own})
    return found


def partners() -> dict[str, str]:
    """Return the dark partner of every light colour that a drawing may use."""
    table = {c.light: c.dark for c in (INK, MUTED, REFERENCE, FAINT, PAPER)}
    for count in range(1, STEPS + 1):
        for rule in (None, *RULES):
            table.update({item.colour.light: item.colour.dark for item in shades(rule, count)})
    return table


def theme_svg(svg: str) -> str:
    """Return ``svg`` with the rules that swap each light colour for its dark partner in dark mode."""
    used = set(re.findall(r"#[0-9a-f]{6}\b", svg.lower()))
    swaps = [
        f'[style*="{prop}: {light}"]{{{prop}:{dark} !important}}'
        for light, dark in sorted(partners().items())
        if light in used
        for prop in ("stroke", "fill", "stop-color")
        if f"{prop}: {light}" in svg
    ]
    block = "<style>@media (prefers-color-scheme: dark){" + "".join(swaps) + "}</style>"
    return re.sub(r"(<svg\b[^>]*>)", lambda opening: opening[1] + "\n " + block, svg, count=1)
