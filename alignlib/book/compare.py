"""Numbers against their reference: how far they may be apart, and where they are furthest.

The tolerance belongs to the quantity and is kept with the reference:

``exact``
    Runs in float64 repeat on any machine: each number within ``atol + rtol * |reference|``.
``spread``
    Long or float32 runs are chaotic: rounding alone sends them to other, equally good ends. The reference keeps
    every seed. The median over the seeds may be off, at each x, by the range (largest minus smallest) that the
    seeds of the reference have there, at least by the median of that range over all x (where a few seeds happen
    to meet, their range says nothing) and at least by a floor relative to the largest number of the series: a
    thousandth of it, or the tolerance's own ``rtol``. One run alone has no range: it may be off by a tenth of that
    largest number. A mean with a standard deviation may be off by three of them.
``free``
    Wall times and the like: the shape, the gaps and the signs must agree, nothing else.

A gap (NaN) must be a gap in both. Floats are never compared by hash, pictures not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.book.figure import EXACT, Tolerance

SPREAD_FLOOR = 1e-3
SINGLE_RUN_SHARE = 0.1
STANDARD_DEVIATIONS = 3.0
SHOWN_PROBLEMS = 8

JSON = dict[str, Any]


@dataclass(frozen=True)
class Quantity:
    """Numbers that are compared together: the y of a series, its x, a column, a guide or a single value.

    values: shape (n,), or (rows, n) where ``rows`` names the rows. x names the last axis.
    over_seeds: whether the rows are seeds. allowed: what ``spread`` may be off by, where that is known otherwise.
    auxiliary: belongs to another quantity, such as its x.
    """

    name: str
    values: Array
    tolerance: Tolerance
    x: Sequence[Any] = ()
    rows: Sequence[Any] = ()
    over_seeds: bool = False
    allowed: Array | None = None
    auxiliary: bool = False

    @property
    def typical(self) -> Array:
        """The numbers that stand for it: the median over the seeds, or the numbers themselves."""
        return _median(self.values) if self.over_seeds and self.values.ndim == 2 else self.values

    def place(self, index: Sequence[int]) -> str:
        """Return in words where the entry at ``index`` stands; nothing where it is the only one."""
        words = [self._along_x(index[-1])] if self.values.size > 1 else []
        if len(index) == 2:
            row = self.rows[index[0]] if index[0] < len(self.rows) else index[0] + 1
            words.append(f"seed {row}" if self.over_seeds else f"row {row}")
        return ", ".join(words)

    def _along_x(self, index: int) -> str:
        if index >= len(self.x):
            return f"column {index + 1}"
        at = self.x[index]
        return f"x = {_number(at)}" if isinstance(at, int | float) else str(at)


@dataclass(frozen=True)
class Deviation:
    """How far one quantity of a figure, table or value is from its reference.

    ``fraction`` is the deviation as a share of what is allowed, at the place where it is largest; above 1 it
    fails. ``problem`` says what cannot be measured in numbers, such as a missing series.
    """

    figure: str
    series: str = ""
    largest: float = 0.0
    where: str = ""
    tolerance: float = 0.0
    fraction: float = 0.0
    reference: float = math.nan
    measured: float = math.nan
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the quantity agrees with its reference."""
        return not self.problem and self.fraction <= 1.0

    def __str__(self) -> str:
        name = f"{self.figure}: {self.series}" if self.series else self.figure
        if self.problem:
            return f"{name}: {self.problem}"
        return (
            f"{name}: off by {_number(self.largest)} at {self.where or 'its one number'} "
            f"(reference {_number(self.reference)}, now {_number(self.measured)}); "
            f"allowed are {_number(self.tolerance)}"
        )


def compare(reference: JSON, now: JSON) -> list[Deviation]:
    """Return the deviations of a figure, table or value from its reference, one a quantity, problems first."""
    name = str(reference["id"])
    problems = [Deviation(name, problem=text) for text in form_differences(form(reference), form(now))]
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        rest = [Deviation(name, problem=f"and {more} more differences")] if more > 0 else []
        problems = problems[:SHOWN_PROBLEMS] + rest
    found = {quantity.name: quantity for quantity in quantities(now)}
    pairs = [(old, found[old.name]) for old in quantities(reference) if old.name in found]
    return problems + [deviation(name, old, new) for old, new in pairs]


def deviation(figure: str, old: Quantity, new: Quantity) -> Deviation:
    """Return how far ``new`` is from ``old`` under the tolerance of ``old``."""
    if old.values.shape != new.values.shape:
        problem = f"{_shape(old)} became {_shape(new)}"
        return Deviation(figure, old.name, problem=problem)
    gaps = np.argwhere(np.isnan(old.values) != np.isnan(new.values))
    if len(gaps):
        appeared = "is a gap now" if np.isnan(new.values[tuple(gaps[0])]) else "was a gap and is a number now"
        return Deviation(figure, old.name, problem=f"{old.place(gaps[0].tolist())} {appeared}")
    if old.tolerance.kind == "free":
        return _free(figure, old, new)
    return _measured(figure, old, new)


def quantities(content: JSON) -> list[Quantity]:
    """Return all quantities of a figure, a table or a value, in their order; their names are unique."""
    if "panels" in content:
        names = _panel_names(content["panels"])
        return [q for name, panel in zip(names, content["panels"], strict=True) for q in _of_panel(panel, name)]
    if "columns" in content:
        return [q for number, column in enumerate(content["columns"]) for q in _of_column(content, number, column)]
    return list(_of_cells("", [content["value"]], Tolerance.from_json(content["tolerance"]), ()))


def form(content: JSON) -> JSON:
    """Return everything that must be equal: labels, names, units, tolerances, the sizes; not the numbers."""
    kept = {name: value for name, value in content.items() if name not in NOT_COMPARED}
    if "panels" in content:
        kept["panels"] = [_panel_form(panel) for panel in content["panels"]]
    elif "columns" in content:
        kept["rows"] = [_row_form(content["columns"], row) for row in content["rows"]]
    else:
        kept["value"] = _cell_form(content["value"])
    return kept


NOT_COMPARED = ("alt", "caption", "provenance", "seal", "text")


def form_differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Return in words where two nested values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for name in {**old, **new}
            for line in _entry_differences(name, old, new, f"{place}, {name}" if place else name)
        ]
    if isinstance(old, list) and isinstance(new, list):
        return _list_differences(old, new, place)
    return [] if old == new and type(old) is type(new) else [f"{place} was {old!r}, is {new!r}"]


def _entry_differences(name: str, old: JSON, new: JSON, place: str) -> list[str]:
    if name not in new:
        return [f"{place} is missing"]
    if name not in old:
        return [f"{place} is new"]
    return form_differences(old[name], new[name], place)


def _list_differences(old: list[Any], new: list[Any], place: str) -> list[str]:
    names_old, names_new = _names(old), _names(new)
    if names_old is not None and names_new is not None:
        missing = [f"{place}: {name!r} is missing" for name in names_old if name not in names_new]
        added = [f"{place}: {name!r} is new" for name in names_new if name not in names_old]
        if missing or added:
            return missing + added
    elif len(old) != len(new):
        return [f"{place}: {len(old)} became {len(new)}"]
    lines: list[str] = []
    for number, (one, other) in enumerate(zip(old, new, strict=True)):
        label = names_old[number] if names_old else number + 1
        lines += form_differences(one, other, f"{place} {label}")
    return lines


def _names(entries: list[Any]) -> list[str] | None:
    """Return the names of the entries if each has its own."""
    names = [str(entry["name"]) for entry in entries if isinstance(entry, dict) and entry.get("name")]
    return names if entries and len(set(names)) == len(entries) else None


# ---------------------------------------------------------------- how far


def _measured(figure: str, old: Quantity, new: Quantity) -> Deviation:
    spread = old.tolerance.kind == "spread"
    over_seeds = spread and old.over_seeds
    reference, measured = (old.typical, new.typical) if over_seeds else (old.values, new.values)
    allowed = _spread_allowed(old, reference) if spread else _exact_allowed(old)
    distance = np.nan_to_num(np.abs(measured - reference), nan=0.0)
    fraction = np.divide(distance, allowed, out=np.where(distance > 0, np.inf, 0.0), where=np.nan_to_num(allowed) > 0)
    if not fraction.size:
        return Deviation(figure, old.name)
    index = np.unravel_index(int(np.argmax(fraction)), fraction.shape)
    where = old.place([int(i) for i in index])
    return Deviation(
        figure,
        old.name,
        float(distance[index]),
        f"{where} (median of {len(old.values)} seeds)" if over_seeds else where,
        float(allowed[index]),
        float(fraction[index]),
        float(reference[index]),
        float(measured[index]),
    )


def _exact_allowed(old: Quantity) -> Array:
    return np.asarray(old.tolerance.atol + old.tolerance.rtol * np.abs(old.values))


def _spread_allowed(old: Quantity, reference: Array) -> Array:
    finite = np.abs(reference[np.isfinite(reference)])
    scale = float(finite.max()) if finite.size else 0.0
    floor = np.full(reference.shape, max(SPREAD_FLOOR, old.tolerance.rtol) * scale)
    if old.allowed is not None:
        return np.asarray(np.maximum(old.allowed, floor))
    if not old.over_seeds or len(np.atleast_2d(old.values)) < 2:
        return np.asarray(np.maximum(SINGLE_RUN_SHARE * scale, floor))
    ranges = np.ptp(old.values, axis=0)
    usual = float(np.nanmedian(ranges)) if np.isfinite(ranges).any() else 0.0
    return np.asarray(np.maximum(np.nan_to_num(ranges), np.maximum(floor, usual)))


def _free(figure: str, old: Quantity, new: Quantity) -> Deviation:
    flipped = np.argwhere(np.nan_to_num(old.values) * np.nan_to_num(new.values) < 0)
    if len(flipped):
        return Deviation(figure, old.name, problem=f"{old.place(flipped[0].tolist())} changed its sign")
    return Deviation(figure, old.name)


def _median(values: Array) -> Array:
    """Return the median over the seeds; NaN where any seed has a gap (the gaps agree already)."""
    return np.asarray(np.median(values, axis=0))


# ---------------------------------------------------------------- what there is to compare


def _panel_names(panels: Sequence[JSON]) -> list[str]:
    """Return what to call each panel: its title if it has its own, its number otherwise; nothing if it is alone."""
    if len(panels) == 1:
        return [""]
    titles = [panel["title"] for panel in panels]
    return [
        title if title and titles.count(title) == 1 else f"panel {number}"
        for number, title in enumerate(titles, start=1)
    ]


def _of_panel(panel: JSON, name: str) -> Iterable[Quantity]:
    prefix = f"{name} / " if name else ""
    kinds = {series["tolerance"]["kind"] for series in panel["series"]}
    for series in panel["series"]:
        yield from _of_series(series, prefix, panel["kind"] == "image")
    for guide_number, guide in enumerate(panel["guides"], start=1):
        label = guide["label"] or f"{guide['axis']} {guide_number}"
        # a guide drawn at a measured number moves with what was measured
        tolerance = EXACT if kinds <= {"exact"} else Tolerance("spread")
        yield Quantity(f"{prefix}guide {label}", _array(guide["value"]), tolerance, auxiliary=True)


def _of_series(series: JSON, prefix: str, image: bool) -> Iterable[Quantity]:
    tolerance = Tolerance.from_json(series["tolerance"])
    y = _array(series["y"])
    x = [math.nan if value is None else value for value in series["x"]]
    rows = series.get("rows") or series.get("seeds") or ()
    yield Quantity(prefix + series["name"], y, tolerance, x, rows, over_seeds=y.ndim == 2 and not image)
    if series.get("spread"):
        yield Quantity(f"{prefix}{series['name']} (interval)", _array(series["spread"]), tolerance, x)
    if x and not any(isinstance(value, str) for value in x):
        along = tolerance if tolerance.kind == "free" else EXACT
        yield Quantity(f"{prefix}{series['name']} (x)", _array(x), along, x, auxiliary=True)


def _of_column(table: JSON, number: int, column: JSON) -> Iterable[Quantity]:
    cells = [row[number] for row in table["rows"]]
    names = [_row_name(row, i) for i, row in enumerate(table["rows"])]
    return _of_cells(column["name"], cells, Tolerance.from_json(column["tolerance"]), names)


def _of_cells(name: str, cells: Sequence[Any], tolerance: Tolerance, rows: Sequence[str]) -> Iterable[Quantity]:
    """Return the numbers among the cells, and the standard deviations of those that have one."""
    numbers = [_cell_number(cell) for cell in cells]
    if all(math.isnan(number) for number in numbers):
        return
    deviations = [_cell_deviation(cell) for cell in cells]
    allowed = None
    if not all(math.isnan(entry) for entry in deviations):
        share = SINGLE_RUN_SHARE * np.abs(np.array(numbers))
        allowed = np.where(np.isnan(deviations), share, STANDARD_DEVIATIONS * np.array(deviations))
    yield Quantity(name, _array(numbers), tolerance, rows, allowed=allowed)
    if allowed is not None and tolerance.kind == "exact":
        yield Quantity(f"{name} (standard deviation)", _array(deviations), tolerance, rows, auxiliary=True)


def _panel_form(panel: JSON) -> JSON:
    kept = {name: value for name, value in panel.items() if name not in ("series", "guides", "y_limits")}
    kept["guides"] = [{"axis": guide["axis"], "label": guide["label"]} for guide in panel["guides"]]
    kept["series"] = [_series_form(series) for series in panel["series"]]
    return kept


def _series_form(series: JSON) -> JSON:
    kept = {name: value for name, value in series.items() if name not in ("x", "y")}
    if any(isinstance(value, str) for value in series["x"]):
        kept["x"] = series["x"]
    return kept


def _row_form(columns: Sequence[JSON], row: Sequence[Any]) -> JSON:
    cells = {column["name"]: _cell_form(cell) for column, cell in zip(columns, row, strict=True)}
    return {"name": row[0], "cells": cells} if row and isinstance(row[0], str) else {"cells": cells}


def _cell_form(cell: Any) -> Any:
    if isinstance(cell, Mapping):
        return {"n": cell["n"], "std": cell["std"] is not None}
    return "a number" if isinstance(cell, int | float) and not isinstance(cell, bool) else cell


def _cell_number(cell: Any) -> float:
    if isinstance(cell, Mapping):
        return _cell_number(cell["mean"])
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else math.nan


def _cell_deviation(cell: Any) -> float:
    return _cell_number(cell["std"]) if isinstance(cell, Mapping) else math.nan


def _row_name(row: Sequence[Any], number: int) -> str:
    return f"row {row[0]!r}" if row and isinstance(row[0], str) else f"row {number + 1}"


def _array(values: Any) -> Array:
    return np.array(values, dtype=np.float64)


def _shape(quantity: Quantity) -> str:
    shape = quantity.values.shape
    if len(shape) == 2 and quantity.over_seeds:
        return f"{shape[0]} seeds of {shape[1]} points"
    return " × ".join(str(size) for size in shape) + " numbers"


def _number(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
