"""Draw grids of numbers: heat maps with named cells, and small pictures."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from alignlib._typing import Array
from alignlib.book import style
from alignlib.book.figure import Panel, Series
from alignlib.book.naming import numbers_alike

MOST_ANNOTATED_CELLS = 60


def image_height(panel: Panel, columns: int) -> float:
    """Height of an image panel in inches."""
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


def draw_image(axes: Axes, panel: Panel) -> None:
    """Draw the grids of a panel on one scale: a single one with its colour bar, several as small pictures."""
    values = np.concatenate([series.y.ravel() for series in panel.series])
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    scale = Normalize(low, high if high > low else low + 1.0)
    if len(panel.series) > 1:
        _pictures(axes, panel, scale)
    else:
        _grid(axes, panel.series[0], scale)


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
    for ((row, column), value), number in zip(np.ndenumerate(values), numbers_alike(values), strict=True):
        if not number:
            continue
        red, green, blue, _ = cells.cmap(cells.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        ink = "#ffffff" if dark else "#000000"
        axes.text(column + 0.5, row + 0.5, number, ha="center", va="center", color=ink, fontsize=12)
