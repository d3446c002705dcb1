"""Direct feedback alignment: every hidden layer hears the output error itself."""

from alignlib._typing import Array
from alignlib.network import MLP, Trace
from alignlib.rules.base import Rule, transported


class DirectFeedbackAlignment(Rule):
    """δ_l = (B_l e) ⊙ f′(a_l): no layer waits for another   (Nøkland 2016, eq. 8)."""

    name = "dfa"
    label = "DFA"
    title = "Direct feedback alignment"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """The error e, once through each layer's own B."""
        pairs = zip(network.hidden, self.feedback, strict=True)
        return [trace.carry(layer, B, error) for layer, B in pairs]

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """B_l leads from the output to hidden layer l."""
        layers = enumerate(network.hidden, start=1)
        return {f"B{i}": (layer.width, network.sizes[-1]) for i, layer in layers}

    def counterparts(self, network: MLP) -> list[Array]:
        """The product of all Wᵀ above the layer."""
        return [transported(network, layer.index) for layer in network.hidden]
