"""How large a signal is in each layer of a random network: the mean-field prediction, forward and for every rule.

Take a wide layer whose weights are random with mean zero. What arrives at one unit is a sum of many small terms, hence
Gaussian, and its mean square follows from the mean square of what was sent and from σ, the gain of the matrix:

    q_{l+1} = σ_{l+1}² ⟨f(√q_l z)²⟩,        m_receiver = σ² m_sender ⟨f′(√q_receiver z)²⟩.

z is standard normal; q_l is the mean square of a_l over the units of layer l and m_l that of δ_l, for one example
(Poole et al. 2016; Schoenholz et al. 2017, who follow backpropagation). The second equation does not ask whether
the matrix is W, Wᵀ or B, nor in which direction the signal goes, so it holds for all rules of this book.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alignlib._typing import Array
from alignlib.activations import Activation
from alignlib.errors import InvalidValue
from alignlib.layers import Dense
from alignlib.network import MLP, Trace
from alignlib.rules import Rule

# Equal steps and their weights under the normal density. For tanh this plain sum converges far sooner than
# Gauss–Hermite quadrature, which suffers from the poles of tanh near the real axis; no point is at 0, where ReLU jumps.
_STEP = 0.1
_POINTS = _STEP * (np.arange(-100, 100) + 0.5)
_WEIGHTS = _STEP * np.exp(-(_POINTS**2) / 2) / np.sqrt(2 * np.pi)

#: Hidden units that saturate: only for them does the mean square settle at one value for every gain.
SATURATING = ("tanh", "logistic")


def gaussian_mean(function: Callable[[Array], Array], q: npt.ArrayLike) -> Array:
    """Return ⟨function(√q z)⟩ over a standard normal z, in the shape of ``q``; six digits or more for q up to 10."""
    spread = np.sqrt(np.asarray(q, np.float64))[..., np.newaxis]
    mean: Array = function(spread * _POINTS) @ _WEIGHTS
    return mean


def activity(f: Activation, q: npt.ArrayLike) -> Array:
    """Return ⟨f(√q z)²⟩: the mean square of the activity where the pre-activations have mean square q."""
    return gaussian_mean(lambda a: f.function(a) ** 2, q)


def slope(f: Activation, q: npt.ArrayLike) -> Array:
    """Return ⟨f′(√q z)²⟩: the factor by which f′ changes the mean square of a signal."""
    return gaussian_mean(lambda a: f.derivative(a, f.function(a)) ** 2, q)


def gain(matrix: Array) -> float:
    """Return σ = √(senders · mean square entry) of a matrix (units that receive, units that send).

    Random signals of mean square 1 leave it with mean square σ². An orthogonal matrix has σ = 1.
    """
    return float(np.linalg.norm(matrix) / np.sqrt(matrix.shape[0]))


def forward(network: MLP, x: Array) -> Array:
    """Return the predicted mean square of a_l in every hidden layer for inputs x (batch, n_in), shape (layers, batch).

    Read of the network are the gains of its weights; biases are taken to be zero, as they are before training.
    """
    arriving = np.mean(np.square(x, dtype=np.float64), axis=1)
    predicted = []
    for layer in network.hidden:
        predicted.append(gain(layer.weight) ** 2 * arriving)
        arriving = activity(layer.activation, predicted[-1])
    return np.array(predicted)


@dataclass(frozen=True)
class SizeTrace(Trace):
    """A trace for rules that carry mean squares, shape (batch, 1), in place of signals.

    ``slopes`` (layers, batch) holds ⟨f′²⟩ in every hidden layer.
    """

    slopes: Array = field(default_factory=lambda: np.empty((0, 0)))

    def carry(self, layer: Dense, matrix: Array, signal: Array) -> Array:
        """Return the mean square of (matrix signal) ⊙ f′(a), given that of the signal, shape (batch, 1)."""
        size: Array = gain(matrix) ** 2 * signal * self.slopes[layer.index][:, np.newaxis]
        return size

    def back(self, layer: Dense, above: Dense, matrix: Array, signal: Array) -> Array:
        """The same for a signal that comes down: only the matrix counts, not the way it points."""
        return self.carry(layer, matrix, signal)

    def onward(self, layer: Dense, matrix: Array, signal: Array) -> Array:
        """The same for a signal that comes up."""
        return self.carry(layer, matrix, signal)

    def through(self, layer: Dense, signal: Array) -> Array:
        """Refuse: the mean square of a signal that was made otherwise than by a matrix is not known."""
        raise InvalidValue("only rules that bring their signals by Trace.carry, back or onward can be predicted.")


def signals(rule: Rule, network: MLP, x: Array, error: Array) -> Array:
    """Return the predicted mean square of δ_l in every hidden layer, shape (layers, batch), for e (batch, n_out).

    The rule itself is asked, with sizes in the place of signals.

    Raises
    ------
    InvalidValue
        If the rule sends no signal to some layer, or makes it otherwise than by the trace's carry, back or onward.
    """
    q = forward(network, x)
    slopes = np.array([slope(layer.activation, each) for layer, each in zip(network.hidden, q, strict=True)])
    size = np.mean(np.square(error, dtype=np.float64), axis=1, keepdims=True)
    sizes = rule.hidden_signals(network, SizeTrace([], [], size, slopes=slopes), size)
    found = [each[:, 0] for each in sizes if each is not None]
    if len(found) < len(network.hidden):
        raise InvalidValue(f"rule {rule.name!r} sends no signal to {len(network.hidden) - len(found)} layers.")
    return np.array(found)


@dataclass(frozen=True)
class Sizes:
    """Root mean squares over units and examples in every hidden layer, shape (layers,): of a_l and of δ_l."""

    activity: Array
    signal: Array


def predicted(rule: Rule, network: MLP, x: Array, y: Array) -> Sizes:
    """Return the sizes that theory gives for x (batch, n_in), y (batch, n_out): from gains, ‖x‖ and ‖e‖ alone."""
    error = network.error(network.trace(x), y)
    return Sizes(*(np.sqrt(np.mean(q, axis=1)) for q in (forward(network, x), signals(rule, network, x, error))))


def measured(rule: Rule, network: MLP, x: Array, y: Array) -> Sizes:
    """Return the sizes that network and rule really have; NaN where a layer receives no signal."""
    trace = network.trace(x)
    deltas = rule.hidden_signals(network, trace, network.error(trace, y))
    return Sizes(_sizes(trace.pre_activations[:-1]), _sizes(deltas))


def _sizes(arrays: Sequence[Array | None]) -> Array:
    mean_squares = [np.nan if each is None else np.mean(np.square(each, dtype=np.float64)) for each in arrays]
    sizes: Array = np.sqrt(np.array(mean_squares))
    return sizes


def fixed_point(f: Activation, sigma: float) -> float:
    """Return q*, the mean square of a_l that layers of gain ``sigma`` lead to, without biases; 0 if signals die out.

    Raises
    ------
    InvalidValue
        For a gain that is not positive, or for units that do not saturate: they have no such value.
    """
    if f.name not in SATURATING:
        raise InvalidValue(f"fixed_point needs units that saturate ({', '.join(SATURATING)}); received {f.name!r}.")
    if not sigma > 0:
        raise InvalidValue(f"a gain must be greater than 0; received {sigma!r}.")
    low, high = 1e-12, sigma**2  # |f| ≤ 1, so no layer goes beyond σ²
    if sigma**2 * activity(f, low) <= low:
        return 0.0
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if sigma**2 * activity(f, middle) > middle else (low, middle)
    return float(high)


def chi(f: Activation, sigma: float) -> float:
    """Return χ = σ² ⟨f′(√q* z)²⟩, the factor a layer far from the input puts on the mean square of a signal.

    Below 1 signals die out, above 1 they explode; σ at which it is 1 is called the edge of chaos.
    """
    return float(sigma**2 * slope(f, fixed_point(f, sigma)))


def effective_rank(matrix: Array) -> float:
    """Return (Σs²)² / Σs⁴ over the singular values s: n for n equal ones, 1 where a single one outgrows the rest.

    NaN for a matrix of zeros.
    """
    squares = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
    if not squares[0] > 0:
        return float("nan")
    squares = (squares / squares[0]) ** 2  # scaled first: fourth powers of tiny values would underflow
    return float(np.sum(squares) ** 2 / np.sum(squares**2))
