"""Draw a figure from its data alone, with Matplotlib but without pyplot: nothing global is touched or kept.

Each kind of panel has one function; what lies around them (size, legends, labels at the ends of lines) is shared.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import offset_copy

from alignlib._typing import Array
from alignlib.book import style
from alignlib.book.figure import Figure, Guide, Panel, Series
from alignlib.book.wiring_drawing import draw_wiring, wiring_height
from alignlib.errors import InvalidValue

POINTS = 72.0
MOST_ANNOTATED_CELLS = 60
LONGEST_END_LABEL = 16
MOST_END_LABELS = 8
REFERENCE_NAME = "the book's run"


@dataclass
class _Drawn:
    """What the shared steps need to know of a panel once it is drawn."""

    axes: Axes
    panel: Panel
    handles: dict[str, Line2D] = field(default_factory=dict)
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)
    points: list[Array] = field(default_factory=list)


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
        for axes, panel, grey in zip(grid.flat, figure.panels, behind, strict=False):
            _decorate(axes, panel, columns, grid.flat[0])
            drawn.append(_DRAWERS[panel.kind](axes, panel, grey))
        for axes in list(grid.flat)[len(figure.panels) :]:
            axes.set_axis_off()
        _share_scales(drawn, columns)
        _name_the_series(drawing, drawn, columns, reference is not None)
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
        series_in_row = 1 if _one_series_a_row(panel) else len(panel.series)
        return 1.1 + 0.3 * max(1.3, series_in_row) * len(_categories(panel))
    if panel.kind == "bars":
        return 0.95 + 0.3 * (1.3 if _one_series_a_row(panel) else len(panel.series)) * len(_categories(panel))
    if panel.kind == "image":
        return _image_height(panel, columns)
    return 3.5 if rows == 1 else 3.0 if columns == 1 else 2.7


def _decorate(axes: Axes, panel: Panel, columns: int, first: Axes) -> None:
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


def _share_scales(drawn: Sequence[_Drawn], columns: int) -> None:
    """Panels side by side that measure the same get the same scale, or the eye compares wrongly."""
    for start in range(0, len(drawn) - 1, columns):
        row = [d for d in drawn[start : start + columns] if d.panel.kind == "lines"]
        if len(row) > 1 and len({(d.panel.y_label, d.panel.y_scale) for d in row}) == 1:
            limits = np.array([d.axes.get_ylim() for d in row])
            for d in row:
                d.axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _looks(panel: Panel) -> dict[str, style.Look]:
    """The look of each series: the rule's own, or shades where several series belong to one rule or to none."""
    looks: dict[str, style.Look] = {}
    for rule in dict.fromkeys(series.rule for series in panel.series):
        members = [series.name for series in panel.series if series.rule == rule]
        looks.update(zip(members, style.shades(rule, len(members)), strict=True))
    return looks


# --- Lines ------------------------------------------------------------------------------------------------------


def _draw_lines(axes: Axes, panel: Panel, reference: Panel | None) -> _Drawn:
    drawn = _Drawn(axes, panel)
    axes.set_xscale(panel.x_scale)
    axes.set_yscale(panel.y_scale)
    for series in reference.series if reference else ():
        _reference_line(axes, series)
    for number, series in enumerate(panel.series):
        look = _looks(panel)[series.name]
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
    if panel.y_scale == "log":
        _number_log_axis(axes.yaxis, *axes.get_ylim(), most=200)
    if panel.x_scale == "log":
        _number_log_axis(axes.xaxis, *axes.get_xlim(), most=30)
    elif all(float(x).is_integer() for series in panel.series for x in series.x):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.grid(True, color=style.FAINT.light, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.margins(x=0.02)


def _number_log_axis(axis: Axis, low: float, high: float, most: float) -> None:
    """Where a logarithmic axis spans less than a factor ``most``, powers of ten alone are too few numbers."""
    axis.set_minor_formatter(NullFormatter())
    if high < most * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


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


def _categories(panel: Panel) -> list[str]:
    return list(dict.fromkeys(str(value) for series in panel.series for value in series.x))


def _one_series_a_row(panel: Panel) -> bool:
    return sum(len(series.x) for series in panel.series) == len(_categories(panel))


def _places(panel: Panel, series: Series) -> Array:
    """Where the values of a series stand on the upright axis: its row, and its lane in the row."""
    rows = _categories(panel)
    lane = 0.0
    if not _one_series_a_row(panel):
        number, of = list(panel.series).index(series), len(panel.series)
        lane = 0.76 * ((number + 0.5) / of - 0.5)
    return np.array([rows.index(str(value)) + lane for value in series.x])


def _draw_dots(axes: Axes, panel: Panel, reference: Panel | None) -> _Drawn:
    drawn = _Drawn(axes, panel)
    lanes = 1 if _one_series_a_row(panel) else len(panel.series)
    reach = 0.3 / lanes
    for series in reference.series if reference else ():
        if series.name in [own.name for own in panel.series]:
            _dots(axes, panel, series, style.Look(style.REFERENCE), -0.6 * reach, 0.6 * reach, behind=True)
    for series in panel.series:
        drawn.handles[series.name] = _dots(axes, panel, series, _looks(panel)[series.name], 0.0, reach)
    _frame_rows(axes, panel)
    return drawn


def _dots(
    axes: Axes,
    panel: Panel,
    series: Series,
    look: style.Look,
    shift: float,
    reach: float,
    behind: bool = False,
) -> Line2D:
    twin = next(own for own in panel.series if own.name == series.name)
    places = _places(panel, twin) + shift
    if len(places) != len(series.x):
        places = places[: len(series.x)]
    jitter = np.linspace(-0.5, 0.5, len(series.runs)) * reach if len(series.runs) > 1 else [0.0]
    for offset, run in zip(jitter, series.runs, strict=True):
        axes.plot(
            run[: len(places)],
            places + offset,
            linestyle="none",
            marker=look.marker,
            markersize=5,
            color=look.colour.light,
            alpha=0.45 if behind else 0.7,
            markeredgewidth=0,
            zorder=1 if behind else 3,
        )
    if len(series.runs) > 1:
        means = _mean(series.runs)[: len(places)]
        width = 1.6 if behind else 2.6
        axes.vlines(means, places - reach, places + reach, color=look.colour.light, linewidth=width, zorder=2)
    return Line2D([], [], color=look.colour.light, marker=look.marker, linestyle="none", label=series.name)


def _mean(runs: Array) -> Array:
    """Mean over the seeds that have a value; NaN where none has."""
    known = np.isfinite(runs)
    count = known.sum(axis=0)
    total = np.where(known, runs, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _draw_bars(axes: Axes, panel: Panel, reference: Panel | None) -> _Drawn:
    drawn = _Drawn(axes, panel)
    lanes = 1 if _one_series_a_row(panel) else len(panel.series)
    thick = 0.7 / lanes
    axes.set_xscale(panel.y_scale)
    for series in panel.series:
        look, values = _looks(panel)[series.name], _mean(series.runs)
        places = _places(panel, series)
        axes.barh(places, values, height=0.9 * thick, color=look.colour.light, zorder=2)
        drawn.handles[series.name] = Line2D([], [], color=look.colour.light, linewidth=8, label=series.name)
        _bar_values(axes, places, values)
    for series in reference.series if reference else ():
        twin = next((own for own in panel.series if own.name == series.name and own.x == series.x), None)
        if twin is not None:
            places = _places(panel, twin)
            axes.vlines(_mean(series.runs), places - thick / 2, places + thick / 2, color=style.REFERENCE.light, lw=4)
    _frame_rows(axes, panel)
    axes.margins(x=0.12)
    return drawn


def _bar_values(axes: Axes, places: Array, values: Array) -> None:
    for place, value in zip(places, values, strict=True):
        if np.isfinite(value):
            axes.annotate(
                short_number(value),
                (value, place),
                xytext=(4 if value >= 0 else -4, 0),
                textcoords="offset points",
                ha="left" if value >= 0 else "right",
                va="center",
                fontsize=11,
            )


def _frame_rows(axes: Axes, panel: Panel) -> None:
    rows = _categories(panel)
    axes.set_xscale(panel.y_scale)
    axes.set_yticks(range(len(rows)), [textwrap.fill(row, 20) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(panel.kind == "bars")
    if panel.kind == "dots" and not _one_series_a_row(panel):
        for border in range(1, len(rows)):
            axes.axhline(border - 0.5, color=style.FAINT.light, linewidth=0.6, zorder=0)
    axes.xaxis.grid(True, color=style.FAINT.light, linewidth=0.6)
    axes.set_axisbelow(True)
    if panel.y_limits is not None:
        axes.set_xlim(*panel.y_limits)
    for guide in panel.guides:
        line = axes.axvline if guide.axis == "y" else axes.axhline
        line(guide.value, color=style.MUTED.light, linewidth=1.1, linestyle=(0, (2, 2)), zorder=0.5)


def short_number(value: float) -> str:
    """Return a number with three significant digits, thousands separated, no exponent where it can be helped."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        text = f"{value:.3g}"
        return text if "e" not in text else f"{value:.0f}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.2e}"


# --- Images -----------------------------------------------------------------------------------------------------


def _image_height(panel: Panel, columns: int) -> float:
    if len(panel.series) > 1:
        across = _pictures_across(panel)
        side = style.WIDTH / columns / across
        return float(0.5 + (side + 0.12) * -(-len(panel.series) // across))
    rows, cells = (int(n) for n in panel.series[0].y.shape)
    if _is_table(panel.series[0]):
        return 1.5 + 0.4 * rows
    return min(4.5, 1.2 + (style.WIDTH / columns - 1.6) * rows / cells)


def _is_table(series: Series) -> bool:
    """Whether a grid is a heat map with named cells (else it is a picture)."""
    return bool(series.x or series.rows)


def _pictures_across(panel: Panel) -> int:
    return min(len(panel.series), 5)


def _draw_image(axes: Axes, panel: Panel, reference: Panel | None) -> _Drawn:
    del reference  # two pictures cannot share a place
    values = np.concatenate([series.y.ravel() for series in panel.series])
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    scale = Normalize(low, high if high > low else low + 1.0)
    if len(panel.series) > 1:
        _pictures(axes, panel, scale)
    else:
        _grid(axes, panel.series[0], scale)
    return _Drawn(axes, panel)


def _pictures(axes: Axes, panel: Panel, scale: Normalize) -> None:
    """Small pictures in rows, on one scale of greys."""
    axes.set_axis_off()
    across = _pictures_across(panel)
    down = -(-len(panel.series) // across)
    for number, series in enumerate(panel.series):
        column, row = number % across, number // across
        box = (column / across + 0.01, 1 - (row + 1) / down, 0.94 / across, 0.84 / down)
        inset = axes.inset_axes(box)
        inset.imshow(series.y, cmap="gray", norm=scale, interpolation="nearest", aspect="equal")
        inset.set_title(series.name, fontsize=11, fontweight="normal", pad=3, loc="center")
        inset.set_xticks([])
        inset.set_yticks([])
        for spine in inset.spines.values():
            spine.set(visible=True, color=style.FAINT.light, linewidth=0.8)


def _grid(axes: Axes, series: Series, scale: Normalize) -> None:
    rows, columns = series.y.shape
    masked = np.ma.masked_invalid(series.y)
    small = series.y.size <= MOST_ANNOTATED_CELLS
    cells: Any
    if _is_table(series):
        cells = axes.pcolormesh(masked, cmap="viridis", norm=scale, edgecolors="none", rasterized=not small)
        axes.invert_yaxis()
        axes.set_xticks(np.arange(columns) + 0.5, [_cell_name(value) for value in series.x] or None)
        axes.set_yticks(np.arange(rows) + 0.5, list(series.rows) or None)
        axes.tick_params(length=0)
    else:
        cells = axes.imshow(masked, cmap="viridis", norm=scale, interpolation="nearest", aspect="equal")
        axes.set_xticks([])
        axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=style.MUTED.light, linewidth=0.8)
    bar = axes.figure.colorbar(cells, ax=axes, pad=0.02, aspect=22)
    bar.outline.set_edgecolor(style.MUTED.light)
    bar.ax.set_title(textwrap.fill(series.name, 14), fontsize=11, fontweight="normal", loc="right", pad=6)
    if small and _is_table(series):
        _annotate_cells(axes, series.y, cells)


def _cell_name(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _annotate_cells(axes: Axes, values: Array, cells: Any) -> None:
    """Write each value into its cell, white on dark and black on light cells, in both themes."""
    for (row, column), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        red, green, blue, _ = cells.cmap(cells.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        ink = "#ffffff" if dark else "#000000"
        axes.text(column + 0.5, row + 0.5, short_number(value), ha="center", va="center", color=ink, fontsize=12)


def _draw_wiring(axes: Axes, panel: Panel, reference: Panel | None) -> _Drawn:
    del reference  # a wiring is the same in every run
    draw_wiring(axes, panel)
    return _Drawn(axes, panel)


_DRAWERS: dict[str, Callable[[Axes, Panel, Panel | None], _Drawn]] = {
    "lines": _draw_lines,
    "dots": _draw_dots,
    "bars": _draw_bars,
    "image": _draw_image,
    "wiring": _draw_wiring,
}


# --- Names of series and guides ---------------------------------------------------------------------------------


def _name_the_series(drawing: MatplotlibFigure, drawn: Sequence[_Drawn], columns: int, compared: bool) -> None:
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
    return panel.kind in ("dots", "bars") and (_one_series_a_row(panel) or len(panel.series) == 1)


def _legend_columns(names: Sequence[str]) -> int:
    """As many columns as fit beside each other in the width of the figure."""
    width = 7.4 * max(len(name) for name in names) + 44
    most = max(1, min(len(names), int(style.WIDTH * POINTS // width)))
    rows = -(-len(names) // most)
    return -(-len(names) // rows)


def _ends_can_be_named(d: _Drawn) -> bool:
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


def _name_ends(d: _Drawn) -> None:
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


def _name_guides(d: _Drawn) -> None:
    for guide in d.panel.guides:
        if guide.label:
            lying = d.panel.kind in ("dots", "bars")
            upright = (guide.axis == "y") == lying
            (_name_upright_guide if upright else _name_level_guide)(d, guide)


def _name_level_guide(d: _Drawn, guide: Guide) -> None:
    """Write beside a level line, in the corner that holds the fewest points."""
    axes = d.axes
    inverse = axes.transAxes.inverted()
    height = float(inverse.transform(axes.transData.transform((axes.get_xlim()[0], guide.value)))[1])
    points = np.concatenate([inverse.transform(axes.transData.transform(p)) for p in d.points or [np.zeros((0, 2))]])
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


def _name_upright_guide(d: _Drawn, guide: Guide) -> None:
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
