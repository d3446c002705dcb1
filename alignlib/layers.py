"""Layers: forward, a signal carried along their connections, and the gradient once a signal δ has reached them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.activations import Activation

_ONES: dict[tuple[type, int, object], Array] = {}


def _ones(like: Array) -> Array:
    """Return as many ones as ``like`` has rows, of its kind and precision: made once."""
    key = type(like), len(like), like.dtype
    if key not in _ONES:
        ones = np.empty(len(like), like.dtype, like=like)  # np.ones would ask CuPy for options that it does not know
        ones.fill(1.0)
        _ONES[key] = ones
    return _ONES[key]


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

    def push(self, matrix: Array, signal: Array, out: Array | None = None) -> Array:
        """Carry a signal (batch, n_in) up the layer's connections, with ``matrix`` (shape of W) in the place of W."""
        product: Array = np.matmul(signal, matrix.T, out=out)
        return product

    def pull(self, matrix: Array, signal: Array, out: Array | None = None) -> Array:
        """Carry a signal (batch, n_out) down the connections, with ``matrix`` (shape of Wᵀ) in the place of Wᵀ.

        As in NumPy, ``out`` is where the result may be put; use what is returned.
        """
        product: Array = np.matmul(signal, matrix.T, out=out)
        return product

    def outer(self, delta: Array, h: Array, out: Array | None = None) -> Array:
        """Return Σ δ hᵀ over the batch, shape of ``weight``, for δ (batch, n_out) and h (batch, n_in)."""
        product: Array = np.matmul(delta.T, h, out=out)
        return product

    def pre_activation(self, h: Array, out: Array | None = None) -> Array:
        """Return a = h Wᵀ + b for a batch h (batch, n_in), shape (batch, n_out), in ``out`` if given."""
        a = self.push(self.weight, h, out)
        a += self.bias
        return a

    @property
    def matrix(self) -> Array:
        """The matrix from the units below to the units of this layer, shape (n_out, n_in): ``weight`` itself."""
        return self.weight

    def gradient(
        self, delta: Array, h: Array, weight_out: Array, bias_out: Array, scratch: Array | None = None
    ) -> None:
        """Write ∂W = δᵀ h / batch and ∂b = mean of δ, for δ (batch, n_out) and the layer's input h (batch, n_in).

        ``scratch``, of the shape of δ, saves an allocation.
        """
        # dividing δ is cheaper than dividing ∂W: it has as many rows as the batch, not as the layer has inputs
        scaled = np.multiply(delta, 1.0 / len(delta), out=scratch)
        self.outer(scaled, h, out=weight_out)
        np.dot(_ones(scaled), scaled, out=bias_out)  # quicker than a sum over rows
