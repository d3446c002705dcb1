"""What one step of a rule costs, counted from the matrix products that it really makes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.network import MLP, Parameters, Trace
from alignlib.optimizers import SGD
from alignlib.plasticity import Plasticity
from alignlib.rules import Rule
from alignlib.wiring import longest_chain, wiring


@dataclass(frozen=True)
class Cost:
    """Multiply-adds in the matrix products of one step, and what else the error pass needs.

    ``forward``, ``error_pass``, ``gradients`` count multiply-adds for the whole batch.
    ``feedback_numbers`` is how many numbers the feedback matrices hold (a shared matrix counts once).
    ``sequential_steps`` is the longest chain of products in the error pass in which each waits for the one before.
    ``feedback_learning`` counts the multiply-adds that change the feedback, none where it is fixed.
    """

    forward: int
    error_pass: int
    gradients: int
    feedback_numbers: int
    sequential_steps: int
    feedback_learning: int = 0

    @property
    def total(self) -> int:
        """Multiply-adds of the whole step."""
        return self.forward + self.error_pass + self.gradients + self.feedback_learning


class Tally(np.ndarray[Any, Any]):
    """An array that counts the multiply-adds of every matrix product it takes part in, as do its results."""

    count: list[int]

    def __array_finalize__(self, parent: Any) -> None:
        self.count = getattr(parent, "count", [0])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Do what was asked on plain arrays; if it was a matrix product, count it."""
        plain = [np.asarray(value) if isinstance(value, Tally) else value for value in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(np.asarray(value) for value in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc is np.matmul:
            self.count[0] += result.size * plain[0].shape[-1]
        return tallied(result, self.count) if isinstance(result, np.ndarray) else result


def tallied(array: Array, count: list[int]) -> Tally:
    """Return a view of ``array`` that adds to ``count[0]``."""
    view = array.view(Tally)
    view.count = count
    return view


def costs(rule: Rule, network: MLP, batch: int = 1) -> Cost:
    """Count one step of ``rule`` on a mini-batch of ``batch`` examples; nothing is changed by it."""
    forward, error_pass, gradients = [0], [0], [0]
    target = tallied(np.zeros((batch, network.sizes[-1]), network.dtype), error_pass)
    trace = network.trace(np.zeros((batch, network.sizes[0])), target=target)
    for layer, h in zip(network.layers, trace.inputs, strict=True):
        layer.pre_activation(tallied(h, forward))
    deltas = rule.hidden_signals(network, trace, tallied(np.zeros_like(trace.output), error_pass))
    buffers = network.views(np.empty_like(network.parameters))
    for layer, h, delta, (dW, db) in zip(network.layers, trace.inputs, [*deltas, trace.output], buffers, strict=True):
        if delta is not None:
            layer.gradient(tallied(np.asarray(delta), gradients), h, dW, db)
    return Cost(
        forward[0],
        error_pass[0],
        gradients[0],
        _numbers(rule.feedback),
        longest_chain(wiring(rule, network)),
        _feedback_learning(rule, network, trace, [np.asarray(d) for d in deltas if d is not None]),
    )


def _feedback_learning(rule: Rule, network: MLP, trace: Trace, deltas: Sequence[Array]) -> int:
    """Let a copy of the rule learn its feedback from signals and weights that count."""
    if not rule.learns_feedback:
        return 0
    count, counting = [0], copy(network)
    counting.layers = [replace(layer, weight=tallied(layer.weight, count)) for layer in network.layers]
    counting.weights = Parameters([layer.weight for layer in counting.layers])
    signals = [tallied(signal, count) for signal in (*deltas, trace.output)]
    deepcopy(rule).learn_feedback(counting, trace, signals, Plasticity(SGD(np.zeros(0), 0.0)))
    return count[0]


def _numbers(matrices: Sequence[Array]) -> int:
    return sum(matrix.size for matrix in {id(matrix): matrix for matrix in matrices}.values())
