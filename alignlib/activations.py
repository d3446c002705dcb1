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

    ``function(a)`` gives the activity h = f(a); ``derivative(a, h)`` gives f′(a), and may use whichever of the
    two is cheaper.
    """

    name: str
    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def logistic(a: Array) -> Array:
    """Return 1 / (1 + exp(−a)) without overflow, in the dtype of ``a``."""
    return 0.5 * (1.0 + np.tanh(0.5 * a))


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("tanh", np.tanh, lambda a, h: 1.0 - h * h),
        Activation("logistic", logistic, lambda a, h: h * (1.0 - h)),
        Activation("relu", lambda a: np.maximum(a, 0.0), lambda a, h: (a > 0).astype(a.dtype)),
        Activation("linear", lambda a: a, lambda a, h: np.ones_like(a)),
    )
}


def activation(name: str) -> Activation:
    """Return the activation called ``name``; InvalidValue lists the accepted names."""
    return ACTIVATIONS[choose("activation", name, ACTIVATIONS)]
