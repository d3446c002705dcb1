"""The spatial pooler of Hierarchical Temporal Memory: sparse binary codes by competition of columns."""

from __future__ import annotations

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue

CONNECTED = 0.5  #: a synapse counts from this permanence on


class SpatialPooler:
    """The columns that overlap most with a binary input become active, and only these learn   (Cui et al. 2017).

    Each column may connect to a random part of the inputs. Each of these potential synapses has a permanence in [0, 1]
    and is connected, with weight 1, from 0.5 on. The overlap o_i counts connected synapses with active inputs. The
    ``active`` columns with the largest b_i o_i fire. In them permanences of active inputs rise by ``up``, the others
    fall by ``down``. Boosting, b_i = exp(β (s − d_i)), helps columns that fire more rarely (running mean d_i) than
    their share s = active / columns.

    Parameters
    ----------
    n_in, columns, active
        Numbers of inputs, of columns and of those that fire for each input.
    rng
        Source of the potential synapses, the initial permanences, the order of examples, and of who wins a tie.
    potential
        Share of the inputs that a column may connect to.
    up, down
        Change of a permanence each time its column fires.
    boost
        β; 0 switches boosting off.
    period
        Over how many examples d_i is averaged.
    """

    def __init__(
        self,
        n_in: int,
        columns: int,
        active: int,
        rng: Rng,
        *,
        potential: float = 0.8,
        up: float = 0.05,
        down: float = 0.02,
        boost: float = 0.0,
        period: int = 500,
    ):
        if not 1 <= active <= columns or not 0 < potential <= 1 or period < 1:
            raise InvalidValue(
                f"needed: 1 ≤ active ≤ columns, 0 < potential ≤ 1 and period ≥ 1; "
                f"received {active}, {columns}, {potential} and {period}."
            )
        self.active, self.up, self.down, self.boost, self.period = active, up, down, boost, period
        self.rng = rng
        self.potential = rng.random((columns, n_in)) < potential
        start = CONNECTED + 0.1 * rng.uniform(-1.0, 1.0, (columns, n_in))  # close to the threshold, half of them on
        self.permanence: Array = np.where(self.potential, start, 0.0)
        self.duty: Array = np.full(columns, active / columns)
        self._tie_break = 1e-6 * rng.random(columns)  # smaller than any difference of overlaps
        self._connected: Array = np.ascontiguousarray((self.permanence >= CONNECTED).T, np.float64)  # (n_in, columns)

    def overlaps(self, x: Array) -> Array:
        """Return how many connected synapses of each column meet an active input, (batch, columns), x of 0 and 1."""
        counts: Array = x @ self._connected
        return counts

    def codes(self, x: Array) -> Array:
        """Return the codes of binary inputs x (batch, n_in): (batch, columns) of 0 and 1, ``active`` ones a row."""
        winners = self._winners(self.overlaps(x))
        code = np.zeros((len(x), len(self.duty)))
        np.put_along_axis(code, winners, 1.0, axis=1)
        return code

    def step(self, x: Array) -> Array:
        """Learn from one binary input x (n_in,); return the numbers of the columns that fired."""
        overlap = self._connected[x > 0].sum(axis=0, keepdims=True)  # quicker than a product: most inputs are 0
        winners: Array = self._winners(overlap)[0]
        change = np.where(x > 0, self.up, -self.down)
        moved = np.clip(self.permanence[winners] + change, 0.0, 1.0)
        self.permanence[winners] = np.where(self.potential[winners], moved, 0.0)
        self._connected[:, winners] = (self.permanence[winners] >= CONNECTED).T
        self.duty *= 1.0 - 1.0 / self.period
        self.duty[winners] += 1.0 / self.period
        return winners

    def fit(self, x: Array, epochs: int = 1) -> SpatialPooler:
        """Learn from binary inputs x (n, n_in), one at a time, in an order drawn anew for each epoch."""
        for _ in range(epochs):
            for index in self.rng.permutation(len(x)):
                self.step(x[index])
        return self

    def _winners(self, overlaps: Array) -> Array:
        factor = np.exp(self.boost * (self.active / len(self.duty) - self.duty))
        scores = overlaps * factor + self._tie_break
        winners: Array = np.argpartition(-scores, self.active - 1, axis=1)[:, : self.active]
        return winners


def binary(x: Array, threshold: float = 0.5) -> Array:
    """Return 1 where x is at least ``threshold`` and 0 elsewhere, as float64."""
    return (x >= threshold).astype(np.float64)


def mean_overlap(a: Array, b: Array) -> float:
    """Return the share of active columns that two rows of codes have in common, mean over the rows of a and b."""
    return float(np.mean(np.sum(a * b, axis=1) / np.sum(a, axis=1)))


def recognised(known: Array, noisy: Array) -> float:
    """Return the share of rows of ``noisy`` that agree best with the same row of ``known``, and with no other as well.

    Both (n, bits) of 0 and 1; agreement counts equal bits.
    """
    agreement = noisy @ known.T + (1.0 - noisy) @ (1.0 - known).T
    own = np.diagonal(agreement).copy()
    np.fill_diagonal(agreement, -1.0)
    return float(np.mean(own > agreement.max(axis=1)))
