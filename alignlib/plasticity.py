"""How learned feedback takes a step: as the weights do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.optimizers import Optimizer


class Plasticity:
    """Steps of matrices that learn from the activity at their two ends, for rules whose feedback is not fixed.

    Parameters
    ----------
    optimizer
        That of the weights: each matrix gets another one of its kind and settings, with a state of its own.
    weight_decay
        λ of the weights, which the feedback shares.
    """

    def __init__(self, optimizer: Optimizer, weight_decay: float = 0.0):
        self.optimizer, self.weight_decay = optimizer, weight_decay
        self._gradients: list[Array] = []
        self._optimizers: list[Optimizer] = []

    def start(self, feedback: Sequence[Array]) -> None:
        """Make ready for steps of these matrices; the first step does it by itself."""
        self._gradients = [np.empty_like(B) for B in feedback]
        self._optimizers = [self.optimizer.like(B.reshape(-1)) for B in feedback]

    def step(self, feedback: Sequence[Array], received: Sequence[Array], sent: Sequence[Array]) -> None:
        """Let each B in ``feedback``, C-contiguous, step down ∂B = ⟨received sentᵀ⟩ + λB, the mean over the batch.

        ``received`` holds what is at the unit that the synapse leads to, shape (batch, rows of B), ``sent`` what comes
        through it, shape (batch, columns of B).

        Raises
        ------
        InvalidValue
            If a matrix does not lead from unit to unit, as that of a convolution does not.
        """
        if not self._gradients:  # the first step; later ones use these again
            self.start(feedback)
        states = zip(self._gradients, self._optimizers, strict=True)
        for B, r, s, (gradient, optimizer) in zip(feedback, received, sent, states, strict=True):
            if B.shape != (r.shape[1], s.shape[1]):
                raise InvalidValue(
                    f"feedback of shape {B.shape} does not lead from {s.shape[1]} units to {r.shape[1]}: "
                    "it learns between dense layers only."
                )
            np.matmul(r.T, s, out=gradient)
            gradient *= 1.0 / len(s)
            if self.weight_decay:
                gradient += self.weight_decay * B
            optimizer.step(B.reshape(-1), gradient.reshape(-1))
