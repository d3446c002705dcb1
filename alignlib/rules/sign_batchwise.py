"""Sign symmetry with magnitudes that change at every update."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.arrays import at_hand, hand_over, to_host
from alignlib.network import MLP, Trace
from alignlib.plasticity import Plasticity
from alignlib.rules.sign_symmetry import FixedSignSymmetry


class BatchwiseSignSymmetry(FixedSignSymmetry):
    """As frSF, but M is drawn again after every update   (Liao et al. 2016, brSF).

    Each entry takes one of the sizes of the first draw, at random. That has a generator of its own.
    """

    name = "brsf"
    label = "brSF"
    title = "Changing sizes, true signs"

    def __init__(self, network: MLP, *, rng: Rng | None = None, **options: Any):
        super().__init__(network, rng=rng, **options)
        self._rng = rng.spawn(1)[0] if rng is not None else None
        self._sizes = [to_host(M).copy() for M in self.feedback]
        self._draws = [(np.empty(M.shape), np.empty(M.shape, np.intp), at_hand(M)) for M in self.feedback]

    def learn_feedback(self, network: MLP, trace: Trace, signals: Sequence[Array], plasticity: Plasticity) -> None:
        """Nothing is learned: the magnitudes are dealt out again."""
        if self._rng is None:  # then all of them are zero
            return
        for M, sizes, (draws, places, dealt) in zip(self.feedback, self._sizes, self._draws, strict=True):
            self._rng.random(out=draws)
            np.multiply(draws, sizes.size, out=places, casting="unsafe")
            np.take(sizes, places, out=dealt, mode="clip")
            hand_over(dealt, M)
