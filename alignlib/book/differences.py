"""Where two versions of a figure, table or value are furthest apart: the reader's and the book's.

``alignlib run`` and the panels in the pages say it with the same words; this module needs NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alignlib.book.compare import JSON, Quantity, quantities


@dataclass(frozen=True)
class Difference:
    """Where a series of the reader's run is furthest from the book's; medians over the seeds where there are any."""

    figure: str
    series: str
    where: str = ""
    book: float = float("nan")
    yours: float = float("nan")
    note: str = ""

    @property
    def row(self) -> list[str]:
        """The difference as a row of the table."""
        if self.note:
            return [self.figure, self.series, "", "", "", self.note]
        numbers = [f"{self.book:.4g}", f"{self.yours:.4g}"]
        if self.yours == self.book:  # where they are furthest apart nothing is
            return [self.figure, self.series, *numbers, "none", "the same everywhere"]
        return [self.figure, self.series, *numbers, f"{self.yours - self.book:+.4g}", self.where]


def differences(figure: str, book: JSON, yours: JSON) -> list[Difference]:
    """Return for each series where two versions of a figure, table or value are furthest apart.

    Points are matched by their x, so that runs of other lengths can be compared.
    """
    found = {quantity.name: quantity for quantity in quantities(yours) if not quantity.auxiliary}
    result = []
    for old in quantities(book):
        if old.auxiliary:
            continue
        new = found.pop(old.name, None)
        result.append(
            Difference(figure, old.name, note="only in the book") if new is None else _furthest(figure, old, new)
        )
    return result + [Difference(figure, name, note="only in your run") for name in found]


def _furthest(figure: str, old: Quantity, new: Quantity) -> Difference:
    book, yours, places = _matched(old, new)
    distance = np.abs(yours - book)
    if not np.isfinite(distance).any():
        return Difference(figure, old.name, note="no point in common")
    index = np.unravel_index(int(np.nanargmax(distance)), distance.shape)
    where = places(tuple(int(i) for i in index))
    return Difference(figure, old.name, where, float(book[index]), float(yours[index]))


def _matched(old: Quantity, new: Quantity) -> tuple[Any, Any, Any]:
    """Return the numbers of both at the x that they share, and what tells in words where an entry stands."""
    book, yours = old.typical, new.typical
    if old.x and book.ndim and yours.ndim:
        theirs = {_key(value): number for number, value in enumerate(new.x)}
        kept = [number for number, value in enumerate(old.x) if _key(value) in theirs]
        book, yours = book[..., kept], yours[..., [theirs[_key(old.x[number])] for number in kept]]
        if book.shape == yours.shape:
            return book, yours, lambda index: old.place([*index[:-1], kept[index[-1]]])
    if book.shape == yours.shape:
        return book, yours, old.place
    return np.full(1, np.nan), np.full(1, np.nan), old.place


def _key(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, int | float) else value
