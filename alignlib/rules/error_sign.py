"""Error-sign-based direct feedback alignment: of the error, only its signs are sent."""

import numpy as np

from alignlib._typing import Array
from alignlib.network import MLP, Trace
from alignlib.rules.direct import DirectFeedbackAlignment


class ErrorSignDirectFeedbackAlignment(DirectFeedbackAlignment):
    """δ_l = (B_l sign e) ⊙ f′(a_l): DFA with one bit an output, or two   (Frenkel, Lefebvre & Bol 2021)."""

    name = "sdfa"
    label = "sDFA"
    title = "Error-sign-based direct feedback alignment"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """The signs of the error, once through each layer's own B."""
        out = trace.buffers.spare(network.sizes[-1]) if trace.buffers else None
        return super().hidden_signals(network, trace, np.sign(error, out=out))
