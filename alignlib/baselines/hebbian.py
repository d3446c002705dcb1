"""Hebbian learning with a brake: Oja's rule finds the principal component, Sanger's rule several in turn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alignlib._typing import Array, Rng


def sanger(W: Array, x: Array) -> Array:
    """Return ΔW = ⟨a xᵀ⟩ − LT(⟨a aᵀ⟩) W for a = W x: growth by correlation, less what is explained already.

    ``x`` (batch, n_in) has mean zero, ``W`` (units, n_in); LT keeps the lower triangle, so that each unit sees what the
    units before it have left over (Sanger 1989). With one unit it is ⟨a (x − a w)⟩, Oja's rule (Oja 1982).
    """
    a = x @ W.T
    change: Array = (a.T @ x - np.tril(a.T @ a) @ W) / len(x)
    return change


def components(
    x: Array, units: int, rng: Rng, *, rate: float = 2.0, epochs: int = 40, batch_size: int = 64
) -> Iterator[Array]:
    """Learn ``units`` directions of x (n, n_in) by Sanger's rule; yield W (units, n_in) first and after each epoch.

    The mean of x is taken off. The rate is in units of one over the mean of ‖x‖², and falls linearly to zero.
    """
    x = x - x.mean(axis=0)
    step = rate / float(np.mean(np.sum(x * x, axis=1)))
    W = rng.standard_normal((units, x.shape[1])).astype(x.dtype)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    yield W.copy()
    starts = range(0, len(x), batch_size)
    done, total = 0, epochs * len(starts)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in starts:
            W += step * (1.0 - done / total) * sanger(W, x[order[start : start + batch_size]])
            done += 1
        yield W.copy()


def principal_components(x: Array, units: int) -> Array:
    """Return the directions of the largest variance of x (n, n_in), largest first, as rows of unit length.

    By the eigenvectors of the covariance, in double precision; their signs are arbitrary.
    """
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    vectors = np.linalg.eigh(centred.T @ centred)[1]
    directions: Array = vectors[:, ::-1][:, :units].T
    return directions


def angles_to(directions: Array, W: Array) -> Array:
    """Return the angle in degrees, in [0, 90], between each row of W and the line along the same row of directions."""
    W = W / np.linalg.norm(W, axis=1, keepdims=True)
    along = np.abs(np.sum(W * directions, axis=1))
    across = np.linalg.norm(W - np.sum(W * directions, axis=1, keepdims=True) * directions, axis=1)
    degrees: Array = np.degrees(np.arctan2(across, along))
    return degrees
