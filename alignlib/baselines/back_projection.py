"""Back-projection in closed form: every layer is fitted to the labels, carried back through what is above it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alignlib._typing import Array
from alignlib.activations import activation
from alignlib.baselines import least_squares
from alignlib.baselines.least_squares import LinearReadout
from alignlib.baselines.solved import Solved, check_layers, fit_readout
from alignlib.errors import choose

_EDGE = 0.99  #: saturating units are asked for no more than this share of their range: the inverse has an end there


def _inverse_logistic(h: Array) -> Array:
    inside = np.clip(h, (1 - _EDGE) / 2, (1 + _EDGE) / 2)
    a: Array = np.log(inside / (1 - inside))
    return a


#: f⁻¹ for each nonlinearity. Of ReLU there is none, and the author's code takes the identity for it.
INVERSES: dict[str, Callable[[Array], Array]] = {
    "linear": lambda h: h,
    "relu": lambda h: h,
    "tanh": lambda h: np.arctanh(np.clip(h, -_EDGE, _EDGE)),
    "logistic": _inverse_logistic,
}


def target(network: Solved, y: Array, layer: int) -> Array:
    """Return t_l (n, n_l), the activity of hidden layer ``layer`` (from 1) that would give y in the layers above.

        t_L = V⁺ (y − c) ,      t_{l−1} = W_l⁺ (f⁻¹(t_l) − b_l)

    (of all such activities, or of those that come nearest, the smallest). Nothing but y enters, so that examples of
    one class share one target: it is computed once for each distinct row of y.
    """
    check_layers(network.layers)
    inverse = INVERSES[choose("nonlinearity", network.layers.nonlinearity, INVERSES)]
    distinct, of_row = np.unique(y, axis=0, return_inverse=True)
    t = _before(network.readout, distinct)
    for k in range(network.layers.depth, layer, -1):
        above = LinearReadout(network.layers.weights[k - 1], network.layers.biases[k - 1])
        t = _before(above, inverse(t))
    wanted: Array = t[of_row.reshape(-1)]
    return wanted


def refit(network: Solved, x: Array, y: Array, ridge: float = 0.0, *, inverted: bool = True) -> Solved:
    """Fit every layer once, first to last, to the labels carried back to it; then solve for the readout.

        W_l ← H_{l−1}⁺ f⁻¹(T_l) ,      h_l = f(W_l h_{l−1}) ,      V ← H_L⁺ Y

    (with the biases, if the layers have any). Layers below l have their new weights by then, those above their old.

    Parameters
    ----------
    network
        Where to start from, left as it is; the author starts from random weights and a random readout.
    x, y
        All training examples (n, n_in) and their targets (n, n_out).
    ridge
        λ in every fit; 0 is the pseudo-inverse.
    inverted
        Whether W_l is fitted to f⁻¹(T_l), so that h_l comes to T_l, or to T_l itself as in the author's code.

    Notes
    -----
    ``FFNN`` in github.com/mohammedterryjack/ddelm (src/ffnn.py, 2024). There the output layer has the nonlinearity too,
    and the pseudo-inverse of a matrix takes the place of the least-squares solution used here, which equals it.
    """
    layers = network.layers
    check_layers(layers)
    inverse = INVERSES[choose("nonlinearity", layers.nonlinearity, INVERSES)]
    f, h = activation(layers.nonlinearity).function, x
    for layer in range(1, layers.depth + 1):
        t = target(network, y, layer)  # reads the layers above only
        solved = least_squares.fit(h, inverse(t) if inverted else t, ridge, bias=layers.biased)
        layers, h = layers.with_layer(layer, solved), f(solved.predict(h))
    return fit_readout(layers, x, y, ridge)


def _before(layer: LinearReadout, output: Array) -> Array:
    """The smallest input with which the layer comes nearest to ``output``: its pseudo-inverse, applied."""
    found: Array = np.linalg.lstsq(layer.weights, (output - layer.bias).T, rcond=None)[0]
    return found.T
