"""Optimisers: turn a gradient into a step, in place.

Each holds its state for one flat array of parameters (see :class:`alignlib.network.MLP`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue, choose


class Optimizer(Protocol):
    """What the training loop needs: write one step into ``parameters``, given the gradient of the same shape."""

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place; ``gradient`` may be overwritten."""


class SGD:
    """p ← p − η g; with momentum μ: v ← μ v + g, p ← p − η v; Nesterov's form steps along g + μ v instead."""

    def __init__(self, parameters: Array, learning_rate: float, momentum: float = 0.0, nesterov: bool = False):
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.velocity = np.zeros_like(parameters) if momentum else None

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place."""
        if self.velocity is not None:
            self.velocity *= self.momentum
            self.velocity += gradient
            if self.nesterov:
                gradient += self.momentum * self.velocity
            else:
                gradient[...] = self.velocity
        gradient *= self.learning_rate
        parameters -= gradient


class RMSprop:
    """m ← ρ m + (1 − ρ) g², p ← p − η g / (√m + ε)   (Tieleman & Hinton 2012)."""

    def __init__(self, parameters: Array, learning_rate: float, decay: float = 0.99, epsilon: float = 1e-8):
        self.learning_rate, self.decay, self.epsilon = learning_rate, decay, epsilon
        self.mean_square = np.zeros_like(parameters)
        self._scratch = np.empty_like(parameters)

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place."""
        scratch = np.multiply(gradient, gradient, out=self._scratch)
        scratch *= 1.0 - self.decay
        self.mean_square *= self.decay
        self.mean_square += scratch
        np.sqrt(self.mean_square, out=scratch)
        scratch += self.epsilon
        gradient *= self.learning_rate
        gradient /= scratch
        parameters -= gradient


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
        self.mean, self.mean_square = np.zeros_like(parameters), np.zeros_like(parameters)
        self._scratch = np.empty_like(parameters)
        self.steps = 0

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update ``parameters`` in place."""
        self.steps += 1
        scratch = np.multiply(gradient, gradient, out=self._scratch)
        scratch *= 1.0 - self.beta2
        self.mean_square *= self.beta2
        self.mean_square += scratch
        gradient *= 1.0 - self.beta1
        self.mean *= self.beta1
        self.mean += gradient
        np.sqrt(self.mean_square, out=scratch)
        scratch /= np.sqrt(1.0 - self.beta2**self.steps)  # the running means start at zero: undo that bias
        scratch += self.epsilon
        np.divide(self.mean, scratch, out=gradient)
        gradient *= self.learning_rate / (1.0 - self.beta1**self.steps)
        parameters -= gradient


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
