"""The upper floor: what makes runs into a book. Chapters need the names below and no others.

Importing this package loads neither Matplotlib nor IPython; drawing does.
"""

from alignlib.book.claims import Claim, Column, Measured, Table, Value
from alignlib.book.figure import (
    WALL_TIME,
    Figure,
    Guide,
    Panel,
    Series,
    panel,
    series,
)
from alignlib.book.notebook import Chapter, source
from alignlib.book.plots import curves, final, finals, heatmap, layer_curves, mean_std, select, sweep
from alignlib.book.verdicts import Statement, Verdicts
from alignlib.book.wirings import wiring_panel, wirings

__all__ = [
    "WALL_TIME",
    "Chapter",
    "Claim",
    "Column",
    "Figure",
    "Guide",
    "Measured",
    "Panel",
    "Series",
    "Statement",
    "Table",
    "Value",
    "Verdicts",
    "curves",
    "final",
    "finals",
    "heatmap",
    "layer_curves",
    "mean_std",
    "panel",
    "select",
    "series",
    "source",
    "sweep",
    "wiring_panel",
    "wirings",
]
