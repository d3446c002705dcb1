"""Evolution strategies: try random steps and their opposites, and follow those that lower the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from alignlib import metrics
from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Buffers, Masks, Trace
from alignlib.plasticity import Plasticity
from alignlib.rules import Backprop


def antithetic(loss: Callable[[Array], float], theta: Array, rng: Rng, sigma: float) -> Array:
    """Return (ℓ(θ + σε) − ℓ(θ − σε)) / 2σ · ε for one random ε ~ N(0, I), shape of θ: one pair's guess of ∇ℓ(θ).

    The mean of many such guesses is the gradient of ℓ blurred by noise of size σ   (Salimans et al. 2017).
    """
    noise = rng.standard_normal(theta.shape, dtype=theta.dtype.type)
    step = sigma * noise
    noise *= (loss(theta + step) - loss(theta - step)) / (2.0 * sigma)
    return noise


def expected_cosine(pairs: int, parameters: int) -> float:
    """Return √(n / (n + d + 1)): the cosine between ∇ℓ and the mean of n pairs in d dimensions, for small σ.

    It is ⟨ĝ·g⟩ / (‖g‖ √⟨‖ĝ‖²⟩) for ĝ = (1/n) Σ ε(ε·g), with ⟨ĝ⟩ = g and ⟨‖ĝ‖²⟩ = ‖g‖² (n + d + 1) / n.
    """
    return math.sqrt(pairs / (pairs + parameters + 1))


def pairs_for_angle(degrees: float, parameters: int) -> float:
    """Return how many pairs bring the guess to within this angle of the gradient, by :func:`expected_cosine`."""
    return (parameters + 1) / math.tan(math.radians(degrees)) ** 2


def angles_by_pairs(
    network: MLP, x: Array, y: Array, rng: Rng, counts: Sequence[int], sigma: float = 0.01
) -> list[float]:
    """Return the angle in degrees between the mean of so many pairs and the gradient of the loss on (x, y).

    ``counts`` rises; the larger ones go on from the smaller. The network is left as it was.
    """
    flat = np.empty_like(network.parameters)
    Backprop(network).learn(network, x, y, network.views(flat))
    total, tried, angles = np.zeros_like(flat), 0, []
    with _loss_of_parameters(network, x, y) as (theta, loss):
        for count in counts:
            for _ in range(count - tried):
                total += antithetic(loss, theta, rng, sigma)
            tried = count
            angles.append(metrics.angle(total, flat))
    return angles


@contextmanager
def _loss_of_parameters(
    network: MLP, x: Array, y: Array, buffers: Buffers | None = None, masks: Masks | None = None
) -> Iterator[tuple[Array, Callable[[Array], float]]]:
    """Lend the network out as a function of its parameters: (where it stands, loss); put them back at the end."""
    theta = network.parameters.copy()

    def loss(parameters: Array) -> float:
        network.parameters[...] = parameters
        answers = network.trace(x, buffers, None, masks).pre_activations[-1]
        return float(np.mean(network.loss.values(answers, y), dtype=np.float64))

    try:
        yield theta, loss
    finally:
        network.parameters[...] = theta


class EvolutionStrategy:
    """Stands in the place of a rule in :func:`alignlib.training.train`, but sends no error anywhere.

    Parameters
    ----------
    rng
        Source of the random steps.
    pairs
        Random steps tried before each update, each with its opposite: two forward passes a pair.
    sigma
        Size of the steps, in units of the parameters.
    """

    learns_feedback = False  #: there is none

    def __init__(self, rng: Rng, *, pairs: int, sigma: float = 0.01):
        if pairs < 1 or not sigma > 0:
            raise InvalidValue(f"needed: at least one pair and sigma above 0; received {pairs} and {sigma}.")
        self.rng, self.pairs, self.sigma = rng, pairs, sigma

    def learn(
        self,
        network: MLP,
        x: Array,
        y: Array,
        gradients: Sequence[tuple[Array, Array]],
        weight_decay: float = 0.0,
        buffers: Buffers | None = None,
        plasticity: Plasticity | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """Write the guessed gradients into [(dW, db), …]; all that is ever asked of the network is its loss.

        Frozen layers are given zeros. ``plasticity`` is not used.
        """
        with _loss_of_parameters(network, x, y, buffers, masks) as (theta, loss):
            guess = antithetic(loss, theta, self.rng, self.sigma)
            for _ in range(self.pairs - 1):
                guess += antithetic(loss, theta, self.rng, self.sigma)
        guess /= self.pairs
        for (dW, db), (W, b), layer in zip(gradients, network.views(guess), network.layers, strict=True):
            learns = layer.index >= network.frozen
            dW[...], db[...] = (W + weight_decay * layer.weight, b) if learns else (0.0, 0.0)
        return network.trace(x, buffers, y, masks)
