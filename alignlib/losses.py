"""Output functions with their losses, and the error e = ∂loss/∂a at the output's pre-activation a.

A "matched" pair has e = ŷ − y, with no further factor; all are matched but one, which older experiments used.
Either way all learning rules start from the same error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.activations import logistic
from alignlib.errors import choose


@dataclass(frozen=True)
class Loss:
    """An output function and its loss.

    ``predict(a, out=None)`` maps pre-activations (batch, n_out) to ŷ of the same shape; use what is returned.
    ``values(a, y)`` gives the loss of each example, shape (batch,), in nats (squared error: units of y squared).
    ``factor(prediction)`` is what an unmatched pair leaves beside ŷ − y in the gradient, None for a matched one.
    """

    name: str
    title: str
    predict: Callable[..., Array]
    values: Callable[[Array, Array], Array]
    factor: Callable[[Array], Array] | None = None

    @property
    def matched(self) -> bool:
        """Whether the gradient at the output is ŷ − y and nothing else."""
        return self.factor is None

    def error(self, prediction: Array, y: Array, out: Array | None = None) -> Array:
        """Return e, shape (batch, n_out): the gradient of each example's loss at the output; ŷ − y if matched."""
        error: Array = np.subtract(prediction, y, out=out)
        if self.factor is not None:
            error *= self.factor(prediction)
        return error


def _binary_cross_entropy(a: Array, y: Array) -> Array:
    # −y log ŷ − (1 − y) log(1 − ŷ), written in a so that saturated outputs neither overflow nor give log 0
    losses: Array = np.sum(np.maximum(a, 0.0) - a * y + np.log1p(np.exp(-np.abs(a))), axis=1)
    return losses


def _squared_error(prediction: Array, y: Array) -> Array:
    losses: Array = 0.5 * np.sum((prediction - y) ** 2, axis=1)
    return losses


def _log_softmax(a: Array) -> Array:
    shifted = a - a.max(axis=1, keepdims=True)
    result: Array = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return result


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("logistic", "logistic output, binary cross-entropy", logistic, _binary_cross_entropy),
        Loss(
            "softmax",
            "softmax output, cross-entropy",
            lambda a, out=None: np.exp(_log_softmax(a), out=out),
            lambda a, y: -np.sum(y * _log_softmax(a), axis=1),
        ),
        Loss(
            "linear",
            "linear output, half the squared error",
            lambda a, out=None: a,
            _squared_error,
        ),
        # Lillicrap et al. (2016) trained so on MNIST: e = (ŷ − y) ŷ (1 − ŷ)
        Loss(
            "logistic-squared",
            "logistic output, half the squared error",
            logistic,
            lambda a, y: _squared_error(logistic(a), y),
            factor=lambda prediction: prediction * (1.0 - prediction),
        ),
    )
}


def loss(name: str) -> Loss:
    """Return the loss whose output function is ``name``; InvalidValue lists the accepted names."""
    return LOSSES[choose("output", name, LOSSES)]
