"""Backpropagation: the error goes back through the transposed forward weights."""

from alignlib._typing import Array
from alignlib.network import MLP
from alignlib.rules.base import BackwardWalk


class Backprop(BackwardWalk):
    """δ_l = (W_{l+1}ᵀ δ_{l+1}) ⊙ f′(a_l)   (Rumelhart, Hinton & Williams 1986)."""

    name = "bp"
    label = "BP"
    title = "Backpropagation"

    def carrier(self, network: MLP, index: int) -> Array:
        """W_{l+1}ᵀ: the weights that the forward pass uses, transposed."""
        carrier: Array = network.weights[index + 1].T
        return carrier
