"""Direct feedback alignment in deep linear networks that start from zero: everything happens in a few small matrices.

Let G_l = B_lᵀ B_l, and let the inputs and targets have mean zero, so that the biases stay at zero. From zero weights,
plain gradient steps on the whole batch keep

    W_1 = B_1 A_1,    W_l = B_l A_l B_{l−1}ᵀ,    W_L = A_L B_{L−1}ᵀ

for all time: A_1 has shape (n_L, n_0) and all others (n_L, n_L), whatever the widths between. The activity of layer l
is B_l C_l x with C_1 = A_1, C_l = A_l G_{l−1} C_{l−1}, the network computes C_L x, and with R = ⟨e xᵀ⟩ a step is

    A_1 ← A_1 − η R,    A_l ← A_l − η R C_{l−1}ᵀ.

Backprop would send B_l M_l e to layer l, where DFA sends B_l e:

    M_{L−1} = A_Lᵀ,    M_l = A_{l+1}ᵀ G_{l+1} M_{l+1}.

So the two agree where M_l is a multiple of the identity, as it is if all A_2 … A_L are and all G.

If they are orthonormal (G = I) and ⟨xxᵀ⟩ = I, the modes of y = Tx separate. For a singular value τ of T, with α the
strength of the mode in A_1 and in continuous time,

    α̇ = τ − 2^L (α/2)^(2^L − 1),    strength in A_l = 2 (α/2)^(2^(l−1)).

Sources: the three products are those of Refinetti et al. (2021), "Align, then memorise", in the notation of this book;
the rest is derived in chapter 07.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alignlib import metrics
from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue
from alignlib.linear_relay import white_inputs
from alignlib.network import MLP
from alignlib.rules import DirectFeedbackAlignment
from alignlib.rules.base import transported
from alignlib.training import descend


class AlignmentMatrices:
    """The matrices A_1 … A_L of a network that learns y from x (both examples in rows, of mean zero) by these B_l.

    Parameters
    ----------
    feedback
        B_1 … B_{L−1}, shapes (n_l, n_L).
    x, y
        The whole batch, (examples, n_0) and (examples, n_L); only ⟨xxᵀ⟩ and ⟨yxᵀ⟩ are kept of it.
    """

    def __init__(self, feedback: Sequence[Array], x: Array, y: Array):
        self.feedback = list(feedback)
        self.grams = [B.T @ B for B in feedback]
        self.xx, self.yx = x.T @ x / len(x), y.T @ x / len(x)
        n_out = y.shape[1]
        self.A: list[Array] = [np.zeros_like(self.yx), *(np.zeros((n_out, n_out)) for _ in feedback)]

    def step(self, learning_rate: float) -> None:
        """Make one step on the whole batch."""
        activities = self._activities()
        R = activities[-1] @ self.xx - self.yx
        self.A[0] = self.A[0] - learning_rate * R
        for i, below in enumerate(activities[:-1], start=1):
            self.A[i] = self.A[i] - learning_rate * R @ below.T

    def _activities(self) -> list[Array]:
        """C_1 … C_L."""
        activities = [self.A[0]]
        for A, G in zip(self.A[1:], self.grams, strict=True):
            activities.append(A @ G @ activities[-1])
        return activities

    def weights(self) -> list[Array]:
        """Return W_1 … W_L as the products at the top of this module."""
        left = [*self.feedback, np.eye(self.yx.shape[0])]
        inner = [B @ A @ below.T for B, A, below in zip(left[1:], self.A[1:], self.feedback, strict=True)]
        return [left[0] @ self.A[0], *inner]

    def ways_back(self) -> list[Array]:
        """Return M_1 … M_{L−1}, each (n_L, n_L): backprop's signal at layer l is B_l M_l e."""
        ways = [self.A[-1].T]
        for A, G in zip(self.A[-2:0:-1], self.grams[:0:-1], strict=True):
            ways.append(A.T @ G @ ways[-1])
        return ways[::-1]


@dataclass(frozen=True)
class Modes:
    """The solution for orthonormal feedback and white inputs: ``alpha`` (times, modes) for targets ``tau`` (modes,)."""

    tau: Array
    times: Array
    alpha: Array
    layers: int

    def strength(self, layer: int) -> Array:
        """Return the strengths of the modes in A_l, shape (times, modes)."""
        strength: Array = 2.0 * (self.alpha / 2.0) ** (2 ** (layer - 1))
        return strength

    @property
    def error(self) -> Array:
        """Normalised squared error, shape (times,): 1 for an output of zero, 0 when T is learned."""
        share: Array = np.sum((self.tau - product(self.alpha, self.layers)) ** 2, axis=1) / np.sum(self.tau**2)
        return share

    def angle(self, layer: int) -> Array:
        """Return degrees between B_l and W_{l+1}ᵀ ⋯ W_Lᵀ, shape (times,); NaN while the latter is zero."""
        way_back = np.prod([self.strength(above) for above in range(layer + 1, self.layers + 1)], axis=0)
        return metrics.angles(np.ones_like(way_back), way_back)


def product(alpha: Array, layers: int) -> Array:
    """Return the strengths of the modes in the product of all A: 2^L (α/2)^(2^L − 1)."""
    strength: Array = 2.0**layers * (alpha / 2.0) ** (2**layers - 1)
    return strength


def solve(tau: Array, times: Array, layers: int, *, substeps: int = 20) -> Modes:
    """Return the modes at ``times`` (increasing, the first is the start), by Runge–Kutta with ``substeps`` between.

    ``tau`` (modes,) are the singular values of T, ``layers`` the number L of weight matrices, at least 2.

    Raises
    ------
    InvalidValue
        For fewer than two layers.
    """
    if layers < 2:
        raise InvalidValue(f"a network with hidden layers has at least 2 weight matrices; received {layers}.")
    alpha = np.zeros(len(tau))
    path = [alpha]
    for interval in np.diff(times):
        dt = interval / substeps
        for _ in range(substeps):
            k1 = tau - product(alpha, layers)
            k2 = tau - product(alpha + 0.5 * dt * k1, layers)
            k3 = tau - product(alpha + 0.5 * dt * k2, layers)
            k4 = tau - product(alpha + dt * k3, layers)
            alpha = alpha + dt / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(alpha)
    return Modes(np.asarray(tau), np.asarray(times), np.stack(path), layers)


def first_angle(tau: Array, layers: int, layer: int) -> float:
    """Return degrees between B_l and W_{l+1}ᵀ ⋯ W_Lᵀ at the start of learning, where α grows as τ t."""
    return metrics.angle(np.ones_like(tau), (tau / np.max(tau)) ** (2**layers - 2**layer))


def last_angle(tau: Array, layers: int, layer: int) -> float:
    """Return degrees between B_l and W_{l+1}ᵀ ⋯ W_Lᵀ when T is learned: it depends on nothing but ``tau``."""
    power = (2**layers - 2**layer) / (2**layers - 1)
    return metrics.angle(np.ones_like(tau), (tau / np.max(tau)) ** power)


@dataclass(frozen=True)
class Course:
    """What a trained network did, in degrees where it is angles.

    ``error`` (times,) is as in Modes, ``angles`` (times, hidden layers) are of B_l to W_{l+1}ᵀ ⋯ W_Lᵀ, and
    ``gradient_angles`` (times, hidden layers) between DFA's gradient of W_l on the whole batch and backprop's.
    """

    times: Array
    error: Array
    angles: Array
    gradient_angles: Array


def follow(
    net: MLP, rule: DirectFeedbackAlignment, x: Array, y: Array, *, learning_rate: float, steps: int, every: int
) -> Course:
    """Train ``net`` in place, ``steps`` plain steps on the whole batch, and measure it after each ``every`` of them.

    A step moves time on by ``learning_rate``; the start is the first entry.
    """
    seen = [_measured(net, rule, x, y)]
    for step in descend(net, rule, x, y, learning_rate=learning_rate, steps=steps):
        if step.number % every == 0:
            seen.append(_measured(net, rule, x, y))
    error, angles, gradient_angles = (np.array(each) for each in zip(*seen, strict=True))
    return Course(learning_rate * every * np.arange(len(seen)), error, angles, gradient_angles)


def _measured(net: MLP, rule: DirectFeedbackAlignment, x: Array, y: Array) -> tuple[float, list[float], list[float]]:
    trace = net.trace(x)
    e = net.error(trace, y)
    angles, gradient_angles = [], []
    for layer, B in zip(net.hidden, rule.feedback, strict=True):
        way_back, moment = transported(net, layer.index), e.T @ trace.inputs[layer.index]
        angles.append(metrics.angle(B, way_back))
        gradient_angles.append(metrics.angle(B @ moment, way_back @ moment))
    return metrics.normalised_squared_error(trace.output, y), angles, gradient_angles


def network(
    sizes: Sequence[int], rng: Rng, *, feedback: str = "orthogonal", feedback_scale: float = 1.0
) -> tuple[MLP, DirectFeedbackAlignment]:
    """Return a linear network of these ``sizes`` with all weights at zero, and the rule that teaches it."""
    net = MLP(sizes, hidden="linear", output="linear", init="zero")
    return net, DirectFeedbackAlignment(net, rng=rng, feedback=feedback, feedback_scale=feedback_scale)


def task(
    tau: Array, n_in: int, rng: Rng, *, input_scales: Array | None = None, examples: int = 200
) -> tuple[Array, Array]:
    """Return x (examples, n_in) and y = x Tᵀ (examples, modes), for a random T of singular values ``tau``.

    x has mean 0 and, exactly, ⟨xxᵀ⟩ = I; or the squares of ``input_scales`` (n_in,) on the diagonal instead of ones.
    """
    x = white_inputs(n_in, rng, examples)
    left = np.linalg.qr(rng.standard_normal((len(tau), len(tau))))[0]
    right = np.linalg.qr(rng.standard_normal((n_in, len(tau))))[0]
    if input_scales is not None:
        x = x * input_scales
    return x, x @ right @ (np.asarray(tau)[:, np.newaxis] * left.T)
