"""Kolen–Pollack: the feedback makes the same steps as the weights, until it is their transpose."""

from collections.abc import Sequence

from alignlib._typing import Array
from alignlib.network import MLP, Trace
from alignlib.plasticity import Plasticity
from alignlib.rules.feedback_alignment import FeedbackAlignment


class KolenPollack(FeedbackAlignment):
    """As FA, but B_l learns too: ∂B_l = h_{l−1} δ_lᵀ + λ B_l, which is ∂W_lᵀ with B_l in the decay.

    Kolen & Pollack 1994; Akrout et al. 2019. Equal steps leave B_l − W_lᵀ as it is, and the decay makes it vanish: with
    SGD of rate η it shrinks by 1 − ηλ an update. Optimiser and λ are those of the weights; without λ nothing decays.
    """

    name = "kp"
    label = "KP"
    title = "Kolen–Pollack"

    def learn_feedback(self, network: MLP, trace: Trace, signals: Sequence[Array], plasticity: Plasticity) -> None:
        """The synapse of B_l leads from a unit with δ_l to a unit with h_{l−1}: all that ∂W_l needs is there."""
        plasticity.step(self.feedback, trace.inputs[1:], signals[1:])
