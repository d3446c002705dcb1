"""Hidden-unit nonlinearities: the function f and its derivative f′, elementwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.errors import choose


@dataclass(frozen=True)
class Activation:
    """An elementwise nonlinearity.

    ``function(a, out=None)`` gives the activity h = f(a); ``derivative(a, h, out=None)`` gives f′(a), and may use
    whichever of a and h is cheaper. As in NumPy, ``out`` is where the result may be put; use what is returned.
    """

    name: str
    function: Callable[..., Array]
    derivative: Callable[..., Array]


def logistic(a: Array, out: Array | None = None) -> Array:
    """Return 1 / (1 + exp(−a)), written with tanh so that nothing overflows, in the dtype of ``a``."""
    out = np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1.0
    out *= 0.5
    return out


def _tanh_derivative(a: Array, h: Array, out: Array | None = None) -> Array:
    out = np.multiply(h, h, out=out)
    np.subtract(1.0, out, out=out)
    return out


def _logistic_derivative(a: Array, h: Array, out: Array | None = None) -> Array:
    out = np.subtract(1.0, h, out=out)
    out *= h
    return out


def _relu_derivative(a: Array, h: Array, out: Array | None = None) -> Array:
    return np.greater(a, 0.0, out=np.empty_like(a) if out is None else out)


def _one(a: Array, h: Array, out: Array | None = None) -> Array:
    out = np.empty_like(a) if out is None else out
    out.fill(1.0)
    return out


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("tanh", np.tanh, _tanh_derivative),
        Activation("logistic", logistic, _logistic_derivative),
        Activation("relu", lambda a, out=None: np.maximum(a, 0.0, out=out), _relu_derivative),
        Activation("linear", lambda a, out=None: a, _one),
    )
}


def activation(name: str) -> Activation:
    """Return the activation called ``name``; InvalidValue lists the accepted names."""
    return ACTIVATIONS[choose("activation", name, ACTIVATIONS)]
