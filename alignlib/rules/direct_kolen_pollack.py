"""Direct Kolen–Pollack: the feedback of DFA learns from the error and the activity that it meets."""

from collections.abc import Sequence

from alignlib._typing import Array
from alignlib.network import MLP, Trace
from alignlib.plasticity import Plasticity
from alignlib.rules.direct import DirectFeedbackAlignment


class DirectKolenPollack(DirectFeedbackAlignment):
    """As DFA, but B_l learns too: ∂B_l = h_l eᵀ + λ B_l   (Webster et al. 2021).

    For the last hidden layer this is Kolen–Pollack; for those below B_l goes where W_L would go, if W_L stood on h_l.
    Optimiser and λ are those of the weights.
    """

    name = "dkp"
    label = "DKP"
    title = "Direct Kolen–Pollack"

    def learn_feedback(self, network: MLP, trace: Trace, signals: Sequence[Array], plasticity: Plasticity) -> None:
        """The synapse of B_l leads from an output with its error to a unit with h_l."""
        plasticity.step(self.feedback, trace.inputs[1:], [signals[-1]] * len(self.feedback))
