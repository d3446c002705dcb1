"""Angles, norms and error rates: defined once, used by every figure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alignlib._typing import Array


def angle(u: npt.ArrayLike, v: npt.ArrayLike) -> float:
    """Return the angle between u and v in degrees, in [0, 180]; arrays of any equal shape count as vectors.

    It is signed in the sense that opposite directions are 180° apart, not 0°. NaN if either is the zero vector.
    """
    return float(angles(np.reshape(u, (1, -1)), np.reshape(v, (1, -1)))[0])


def angles(u: npt.ArrayLike, v: npt.ArrayLike) -> Array:
    """Return the angle between each row of u and the same row of v in degrees, shape (rows,); NaN for zero rows."""
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    if u.shape != v.shape:
        raise ValueError(f"angles need equal shapes; received {u.shape} and {v.shape}.")
    # Rows are scaled by their largest entry first: the squares of tiny signals would underflow to zero.
    u, v = _unit_rows(u), _unit_rows(v)
    # Half the angle has the tangent ‖u − v‖ / ‖u + v‖. An arccos of u·v would lose half the digits near 0° and 180°.
    half = np.arctan2(_lengths(u - v), _lengths(u + v))
    degrees: Array = np.degrees(2.0 * half)
    return degrees


def _unit_rows(rows: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = rows / np.max(np.abs(rows), axis=1, keepdims=True)
        unit: Array = rows / _lengths(rows)[:, np.newaxis]
    return unit


def _lengths(rows: Array) -> Array:
    lengths: Array = np.sqrt(np.sum(rows * rows, axis=1))
    return lengths


def mean_angle(u: npt.ArrayLike, v: npt.ArrayLike) -> float:
    """Return the mean over rows of :func:`angles`, leaving out rows where it is undefined; NaN if all are."""
    defined = angles(u, v)
    defined = defined[~np.isnan(defined)]
    return float(np.mean(defined)) if defined.size else float("nan")


def error_rate(output: Array, y: Array) -> float:
    """Return the percentage of rows whose largest output is not at the place of the one in y (one-hot)."""
    return 100.0 * float(np.mean(np.argmax(output, axis=1) != np.argmax(y, axis=1)))


def normalised_squared_error(output: Array, y: Array) -> float:
    """Return Σ‖ŷ − y‖² / Σ‖y − mean y‖²: 0 is perfect, 1 is what always answering the mean gives.

    NaN if all rows of y are equal, as a single row is.
    """
    residual = np.asarray(output, np.float64) - y
    spread = y - np.mean(y, axis=0, dtype=np.float64)
    total = float(np.sum(spread**2))
    return float(np.sum(residual**2)) / total if total else float("nan")
