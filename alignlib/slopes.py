"""What may stand in the place of f′ in the error pass, and units that have no slope of their own.

The rules as published multiply every hidden signal by f′(a). Here the units keep their f and are given another slope:
none, a wrong one, or, for units that step, a surrogate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from alignlib._typing import Array
from alignlib.activations import ACTIVATIONS, Activation
from alignlib.network import MLP


def absent(a: Array, h: Array, out: Array | None = None) -> Array:
    """Return 1 everywhere: the signal passes as it came."""
    return ACTIVATIONS["linear"].derivative(a, h, out)


def flat(a: Array, h: Array, out: Array | None = None) -> Array:
    """Return 0 everywhere: the slope of a step, wherever it has one."""
    out = np.empty_like(a) if out is None else out
    out.fill(0.0)
    return out


def box(a: Array, h: Array, out: Array | None = None) -> Array:
    """Return 1 where a lies between −1 and 1, and 0 elsewhere: the slope of a ramp, a surrogate for that of a step."""
    return np.less(np.abs(a), 1.0, out=np.empty_like(a) if out is None else out)


def opposite(a: Array, h: Array, out: Array | None = None) -> Array:
    """Return h², that is 1 − f′ for tanh: large where the right slope is small."""
    return np.multiply(h, h, out=out)


#: Units that answer with −1 or 1, and with 0 at 0. Their slope is 0 wherever it exists.
STEP = Activation("step", np.sign, flat)


def with_slope(units: Activation, slope: Callable[..., Array]) -> Activation:
    """Return the same units, for whose f′ the error pass is given ``slope(a, h, out=None)``."""
    return replace(units, derivative=slope)


def give(network: MLP, units: Activation) -> None:
    """Let the hidden layers consist of ``units``, in place; the weights stay."""
    network.layers[:-1] = [replace(layer, activation=units) for layer in network.hidden]
