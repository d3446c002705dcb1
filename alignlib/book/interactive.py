"""What a figure hands to the page so that it answers to the hand: the plotted numbers and their looks, nothing new.

A cell with the tag ``interactive`` has its figure upgraded by ``assets/static/figures.js``; without JavaScript the
picture stays what it is. All the numbers are in the figure's data already, and are checked with it.
"""

from __future__ import annotations

import math
from typing import Any

from alignlib.book import style
from alignlib.book.figure import Figure, Panel, Series
from alignlib.errors import InvalidValue

TAG = "interactive"
KINDS = ("lines",)
DIGITS = 5  #: significant digits that a reader is shown at most; the files of the figure hold them all

JSON = dict[str, Any]


def payload(figure: Figure) -> JSON:
    """Return the figure as the page draws it, plain JSON.

    Raises
    ------
    InvalidValue
        If a panel is of a kind that has no axis along which a hand could go.
    """
    for panel in figure.panels:
        if panel.kind not in KINDS:
            raise InvalidValue(
                f"figure {figure.id!r}: a panel of kind {panel.kind!r} cannot be interactive; "
                f"only {', '.join(KINDS)} can. Take the tag `{TAG}` from its cell."
            )
    panels = [_panel(panel, looks) for panel, looks in zip(figure.panels, style.looks(figure.panels), strict=True)]
    return {"id": figure.id, "alt": figure.alt, "panels": panels}


def _panel(panel: Panel, looks: style.Looks) -> JSON:
    return {
        "title": panel.title,
        "xLabel": panel.x_label,
        "yLabel": panel.y_label,
        "xLog": panel.x_scale == "log",
        "yLog": panel.y_scale == "log",
        "yLimits": None if panel.y_limits is None else [float(limit) for limit in panel.y_limits],
        "guides": [guide.to_json() for guide in panel.guides],
        "angles": "(°)" in panel.y_label,
        "series": [_series(series, looks[series.name]) for series in panel.series],
    }


def _series(series: Series, look: style.Look) -> JSON:
    return {
        "name": series.name,
        "light": look.colour.light,
        "dark": look.colour.dark,
        "dash": [] if isinstance(look.dash, str) else [float(length) for length in look.dash[1]],
        "x": [_short(float(value)) for value in series.x],
        "runs": [[_short(float(value)) for value in row] for row in series.runs],
    }


def _short(value: float) -> float | int | None:
    """The value with the digits that are shown: half the size of the page's data."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
