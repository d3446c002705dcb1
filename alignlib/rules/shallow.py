"""The baseline of every comparison: only the output layer learns."""

from alignlib._typing import Array
from alignlib.network import MLP, Trace
from alignlib.rules.base import Rule


class Shallow(Rule):
    """No δ reaches a hidden layer: the output layer reads fixed random features."""

    name = "shallow"
    label = "shallow"
    title = "Output layer only"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[None]:
        """Nothing."""
        return [None] * len(network.hidden)
