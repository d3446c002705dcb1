"""Indirect feedback alignment where it can be solved: a deep linear network, mode by mode.

The setting: inputs with mean zero and ⟨xxᵀ⟩ = I, targets y = Tx, squared error, no nonlinearity, no hidden layer
narrower than the one before it or than the output; W_1 and W_L start at zero, the weights between them are √s times
matrices with orthonormal columns, and so is B_1, times √c.

Let u be a singular vector of T on the output side and τ its singular value. Then for all time W_1 = B_1 A, where A has
the singular vectors of T and a singular value α for each τ, and every later W_l only stretches the direction into
which u was relayed, by a factor w_l. In continuous time

    α̇ = τ − w_L r_H α,    ẇ_l = r_{l−1} r_l α α̇,    r_1 = √c,    r_l = w_l r_{l−1},

with α = 0, w_L = 0 and w_l = √s at the start. r_l is the gain of the relay up to layer l, so δ_l = −r_l (τ − w_L r_H α)
along u. Backprop's signal reaches the same direction of layer l with the gain w_{l+1} ⋯ w_L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alignlib import metrics
from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue
from alignlib.network import MLP
from alignlib.rules import IndirectFeedbackAlignment
from alignlib.rules.base import transported
from alignlib.training import descend


@dataclass(frozen=True)
class Modes:
    """The solution at some times, for modes of target strength ``tau`` (modes,).

    ``alpha`` (times, modes) is the strength of W_1; ``stretch`` (times, L − 1, modes) holds w_2 … w_L.
    """

    tau: Array
    times: Array
    alpha: Array
    stretch: Array
    c: float

    @property
    def error(self) -> Array:
        """Normalised squared error, shape (times,): 1 for an output of zero, 0 when T is learned."""
        output = self.relayed(self.stretch.shape[1]) * self.stretch[:, -1] * self.alpha
        share: Array = np.sum((self.tau - output) ** 2, axis=1) / np.sum(self.tau**2)
        return share

    def relayed(self, layer: int) -> Array:
        """Return r_l, the gain with which the error arrives at hidden layer ``layer``, shape (times, modes)."""
        gain: Array = np.sqrt(self.c) * np.prod(self.stretch[:, : layer - 1], axis=1)
        return gain

    def transported(self, layer: int) -> Array:
        """Return w_{l+1} ⋯ w_L, the gain with which backprop's signal arrives there, shape (times, modes)."""
        gain: Array = np.prod(self.stretch[:, layer - 1 :], axis=1)
        return gain

    def angle(self, layer: int) -> Array:
        """Return degrees between W_l ⋯ W_2 B_1 and W_{l+1}ᵀ ⋯ W_Lᵀ, shape (times,); NaN while either is zero."""
        return metrics.angles(self.relayed(layer), self.transported(layer))

    def length(self, layer: int) -> Array:
        """Return the Frobenius norm of W_l ⋯ W_2 B_1, shape (times,)."""
        norm: Array = np.linalg.norm(self.relayed(layer), axis=1)
        return norm


@dataclass(frozen=True)
class Course:
    """What a trained network did: ``error`` (times,), ``angles`` and ``lengths`` (times, hidden layers) as in Modes."""

    times: Array
    error: Array
    angles: Array
    lengths: Array


def solve(tau: Array, times: Array, *, hidden: int = 2, c: float = 1.0, s: float = 1.0, substeps: int = 20) -> Modes:
    """Return the modes at ``times`` (increasing, the first is the start), by Runge–Kutta with ``substeps`` between.

    ``tau`` (modes,) are the singular values of T, ``hidden`` is the number of hidden layers.

    Raises
    ------
    InvalidValue
        For fewer than two hidden layers: there is no relay.
    """
    if hidden < 2:
        raise InvalidValue(f"a relay needs at least 2 hidden layers; received {hidden}.")
    state = np.zeros((1 + hidden, len(tau)))
    state[1:-1] = np.sqrt(s)
    states = [state]
    for step in np.diff(times):
        for _ in range(substeps):
            state = _runge_kutta(state, tau, c, step / substeps)
        states.append(state)
    path = np.stack(states)
    return Modes(np.asarray(tau), np.asarray(times), path[:, 0], path[:, 1:], c)


def _runge_kutta(state: Array, tau: Array, c: float, dt: float) -> Array:
    k1 = _change(state, tau, c)
    k2 = _change(state + 0.5 * dt * k1, tau, c)
    k3 = _change(state + 0.5 * dt * k2, tau, c)
    k4 = _change(state + dt * k3, tau, c)
    after: Array = state + dt / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
    return after


def _change(state: Array, tau: Array, c: float) -> Array:
    """The equations of the module's first lines: d/dt of (α, w_2, …, w_L)."""
    alpha, stretch = state[0], state[1:]
    gain = np.sqrt(c) * np.cumprod(np.vstack([np.ones_like(tau), stretch[:-1]]), axis=0)  # r_1 … r_H
    residual = tau - stretch[-1] * gain[-1] * alpha
    change = np.empty_like(state)
    change[0] = residual
    change[1:-1] = gain[:-1] * gain[1:] * alpha * residual
    change[-1] = gain[-1] * alpha * residual
    return change


def follow(
    net: MLP, rule: IndirectFeedbackAlignment, x: Array, y: Array, *, learning_rate: float, steps: int, every: int
) -> Course:
    """Train ``net`` in place, ``steps`` plain steps on the whole batch, and measure it after each ``every`` of them.

    A step moves time on by ``learning_rate``; the start is the first entry.
    """
    seen = [_measured(net, rule, x, y)]
    for step in descend(net, rule, x, y, learning_rate=learning_rate, steps=steps):
        if step.number % every == 0:
            seen.append(_measured(net, rule, x, y))
    error, angles, lengths = (np.array(each) for each in zip(*seen, strict=True))
    return Course(learning_rate * every * np.arange(len(seen)), error, angles, lengths)


def _measured(net: MLP, rule: IndirectFeedbackAlignment, x: Array, y: Array) -> tuple[float, list[float], list[float]]:
    lengths = [float(np.linalg.norm(relayed)) for relayed in relayed_feedback(net, rule)]
    return metrics.normalised_squared_error(net.predict(x), y), relay_angles(net, rule), lengths


def relayed_feedback(net: MLP, rule: IndirectFeedbackAlignment) -> list[Array]:
    """Return W_l ⋯ W_2 B_1 for each hidden layer l, shape (layer width, n_out), in a network of any kind."""
    relayed = [rule.feedback[0]]
    for layer in net.hidden[1:]:
        relayed.append(layer.weight @ relayed[-1])
    return relayed


def relay_angles(net: MLP, rule: IndirectFeedbackAlignment) -> list[float]:
    """Return degrees between W_l ⋯ W_2 B_1 and W_{l+1}ᵀ ⋯ W_Lᵀ for each hidden layer l, in a network of any kind."""
    return [metrics.angle(B, transported(net, index)) for index, B in enumerate(relayed_feedback(net, rule))]


def network(sizes: Sequence[int], rng: Rng, *, c: float = 1.0, s: float = 1.0) -> tuple[MLP, IndirectFeedbackAlignment]:
    """Return a linear network of these ``sizes`` as the solution assumes it, and the rule that teaches it."""
    net = MLP(sizes, hidden="linear", output="linear", init="orthogonal", init_scale=np.sqrt(s), rng=rng)
    net.weights[0][...] = net.weights[-1][...] = 0.0
    return net, IndirectFeedbackAlignment(net, rng=rng, feedback="orthogonal", feedback_scale=np.sqrt(c))


def white_task(n_in: int, n_out: int, rng: Rng, examples: int = 200) -> tuple[Array, Array, Array]:
    """Return x (examples, n_in) with mean 0 and ⟨xxᵀ⟩ = I exactly, y = x Tᵀ (examples, n_out), and T's singular values.

    T is uniform in ±1/√n_in.
    """
    x = white_inputs(n_in, rng, examples)
    T = rng.uniform(-1.0, 1.0, (n_out, n_in)) / np.sqrt(n_in)
    return x, x @ T.T, np.linalg.svd(T, compute_uv=False)


def white_inputs(n_in: int, rng: Rng, examples: int) -> Array:
    """Return x (examples, n_in) with mean 0 and ⟨xxᵀ⟩ = I, both exactly."""
    raw = rng.standard_normal((examples, n_in))
    x: Array = np.linalg.qr(raw - raw.mean(axis=0))[0] * np.sqrt(examples)
    return x
