"""Paired comparisons: two rules on the same seeds, so that what the seeds have in common falls out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alignlib.errors import InvalidValue


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences a − b, with the interval that Student's t gives it.

    ``std`` is that of the differences (n − 1 in the denominator). With one pair the interval is infinite.
    """

    mean: float
    std: float
    n: int
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        if self.n < 2:
            return f"{self.mean:+.2f} (n=1)"
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def difference(a: npt.ArrayLike, b: npt.ArrayLike, confidence: float = 0.95) -> Difference:
    """Return the difference a − b of paired values, both of shape (n,): same place, same seed.

    Raises
    ------
    InvalidValue
        If the shapes differ, there is no pair, or a value is not finite.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape or not a.size or not np.all(np.isfinite(a - b)):
        raise InvalidValue(f"paired values are finite rows of equal length; received {a.tolist()} and {b.tolist()}.")
    mean, n = float(np.mean(a - b)), a.size
    if n < 2:
        return Difference(mean, math.nan, n, -math.inf, math.inf)
    std = float(np.std(a - b, ddof=1))
    half = half_width(std, n, confidence)
    return Difference(mean, std, n, mean - half, mean + half)


def half_width(std: float, n: int, confidence: float = 0.95) -> float:
    """Return half the width of the interval for the mean of n differences that vary by ``std``; n at least 2."""
    return student_quantile(0.5 + confidence / 2, n - 1) * std / math.sqrt(n)


def pairs_needed(mean: float, std: float, confidence: float = 0.95, most: int = 100_000) -> int | None:
    """Return the fewest pairs at which a mean difference of this size would have an interval that excludes zero.

    ``std`` is that of single differences. None if even ``most`` pairs would not do.
    """
    if half_width(std, most, confidence) >= abs(mean):
        return None
    low, high = 1, most  # the interval of `high` pairs excludes zero, that of `low` does not
    while high - low > 1:
        middle = (low + high) // 2
        if half_width(std, middle, confidence) < abs(mean):
            high = middle
        else:
            low = middle
    return high


def student_quantile(probability: float, freedom: int) -> float:
    """Return t with P(T ≤ t) = ``probability`` for Student's T of so many degrees of freedom.

    Raises
    ------
    InvalidValue
        If ``probability`` is not between 0 and 1, or ``freedom`` is below 1.
    """
    if not 0 < probability < 1 or freedom < 1:
        raise InvalidValue(
            f"needed: a probability between 0 and 1 and freedom ≥ 1; received {probability} and {freedom}."
        )
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    low, high = 0.0, math.pi / 2  # the angle arctan(t/√ν) stays finite where t does not
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _within(middle, freedom) > 2 * probability - 1 else (middle, high)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|T| ≤ √ν tan(angle)): a finite sum for whole degrees of freedom (Abramowitz & Stegun 1964, 26.7.3–4)."""
    if freedom > 200:  # far enough out for Fisher's normal approximation: its error is below 1e-5
        t = math.sqrt(freedom) * math.tan(angle)
        z = t * (1 - 1 / (4 * freedom)) / math.sqrt(1 + t * t / (2 * freedom))
        return math.erf(z / math.sqrt(2))
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))
