"""What the article's printed code wants to do, in our own words; its slips, each a piece that can be exchanged.

The article (Terry-Jack 2021) trains a net of logistic units without biases by direct feedback alignment. As there,
examples are rows, and a weight matrix has shape (n_in, n_out) and acts as ``h @ W``. Feedback B has shape
(width of the layer, n_out), as everywhere in this package.

:func:`twelve_lines` is that idea, correct. :class:`Parts` is the same step taken to pieces: :data:`REPAIRED` puts the
right pieces together, and each entry of :data:`SLIPS` exchanges one of them for what was printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.activations import logistic


def twelve_lines(
    weights: list[Array], feedback: list[Array], x: Array, y: Array, rate: float, epochs: int, batch: int
) -> list[Array]:
    """Train a net of logistic units in place by DFA and return its weights (Nøkland 2016, eq. 8).

    ``weights`` holds one matrix (n_in, n_out) a layer, ``feedback`` one (width, n_out) a hidden layer; x (n, n_in)
    and y (n, n_out) are visited in their order, ``batch`` rows at a time. Twelve lines without this text.
    """
    for _ in range(epochs):
        for start in range(0, len(x), batch):
            rows = slice(start, start + batch)
            h, target = [x[rows]], y[rows]
            for W in weights[:-1]:
                h.append(logistic(h[-1] @ W))
            error = (logistic(h[-1] @ weights[-1]) - target) / len(target)
            signals = [error @ B.T * a * (1 - a) for B, a in zip(feedback, h[1:], strict=True)]
            for W, below, delta in zip(weights, h, [*signals, error], strict=True):
                W -= rate * below.T @ delta
    return weights


# ---------------------------------------------------------------- the right pieces


def descend(W: Array, step: Array) -> None:
    """Move the weights against the gradient."""
    W -= step


def turned(h: Array, delta: Array) -> Array:
    """Return Σ h δᵀ over the examples, (n_in, n_out): the shape of the weights."""
    product: Array = h.T @ delta
    return product


def mean(examples: int) -> float:
    """Return the weight of one example in a step: the step is then a mean and does not grow with the batch."""
    return 1.0 / examples


def own_input(activities: Sequence[Array]) -> Sequence[Array]:
    """Return what each layer's signal is paired with: the activity that went into the layer."""
    return activities


def every_layer(changes: Sequence[Array]) -> Sequence[Array]:
    """Return which change goes to which layer: each to its own."""
    return changes


@dataclass(frozen=True)
class Parts:
    """The pieces of one training step of DFA.

    ``answer`` makes ŷ of the last pre-activation; ``pair`` says which activity each layer's signal is paired with,
    from [x, h_1, …]; ``product`` makes a change of weights of the two; ``weigh`` says what one example of a batch
    counts; ``address`` says which layer gets which change; ``move`` applies it.
    """

    answer: Callable[[Array], Array] = logistic
    pair: Callable[[Sequence[Array]], Sequence[Array]] = own_input
    product: Callable[[Array, Array], Array] = turned
    weigh: Callable[[int], float] = mean
    address: Callable[[Sequence[Array]], Sequence[Array]] = every_layer
    move: Callable[[Array, Array], None] = descend


# ---------------------------------------------------------------- the printed ones


def climb(W: Array, step: Array) -> None:
    """Move the weights along the gradient: prediction minus target, and then ``+=``."""
    W += step


def unturned(h: Array, delta: Array) -> Array:
    """Return Σ δ hᵀ, (n_out, n_in): the transpose of what the weights, laid out for ``h @ W``, need."""
    product: Array = delta.T @ h
    return product


def unturned_where_it_fits(h: Array, delta: Array) -> Array:
    """Return the transpose where NumPy cannot notice, that is between layers of one width: half a repair."""
    return unturned(h, delta) if h.shape == delta.shape else turned(h, delta)


def total(examples: int) -> float:
    """Return 1: the step is a sum over the examples and grows with their number."""
    return 1.0


def one_too_low(activities: Sequence[Array]) -> Sequence[Array]:
    """Pair every signal above the second layer, the output's error included, with what entered the layer below."""
    return [*activities[:2], *activities[1:-1]]


def all_but_the_first(changes: Sequence[Array]) -> Sequence[Array]:
    """Leave the first layer as it was drawn: the loop over layers writes one place further up."""
    return [np.zeros_like(changes[0]), *changes[1:]]


def linear(a: Array) -> Array:
    """Return a itself: the output is neither squashed nor normalised."""
    return a


REPAIRED = Parts()

#: What was printed, one slip at a time, and all of them, the transpose mended as far as NumPy would complain.
SLIPS: dict[str, Parts] = {
    "minus sign lost": Parts(move=climb),
    "transpose lost": Parts(product=unturned),
    "transpose lost where it fits": Parts(product=unturned_where_it_fits),
    "activity one layer too low": Parts(pair=one_too_low),
    "first layer left out": Parts(address=all_but_the_first),
    "sum instead of mean": Parts(weigh=total),
    "linear output": Parts(answer=linear),
}
ALL_SLIPS = Parts(
    answer=linear,
    pair=one_too_low,
    product=unturned_where_it_fits,
    weigh=total,
    address=all_but_the_first,
    move=climb,
)


# ---------------------------------------------------------------- the step, whatever its pieces


def activities(weights: Sequence[Array], x: Array) -> list[Array]:
    """Return [x, h_1, …, h_N], the input of each layer."""
    h = [x]
    for W in weights[:-1]:
        h.append(logistic(h[-1] @ W))
    return h


def answers(parts: Parts, weights: Sequence[Array], x: Array) -> Array:
    """Return ŷ, shape (n, n_out)."""
    return parts.answer(activities(weights, x)[-1] @ weights[-1])


def step(parts: Parts, weights: Sequence[Array], feedback: Sequence[Array], x: Array, y: Array, rate: float) -> None:
    """Make one step of DFA in place, put together from ``parts``.

    Raises
    ------
    ValueError
        From NumPy, if a change does not fit the weights that it is meant for.
    """
    h = activities(weights, x)
    error = parts.answer(h[-1] @ weights[-1]) - y
    signals = [error @ B.T * a * (1 - a) for B, a in zip(feedback, h[1:], strict=True)]
    pairs = zip(parts.pair(h), [*signals, error], strict=True)
    changes = parts.address([parts.weigh(len(x)) * parts.product(below, delta) for below, delta in pairs])
    for W, change in zip(weights, changes, strict=True):
        parts.move(W, rate * change)


def train(
    parts: Parts,
    weights: Sequence[Array],
    feedback: Sequence[Array],
    x: Array,
    y: Array,
    *,
    rate: float,
    epochs: int,
    batch: int,
    rng: Rng,
) -> None:
    """Train in place; each epoch visits all rows once, in an order drawn from ``rng``.

    Weights that leave the range of the numbers stay infinite or NaN: that is the answer of such a run.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch):
                rows = order[start : start + batch]
                step(parts, weights, feedback, x[rows], y[rows], rate)
