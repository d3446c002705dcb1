"""Direct random target projection: the hidden layers hear the target, and so need not wait for the output."""

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Trace
from alignlib.rules.direct import DirectFeedbackAlignment


class DirectRandomTargetProjection(DirectFeedbackAlignment):
    """δ_l = (B_l y) ⊙ f′(a_l): DFA with the target in place of the error   (Frenkel, Lefebvre & Bol 2021).

    The sign is that of the authors' code. It is a matter of taste, since B is as likely to be −B.
    """

    name = "drtp"
    label = "DRTP"
    title = "Direct random target projection"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """The target y, once through each layer's own B; the error is not looked at."""
        if trace.target is None:
            raise InvalidValue("this rule reads the target: make the trace with network.trace(x, target=y).")
        return super().hidden_signals(network, trace, trace.target)

    def counterparts(self, network: MLP) -> list[Array]:
        """Minus the product of all Wᵀ above the layer: the target enters the error e = ŷ − y with a minus."""
        return [-product for product in super().counterparts(network)]
