"""Adversarial training: the network learns from examples that were changed so as to make it err."""

from __future__ import annotations

import math

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Buffers, Masks
from alignlib.rules.backprop import Backprop


class Adversary:
    """Changes each mini-batch into x + ε sign(∂loss/∂x) before it is learned from (Goodfellow et al. 2015).

    The gradient is the true one, through the transposed weights, whatever rule the network learns by: so Nøkland
    (2016) did it for FA and DFA too. As in his code, pixels are not brought back to between 0 and 1, and the update is
    made on the changed examples alone. Attacks on a trained network, :mod:`alignlib.attacks`, do clip.

    Raises
    ------
    InvalidValue
        If ε is not a finite number, at least 0.
    """

    def __init__(self, network: MLP, epsilon: float):
        if not (math.isfinite(epsilon) and epsilon >= 0):
            raise InvalidValue(f"epsilon must be a finite number, not below 0; received {epsilon!r}.")
        self._network, self._backprop, self.epsilon = network, Backprop(network), epsilon
        self._changed: dict[int, Array] = {}

    def change(self, x: Array, y: Array, buffers: Buffers | None = None, masks: Masks | None = None) -> Array:
        """Return changed examples for x (batch, n_in), y (batch, n_out); the next call for this size overwrites them.

        With ``masks`` they are examples against the network that these leave, the one that then learns.
        """
        network = self._network
        trace = network.trace(x, buffers, y, masks)
        error = network.error(trace, y)
        first = [*self._backprop.hidden_signals(network, trace, error), error][0]
        if len(x) not in self._changed:
            self._changed[len(x)] = np.empty_like(trace.activities[0], order="F")
        changed = self._changed[len(x)]
        slope = network.layers[0].pull(network.weights[0].T, first, changed)
        if masks and masks[0] is not None:
            slope *= masks[0]
        np.sign(slope, out=changed)
        changed *= self.epsilon
        changed += trace.activities[0]
        return changed
