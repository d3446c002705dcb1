"""How a rule is wired: found out by asking the rule, not by writing it down.

Every quantity that a rule may read is disturbed in turn; which δ change says on what each of them depends.
A δ_l that depends on the slopes f′ of layers k and l, and on no others, came to layer l by way of layer k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.network import MLP, Trace
from alignlib.rules import Rule

ERROR = "error"


@dataclass(frozen=True)
class Edge:
    """The last stretch on the way of the error to a layer.

    ``source`` is "error" or "layer k", ``target`` is "layer l" (1 is next to the input).
    ``matrices`` are those that the signal meets on this stretch, in the text's numbering: "W3ᵀ", "B1", "W2".
    "sign W3ᵀ" is one of which only the signs matter.
    """

    source: str
    target: str
    matrices: tuple[str, ...]


@dataclass
class _Reads:
    """What the δ of one layer depends on: numbers of layers whose f′ it met, and names of matrices."""

    layers: set[int] = field(default_factory=set)
    matrices: set[str] = field(default_factory=set)
    sizes: set[str] = field(default_factory=set)  # matrices of which not only the signs matter


def wiring(rule: Rule, network: MLP) -> list[Edge]:
    """Return the edges along which the error reaches the hidden layers, layer 1 first.

    ``network`` and ``rule`` are left as they are; a layer that receives no signal has no edge.
    """
    reads = _reads(deepcopy(rule), network)
    return [_edge(number, reads) for number in sorted(reads)]


def longest_chain(edges: Sequence[Edge]) -> int:
    """Return how many stretches follow one another on the longest way from the error: what must wait for what."""
    source = {edge.target: edge.source for edge in edges}

    def length(node: str) -> int:
        return 0 if node == ERROR else 1 + length(source[node])

    return max((length(edge.target) for edge in edges), default=0)


def _reads(rule: Rule, network: MLP) -> dict[int, _Reads]:
    # Generic numbers in place of the real ones: a weight that happens to be zero would hide what is behind it.
    rng = np.random.default_rng(0)
    network = network.like(hidden="tanh", init="gaussian", rng=rng)
    rule.feedback = [rng.standard_normal(B.shape) for B in rule.feedback]
    trace = network.trace(rng.standard_normal((2, network.sizes[0])))
    error = rng.standard_normal(trace.output.shape)

    def signals(trace: Trace = trace) -> dict[int, Array]:
        deltas = enumerate(rule.hidden_signals(network, trace, error), start=1)
        return {number: delta for number, delta in deltas if delta is not None}

    before = signals()
    reads = {number: _Reads() for number in before}
    for number, disturbed in _slopes_disturbed(network, trace):
        for reached in _changed(before, signals(disturbed)):
            reads[reached].layers.add(number)
    for name in _matrices_disturbed(rule, network, rng):
        for reached in _changed(before, signals()):
            reads[reached].matrices.add(name)
    for name in _matrices_disturbed(rule, network, rng, keep_signs=True):
        for reached in _changed(before, signals()):
            reads[reached].sizes.add(name)
    return reads


def _slopes_disturbed(network: MLP, trace: Trace) -> Iterator[tuple[int, Trace]]:
    for layer in network.hidden:
        pre_activations, inputs = list(trace.pre_activations), list(trace.inputs)
        pre_activations[layer.index] = pre_activations[layer.index] + 0.5
        inputs[layer.index + 1] = layer.activation.function(pre_activations[layer.index])
        yield layer.index + 1, replace(trace, pre_activations=pre_activations, inputs=inputs)


def _matrices_disturbed(rule: Rule, network: MLP, rng: Rng, keep_signs: bool = False) -> Iterator[str]:
    """Give one matrix other numbers, yield its name, and put the old ones back."""
    matrices = [(f"W{i}", W) for i, W in enumerate(network.weights, start=1)]
    matrices += zip(rule.feedback_shapes(network), rule.feedback, strict=True)
    for name, matrix in matrices:
        kept = matrix.copy()
        other = rng.standard_normal(matrix.shape)
        matrix[...] = np.copysign(other, kept) if keep_signs else other
        yield name
        matrix[...] = kept


def _changed(before: dict[int, Array], after: dict[int, Array]) -> list[int]:
    return [number for number in before if not np.array_equal(before[number], after[number])]


def _edge(number: int, reads: dict[int, _Reads]) -> Edge:
    met = reads[number]
    parents = [k for k, other in reads.items() if other.layers == met.layers - {number}]
    shared_way = reads[parents[0]].matrices if parents else set()
    names = sorted(met.matrices - shared_way)
    return Edge(
        f"layer {parents[0]}" if parents else ERROR,
        f"layer {number}",
        tuple(_written(name, number, met) for name in names),
    )


def _written(name: str, target: int, met: _Reads) -> str:
    """W_k ends at layer k: a signal that arrives below has gone through its transpose."""
    transposed = f"{name}ᵀ" if name.startswith("W") and int(name[1:]) > target else name
    return transposed if name in met.sizes else f"sign {transposed}"
