"""Sign symmetry with magnitudes that change at every update."""

from collections.abc import Sequence
from typing import Any

from alignlib._typing import Array, Rng
from alignlib.network import MLP, Trace
from alignlib.plasticity import Plasticity
from alignlib.rules.sign_symmetry import FixedSignSymmetry


class BatchwiseSignSymmetry(FixedSignSymmetry):
    """As frSF, but M is random anew after every update   (Liao et al. 2016, brSF).

    Its entries change places at random: another draw of the same numbers. That has a generator of its own.
    """

    name = "brsf"
    label = "brSF"
    title = "Changing sizes, true signs"

    def __init__(self, network: MLP, *, rng: Rng | None = None, **options: Any):
        super().__init__(network, rng=rng, **options)
        self._rng = rng.spawn(1)[0] if rng is not None else None

    def learn_feedback(self, network: MLP, trace: Trace, signals: Sequence[Array], plasticity: Plasticity) -> None:
        """Nothing is learned: the magnitudes are dealt out again."""
        if self._rng is not None:
            for M in self.feedback:
                self._rng.shuffle(M.reshape(-1))
