"""A competitive Hebbian layer: the unit that answers most strongly moves towards what it has seen."""

from __future__ import annotations

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue


class CompetitiveLayer:
    """Units compete for each input; the winner learns it, and the runner-up a little of its opposite.

    With a = W x and g = 1 for the winner, −``push`` for the unit of rank ``rank``, 0 for all others,
    Δw_i = ⟨g_i (x − a_i w_i)⟩: Oja's rule with g in the place of the activity   (Krotov & Hopfield 2019, p = 2).
    A step is scaled so that its largest entry is ``rate``, which falls linearly to zero. No label is ever seen.

    Parameters
    ----------
    n_in, units
        Numbers of inputs and of units; weights start normal with variance 1.
    rng
        Source of the initial weights and of the order of the examples.
    power
        Exponent of the features, see :meth:`features`.
    """

    def __init__(
        self,
        n_in: int,
        units: int,
        rng: Rng,
        *,
        push: float = 0.4,
        rank: int = 2,
        power: float = 1.0,
        dtype: str = "float64",
    ):
        if not 2 <= rank <= units:
            raise InvalidValue(f"rank must be a whole number from 2 to the {units} units; received {rank!r}.")
        self.W: Array = rng.standard_normal((units, n_in)).astype(dtype)
        self.rng, self.push, self.rank, self.power = rng, push, rank, power

    def change(self, x: Array) -> Array:
        """Return Δw (units, n_in), not yet scaled, for a batch x (batch, n_in)."""
        a, rows = x @ self.W.T, np.arange(len(x))
        ranked = np.argpartition(-a, self.rank - 1, axis=1)[:, self.rank - 1]
        g = np.zeros_like(a)
        g[rows, ranked] = -self.push
        g[rows, np.argmax(a, axis=1)] = 1.0
        change: Array = (g.T @ x - np.sum(g * a, axis=0)[:, np.newaxis] * self.W) / len(x)
        return change

    def fit(self, x: Array, *, rate: float = 0.02, epochs: int = 50, batch_size: int = 100) -> CompetitiveLayer:
        """Learn from x (n, n_in) alone."""
        starts = range(0, len(x), batch_size)
        done, total = 0, epochs * len(starts)
        for _ in range(epochs):
            order = self.rng.permutation(len(x))
            for start in starts:
                change = self.change(x[order[start : start + batch_size]])
                self.W += rate * (1.0 - done / total) * change / max(float(np.max(np.abs(change))), 1e-30)
                done += 1
        return self

    def features(self, x: Array) -> Array:
        """Return max(0, cos)^power of the angles between x and the units' weights, shape (batch, units)."""
        lengths = np.linalg.norm(x, axis=1, keepdims=True) * np.linalg.norm(self.W, axis=1)
        h: Array = np.maximum(x @ self.W.T / np.maximum(lengths, 1e-30), 0.0) ** self.power
        return h
