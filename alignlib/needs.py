"""What the error pass of a rule asks for besides arithmetic: weights at a second place, slopes, and stored activity."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np

from alignlib._typing import Array
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
    ``sources`` says what is sent: "error", "target", or nothing.
    ``slopes`` says whether f′ is asked for.
    """

    transposed: tuple[str, ...]
    transposed_numbers: int
    activities: int
    signs: int = 0
    sources: tuple[str, ...] = ("error",)
    slopes: bool = True


def needs(rule: Rule, network: MLP) -> Needs:
    """Find out what ``rule`` needs in ``network``, by asking the rule; nothing is changed by it."""
    edges = wiring(rule, network)
    met = {name for edge in edges for name in edge.matrices}
    sizes = {f"W{number}ᵀ": weight.size for number, weight in enumerate(network.weights, start=1)}
    transposed = tuple(name for name in sizes if name in met)
    trace = network.trace(np.zeros((1, network.sizes[0])), target=np.zeros((1, network.sizes[-1])))
    inputs, signals = rule.lesson(network, trace, trace.output)
    kept = [h.shape[1] for h, delta in zip(inputs, signals, strict=True) if delta is not None]
    return Needs(
        transposed,
        sum(sizes[name] for name in transposed),
        sum(kept),
        sum(size for name, size in sizes.items() if f"sign {name}" in met),
        tuple(sorted({edge.source for edge in edges} & {"error", "target"})),
        _reads_slopes(deepcopy(rule), deepcopy(network)),
    )


def _reads_slopes(rule: Rule, network: MLP) -> bool:
    """Whether any δ changes if f′ does; generic numbers, since zeros would hide it."""
    rng = np.random.default_rng(0)
    for matrix in (*network.weights, *rule.feedback):
        matrix[...] = rng.standard_normal(matrix.shape)
    x, y, error = (rng.standard_normal((2, network.sizes[end])) for end in (0, -1, -1))
    trace = network.trace(x, target=y)
    before = rule.hidden_signals(network, trace, error)
    network.layers = [
        replace(layer, activation=replace(layer.activation, derivative=_other)) for layer in network.layers
    ]
    after = rule.hidden_signals(network, trace, error)
    return any(
        one is not None and two is not None and not np.array_equal(one, two)
        for one, two in zip(before, after, strict=True)
    )


def _other(a: Array, h: Array, out: Array | None = None) -> Array:
    return np.full_like(a, 3.0)
