"""Indirect feedback alignment: the error goes to the first hidden layer, then forward."""

from alignlib._typing import Array
from alignlib.network import MLP, Trace
from alignlib.rules.base import Rule, transported


class IndirectFeedbackAlignment(Rule):
    """δ_1 = (B_1 e) ⊙ f′(a_1), then forward δ_l = (W_l δ_{l−1}) ⊙ f′(a_l).

    Nøkland (2016), eq. 9.
    """

    name = "ifa"
    label = "IFA"
    title = "Indirect feedback alignment"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """One jump through B_1, then the way that activity takes, through the weights being learned."""
        signals: list[Array] = []
        for layer in network.hidden:
            if not signals:
                signals.append(trace.carry(layer, self.feedback[0], error))
            else:
                signals.append(trace.onward(layer, layer.weight, signals[-1]))
        return signals

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """B_1 leads from the output to the first hidden layer; there is no other."""
        first = network.hidden[:1]
        return {"B1": (first[0].width, network.sizes[-1])} if first else {}

    def counterparts(self, network: MLP) -> list[Array]:
        """The product of all Wᵀ above the first hidden layer."""
        return [transported(network, layer.index) for layer in network.hidden[:1]]
