"""Sign symmetry: the feedback knows the signs of the weights, not how large they are."""

from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.network import MLP
from alignlib.rules.base import BackwardWalk


class FixedSignSymmetry(BackwardWalk):
    """δ_l = ((M_{l+1} ⊙ sign W_{l+1}ᵀ) δ_{l+1}) ⊙ f′(a_l), M ≥ 0 drawn once   (Liao et al. 2016, frSF).

    M holds the absolute values of what FA would draw.
    """

    name = "frsf"
    label = "frSF"
    title = "Fixed sizes, true signs"

    def __init__(self, network: MLP, **options: Any):
        super().__init__(network, **options)
        for M in self.feedback:
            np.abs(M, out=M)
        self._carriers = [np.empty_like(W.T) for W in network.weights[1:]]

    def carrier(self, network: MLP, index: int) -> Array:
        """M_{l+1} ⊙ sign W_{l+1}ᵀ: of the weight, one bit."""
        carrier: Array = np.sign(network.weights[index + 1].T, out=self._carriers[index])
        carrier *= self.feedback[index]
        return carrier

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """M_l gives the sizes of what stands in for W_lᵀ, from the second layer on."""
        return {f"M{i}": W.T.shape for i, W in enumerate(network.weights[1:], start=2)}

    def counterparts(self, network: MLP) -> list[Array]:
        """The absolute values of Wᵀ."""
        return [np.abs(W.T) for W in network.weights[1:]]

    def pairs(self, network: MLP) -> list[tuple[Array, Array]]:
        """The product with the signs, and Wᵀ: what is compared is the matrix that carries the signal."""
        return [(self.carrier(network, i), W.T) for i, W in enumerate(network.weights[1:])]
