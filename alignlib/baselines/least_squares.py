"""One layer in closed form: the linear map that fits its targets best, with and without ridge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue

_CHUNK = 4096  # rows brought to double precision at once


@dataclass(frozen=True)
class LinearReadout:
    """ŷ = V h + c, with ``weights`` V (n_out, n_features) and ``bias`` c (n_out,)."""

    weights: Array
    bias: Array

    def predict(self, h: Array) -> Array:
        """Return ŷ (batch, n_out) for features h (batch, n_features)."""
        output: Array = h @ self.weights.T + self.bias
        return output


def fit(h: Array, y: Array, ridge: float = 0.0, *, bias: bool = True) -> LinearReadout:
    """Return the readout that minimises Σ‖V h + c − y‖² + ridge · ‖V‖², over all rows of h and y at once.

    ``h`` (n, n_features), ``y`` (n, n_out); the bias c is not penalised, and everything is solved in double precision.
    With ``ridge`` 0 this is the pseudo-inverse: of all V that fit equally well, the one with the smallest norm.
    Without ``bias``, c is zero.

    Raises
    ------
    InvalidValue
        If the shapes do not fit each other, or the ridge is negative or not finite.
    """
    return fit_each(h, y, [ridge], bias=bias)[0]


def fit_each(h: Array, y: Array, ridges: Sequence[float], *, bias: bool = True) -> list[LinearReadout]:
    """Return :func:`fit` for each of several ridges, for little more than the price of one."""
    if np.ndim(h) != 2 or np.ndim(y) != 2 or len(h) != len(y) or not len(h):
        raise InvalidValue(f"features and targets need equally many rows; received {np.shape(h)} and {np.shape(y)}.")
    _check_ridges(ridges)
    centre_h, centre_y = h.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    if not bias:
        centre_h, centre_y = np.zeros_like(centre_h), np.zeros_like(centre_y)
    solve = _primal if h.shape[1] <= h.shape[0] else _dual
    readouts = []
    for V in solve(h, y - centre_y, centre_h, ridges):
        c = centre_y - V @ centre_h
        readouts.append(LinearReadout(V.astype(h.dtype), c.astype(h.dtype)))
    return readouts


@dataclass(frozen=True)
class Inverse:
    """What a fit does to its targets, for features that stay the same while the targets change.

    ``operator`` (n_features, n) is (H̃ᵀH̃ + λI)⁻¹ H̃ᵀ, or the pseudo-inverse of H̃; H̃ is H less its mean ``centre``.
    """

    operator: Array
    centre: Array
    biased: bool

    def fit(self, y: Array) -> LinearReadout:
        """Return what :func:`fit` gives for the targets y (n, n_out)."""
        V = (self.operator @ y).T
        bias = np.mean(y, axis=0) - V @ self.centre if self.biased else np.zeros(len(V))
        return LinearReadout(V, bias)


def inverse(h: Array, ridge: float = 0.0, *, bias: bool = True) -> Inverse:
    """Return the pseudo-inverse of h (n, n_features), or with a ridge what takes its place, in double precision.

    It costs more than one fit; it is for where many are to come.

    Raises
    ------
    InvalidValue
        If h has no rows, or the ridge is negative or not finite.
    """
    _check_ridges([ridge])
    if np.ndim(h) != 2 or not len(h):
        raise InvalidValue(f"features need rows; received the shape {np.shape(h)}.")
    centre = h.mean(axis=0, dtype=np.float64) if bias else np.zeros(h.shape[1])
    rows = h - centre
    if not ridge:
        operator = np.linalg.pinv(rows, rcond=np.finfo(np.float64).eps * max(rows.shape))
    elif rows.shape[1] <= len(rows):
        operator = np.linalg.solve(rows.T @ rows + ridge * np.eye(rows.shape[1]), rows.T)
    else:
        operator = np.linalg.solve(rows @ rows.T + ridge * np.eye(len(rows)), rows).T
    return Inverse(operator, centre, bias)


def _primal(h: Array, y: Array, centre: Array, ridges: Sequence[float]) -> list[Array]:
    """V = (H̃ᵀH̃ + λI)⁻¹ H̃ᵀỸ transposed: a system as large as there are features."""
    features = h.shape[1]
    gram, match = np.zeros((features, features)), np.zeros((features, y.shape[1]))
    for start in range(0, len(h), _CHUNK):
        rows = h[start : start + _CHUNK] - centre
        gram += rows.T @ rows
        match += rows.T @ y[start : start + _CHUNK]
    return [
        np.linalg.solve(gram + ridge * np.eye(features), match).T if ridge else _pseudo_inverse(h, y, centre)
        for ridge in ridges
    ]


def _dual(h: Array, y: Array, centre: Array, ridges: Sequence[float]) -> list[Array]:
    """The same V from H̃ᵀ (H̃H̃ᵀ + λI)⁻¹ Ỹ: a system as large as there are examples."""
    rows = h - centre
    gram, identity = rows @ rows.T, np.eye(len(h))
    return [
        (rows.T @ np.linalg.solve(gram + ridge * identity, y)).T if ridge else _pseudo_inverse(h, y, centre)
        for ridge in ridges
    ]


def _pseudo_inverse(h: Array, y: Array, centre: Array) -> Array:
    solution: Array = np.linalg.lstsq(h - centre, y, rcond=None)[0]
    return solution.T


def _check_ridges(ridges: Sequence[float]) -> None:
    for ridge in ridges:
        if not (math.isfinite(ridge) and ridge >= 0):
            raise InvalidValue(f"ridge must be a finite number, not below 0; received {ridge!r}.")
