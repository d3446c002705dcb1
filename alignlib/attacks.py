"""Attacks: small changes of the input, chosen to make a trained network err.

Every attack keeps each pixel within ``radius`` of the example (the L∞ ball) and within [0, 1], and returns the
changed examples; the arrays it is given stay as they are.
A *gradient* is a function (x, y) → array of the shape of x: what an attacker takes for ∂loss/∂x of each example.
Whether it is that depends on who made it: :func:`true_gradient` is, :func:`feedback_gradient` of most rules is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Trace
from alignlib.rules import Backprop, Rule

Gradient = Callable[[Array, Array], Array]


def true_gradient(network: MLP) -> Gradient:
    """Return the gradient of each example's loss, W_1ᵀ δ_1 with backprop's δ_1, whatever rule trained the network."""
    return feedback_gradient(network, Backprop(network))


def feedback_gradient(network: MLP, rule: Rule, last: Array | None = None) -> Gradient:
    """Return the signal W_1ᵀ δ_1 that the error sends to the input if ``rule`` brings it to the first layer.

    ``last`` (n_in, width of the first layer) takes the place of W_1ᵀ: the last hop of a feedback path that knows no
    forward weight at all.

    Raises
    ------
    InvalidValue
        If ``last`` has another shape; when called, if the rule sends nothing to the first layer.
    """
    matrix = network.weights[0].T if last is None else last
    if matrix.shape != network.weights[0].T.shape:
        raise InvalidValue(f"last must have the shape {network.weights[0].T.shape}; received {matrix.shape}.")

    def gradient(x: Array, y: Array) -> Array:
        trace = network.trace(x, target=y)
        error = network.error(trace, y)
        first = [*rule.hidden_signals(network, trace, error), error][0]
        if first is None:
            raise InvalidValue(f"rule {rule.name!r} sends nothing to the first layer, hence nothing to the input.")
        return network.layers[0].pull(matrix, first)

    return gradient


def margin_gradient(network: MLP) -> Gradient:
    """Return the true gradient of a_rival − a_y, the largest wrong pre-activation at the output less the right one.

    It does not vanish where the output saturates, as the gradient of the loss does (Carlini & Wagner 2017).
    """
    backprop = Backprop(network)

    def gradient(x: Array, y: Array) -> Array:
        trace = network.trace(x)
        rival = np.argmax(np.where(y > 0, -np.inf, trace.pre_activations[-1]), axis=1)
        push = np.eye(y.shape[1], dtype=network.dtype)[rival] - y
        return _slope(network, backprop, trace, push)

    return gradient


def fgsm(gradient: Gradient, x: Array, y: Array, radius: float) -> Array:
    """Return x + radius · sign(gradient): one step to a corner of the ball (Goodfellow, Shlens & Szegedy 2015)."""
    return inside(x, x + _checked(radius) * np.sign(gradient(x, y)), radius)


def pgd(
    gradient: Gradient,
    x: Array,
    y: Array,
    radius: float,
    *,
    steps: int = 10,
    step: float | None = None,
    rng: Rng | None = None,
) -> Array:
    """Return the end of ``steps`` signed steps, each brought back into the ball (Madry et al. 2018).

    A step is 2.5 radius / steps long unless ``step`` says otherwise, so that every corner can be reached.
    With ``rng`` the way starts at a random point of the ball, otherwise at x.
    """
    step = 2.5 * _checked(radius) / steps if step is None else step
    start = x if rng is None else x + radius * rng.uniform(-1.0, 1.0, x.shape).astype(x.dtype)
    changed = inside(x, start, radius)
    for _ in range(steps):
        changed = inside(x, changed + step * np.sign(gradient(changed, y)), radius)
    return changed


def random_signs(x: Array, radius: float, rng: Rng) -> Array:
    """Return x with every pixel moved by ± ``radius`` at random: a change of the same size that knows nothing."""
    return inside(x, x + _checked(radius) * _signs(x, rng), radius)


def random_search(
    network: MLP,
    x: Array,
    y: Array,
    radius: float,
    queries: int,
    rng: Rng,
    image_shape: tuple[int, int] | None = None,
) -> Array:
    """Return the best corner of the ball found by asking the network ``queries`` times, without any gradient.

    From random signs on, all pixels of a block at a random place move to one side, of a fifth of the image at first
    and of a single pixel at last; a trial is kept if the margin falls. Blocks are squares where ``image_shape``
    (height, width) is given, and run on at the opposite edge. A plain relative of the square attack of Andriushchenko
    et al. (2020): it reads outputs only, so poor gradients cannot stop it.
    """
    signs = _signs(x, rng)
    best = inside(x, x + _checked(radius) * signs, radius)
    left = margins(network, best, y)
    for share in np.geomspace(0.2, 1.0 / x.shape[1], max(queries - 1, 1))[: queries - 1]:
        active = np.flatnonzero(left > 0)
        if not active.size:
            break
        block = _blocks(active.size, image_shape or (1, x.shape[1]), share, rng)
        trial_signs = np.where(block, _signs(x[active, :1], rng), signs[active])
        trial = inside(x[active], x[active] + radius * trial_signs, radius)
        margin = margins(network, trial, y[active])
        better = margin < left[active]
        kept = active[better]
        signs[kept], best[kept], left[kept] = trial_signs[better], trial[better], margin[better]
    return best


def margins(network: MLP, x: Array, y: Array) -> Array:
    """Return a_y less the largest other pre-activation at the output, shape (batch,): positive where it is right."""
    a = network.trace(x).pre_activations[-1]
    wrong: Array = np.max(np.where(y > 0, -np.inf, a), axis=1)
    left: Array = np.sum(a * y, axis=1) - wrong
    return left


def fooled(network: MLP, x: Array, y: Array) -> Array:
    """Return, for each example, whether the network misclassifies it, shape (batch,)."""
    # not by its outputs: where several of them saturate they are equal, and the first would win
    a = network.trace(x).pre_activations[-1]
    return np.asarray(np.argmax(a, axis=1) != np.argmax(y, axis=1))


def linear_radius(network: MLP, x: Array, y: Array) -> Array:
    """Return the radius at which each example would be lost if the network were linear around it, shape (batch,).

    This is the smallest (a_y − a_j) / ‖∂(a_y − a_j)/∂x‖₁ over the other classes j: a margin, counted in pixels.
    Exact for a linear classifier away from the limits 0 and 1; not positive where it errs already.
    """
    trace, backprop = network.trace(x), Backprop(network)
    a, classes = trace.pre_activations[-1], np.eye(y.shape[1], dtype=network.dtype)
    jacobian = []
    for unit in classes:
        jacobian.append(_slope(network, backprop, trace, np.broadcast_to(unit, y.shape)))
    own = np.einsum("bk,kbi->bi", y, np.stack(jacobian))
    radii = np.full(y.shape, np.inf)
    for j, slopes in enumerate(jacobian):
        with np.errstate(divide="ignore", invalid="ignore"):
            radii[:, j] = (np.sum(a * y, axis=1) - a[:, j]) / np.sum(np.abs(own - slopes), axis=1)
    radii[y > 0] = np.inf
    smallest: Array = radii.min(axis=1)
    return smallest


@contextmanager
def shaken(network: MLP, size: float, rng: Rng) -> Iterator[MLP]:
    """Disturb the weights inside the ``with`` block: Gaussian noise of ``size`` times the root mean square of each W.

    So the noise has about ``size`` times the norm of the matrix. Biases stay; all is as before after the block.
    """
    before = network.parameters.copy()
    try:
        for W in network.weights:
            W += (size * np.sqrt(np.mean(np.square(W))) * rng.standard_normal(W.shape)).astype(W.dtype)
        yield network
    finally:
        network.parameters[...] = before


def inside(x: Array, changed: Array, radius: float) -> Array:
    """Return ``changed`` with every pixel brought within ``radius`` of x, then within [0, 1], in the dtype of x."""
    kept: Array = np.clip(np.clip(changed, x - radius, x + radius), 0.0, 1.0).astype(x.dtype, copy=False)
    return kept


def _slope(network: MLP, backprop: Backprop, trace: Trace, push: Array) -> Array:
    """Return ∂(push · a)/∂x for a constant ``push`` on the outputs' pre-activations a, one row an example."""
    first = [*backprop.hidden_signals(network, trace, push), push][0]
    return network.layers[0].pull(network.weights[0].T, first)


def _blocks(n: int, image_shape: tuple[int, int], share: float, rng: Rng) -> Array:
    """Return n random blocks of about ``share`` of the pixels, as square as can be: true inside, (n, pixels)."""
    height, width = image_shape
    rows = min(height, max(1, round(math.sqrt(share * height * width))))
    columns = min(width, max(1, round(share * height * width / rows)))
    top, first = rng.integers(height, size=(n, 1)), rng.integers(width, size=(n, 1))
    pixel = np.arange(height * width)
    block: Array = ((pixel // width - top) % height < rows) & ((pixel % width - first) % width < columns)
    return block


def _signs(x: Array, rng: Rng) -> Array:
    signs: Array = np.where(rng.random(x.shape) < 0.5, -1.0, 1.0).astype(x.dtype)
    return signs


def _checked(radius: float) -> float:
    if not (math.isfinite(radius) and radius >= 0):
        raise InvalidValue(f"radius must be a finite number, not below 0; received {radius!r}.")
    return radius
