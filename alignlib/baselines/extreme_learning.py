"""The Extreme Learning Machine: random hidden units that never learn, and the pseudo-inverse on top."""

from __future__ import annotations

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.activations import activation
from alignlib.baselines import least_squares
from alignlib.initializers import WEIGHTS, draw


def receptive_fields(image_shape: tuple[int, int], units: int, rng: Rng) -> Array:
    """Return a random rectangle of the image for each unit, ones inside it: (units, height · width), as float64.

    Corners are drawn evenly, so that sizes vary; a unit that looks at nothing else sees its rectangle only
    (McDonnell et al. 2015).
    """
    masks = np.zeros((units, *image_shape))
    for mask in masks:
        (top, bottom), (left, right) = (np.sort(rng.integers(0, side, 2)) for side in image_shape)
        mask[top : bottom + 1, left : right + 1] = 1.0
    return masks.reshape(units, -1)


class ExtremeLearningMachine:
    """h = f(W x + b) with W and b random and fixed; ŷ = V h + c by least squares   (Huang, Zhu & Siew 2006).

    Parameters
    ----------
    n_in, n_hidden
        Numbers of inputs and of hidden units.
    rng
        Source of W (uniform in ±scale/√n_in) and of b (uniform in ±scale).
    scale
        How far into its nonlinearity a unit is driven; with a small one the features are nearly linear.
    nonlinearity
        Name of f, a key of :data:`alignlib.activations.ACTIVATIONS`.
    dtype
        Precision of the features, "float64" or "float32"; the readout is solved in double precision in any case.
    """

    def __init__(
        self,
        n_in: int,
        n_hidden: int,
        rng: Rng,
        *,
        scale: float = 1.0,
        nonlinearity: str = "tanh",
        dtype: str = "float64",
    ):
        self.W = draw(WEIGHTS, "fan-in", (n_hidden, n_in), rng, scale=scale, dtype=dtype)
        self.b = draw(WEIGHTS, "uniform", (1, n_hidden), rng, scale=scale, dtype=dtype)[0]
        self.f = activation(nonlinearity).function
        self.readout: least_squares.LinearReadout | None = None

    def features(self, x: Array) -> Array:
        """Return h (batch, n_hidden) for x (batch, n_in)."""
        a = x @ self.W.T
        a += self.b
        h: Array = self.f(a)
        return h

    def fit(self, x: Array, y: Array, ridge: float = 0.0) -> ExtremeLearningMachine:
        """Solve for the readout on all examples at once; ``ridge`` 0 is the pseudo-inverse."""
        self.readout = least_squares.fit(self.features(x), y, ridge)
        return self

    def predict(self, x: Array) -> Array:
        """Return ŷ (batch, n_out); AssertionError before :meth:`fit`."""
        assert self.readout is not None, "fit comes before predict"
        return self.readout.predict(self.features(x))
