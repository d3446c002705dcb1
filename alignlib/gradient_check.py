"""The gradient without any rule: disturb each parameter and look at the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Masks
from alignlib.rules import Rule


def finite_differences(network: MLP, x: Array, y: Array, step: float = 1e-5, masks: Masks | None = None) -> Array:
    """Return the gradient of the mean loss by central differences, (loss(p + step) − loss(p − step)) / 2 step.

    x (batch, n_in), y (batch, n_out); the result is flat, one float64 for each of ``network.parameters``, in their
    order. It costs two forward passes a parameter. The parameters are as before, also if it fails half way.
    With ``masks`` it is that of the network which dropout leaves (see :meth:`alignlib.MLP.trace`).

    Raises
    ------
    InvalidValue
        If ``step`` is not above 0.
    """
    if not step > 0:
        raise InvalidValue(f"step must be above 0; received {step!r}.")
    before = network.parameters.copy()
    gradient = np.empty(before.size)
    try:
        for i, parameter in enumerate(before):
            network.parameters[i] = parameter + step
            above = network.mean_loss(x, y, masks)
            network.parameters[i] = parameter - step
            below = network.mean_loss(x, y, masks)
            network.parameters[i] = parameter
            gradient[i] = (above - below) / (2 * step)
    finally:
        network.parameters[...] = before
    return gradient


def at_output(values: Callable[[Array, Array], Array], a: Array, y: Array, step: float = 1e-5) -> Array:
    """Return the gradient of each example's loss in its own pre-activations at the output, by central differences.

    ``values(a, y)`` gives one loss an example, as in :class:`alignlib.losses.Loss`; a and y have shape (n, n_out), and
    so has the result.
    """
    gradient = np.empty(a.shape)
    for unit in range(a.shape[1]):
        moved = np.zeros(a.shape[1])
        moved[unit] = step
        gradient[:, unit] = (values(a + moved, y) - values(a - moved, y)) / (2 * step)
    return gradient


def flat(gradients: Sequence[tuple[Array, Array]]) -> Array:
    """Return what ``rule.gradients`` gives, [(dW, db), …], as one float64 array in the order of the parameters."""
    return np.concatenate([np.ravel(part) for pair in gradients for part in pair]).astype(np.float64)


def relative_deviation(u: npt.ArrayLike, v: npt.ArrayLike) -> float:
    """Return ‖u − v‖ / max(‖u‖, ‖v‖) for arrays of equal shape: 0 for equal ones, 1 where one is zero, at most 2.

    Raises
    ------
    InvalidValue
        If the shapes differ.
    """
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    if u.shape != v.shape:
        raise InvalidValue(f"relative_deviation needs equal shapes; received {u.shape} and {v.shape}.")
    larger = max(np.linalg.norm(u), np.linalg.norm(v))
    return float(np.linalg.norm(u - v) / larger) if larger else 0.0


def deviation(rule: Rule, network: MLP, x: Array, y: Array, step: float = 1e-5) -> float:
    """Return the :func:`relative_deviation` of a rule's gradient from the differences of the loss."""
    return relative_deviation(flat(rule.gradients(network, x, y)), finite_differences(network, x, y, step))
