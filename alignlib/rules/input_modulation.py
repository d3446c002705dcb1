"""PEPITA: a second forward pass, its input disturbed by the error, takes the place of the error pass."""

from collections.abc import Sequence

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Trace
from alignlib.rules.base import Rule, transported


class ErrorDrivenInputModulation(Rule):
    """δ_l = h_l − h_l^err, where h^err is the activity when x + F e goes in   (Dellaferrera & Kreiman 2022).

    The gradient is δ_l (h_{l−1}^err)ᵀ: it meets the activity of the second pass. The output layer learns from the
    error of that pass, e^err = ŷ^err − y. No derivative f′ and no transposed weight is needed.
    """

    name = "pepita"
    label = "PEPITA"
    title = "Error-driven input modulation"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """What the disturbance of the input changes, layer by layer, with a minus."""
        return self._changes(network, trace, self.second_pass(network, trace, error))

    def lesson(self, network: MLP, trace: Trace, error: Array) -> tuple[Sequence[Array], Sequence[Array | None]]:
        """Activity and output error are those of the second pass."""
        if trace.target is None:
            raise InvalidValue("this rule reads the target: make the trace with network.trace(x, target=y).")
        second = self.second_pass(network, trace, error)
        return second.inputs, [*self._changes(network, trace, second), network.error(second, trace.target)]

    def second_pass(self, network: MLP, trace: Trace, error: Array) -> Trace:
        """Return the trace of x + F e, under the same dropout if there is any."""
        x, work = trace.activities[0], trace.buffers
        disturbance = np.matmul(error, self.feedback[0].T, out=work.spare(network.sizes[0]) if work else None)
        disturbance += x
        return network.trace(disturbance, work.second if work else None, masks=trace.masks)

    def _changes(self, network: MLP, trace: Trace, second: Trace) -> list[Array]:
        outs = second.buffers.slopes if second.buffers else [None] * len(network.hidden)
        return [
            np.subtract(trace.inputs[layer.index + 1], second.inputs[layer.index + 1], out=outs[layer.index])
            for layer in network.hidden
        ]

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """F leads from the output to the input."""
        return {"F": (network.sizes[0], network.sizes[-1])}

    def counterparts(self, network: MLP) -> list[Array]:
        """Minus the product of all Wᵀ: what lowers the error must point against what F e does to the output."""
        first = network.layers[0].matrix.T
        return [-(first @ transported(network, 0))] if network.hidden else [-first]
