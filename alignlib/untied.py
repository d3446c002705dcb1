"""Convolutions taken apart: the same function, but every place with weights of its own, local ones or all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.errors import choose
from alignlib.layers import Dense
from alignlib.network import MLP

#: What may learn in the layers that were convolutions: the weights within the patches, or all.
KINDS = ("local", "full")


@dataclass(frozen=True)
class Local(Dense):
    """A dense layer in which only some weights learn: those where ``connected`` (n_out, n_in) is true."""

    connected: Array

    def outer(self, delta: Array, h: Array, out: Array | None = None) -> Array:
        """Return Σ δ hᵀ over the batch where there are connections, and zero elsewhere."""
        product = super().outer(delta, h, out)
        product *= self.connected
        return product


def untied(network: MLP, kind: str = "local") -> MLP:
    """Return a network of dense layers with the function of ``network`` and without its sharing of weights.

    What was a convolution may learn the weights within its patches, each place for itself ("local"), or all weights,
    also those that start at zero ("full"). Layers have the widths they had, so direct feedback fits as it is.

    Raises
    ------
    InvalidValue
        For an unknown kind.
    """
    choose("kind of untied layer", kind, KINDS)
    dense = MLP(network.sizes, network.hidden_activation.name, network.loss.name, init="zero", dtype=network.dtype.name)
    for i, layer in enumerate(network.layers):
        dense.weights[i] = layer.matrix
        dense.biases[i] = np.repeat(layer.bias, layer.width // len(layer.bias))
        if kind == "local" and layer.matrix is not layer.weight:
            free = dense.layers[i]
            dense.layers[i] = Local(i, free.weight, free.bias, free.activation, free.weight != 0)
    return dense
