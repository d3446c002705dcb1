"""Tolerances that are measured: how far rounding moves each number, and how far it may be off therefore.

When a reference is made, its chapter is executed under several *arithmetics* (:mod:`alignlib.book.arithmetics`): the
kernels of other processors, and rounding twins. What they did to a quantity is kept with it, and gives its tolerance:

    allowed = max(FACTOR × what was seen, 1e-6 × |reference| + 1e-8).

What was seen is the largest deviation under any arithmetic, in up to ``BLOCKS`` pieces along the quantity (a curve that
is exact at its beginning and chaotic at its end is both), and in each piece at least the median over the pieces, since
a chaotic number may happen to be met. Quantities over seeds are compared seed by seed; where rounding moves a single
seed by more than ``CHAOTIC`` of the largest number, by their medians.

So *exact*, *spread* and *free* are outcomes: :func:`outcome`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alignlib._typing import Array

JSON = dict[str, Any]

#: How much more than was seen is allowed; estimated by leaving one arithmetic out (:func:`shares_left_out`).
FACTOR = 3.0
RELATIVE_FLOOR, ABSOLUTE_FLOOR = 1e-6, 1e-8
#: Pieces in which what was seen is kept.
BLOCKS = 12
#: From this share of the largest number on, seeds count as chaotic, and their median is compared.
CHAOTIC = 1e-3
#: A quantity whose tolerance is at most this share of its largest number repeats on every machine.
EXACT = 1e-5
#: Numbers below this are zero up to rounding: how large an error in them would be seen is no question.
ZERO = 1e-6
TINY = 1e-300
EXACTLY, SPREAD, FREE = "exact", "spread", "free"


@dataclass(frozen=True)
class Seen:
    """What the arithmetics did to one quantity.

    ``moved`` maps an arithmetic to the largest deviation in each block, infinite where one of the two has a gap; an
    arithmetic that moved nothing is left out. ``median``: whether the quantity is compared by its median over seeds.
    """

    moved: Mapping[str, Sequence[float]] = field(default_factory=dict)
    median: bool = False

    @property
    def largest(self) -> float:
        """The largest deviation of all."""
        return max((max(blocks) for blocks in self.moved.values()), default=0.0)

    def without(self, arithmetic: str) -> Seen:
        """Return what the others did."""
        return Seen({name: blocks for name, blocks in self.moved.items() if name != arithmetic}, self.median)

    def to_json(self) -> JSON:
        """Return ``moved`` as plain JSON values, two digits rounded up; null for what is infinite."""
        return {name: [_upwards(value) for value in blocks] for name, blocks in self.moved.items()}

    @classmethod
    def from_json(cls, moved: Mapping[str, Sequence[float | None]], median: bool) -> Seen:
        """Inverse of :meth:`to_json`."""
        read = {name: [math.inf if v is None else float(v) for v in blocks] for name, blocks in moved.items()}
        return cls(read, median)


def _upwards(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    if value < TINY:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step) * step:.2g}")


def measure(values: Array, others: Mapping[str, Array], over_seeds: bool) -> Seen:
    """Return what arithmetics did to ``values``, given what they gave instead; shapes (n,), or (rows, n)."""
    scale = largest(values)
    moved = {name: _blocks(_deviation(values, other), over_seeds) for name, other in others.items()}
    chaotic = over_seeds and any(_finite_max(blocks) > CHAOTIC * scale for blocks in moved.values())
    if chaotic:
        medians = {name: _deviation(median(values), median(other)) for name, other in others.items()}
        gaps = {name: _blocks(np.isinf(_deviation(values, other)), over_seeds) for name, other in others.items()}
        moved = {name: np.where(gaps[name] > 0, np.inf, _blocks(each, False)) for name, each in medians.items()}
    return Seen({name: blocks.tolist() for name, blocks in moved.items() if np.any(blocks > 0)}, chaotic)


def allowed(values: Array, seen: Seen, over_seeds: bool, factor: float = FACTOR) -> Array:
    """Return how far each number may be off, shape of what is compared: the values, or their median over seeds."""
    compared = median(values) if seen.median else values
    floor = ABSOLUTE_FLOOR + RELATIVE_FLOOR * np.nan_to_num(np.abs(compared))
    if not seen.moved or not compared.size:
        return np.asarray(floor)
    worst = np.max(np.array(list(seen.moved.values())), axis=0)
    worst = np.maximum(worst, np.median(worst))
    by_number = worst[_block_numbers(compared.shape, over_seeds and not seen.median, len(worst))]
    return np.asarray(np.maximum(factor * by_number, floor))


def median(values: Array) -> Array:
    """Return the median over the seeds; NaN where any seed has a gap."""
    return np.asarray(np.median(values, axis=0))


def largest(values: Array) -> float:
    """Return the largest absolute value; 0 if there is none."""
    return _finite_max(np.abs(values))


def outcome(values: Array, seen: Seen, over_seeds: bool) -> str:
    """Return "exact", "spread" or "free": what the measured tolerance makes of a quantity.

    It is free where its tolerance is as large as its range: then the check can see nothing.
    """
    tolerance = allowed(values, seen, over_seeds)
    if not tolerance.size or np.max(tolerance) <= EXACT * max(largest(values), ZERO):
        return EXACTLY
    return SPREAD if np.min(tolerance) < span(values) else FREE


def span(values: Array) -> float:
    """Return the range of the numbers; of a constant or a single number its size, at least ``ZERO``."""
    finite = values[np.isfinite(values)]
    wide = float(np.ptp(finite)) if finite.size else 0.0
    return max(wide if wide > EXACT * largest(values) else largest(values), ZERO)


def shares(values: Array, seen: Seen, over_seeds: bool) -> dict[str, float]:
    """Return for each arithmetic its largest deviation as a share of the tolerance."""
    return {name: _largest_share(values, seen, seen, name, over_seeds, FACTOR) for name in seen.moved}


def shares_left_out(values: Array, seen: Seen, over_seeds: bool, factor: float = FACTOR) -> dict[str, float]:
    """Return for each arithmetic its deviation as a share of the tolerance that the *others* would have given.

    Above 1 it would have been a false alarm: an arithmetic that the reference had not seen.
    """
    return {name: _largest_share(values, seen, seen.without(name), name, over_seeds, factor) for name in seen.moved}


def _largest_share(values: Array, seen: Seen, judges: Seen, arithmetic: str, over_seeds: bool, factor: float) -> float:
    """Return the largest deviation under an arithmetic as a share of the tolerance that ``judges`` gives."""
    moved = np.array(seen.moved[arithmetic])
    limits = allowed(values, judges, over_seeds, factor)
    numbers = _block_numbers(limits.shape, over_seeds and not seen.median, len(moved))
    least = np.full(len(moved), np.inf)
    np.minimum.at(least, np.broadcast_to(numbers, limits.shape).ravel(), limits.ravel())
    with np.errstate(invalid="ignore"):
        found = np.where(np.isinf(least), 0.0, moved / least)
    return float(np.max(found))


def _deviation(values: Array, other: Array) -> Array:
    """Return absolute differences; infinite where only one is a gap, 0 where both are."""
    apart = np.abs(values - other)
    gaps = np.isnan(values), np.isnan(other)
    return np.where(gaps[0] != gaps[1], np.inf, np.where(gaps[0], 0.0, apart))


def _blocks(deviations: Array, over_seeds: bool) -> Array:
    """Return the largest deviation in each block."""
    along = deviations.max(axis=0) if over_seeds and deviations.ndim == 2 else deviations.ravel()
    worst = np.zeros(min(BLOCKS, along.size))
    if along.size:
        np.maximum.at(worst, _numbers(along.size, len(worst)), along)
    return worst


def _block_numbers(shape: tuple[int, ...], over_seeds: bool, blocks: int) -> Any:
    """Return which block each number is in; over seeds, which the last axis says alone."""
    if over_seeds and len(shape) == 2:
        return np.broadcast_to(_numbers(shape[-1], blocks), shape)
    return _numbers(math.prod(shape), blocks).reshape(shape)


def _numbers(size: int, blocks: int) -> Any:
    return np.arange(size) * blocks // max(size, 1)


def _finite_max(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0
