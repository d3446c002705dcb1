"""What the error pass of a rule asks for besides arithmetic: weights at a second place, and stored activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignlib.network import MLP
from alignlib.rules import Rule
from alignlib.wiring import wiring


@dataclass(frozen=True)
class Needs:
    """What must be at hand when the error comes back.

    ``transposed`` names the forward weights that the error meets transposed, in the text's numbering ("W2ᵀ");
    ``transposed_numbers`` is how many numbers they hold.
    ``signs`` is how many weights are met transposed of which only the signs matter.
    ``activities`` is how many numbers the forward pass must keep for one example: the inputs of the layers that learn.
    (Slopes f′ cost nothing more where they follow from the activity, as they do for all our nonlinearities.)
    """

    transposed: tuple[str, ...]
    transposed_numbers: int
    activities: int
    signs: int = 0


def needs(rule: Rule, network: MLP) -> Needs:
    """Find out what ``rule`` needs in ``network``, by asking the rule; nothing is changed by it."""
    met = {name for edge in wiring(rule, network) for name in edge.matrices}
    sizes = {f"W{number}ᵀ": weight.size for number, weight in enumerate(network.weights, start=1)}
    transposed = tuple(name for name in sizes if name in met)
    trace = network.trace(np.zeros((1, network.sizes[0])))
    signals = [*rule.hidden_signals(network, trace, trace.output), trace.output]
    kept = [h.shape[1] for h, delta in zip(trace.inputs, signals, strict=True) if delta is not None]
    signs = sum(size for name, size in sizes.items() if f"sign {name}" in met)
    return Needs(transposed, sum(sizes[name] for name in transposed), sum(kept), signs)
