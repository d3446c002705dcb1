"""Draw a figure from its data alone, with Matplotlib but without pyplot: nothing global is touched or kept.

Each kind of panel has one function; what lies around them (size, legends, labels at the ends of lines) is shared.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from alignlib._typing import Array
from alignlib.book import style
from alignlib.book.figure import Figure, Panel, Series
from alignlib.book.image_drawing import draw_image, image_height
from alignlib.book.naming import POINTS, Drawn, categories, name_the_series, numbers_alike, one_series_a_row
from alignlib.book.wiring_drawing import draw_wiring, wiring_height
from alignlib.errors import InvalidValue


def draw(figure: Figure, reference: Figure | None = None) -> MatplotlibFigure:
    """Return ``figure`` drawn in the book's style, with the series of ``reference`` in grey behind its own."""
    behind = _reference_panels(figure, reference)
    columns = _columns(figure.panels)
    rows = [figure.panels[i : i + columns] for i in range(0, len(figure.panels), columns)]
    heights = [max(_height(panel, columns, len(rows)) for panel in row) for row in rows]
    with style.applied():
        drawing = MatplotlibFigure(figsize=(style.WIDTH, sum(heights)), layout="constrained")
        FigureCanvasAgg(drawing)
        grid = drawing.subplots(len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
        drawn = []
        for axes, panel, grey, looks in zip(grid.flat, figure.panels, behind, style.looks(figure.panels), strict=False):
            _decorate(axes, panel, columns)
            drawn.append(_DRAWERS[panel.kind](axes, panel, grey, looks))
        for axes in list(grid.flat)[len(figure.panels) :]:
            axes.set_axis_off()
        _share_scales(drawn, columns)
        for d in drawn:
            if d.panel.kind == "lines":
                _number_axes(d.axes, d.panel)
        name_the_series(drawing, drawn, columns, reference is not None)
    return drawing


def to_svg(drawing: MatplotlibFigure, description: str = "") -> str:
    """Return the drawing as SVG: the same bytes each time, transparent, following the reader's theme."""
    text = io.StringIO()
    with style.applied():
        metadata = {"Date": None, "Creator": None, "Type": None, "Format": None, "Description": description}
        drawing.savefig(text, format="svg", metadata=metadata, dpi=2 * POINTS)
    return style.theme_svg(text.getvalue())


def to_png(drawing: MatplotlibFigure, description: str = "") -> bytes:
    """Return the drawing as PNG on white: the same bytes each time."""
    data = io.BytesIO()
    with style.applied():
        metadata = {"Software": None, "Description": description}
        background = style.LIGHT_BACKGROUND
        drawing.savefig(data, format="png", dpi=style.PNG_DPI, facecolor=background, metadata=metadata)
    return data.getvalue()


def _reference_panels(figure: Figure, reference: Figure | None) -> Sequence[Panel | None]:
    if reference is None:
        return [None] * len(figure.panels)
    ours, theirs = [p.kind for p in figure.panels], [p.kind for p in reference.panels]
    if ours != theirs:
        raise InvalidValue(
            f"figure {figure.id!r} has the panels {ours}, its reference {reference.id!r} has {theirs}: "
            "they cannot be laid over each other."
        )
    return reference.panels


# --- Size and frame ---------------------------------------------------------------------------------------------


def _columns(panels: Sequence[Panel]) -> int:
    """One column reads on a phone; two where there are many small panels."""
    kinds = {panel.kind for panel in panels}
    if kinds == {"wiring"}:
        widest = max(len(panel.wiring.nodes) for panel in panels if panel.wiring is not None)
        return 2 if len(panels) >= 4 and widest <= 5 else 1
    return 2 if len(panels) >= 4 and kinds <= {"lines", "image"} else 1


def _height(panel: Panel, columns: int, rows: int) -> float:
    """Height of a panel in inches."""
    if panel.kind == "wiring":
        return wiring_height(panel)
    if panel.kind == "dots":
        series_in_row = 1 if one_series_a_row(panel) else len(panel.series)
        return 1.1 + 0.3 * max(1.3, series_in_row) * len(categories(panel))
    if panel.kind == "bars":
        return 0.95 + 0.3 * (1.3 if one_series_a_row(panel) else len(panel.series)) * len(categories(panel))
    if panel.kind == "image":
        return image_height(panel, columns)
    return 3.5 if rows == 1 else 3.0 if columns == 1 else 2.7


def _decorate(axes: Axes, panel: Panel, columns: int) -> None:
    """Title, and the labels: the name of the upright axis lies above it, where a phone can read it."""
    lying = panel.kind in ("dots", "bars")
    above, below = (panel.x_label, panel.y_label) if lying else (panel.y_label, panel.x_label)
    room = 54 // columns
    lines = textwrap.wrap(above, room)
    if above:
        axes.annotate(
            "\n".join(lines),
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(0, 5),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=12,
            color=style.MUTED.light,
            linespacing=1.15,
        )
    if panel.title:
        named_above = lying and any(guide.axis == "y" and guide.label for guide in panel.guides)
        axes.set_title(textwrap.fill(panel.title, 48 // columns), pad=8 + 15.5 * (len(lines) + named_above))
    if below:
        axes.set_xlabel(textwrap.fill(below, room))


def _share_scales(drawn: Sequence[Drawn], columns: int) -> None:
    """Panels side by side that measure the same get the same scale, or the eye compares wrongly."""
    for start in range(0, len(drawn) - 1, columns):
        row = [d for d in drawn[start : start + columns] if d.panel.kind == "lines"]
        if len(row) > 1 and len({(d.panel.y_label, d.panel.y_scale) for d in row}) == 1:
            limits = np.array([d.axes.get_ylim() for d in row])
            for d in row:
                d.axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


# --- Lines ------------------------------------------------------------------------------------------------------


def _draw_lines(axes: Axes, panel: Panel, reference: Panel | None, looks: style.Looks) -> Drawn:
    drawn = Drawn(axes, panel)
    axes.set_xscale(panel.x_scale)
    axes.set_yscale(panel.y_scale)
    for series in reference.series if reference else ():
        _reference_line(axes, series)
    for number, series in enumerate(panel.series):
        look = looks[series.name]
        x, median = _numbers(series.x), _median(series.runs)
        if len(series.runs) > 1:
            axes.plot(x, series.runs.T, color=look.colour.light, linewidth=0.9, alpha=0.4, zorder=2)
        (drawn.handles[series.name],) = axes.plot(
            x,
            median,
            color=look.colour.light,
            linestyle=look.dash,
            marker=look.marker,
            markevery=_marked(len(x), number, len(panel.series)),
            markersize=6,
            zorder=3 + 0.01 * number,
            label=series.name,
        )
        drawn.points.append(np.column_stack([x, median]))
        known = np.flatnonzero(np.isfinite(median) & np.isfinite(x))
        if known.size:
            drawn.ends[series.name] = (float(x[known[-1]]), float(median[known[-1]]))
    _frame_lines(axes, panel)
    return drawn


def _reference_line(axes: Axes, series: Series) -> None:
    grey, x = style.REFERENCE.light, _numbers(series.x)
    if len(series.runs) > 1:
        axes.plot(x, series.runs.T, color=grey, linewidth=0.8, alpha=0.35, zorder=1)
    axes.plot(x, _median(series.runs), color=grey, linewidth=3.4, alpha=0.55, zorder=1.5, solid_capstyle="round")


def _frame_lines(axes: Axes, panel: Panel) -> None:
    for guide in panel.guides:
        line = axes.axhline if guide.axis == "y" else axes.axvline
        line(guide.value, color=style.MUTED.light, linewidth=1.1, linestyle=(0, (2, 2)), zorder=0.5)
    if panel.y_limits is not None:
        axes.set_ylim(*panel.y_limits)
    axes.yaxis.grid(True, color=style.FAINT.light, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.margins(x=0.02)


def _number_axes(axes: Axes, panel: Panel) -> None:
    """Number the axes of lines once their limits are known."""
    if panel.y_scale == "log":
        _number_log_axis(axes.yaxis, *axes.get_ylim(), most=200)
    elif all(_whole(series.runs) for series in panel.series):
        axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    if panel.x_scale == "log":
        _number_log_axis(axes.xaxis, *axes.get_xlim(), most=30, given=[x for one in panel.series for x in one.x])
    elif all(float(x).is_integer() for series in panel.series for x in series.x):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=True))


def _number_log_axis(axis: Axis, low: float, high: float, most: float, given: Sequence[Any] = ()) -> None:
    """Number a logarithmic axis: a few given places with short names all, else powers of ten, some seven at most.

    Where it spans less than a factor ``most``, powers of ten alone are too few numbers.
    """
    axis.set_minor_formatter(NullFormatter())
    places = sorted({float(x) for x in given})
    if 2 <= len(places) <= 7 and all(len(f"{x:g}") <= 4 for x in places) and _apart(places):
        ticks = places
    elif high < most * low:
        ticks = [m * 10.0**k for k in _decades(low / 10, high) for m in (1, 2, 5)]
    else:
        decades = _decades(low, high)
        ticks = [10.0**k for k in decades if k % math.ceil(len(decades) / 7) == 0]
    ticks = [tick for tick in ticks if low <= tick <= high]
    powers = all(f"{tick:e}".startswith("1.000000e") for tick in ticks) and high >= most * low
    short = all(1e-3 <= tick <= 1e4 for tick in ticks)
    axis.set_major_locator(FixedLocator(ticks))
    if short or not powers:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _decades(low: float, high: float) -> range:
    return range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)


def _apart(places: Sequence[float]) -> bool:
    """Say whether names at these places of a logarithmic axis do not touch: each is a tenth of it from the next."""
    logs = np.log(places)
    return bool(np.diff(logs).min() >= 0.1 * (logs[-1] - logs[0]))


def _whole(values: Array) -> bool:
    """Whether these are counts: an axis of them has no halves."""
    return bool(np.all(values == np.rint(values)))


def _numbers(values: Sequence[Any]) -> Array:
    return np.array([float(value) for value in values])


def _median(runs: Array) -> Array:
    """The median where all seeds have a value; of those still running alone it would flatter or slander."""
    return np.asarray(np.median(runs, axis=0))


def _marked(points: int, number: int, of: int) -> tuple[int, int]:
    """Which points wear a marker: all of a few, else about six, shifted from series to series."""
    if points <= 12:
        return (0, 1)
    step = max(1, points // 6)
    return (round(step * number / max(1, of)) % step, step)


# --- Dots and bars ----------------------------------------------------------------------------------------------


def _on_rows(panel: Panel, series: Series) -> tuple[Array, Array]:
    """Where the values of a series stand on the upright axis (their row, and its lane in the row), and the values.

    Of a reference, what stands in no row of the panel is left out.
    """
    rows, names = categories(panel), [own.name for own in panel.series]
    lane = 0.0 if one_series_a_row(panel) else 0.76 * ((names.index(series.name) + 0.5) / len(names) - 0.5)
    kept = [i for i, value in enumerate(series.x) if value in rows]
    return np.array([rows.index(str(series.x[i])) + lane for i in kept]), series.runs[:, kept]


def _twins(panel: Panel, reference: Panel | None) -> list[Series]:
    """The series of the reference that the panel has too."""
    names = [own.name for own in panel.series]
    return [series for series in reference.series if series.name in names] if reference else []


def _draw_dots(axes: Axes, panel: Panel, reference: Panel | None, looks: style.Looks) -> Drawn:
    drawn = Drawn(axes, panel)
    reach = 0.3 if one_series_a_row(panel) else 0.3 / len(panel.series)
    for series in _twins(panel, reference):
        places, runs = _on_rows(panel, series)
        _dots(axes, places - 0.6 * reach, runs, style.Look(style.REFERENCE), 0.6 * reach, behind=True)
    for series in panel.series:
        look = looks[series.name]
        places, runs = _on_rows(panel, series)
        _dots(axes, places, runs, look, reach)
        if series.spread:
            half = np.array(series.spread)
            axes.hlines(places, runs[0] - half, runs[0] + half, color=look.colour.light, linewidth=2, zorder=2)
        drawn.handles[series.name] = Line2D(
            [], [], color=look.colour.light, marker=look.marker, linestyle="none", label=series.name
        )
    _frame_rows(axes, panel)
    return drawn


def _dots(axes: Axes, places: Array, runs: Array, look: style.Look, reach: float, behind: bool = False) -> None:
    """Each seed a dot, a little apart from its neighbours, and the mean an upright stroke."""
    colour, several = look.colour.light, len(runs) > 1
    jitter = np.linspace(-0.5, 0.5, len(runs)) * reach if several else np.zeros(1)
    axes.plot(
        runs.ravel(),
        (places + jitter[:, None]).ravel(),
        linestyle="none",
        marker=look.marker,
        markersize=6.5 if len(runs) <= 5 else 5,  # a few can be larger, many would cover each other
        color=colour,
        alpha=0.45 if behind else 0.7,
        markeredgewidth=0,
        zorder=1 if behind else 3,
    )
    if several:
        width = 1.6 if behind else 2.6
        axes.vlines(_mean(runs), places - reach, places + reach, color=colour, linewidth=width, zorder=2)


def _mean(runs: Array) -> Array:
    """Mean over the seeds that have a value; NaN where none has."""
    known = np.isfinite(runs)
    count = known.sum(axis=0)
    total = np.where(known, runs, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _draw_bars(axes: Axes, panel: Panel, reference: Panel | None, looks: style.Looks) -> Drawn:
    drawn = Drawn(axes, panel)
    lanes = 1 if one_series_a_row(panel) else len(panel.series)
    thick = 0.7 / lanes
    axes.set_xscale(panel.y_scale)
    for series in panel.series:
        look, (places, runs) = looks[series.name], _on_rows(panel, series)
        values = _mean(runs)
        axes.barh(places, values, height=0.9 * thick, color=look.colour.light, zorder=2)
        drawn.handles[series.name] = Line2D([], [], color=look.colour.light, linewidth=8, label=series.name)
        drawn.points.append(np.column_stack([places, values]))
    for series in _twins(panel, reference):
        places, runs = _on_rows(panel, series)
        axes.vlines(_mean(runs), places - thick / 2, places + thick / 2, color=style.REFERENCE.light, linewidth=4)
    _bar_values(axes, np.concatenate(drawn.points))
    _frame_rows(axes, panel)
    axes.margins(x=0.12)
    return drawn


def _bar_values(axes: Axes, bars: Array) -> None:
    """Write the value of each bar, (place, value), at its end."""
    for (place, value), number in zip(bars, numbers_alike(bars[:, 1]), strict=True):
        if number:
            axes.annotate(
                number,
                (value, place),
                xytext=(4 if value >= 0 else -4, 0),
                textcoords="offset points",
                ha="left" if value >= 0 else "right",
                va="center",
                fontsize=11,
            )


def _frame_rows(axes: Axes, panel: Panel) -> None:
    rows = categories(panel)
    axes.set_xscale(panel.y_scale)
    axes.set_yticks(range(len(rows)), [textwrap.fill(row, 20) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(panel.kind == "bars")
    if panel.kind == "dots" and not one_series_a_row(panel):
        for border in range(1, len(rows)):
            axes.axhline(border - 0.5, color=style.FAINT.light, linewidth=0.6, zorder=0)
    axes.xaxis.grid(True, color=style.FAINT.light, linewidth=0.6)
    axes.set_axisbelow(True)
    if panel.y_limits is not None:
        axes.set_xlim(*panel.y_limits)
    for guide in panel.guides:
        line = axes.axvline if guide.axis == "y" else axes.axhline
        line(guide.value, color=style.MUTED.light, linewidth=1.1, linestyle=(0, (2, 2)), zorder=0.5)


def _draw_image(axes: Axes, panel: Panel, reference: Panel | None, looks: style.Looks) -> Drawn:
    del reference, looks  # two pictures cannot share a place, and they have a scale of their own
    draw_image(axes, panel)
    return Drawn(axes, panel)


def _draw_wiring(axes: Axes, panel: Panel, reference: Panel | None, looks: style.Looks) -> Drawn:
    del reference, looks  # a wiring is the same in every run, and in the colour of its rule
    draw_wiring(axes, panel)
    return Drawn(axes, panel)


_DRAWERS: dict[str, Callable[[Axes, Panel, Panel | None, style.Looks], Drawn]] = {
    "lines": _draw_lines,
    "dots": _draw_dots,
    "bars": _draw_bars,
    "image": _draw_image,
    "wiring": _draw_wiring,
}
