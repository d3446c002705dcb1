"""Numbers against their reference: how far they may be apart, and where they are furthest.

The tolerance belongs to the quantity, was measured when the reference was made, and is kept with it as ``seen``
(:mod:`alignlib.book.tolerance`). Declared in a chapter are only numbers that no computation decides, wall times: they
are ``free``, and the shape, the gaps and the signs must agree, nothing else.

A gap (NaN) must be a gap in both. Floats are never compared by hash, pictures not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.book import tolerance
from alignlib.book.tolerance import Seen

SHOWN_PROBLEMS = 8

JSON = dict[str, Any]


@dataclass(frozen=True)
class Quantity:
    """Numbers that are compared together: the y of a series, its x, a column, a guide or a single value.

    values: shape (n,), or (rows, n) where ``rows`` names the rows. x names the last axis.
    over_seeds: whether the rows are seeds. free: why it is not compared, if it is not.
    auxiliary: belongs to another quantity, such as its x.
    seen: what rounding does to it, of a quantity of the reference.
    """

    name: str
    values: Array
    x: Sequence[Any] = ()
    rows: Sequence[Any] = ()
    over_seeds: bool = False
    free: str = ""
    auxiliary: bool = False
    seen: Seen = field(default_factory=Seen)

    @property
    def typical(self) -> Array:
        """The numbers that stand for it: the median over the seeds, or the numbers themselves."""
        return tolerance.median(self.values) if self.over_seeds else self.values

    @property
    def allowed(self) -> Array:
        """How far each of the compared numbers may be off."""
        return tolerance.allowed(self.values, self.seen, self.over_seeds)

    @property
    def outcome(self) -> str:
        """What rounding makes of it: "exact", "spread" or "free"."""
        return tolerance.FREE if self.free else tolerance.outcome(self.values, self.seen, self.over_seeds)

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
    seen: float = 0.0
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
            f"allowed are {_number(self.tolerance)}, {self._rounding}"
        )

    @property
    def _rounding(self) -> str:
        return f"rounding moved it by up to {_number(self.seen)}" if self.seen else "no arithmetic moved it"


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
    if old.free:
        nowhere = np.zeros(old.values.shape)
        return _gap(figure, old, new, nowhere) or _flip(figure, old, new) or Deviation(figure, old.name)
    blind = np.broadcast_to(np.isinf(old.allowed), old.values.shape)
    return _gap(figure, old, new, blind) or _measured(figure, old, new)


def quantities(content: JSON) -> list[Quantity]:
    """Return all quantities of a figure, a table or a value, in their order; their names are unique."""
    found = list(_found(content))
    seen: Mapping[str, Any] = content.get("seen", {})
    medians = content.get("medians", ())
    return [replace(q, seen=Seen.from_json(seen.get(q.name, {}), q.name in medians)) for q in found]


def _found(content: JSON) -> Iterable[Quantity]:
    if "panels" in content:
        for name, panel in zip(_panel_names(content["panels"]), content["panels"], strict=True):
            yield from _of_panel(panel, name)
    elif "columns" in content:
        for number, column in enumerate(content["columns"]):
            yield from _of_column(content, number, column)
    else:
        yield from _of_cells("", [content["value"]], content.get("free", ""), ())


def form(content: JSON) -> JSON:
    """Return everything that must be equal: labels, names, units, what is free, the sizes; not the numbers."""
    kept = {name: value for name, value in content.items() if name not in NOT_COMPARED}
    if "panels" in content:
        kept["panels"] = [_panel_form(panel) for panel in content["panels"]]
    elif "columns" in content:
        kept["rows"] = [_row_form(content["columns"], row) for row in content["rows"]]
    else:
        kept["value"] = _cell_form(content["value"])
    return kept


NOT_COMPARED = ("alt", "arithmetic", "arithmetics", "caption", "medians", "provenance", "seal", "seen", "text")


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


def _gap(figure: str, old: Quantity, new: Quantity, blind: Array) -> Deviation | None:
    """Return what is wrong with the gaps, except where arithmetics have them or not."""
    gaps = np.argwhere((np.isnan(old.values) != np.isnan(new.values)) & ~blind.astype(bool))
    if not len(gaps):
        return None
    appeared = "is a gap now" if np.isnan(new.values[tuple(gaps[0])]) else "was a gap and is a number now"
    return Deviation(figure, old.name, problem=f"{old.place(gaps[0].tolist())} {appeared}")


def _flip(figure: str, old: Quantity, new: Quantity) -> Deviation | None:
    flipped = np.argwhere(np.nan_to_num(old.values) * np.nan_to_num(new.values) < 0)
    if not len(flipped):
        return None
    return Deviation(figure, old.name, problem=f"{old.place(flipped[0].tolist())} changed its sign")


def _measured(figure: str, old: Quantity, new: Quantity) -> Deviation:
    median = old.seen.median
    reference, measured = (old.typical, new.typical) if median else (old.values, new.values)
    allowed = old.allowed
    distance = np.nan_to_num(np.abs(measured - reference), nan=0.0)
    fraction = np.divide(distance, allowed, out=np.zeros_like(distance), where=np.isfinite(allowed))
    if not fraction.size:
        return Deviation(figure, old.name)
    index = np.unravel_index(int(np.argmax(fraction)), fraction.shape)
    where = old.place([int(i) for i in index])
    return Deviation(
        figure,
        old.name,
        float(distance[index]),
        f"{where} (median of {len(old.values)} seeds)" if median else where,
        float(allowed[index]),
        old.seen.largest,
        float(fraction[index]),
        float(reference[index]),
        float(measured[index]),
    )


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
    for series in panel["series"]:
        yield from _of_series(series, prefix, panel["kind"] == "image")
    for guide_number, guide in enumerate(panel["guides"], start=1):
        label = guide["label"] or f"{guide['axis']} {guide_number}"
        yield Quantity(f"{prefix}guide {label}", _array([guide["value"]]), auxiliary=True)


def _of_series(series: JSON, prefix: str, image: bool) -> Iterable[Quantity]:
    free = series.get("free", "")
    y = _array(series["y"])
    x = [math.nan if value is None else value for value in series["x"]]
    rows = series.get("rows") or series.get("seeds") or ()
    yield Quantity(prefix + series["name"], y, x, rows, y.ndim == 2 and not image, free)
    if series.get("spread"):
        yield Quantity(f"{prefix}{series['name']} (interval)", _array(series["spread"]), x, free=free)
    if x and not any(isinstance(value, str) for value in x):
        yield Quantity(f"{prefix}{series['name']} (x)", _array(x), x, free=free, auxiliary=True)


def _of_column(table: JSON, number: int, column: JSON) -> Iterable[Quantity]:
    cells = [row[number] for row in table["rows"]]
    names = [_row_name(row, i) for i, row in enumerate(table["rows"])]
    return _of_cells(column["name"], cells, column.get("free", ""), names)


def _of_cells(name: str, cells: Sequence[Any], free: str, rows: Sequence[str]) -> Iterable[Quantity]:
    """Return the numbers among the cells, and the standard deviations of those that have one."""
    numbers = [_cell_number(cell) for cell in cells]
    if all(math.isnan(number) for number in numbers):
        return
    yield Quantity(name, _array(numbers), rows, free=free)
    deviations = [_cell_deviation(cell) for cell in cells]
    if not all(math.isnan(entry) for entry in deviations):
        name = f"{name} (standard deviation)" if name else "standard deviation"
        yield Quantity(name, _array(deviations), rows, free=free, auxiliary=True)


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
