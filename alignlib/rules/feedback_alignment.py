"""Feedback alignment: as backprop, but through fixed random matrices."""

from alignlib._typing import Array
from alignlib.network import MLP
from alignlib.rules.base import BackwardWalk


class FeedbackAlignment(BackwardWalk):
    """δ_l = (B_{l+1} δ_{l+1}) ⊙ f′(a_l), B fixed and random   (Lillicrap et al. 2016)."""

    name = "fa"
    label = "FA"
    title = "Feedback alignment"

    def carrier(self, network: MLP, index: int) -> Array:
        """B_{l+1}: drawn once, never learned."""
        return self.feedback[index]

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """B_l stands in for W_lᵀ, from the second layer on."""
        return {f"B{i}": W.T.shape for i, W in enumerate(network.weights[1:], start=2)}

    def counterparts(self, network: MLP) -> list[Array]:
        """The Wᵀ themselves."""
        return [W.T for W in network.weights[1:]]
