"""Networks whose weights are drawn or solved for in closed form: what the one-shot learners start from and end in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.activations import activation
from alignlib.baselines import least_squares
from alignlib.baselines.least_squares import LinearReadout
from alignlib.errors import InvalidValue
from alignlib.initializers import WEIGHTS, draw


@dataclass(frozen=True)
class Layers:
    """h_l = f(W_l h_{l−1} + b_l) for l = 1 … L, with h_0 = x.

    Attributes
    ----------
    weights, biases
        W_l (n_l, n_{l−1}) and b_l (n_l,), the layer next to the input first. Nobody writes to them.
    nonlinearity
        Name of f, a key of :data:`alignlib.activations.ACTIVATIONS`.
    biased
        Whether layers have biases: if not, b_l is zero, and a layer that is solved for gets none.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    nonlinearity: str = "tanh"
    biased: bool = True

    @classmethod
    def draw(
        cls,
        n_in: int,
        hidden: Sequence[int],
        rng: Rng,
        *,
        kind: str = "fan-in",
        scale: float = 1.0,
        nonlinearity: str = "tanh",
        biased: bool = True,
    ) -> Layers:
        """Draw W_l of ``kind`` (a name in :data:`alignlib.initializers.WEIGHTS`) times scale, b_l uniform in ±scale.

        With one hidden layer and the defaults these are the numbers of
        :class:`alignlib.baselines.ExtremeLearningMachine`; more layers leave the numbers of the first ones unchanged.
        """
        weights, biases = [], []
        for fan_in, units in zip([n_in, *hidden], hidden, strict=False):
            weights.append(draw(WEIGHTS, kind, (units, fan_in), rng, scale=scale))
            biases.append(draw(WEIGHTS, "uniform" if biased else "zero", (1, units), rng, scale=scale)[0])
        return cls(tuple(weights), tuple(biases), nonlinearity, biased)

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.weights)

    def pre_activations(self, x: Array, layer: int = 1) -> Array:
        """Return a_l (batch, n_l) of hidden layer ``layer``, counted from 1."""
        f, h = activation(self.nonlinearity).function, x
        for W, b in zip(self.weights[: layer - 1], self.biases, strict=False):
            h = f(h @ W.T + b)
        a: Array = h @ self.weights[layer - 1].T + self.biases[layer - 1]
        return a

    def features(self, x: Array) -> Array:
        """Return h_L (batch, n_L), the activity of the last hidden layer; x itself if there is none."""
        if not self.weights:
            return x
        h: Array = activation(self.nonlinearity).function(self.pre_activations(x, self.depth))
        return h

    def below(self, layer: int) -> Layers:
        """Return the hidden layers before ``layer``, counted from 1: their features are what enters it."""
        return replace(self, weights=self.weights[: layer - 1], biases=self.biases[: layer - 1])

    def with_layer(self, layer: int, solved: LinearReadout) -> Layers:
        """Return a copy in which hidden layer ``layer``, counted from 1, has the weights and bias of ``solved``."""
        weights, biases = list(self.weights), list(self.biases)
        weights[layer - 1], biases[layer - 1] = solved.weights, solved.bias
        return replace(self, weights=tuple(weights), biases=tuple(biases))


@dataclass(frozen=True)
class Solved:
    """ŷ = V h_L + c: hidden layers and a readout."""

    layers: Layers
    readout: LinearReadout

    @classmethod
    def draw_readout(cls, layers: Layers, n_out: int, rng: Rng, *, kind: str = "fan-in", scale: float = 1.0) -> Solved:
        """Return ``layers`` with a readout V of ``kind`` times scale, without a bias: a network before any fit."""
        units = len(layers.weights[-1])
        return cls(layers, LinearReadout(draw(WEIGHTS, kind, (n_out, units), rng, scale=scale), np.zeros(n_out)))

    def predict(self, x: Array) -> Array:
        """Return ŷ (batch, n_out) for x (batch, n_in)."""
        return self.readout.predict(self.layers.features(x))


def fit_readout(layers: Layers, x: Array, y: Array, ridge: float = 0.0) -> Solved:
    """Leave the hidden layers as they are and solve for the readout: an Extreme Learning Machine of any depth.

    ``x`` (n, n_in), ``y`` (n, n_out); ``ridge`` 0 is the pseudo-inverse (:func:`alignlib.baselines.least_squares.fit`).
    """
    return Solved(layers, least_squares.fit(layers.features(x), y, ridge, bias=layers.biased))


def check_layers(layers: Layers, least: int = 1) -> None:
    """Raise InvalidValue if there are fewer than ``least`` hidden layers."""
    if layers.depth < least:
        raise InvalidValue(f"needed: at least {least} hidden layer; received {layers.depth}.")
