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

ERROR, TARGET, INPUT = "error", "target", "input"


@dataclass(frozen=True)
class Edge:
    """The last stretch on the way of the error to a layer, or of the target where a rule sends that instead.

    ``source`` is "error", "target", "input" or "layer k"; ``target`` is "layer l" (1 is next to the input), or
    "input" where a rule disturbs it.
    ``matrices`` are those that the signal meets on this stretch, in the text's numbering: "W3ᵀ", "B1", "W2".
    "sign W3ᵀ" is one of which only the signs matter.
    """

    source: str
    target: str
    matrices: tuple[str, ...]


@dataclass
class _Reads:
    """What the δ of one layer depends on: where it began, layers that it went through, and names of matrices.

    A signal goes through a layer if it meets the slope f′ there, or if a second pass does; layer 0 is the input.
    """

    sources: set[str] = field(default_factory=set)
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
        return 1 + length(source[node]) if node in source else 0

    return max((length(edge.target) for edge in edges), default=0)


def _reads(rule: Rule, network: MLP) -> dict[int, _Reads]:
    # Generic numbers in place of the real ones: a weight that happens to be zero would hide what is behind it.
    rng = np.random.default_rng(0)
    network = network.like(hidden="tanh", init="gaussian", rng=rng)
    rule.feedback = [rng.standard_normal(B.shape) for B in rule.feedback]
    target, error = (rng.standard_normal((2, network.sizes[-1])) for _ in range(2))
    trace = network.trace(rng.standard_normal((2, network.sizes[0])), target=target)

    def signals(trace: Trace = trace, error: Array = error) -> dict[int, Array]:
        deltas = enumerate(rule.hidden_signals(network, trace, error), start=1)
        return {number: delta for number, delta in deltas if delta is not None}

    before = signals()
    reads = {number: _Reads() for number in before}
    other = rng.standard_normal(error.shape)
    for source, after in ((ERROR, signals(error=other)), (TARGET, signals(replace(trace, target=other)))):
        for reached in _changed(before, after):
            reads[reached].sources.add(source)
    for number, disturbed in _slopes_disturbed(network, trace):
        for reached in _changed(before, signals(disturbed)):
            reads[reached].layers.add(number)
    for number in _biases_disturbed(network):
        for reached in _changed(before, signals()):
            reads[reached].layers.add(number)
    for name in _matrices_disturbed(rule, network, rng):
        for reached in _changed(before, signals()):
            reads[reached].matrices.add(name)
    for name in _matrices_disturbed(rule, network, rng, keep_signs=True):
        for reached in _changed(before, signals()):
            reads[reached].sizes.add(name)
    if any(0 in met.layers for met in reads.values()):
        # what reaches the input does so through the rule's own matrices: no weight of the network ends there
        own = set(rule.feedback_shapes(network))
        reads[0] = _Reads({ERROR}, {0}, own, own)
    return reads


def _slopes_disturbed(network: MLP, trace: Trace) -> Iterator[tuple[int, Trace]]:
    yield 0, replace(trace, inputs=[trace.inputs[0] + 0.5, *trace.inputs[1:]])
    for layer in network.hidden:
        pre_activations, inputs = list(trace.pre_activations), list(trace.inputs)
        pre_activations[layer.index] = pre_activations[layer.index] + 0.5
        inputs[layer.index + 1] = layer.activation.function(pre_activations[layer.index])
        yield layer.index + 1, replace(trace, pre_activations=pre_activations, inputs=inputs)


def _biases_disturbed(network: MLP) -> Iterator[int]:
    """Only a pass that a rule makes itself can notice."""
    for layer in network.hidden:
        layer.bias[...] += 0.5
        yield layer.index + 1
        layer.bias[...] -= 0.5


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
        _station(parents[0]) if parents else min(met.sources),
        _station(number),
        tuple(_written(name, number, met) for name in names),
    )


def _station(number: int) -> str:
    return f"layer {number}" if number else INPUT


def _written(name: str, target: int, met: _Reads) -> str:
    """W_k ends at layer k: a signal that arrives below has gone through its transpose."""
    transposed = f"{name}ᵀ" if name.startswith("W") and int(name[1:]) > target else name
    return transposed if name in met.sizes else f"sign {transposed}"
