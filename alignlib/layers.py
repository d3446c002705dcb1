"""Layers: forward, and the gradient of the weights once a signal δ has reached the layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.activations import Activation


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: a = W h + b, then the activity f(a).

    ``weight`` (n_out, n_in) and ``bias`` (n_out,) are views into the network's parameters.
    ``index`` counts from 0 at the input side: layer 0 holds W_1 of the text.
    """

    index: int
    weight: Array
    bias: Array
    activation: Activation

    @property
    def width(self) -> int:
        """Number of units."""
        return int(self.weight.shape[0])

    def pre_activation(self, h: Array) -> Array:
        """Return a = h Wᵀ + b for a batch h (batch, n_in), shape (batch, n_out)."""
        a: Array = h @ self.weight.T
        a += self.bias
        return a

    def gradient(self, delta: Array, h: Array, weight_out: Array, bias_out: Array) -> None:
        """Write ∂W = δᵀ h / batch and ∂b = mean of δ, for δ (batch, n_out) and the layer's input h (batch, n_in)."""
        np.matmul(delta.T, h, out=weight_out)
        weight_out /= len(delta)
        np.mean(delta, axis=0, out=bias_out)
