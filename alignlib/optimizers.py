"""Optimisers: turn a gradient into a step, in place.

Each holds its state for one flat array of parameters (see :class:`alignlib.network.MLP`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue, choose


class Optimizer(Protocol):
    """What the training loop needs: write one step into ``parameters``, given the gradient of the same shape."""

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place; ``gradient`` may be overwritten."""

    def like(self, parameters: Array) -> Optimizer:
        """Return a new optimiser of this kind and with these settings for another flat array."""


#: Numbers updated at once: the blocks of all arrays involved stay in the cache while an update makes its passes.
BLOCK = 1 << 15


def _block(array: Array) -> int:
    """Return how many numbers of ``array`` are updated at once: all of them where there is no such cache."""
    return BLOCK if isinstance(array, np.ndarray) else max(array.size, 1)


def _blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield (block of the first, block of the second, …) of equal flat arrays."""
    size = _block(arrays[0])
    for start in range(0, arrays[0].size, size):
        yield tuple(array[start : start + size] for array in arrays)


class SGD:
    """p ← p − η g; with momentum μ: v ← μ v + g, p ← p − η v; Nesterov's form steps along g + μ v instead."""

    def __init__(self, parameters: Array, learning_rate: float, momentum: float = 0.0, nesterov: bool = False):
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self._velocity = np.zeros_like(parameters) if momentum else None
        self._scratch = np.empty_like(parameters[: _block(parameters)])

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place."""
        if self._velocity is not None:
            self._add_momentum(self._velocity, gradient)
        for p, g in _blocks(parameters, gradient):
            g *= self.learning_rate
            p -= g

    def like(self, parameters: Array) -> SGD:
        """Return a new one with these settings."""
        return SGD(parameters, self.learning_rate, self.momentum, self.nesterov)

    def _add_momentum(self, velocity: Array, gradient: Array) -> None:
        for v, g in _blocks(velocity, gradient):
            v *= self.momentum
            v += g
            if self.nesterov:
                g += np.multiply(v, self.momentum, out=self._scratch[: v.size])
            else:
                g[...] = v


class RMSprop:
    """m ← ρ m + (1 − ρ) g², p ← p − η g / (√m + ε)   (Tieleman & Hinton 2012)."""

    def __init__(self, parameters: Array, learning_rate: float, decay: float = 0.99, epsilon: float = 1e-8):
        self.learning_rate, self.decay, self.epsilon = learning_rate, decay, epsilon
        self._mean_square = np.zeros_like(parameters)
        self._scratch = np.empty_like(parameters[: _block(parameters)])

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place."""
        # The state is m / (1 − ρ): one pass less. So √m is √(1 − ρ) times its root, and that factor goes to η and ε.
        factor = 1.0 / math.sqrt(1.0 - self.decay)  # a Python float: a NumPy one would make it a float64 product
        for p, g, m in _blocks(parameters, gradient, self._mean_square):
            scratch = np.multiply(g, g, out=self._scratch[: g.size])
            m *= self.decay
            m += scratch
            np.sqrt(m, out=scratch)
            scratch += self.epsilon * factor
            g /= scratch
            g *= self.learning_rate * factor
            p -= g

    def like(self, parameters: Array) -> RMSprop:
        """Return a new one with these settings."""
        return RMSprop(parameters, self.learning_rate, self.decay, self.epsilon)


class Adam:
    """m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − η m̂ / (√v̂ + ε)   (Kingma & Ba 2015)."""

    def __init__(
        self,
        parameters: Array,
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ):
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.steps = 0
        self._mean, self._mean_square = np.zeros_like(parameters), np.zeros_like(parameters)
        self._scratch = np.empty_like(parameters[: _block(parameters)])

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place."""
        self.steps += 1
        # the running means start at zero; m̂ and v̂ undo that bias
        unbias_mean, unbias_root = 1.0 / (1.0 - self.beta1**self.steps), 1.0 / math.sqrt(1.0 - self.beta2**self.steps)
        for p, g, m, v in _blocks(parameters, gradient, self._mean, self._mean_square):
            scratch = np.multiply(g, g, out=self._scratch[: g.size])
            scratch *= 1.0 - self.beta2
            v *= self.beta2
            v += scratch
            g *= 1.0 - self.beta1
            m *= self.beta1
            m += g
            np.sqrt(v, out=scratch)
            scratch *= unbias_root
            scratch += self.epsilon
            np.divide(m, scratch, out=g)
            g *= self.learning_rate * unbias_mean
            p -= g

    def like(self, parameters: Array) -> Adam:
        """Return a new one with these settings."""
        return Adam(parameters, self.learning_rate, self.beta1, self.beta2, self.epsilon)


OPTIMIZERS = ("adam", "rmsprop", "sgd")


def make(
    name: str,
    parameters: Array,
    learning_rate: float,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Return the optimiser called ``name`` for a flat array of parameters.

    Raises
    ------
    InvalidValue
        For an unknown name, or for momentum with an optimiser other than SGD.
    """
    choose("optimizer", name, OPTIMIZERS)
    if name != "sgd" and (momentum or nesterov):
        raise InvalidValue(f"momentum and nesterov belong to optimizer 'sgd'; received them with {name!r}.")
    if name == "sgd":
        return SGD(parameters, learning_rate, momentum, nesterov)
    return RMSprop(parameters, learning_rate) if name == "rmsprop" else Adam(parameters, learning_rate)
