"""One-shot deep learning as its author's code of 2021 has it: a shifted target for the first layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alignlib._typing import Array
from alignlib.activations import Activation, activation
from alignlib.baselines import least_squares
from alignlib.baselines.least_squares import Inverse, LinearReadout
from alignlib.baselines.solved import Solved, check_layers, fit_readout
from alignlib.errors import InvalidValue, choose

#: What the projected error is multiplied with, from f, a_1 and h_1.
FACTORS: dict[str, Callable[[Activation, Array], Array]] = {
    "slope": lambda f, a: f.derivative(a, f.function(a)),
    "pre-activation": lambda f, a: a,
    "one": lambda f, a: np.ones_like(a),
}


def delta(network: Solved, B: Array, x: Array, y: Array, factor: str = "slope") -> Array:
    """Return δ_1 = (B e) ⊙ f′(a_1), shape (n, n_1), with e = ŷ − y: the signal of IFA to the first hidden layer.

    ``B`` (n_1, n_out). ``factor`` "pre-activation" multiplies with a_1 in the place of f′(a_1), as the author's code
    does; "one" with nothing.

    Raises
    ------
    InvalidValue
        For an unknown factor, a B of another shape, or a network without hidden layers.
    """
    check_layers(network.layers)
    weigh = FACTORS[choose("factor", factor, FACTORS)]
    expected = (len(network.layers.weights[0]), y.shape[1])
    if B.shape != expected:
        raise InvalidValue(f"B needs the shape (units of the first layer, outputs) = {expected}; received {B.shape}.")
    a, e = network.layers.pre_activations(x), network.predict(x) - y
    signal: Array = (e @ B.T) * weigh(activation(network.layers.nonlinearity), a)
    return signal


def refit(
    network: Solved,
    B: Array,
    x: Array,
    y: Array,
    ridge: float = 0.0,
    *,
    inverse: Inverse | None = None,
    step: float = 1.0,
    factor: str = "slope",
) -> Solved:
    """Fit W_1 to the target a_1 − step · δ_1, leave the layers above alone, and solve for the readout.

        W_1 ← X⁺ (a_1 − step · δ_1) = W_1 − step · X⁺ δ_1 ,      V ← H_L⁺ Y

    The second form is the one computed: a_1 is linear in x already, so that only the shift needs fitting. The two are
    the same for every x in the span of the training inputs, and the second keeps its meaning with a ridge, where
    X⁺ becomes (XᵀX + λI)⁻¹ Xᵀ: without δ, nothing moves.

    Parameters
    ----------
    network
        Where to start from; it is left as it is. The author starts from a random readout.
    B
        Fixed feedback (n_1, n_out).
    x, y
        All training examples (n, n_in) and their targets (n, n_out).
    ridge
        λ of the readout; 0 is the pseudo-inverse.
    inverse
        X⁺, from :func:`alignlib.baselines.least_squares.inverse`, with a ridge or without (as it is if not given).
    step
        Length of the shift; 1 in the author's code.
    factor
        See :func:`delta`.

    Notes
    -----
    ``ELMClassifier.one_shot_extreme_deep_learning`` in github.com/mohammedterryjack/DFA (May 2021), which has
    e = y − ŷ; since B is as likely as −B, that changes nothing.
    """
    shift = -step * delta(network, B, x, y, factor)
    change = (inverse or least_squares.inverse(x, bias=network.layers.biased)).fit(shift)
    first = LinearReadout(network.layers.weights[0] + change.weights, network.layers.biases[0] + change.bias)
    return fit_readout(network.layers.with_layer(1, first), x, y, ridge)


def iterate(
    network: Solved,
    B: Array | None,
    x: Array,
    y: Array,
    ridge: float = 0.0,
    *,
    inverse: Inverse | None = None,
    step: float = 1.0,
    factor: str = "slope",
) -> Iterator[Solved]:
    """Yield the network after each :func:`refit`, without end; each starts from the one before.

    With B None the weights take the place of the feedback, B = (V W_L ⋯ W_2)ᵀ at each round: for one hidden layer
    that is the true gradient of backpropagation.
    """
    inverse = inverse or least_squares.inverse(x, bias=network.layers.biased)
    while True:
        feedback = _through_the_weights(network) if B is None else B
        network = refit(network, feedback, x, y, ridge, inverse=inverse, step=step, factor=factor)
        yield network


def _through_the_weights(network: Solved) -> Array:
    product = network.readout.weights
    for W in network.layers.weights[:0:-1]:
        product = product @ W
    return product.T
