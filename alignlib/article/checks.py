"""Would a test have seen it? Small checks of a training step, from "it runs" to the gradient by differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from alignlib._typing import Array
from alignlib.article.code import Parts, answers, step


@dataclass(frozen=True)
class Case:
    """A small net with a batch, to try a step on."""

    weights: list[Array]
    feedback: list[Array]
    x: Array
    y: Array


def case(sizes: Sequence[int], seed: int = 0, examples: int = 8) -> Case:
    """Return a random case; ``sizes`` are the units a layer, input first."""
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-1, 1, shape) for shape in pairwise(sizes)]
    feedback = [rng.uniform(-1, 1, (width, sizes[-1])) for width in sizes[1:-1]]
    classes = np.arange(examples) % sizes[-1]
    return Case(weights, feedback, rng.standard_normal((examples, sizes[0])), np.eye(sizes[-1])[classes])


def after(parts: Parts, given: Case, rate: float = 0.1, steps: int = 1) -> list[Array]:
    """Return the weights after some steps on the whole batch; those of the case stay as they are."""
    weights = [W.copy() for W in given.weights]
    for _ in range(steps):
        step(parts, weights, given.feedback, given.x, given.y, rate)
    return weights


def log_loss(parts: Parts, weights: Sequence[Array], x: Array, y: Array) -> float:
    """Return the binary cross-entropy of what the net answers, mean over examples; NaN for an answer outside (0, 1)."""
    p = answers(parts, weights, x)
    if np.any((p <= 0) | (p >= 1)):
        return float("nan")
    return float(-np.mean(np.sum(y * np.log(p) + (1 - y) * np.log(1 - p), axis=1)))


def gradient(parts: Parts, given: Case, layer: int, size: float = 1e-5) -> Array:
    """Return the gradient of the log loss in one layer's weights by central differences."""
    result = np.empty_like(given.weights[layer])
    for place in np.ndindex(result.shape):
        losses = []
        for sign in (1, -1):
            weights = [W.copy() for W in given.weights]
            weights[layer][place] += sign * size
            losses.append(log_loss(parts, weights, given.x, given.y))
        result[place] = (losses[0] - losses[1]) / (2 * size)
    return result


def it_runs(parts: Parts, given: Case) -> bool:
    """Whether a step runs through: the least that a test can ask for."""
    after(parts, given)
    return True


def error_falls(parts: Parts, given: Case) -> bool:
    """Whether fifty small steps bring the answers nearer to the targets."""
    before, now = (
        np.mean((answers(parts, W, given.x) - given.y) ** 2) for W in (given.weights, after(parts, given, steps=50))
    )
    return bool(now < before)


def every_layer_moves(parts: Parts, given: Case) -> bool:
    """Whether a step changes the weights of all layers."""
    return all(not np.array_equal(old, new) for old, new in zip(given.weights, after(parts, given), strict=True))


def batch_twice_is_one_batch(parts: Parts, given: Case) -> bool:
    """Whether giving each example twice makes the same step."""
    doubled = replace(given, x=np.vstack([given.x] * 2), y=np.vstack([given.y] * 2))
    return all(np.allclose(a, b) for a, b in zip(after(parts, given), after(parts, doubled), strict=True))


def output_follows_the_gradient(parts: Parts, given: Case) -> bool:
    """Whether the output layer's step is −rate times the gradient of the log loss: under DFA it is exact there."""
    wanted = given.weights[-1] - 0.1 * gradient(parts, given, len(given.weights) - 1)
    return bool(np.allclose(after(parts, given)[-1], wanted, rtol=0, atol=1e-7))


def last_hidden_follows_the_gradient(parts: Parts, given: Case) -> bool:
    """Whether the last hidden layer follows the gradient if its B is the transported W: it is backpropagation then."""
    net = replace(given, feedback=[*given.feedback[:-1], given.weights[-1]])
    layer = len(net.weights) - 2
    wanted = net.weights[layer] - 0.1 * gradient(parts, net, layer)
    return bool(np.allclose(after(parts, net)[layer], wanted, rtol=0, atol=1e-7))


def one_hidden_follows_the_gradient(parts: Parts, given: Case) -> bool:
    """Whether all of a net with one hidden layer follows the gradient if B is the transported W."""
    net = replace(given, weights=[given.weights[0], given.weights[-1]], feedback=[given.weights[-1]])
    return last_hidden_follows_the_gradient(parts, net) and output_follows_the_gradient(parts, net)


Check = Callable[[Parts, Case], bool]

ALL_EQUAL, HIDDEN_EQUAL, DIFFERENT = (5, 5, 5, 5), (6, 5, 5, 3), (6, 5, 4, 3)

#: Tests in the order of what they ask for, each with the widths of the net that it is made on.
CHECKS: dict[str, tuple[Check, Sequence[int]]] = {
    "it runs, all widths equal": (it_runs, ALL_EQUAL),
    "it runs, hidden widths equal": (it_runs, HIDDEN_EQUAL),
    "it runs, no two widths equal": (it_runs, DIFFERENT),
    "the error falls": (error_falls, HIDDEN_EQUAL),
    "every layer moves": (every_layer_moves, HIDDEN_EQUAL),
    "each example twice, the same step": (batch_twice_is_one_batch, HIDDEN_EQUAL),
    "output layer against differences": (output_follows_the_gradient, HIDDEN_EQUAL),
    "last hidden layer, B = W": (last_hidden_follows_the_gradient, HIDDEN_EQUAL),
    "one hidden layer, B = W": (one_hidden_follows_the_gradient, HIDDEN_EQUAL),
}


def passes(parts: Parts, name: str) -> bool:
    """Whether a step made of ``parts`` passes the check of this name; a shape that does not fit is a failure."""
    check, sizes = CHECKS[name]
    try:
        return check(parts, case(sizes))
    except ValueError:
        return False


def seen_by(parts: Parts) -> dict[str, bool]:
    """Return, for each check, whether it notices that something is wrong with ``parts``."""
    return {name: not passes(parts, name) for name in CHECKS}
