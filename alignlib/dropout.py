"""Dropout: at each update other units are silent, so that none can rely on another."""

from __future__ import annotations

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.arrays import at_hand, hand_over
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Masks


class Dropout:
    """Draws for each mini-batch which inputs and hidden units are silent (Srivastava et al. 2014).

    What is not dropped is multiplied by 1 / (1 − share), so that its mean stays what it is without dropout and
    nothing has to be scaled when the network is evaluated. Nøkland (2016) did the same: this is how Torch's layer,
    which his code puts behind the input and behind each nonlinearity, works unless told otherwise.

    Parameters
    ----------
    network
        Whose units are dropped; read for its shapes only.
    rngs
        Sources of the draws for the input and for the hidden units: neither share changes the draws of the other.
    input, hidden
        Shares that are dropped, from 0 to less than 1. Units of convolutions count one by one, as hidden units.

    Raises
    ------
    InvalidValue
        For other shares.
    """

    def __init__(self, network: MLP, rngs: tuple[Rng, Rng], *, input: float = 0.0, hidden: float = 0.0):
        for share in (input, hidden):
            if not 0 <= share < 1:
                raise InvalidValue(f"a share to be dropped is at least 0 and less than 1; received {share!r}.")
        self._network, self._rngs, self._shares = network, rngs, (input, hidden)
        self._kept: dict[int, list[_Mask | None]] = {}

    def masks(self, batch: int) -> Masks:
        """Draw the masks for a mini-batch of this size; the next call for that size overwrites them."""
        if batch not in self._kept:
            self._kept[batch] = [self._mask(layer, batch) for layer in range(len(self._network.layers))]
        return [None if mask is None else mask.draw() for mask in self._kept[batch]]

    def _mask(self, layer: int, batch: int) -> _Mask | None:
        hidden = layer > 0
        share, shape, like = self._shares[hidden], (batch, self._network.sizes[layer]), self._network.parameters
        if not share:
            return None
        return _Mask(np.empty(shape, like.dtype, order="F", like=like), share, self._rngs[hidden])


class _Mask:
    """One array of factors, 0 or 1 / (1 − share), and what it takes to draw it again without allocating another."""

    def __init__(self, array: Array, share: float, rng: Rng):
        self._array, self._share, self._rng = array, share, rng
        self._values = at_hand(array)
        # single precision suffices, and gives networks of either precision the same masks
        self._draws = np.empty(array.shape[::-1], np.float32)

    def draw(self) -> Array:
        self._rng.random(dtype=np.float32, out=self._draws)
        np.greater_equal(self._draws.T, self._share, out=self._values)
        self._values *= 1.0 / (1.0 - self._share)
        hand_over(self._values, self._array)
        return self._array
