"""Label projection in closed form: every layer is fitted to a random image of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.baselines import least_squares
from alignlib.baselines.solved import Layers, Solved, check_layers, fit_readout
from alignlib.errors import InvalidValue


def fit(layers: Layers, projections: Sequence[Array], x: Array, y: Array, ridge: float = 0.0) -> Solved:
    """Slide a fitted map in before every random layer but the first, and solve for the readout.

        h_1 = f(R_1 x) ,      W_l = H_{l−1}⁺ (Y P_lᵀ) ,      h_l = f(R_l W_l h_{l−1}) ,      ŷ = V h_L ,  V = H_L⁺ Y

    (with the biases of ``layers``, and those of the fits, if it has any). What is returned is an ordinary network: its
    weights are the products R_l W_l.

    Parameters
    ----------
    layers
        The random R_l: R_1 of shape (n_1, n_in), R_l (n_l, p_l) with any p_l, for instance n_{l−1}.
    projections
        P_l (p_l, n_out) for l = 2 … L: how the labels are shown to layer l.
    x, y
        All training examples (n, n_in) and their targets (n, n_out).
    ridge
        λ in every fit; 0 is the pseudo-inverse.

    Raises
    ------
    InvalidValue
        If there is no layer, or a projection is missing or of another shape.

    Notes
    -----
    ``DDELM`` in github.com/mohammedterryjack/ddelm (archive/ddelm.py, 2024), whose matrices :func:`draw_shared` draws.
    """
    check_layers(layers)
    _check(layers, projections, y.shape[1])
    solved = layers.below(2)
    for R, c, P in zip(layers.weights[1:], layers.biases[1:], projections, strict=True):
        h = solved.features(x)
        W = least_squares.fit(h, y @ P.T, ridge, bias=layers.biased)
        solved = replace(solved, weights=(*solved.weights, R @ W.weights), biases=(*solved.biases, R @ W.bias + c))
    return fit_readout(solved, x, y, ridge)


def draw_shared(
    n_in: int, hidden: Sequence[int], n_out: int, rng: Rng, *, scale: float = 0.1, nonlinearity: str = "logistic"
) -> tuple[Layers, list[Array]]:
    """Return R and P as the author's code has them: corners of one matrix S, uniform in ±scale, and no biases.

    All R are square: R_1 (n_in, n_in), then R_l (n, n) for each width n in ``hidden``. P_l shows the labels by the same
    entries of S that R_l begins with. So there is one layer more than ``hidden`` says, and its width is n_in.
    """
    widths = [n_in, *hidden]
    S = scale * rng.uniform(-1.0, 1.0, (max(*widths, n_out), max(*widths, n_out)))
    square = tuple(np.ascontiguousarray(S[:n, :n].T) for n in widths)  # the author multiplies rows from the right
    projections = [np.ascontiguousarray(S[:n_out, :n].T) for n in hidden]
    return Layers(square, tuple(np.zeros(n) for n in widths), nonlinearity, biased=False), projections


def _check(layers: Layers, projections: Sequence[Array], n_out: int) -> None:
    expected = [(R.shape[1], n_out) for R in layers.weights[1:]]
    received = [P.shape for P in projections]
    if received != expected:
        raise InvalidValue(
            f"label projections need the shapes (inputs of their layer, outputs) = {expected}; received {received}."
        )
