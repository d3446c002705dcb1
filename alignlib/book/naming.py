"""Names in a drawing: of the series at the ends of their lines or in a legend, of the guides, and of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from alignlib._typing import Array
from alignlib.book import style
from alignlib.book.figure import Guide, Panel

POINTS = 72.0
LONGEST_END_LABEL = 16
MOST_END_LABELS = 8
REFERENCE_NAME = "the book's run"


@dataclass
class Drawn:
    """What the shared steps need to know of a panel once it is drawn."""

    axes: Axes
    panel: Panel
    handles: dict[str, Line2D] = field(default_factory=dict)
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)
    points: list[Array] = field(default_factory=list)


def categories(panel: Panel) -> list[str]:
    """Return the names of the rows of a panel of dots or bars, from the top."""
    return list(dict.fromkeys(str(value) for series in panel.series for value in series.x))


def one_series_a_row(panel: Panel) -> bool:
    """Whether no row holds two series, so that rows and series are the same thing."""
    return sum(len(series.x) for series in panel.series) == len(categories(panel))


def short_number(value: float) -> str:
    """Return a number with three significant digits, thousands separated, no exponent where it can be helped."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        text = f"{value:.3g}"
        return text if "e" not in text else f"{value:.0f}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.2e}"


def numbers_alike(values: Array) -> list[str]:
    """Return numbers that are read together with one number of decimals, so that they can be compared at a glance.

    Where that would leave nothing of the smallest, each has its own. Entries that are not finite come back empty.
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    whole = bool(np.all(sizes == np.rint(sizes)))
    decimals = 0 if whole or not sizes.size else max(0, 2 - math.floor(math.log10(sizes.max())))
    alike = not sizes.size or (sizes.min() >= 10.0**-decimals and sizes.max() < 1e4)
    return [
        "" if not np.isfinite(value) else f"{value:.{decimals}f}" if alike else short_number(value)
        for value in values.ravel()
    ]


def name_the_series(drawing: MatplotlibFigure, drawn: Sequence[Drawn], columns: int, compared: bool) -> None:
    """Write names at the ends of lines where they fit, else in one legend below; then fix the layout."""
    direct = columns == 1 and all(_ends_can_be_named(d) for d in drawn if d.panel.kind == "lines")
    handles: dict[str, Line2D] = {}
    for d in drawn:
        if not _is_named_by_axis(d.panel) and not (direct and d.panel.kind == "lines"):
            _add_handles(handles, d.handles)
    if compared and any(d.handles for d in drawn):
        grey = Line2D([], [], color=style.REFERENCE.light, linewidth=3.4, alpha=0.55, label=REFERENCE_NAME)
        handles[REFERENCE_NAME] = grey
    if handles:
        drawing.legend(handles=list(handles.values()), loc="outside lower center", ncols=_legend_columns(list(handles)))
    _lay_out(drawing)
    for d in drawn:
        if d.panel.kind == "lines" and direct:
            _name_ends(d)
        _name_guides(d)
    _lay_out(drawing)
    drawing.set_layout_engine("none")  # SVG and PNG show one and the same layout


def _lay_out(drawing: MatplotlibFigure) -> None:
    engine = drawing.get_layout_engine()
    assert engine is not None
    engine.execute(drawing)


def _add_handles(handles: dict[str, Line2D], more: dict[str, Line2D]) -> None:
    """Add what is not there yet; a name that wears several colours (layer 1 of each rule) is shown in ink."""
    for name, handle in more.items():
        known = handles.get(name)
        if known is None:
            handles[name] = handle
        elif known.get_color() != handle.get_color():
            handles[name] = Line2D(
                [],
                [],
                color=style.INK.light,
                linestyle=handle.get_linestyle(),
                marker=handle.get_marker(),
                label=name,
            )


def _is_named_by_axis(panel: Panel) -> bool:
    return panel.kind in ("dots", "bars") and (one_series_a_row(panel) or len(panel.series) == 1)


def _legend_columns(names: Sequence[str]) -> int:
    """As many columns as fit beside each other in the width of the figure."""
    width = 7.4 * max(len(name) for name in names) + 44
    most = max(1, min(len(names), int(style.WIDTH * POINTS // width)))
    rows = -(-len(names) // most)
    return -(-len(names) // rows)


def _ends_can_be_named(d: Drawn) -> bool:
    names = list(d.handles)
    if len(names) > MOST_END_LABELS or max(len(name) for name in names) > LONGEST_END_LABEL:
        return False
    if set(d.ends) != set(names):
        return False
    d.axes.autoscale_view()  # until then the axes do not know how far their data reach
    to_axes = d.axes.transData.transform(list(d.ends.values()))
    right = d.axes.transAxes.transform((1.0, 0.0))[0]
    left = d.axes.transAxes.transform((0.0, 0.0))[0]
    return bool(np.all(to_axes[:, 0] > right - 0.12 * (right - left)))


def _name_ends(d: Drawn) -> None:
    """Write each name beside the end of its line, moved apart where lines end together."""
    box = d.axes.get_window_extent()
    names = sorted(d.ends, key=lambda name: d.ends[name][1])
    wanted = [d.axes.transData.transform(d.ends[name])[1] for name in names]
    heights = spread_apart(wanted, 15.5, box.y0, box.y1)
    for name, height in zip(names, heights, strict=True):
        colour = d.handles[name].get_color()
        d.axes.annotate(
            name,
            xy=d.ends[name],
            xycoords="data",
            xytext=(1.0, (height - box.y0) / box.height),
            textcoords=offset_copy(d.axes.transAxes, d.axes.get_figure(root=True), x=20, y=0, units="points"),
            va="center",
            ha="left",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "relpos": (0.0, 0.5),
                "color": colour,
                "linewidth": 0.9,
                "shrinkA": 1,
                "shrinkB": 5,
                "alpha": 0.7,
            },
        )


def spread_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return heights at least ``gap`` apart, in the order given (rising), as near to the wanted ones as may be.

    Neighbours that are too close form a block, which is centred on the mean of what its members want.
    """
    blocks: list[list[float]] = []  # [sum of (wanted - place in block), members]
    for height in wanted:
        blocks.append([height, 1.0])
        while len(blocks) > 1 and _bottom(blocks[-1]) < _bottom(blocks[-2]) + gap * blocks[-2][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total - gap * blocks[-1][1] * count
            blocks[-1][1] += count
    placed = [_bottom(block) + gap * i for block in blocks for i in range(int(block[1]))]
    excess = max(0.0, placed[-1] - (high - gap / 2)) if placed else 0.0
    placed = [height - excess for height in placed]
    return [max(height, low + gap / 2 + gap * i) for i, height in enumerate(placed)] if placed else []


def _bottom(block: Sequence[float]) -> float:
    return block[0] / block[1]


def _name_guides(d: Drawn) -> None:
    for guide in d.panel.guides:
        if guide.label:
            lying = d.panel.kind in ("dots", "bars")
            upright = (guide.axis == "y") == lying
            (_name_upright_guide if upright else _name_level_guide)(d, guide)


def _name_level_guide(d: Drawn, guide: Guide) -> None:
    """Write beside a level line, in the corner that holds the fewest points."""
    axes = d.axes
    inverse = axes.transAxes.inverted()
    height = float(inverse.transform(axes.transData.transform((axes.get_xlim()[0], guide.value)))[1])
    lines = [inverse.transform(axes.transData.transform(line)) for line in d.points]
    points = np.concatenate([_along(line) for line in lines] or [np.zeros((0, 2))])
    line = 15.0 / (axes.get_window_extent().height)
    width = min(0.9, 6.6 * len(guide.label) / axes.get_window_extent().width)
    best, fewest = (0.99, 1), np.inf
    for x, side in ((0.99, 1), (0.01, 1), (0.99, -1), (0.01, -1)):
        left = x - width if x > 0.5 else x
        bottom = height if side > 0 else height - line
        inside = (points[:, 0] > left) & (points[:, 0] < left + width)
        count = float(np.sum(inside & (points[:, 1] > bottom - 0.01) & (points[:, 1] < bottom + line)))
        out = bottom < -0.02 or bottom + line > 1.06
        if count + 1000 * out < fewest:
            best, fewest = (x, side), count + 1000 * out
    axes.annotate(
        guide.label,
        xy=(best[0], height),
        xycoords="axes fraction",
        xytext=(0, 3 * best[1]),
        textcoords="offset points",
        ha="right" if best[0] > 0.5 else "left",
        va="bottom" if best[1] > 0 else "top",
        fontsize=11,
        color=style.MUTED.light,
    )


def _along(line: Array) -> Array:
    """Points on a drawn line, those between its own too: where it crosses a name matters, not where it was measured."""
    between = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None, None]
    return np.concatenate([(line[:-1] + between * np.diff(line, axis=0)).reshape(-1, 2), line[-1:]])


def _name_upright_guide(d: Drawn, guide: Guide) -> None:
    axes = d.axes
    start, end = axes.get_xlim()
    point = axes.transAxes.inverted().transform(axes.transData.transform((guide.value, axes.get_ylim()[0])))
    right, lying = point[0] > 0.6, d.panel.kind != "lines"
    axes.annotate(
        guide.label,
        xy=(point[0], 1.0),
        xycoords="axes fraction",
        xytext=((0, 3) if lying else (-4 if right else 4, -2)),
        textcoords="offset points",
        ha=("right" if right else "left") if not lying else "center",
        va="bottom" if lying else "top",
        fontsize=11,
        color=style.MUTED.light,
    )
    axes.set_xlim(start, end)
