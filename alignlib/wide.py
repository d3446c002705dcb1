"""A very wide two-layer net under feedback alignment, with and without a ridge penalty on its output weights.

    ŷ = βᵀ ψ(W x) / √p,    W ← W − η ⟨b e ⊙ ψ′(W x) xᵀ⟩ / √p,    β ← β − η (⟨e ψ(W x)⟩ / √p + λ β),

with p hidden units, all of W, β and the feedback b standard normal at the start, and means over a small training set
that the net can fit exactly. In this scaling the weights of a wide net move little against their initial size.

Source: the set-up is that of Song, Xu & Lafferty (2021); with b = β it is backprop, with b = 0 only β learns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignlib import metrics
from alignlib._typing import Array, Rng
from alignlib.activations import activation
from alignlib.errors import InvalidValue, choose

RULES = ("bp", "fa", "shallow")


@dataclass(frozen=True)
class Course:
    """What was seen on the way, each (times,).

    ``loss`` is ⟨e²⟩ / ⟨y²⟩ on the training set, ``angle`` the degrees between β and b.
    """

    steps: Array
    loss: Array
    angle: Array


def task(examples: int, n_in: int, rng: Rng) -> tuple[Array, Array]:
    """Return x (examples, n_in) of length one, and y (examples,) standard normal: nothing to generalise to."""
    x = rng.standard_normal((examples, n_in))
    return x / np.linalg.norm(x, axis=1, keepdims=True), rng.standard_normal(examples)


def follow(
    x: Array,
    y: Array,
    *,
    width: int,
    rng: Rng,
    rule: str = "fa",
    unit: str = "tanh",
    ridge: float = 0.0,
    ridge_steps: int = 0,
    learning_rate: float = 1.0,
    steps: int = 1000,
    every: int = 10,
) -> Course:
    """Train a net of ``width`` hidden units and measure it at the start and after each ``every`` steps.

    ``ridge`` is λ during the first ``ridge_steps`` steps, and zero afterwards. The same generator gives the same start
    whatever the rule and the ridge.

    Raises
    ------
    InvalidValue
        For an unknown rule or unit, or a negative ridge.
    """
    choose("rule", rule, RULES)
    psi = activation(unit)
    if ridge < 0:
        raise InvalidValue(f"ridge must not be negative; received {ridge}.")
    W, beta, b = (rng.standard_normal(shape) for shape in ((width, x.shape[1]), width, width))
    scale, seen = 1 / np.sqrt(width), []
    for step in range(steps + 1):
        a = x @ W.T
        h = psi.function(a)
        e = scale * h @ beta - y
        if step % every == 0:
            seen.append((step, float(np.mean(e**2) / np.mean(y**2)), metrics.angle(beta, b)))
        signal = {"bp": beta, "fa": b, "shallow": 0.0}[rule]
        delta = (scale / len(x)) * e[:, np.newaxis] * psi.derivative(a, h) * signal
        shrink = ridge if step < ridge_steps else 0.0
        W -= learning_rate * delta.T @ x
        beta = beta - learning_rate * ((scale / len(x)) * e @ h + shrink * beta)
    return Course(*(np.array(each) for each in zip(*seen, strict=True)))
