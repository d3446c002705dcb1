"""What it is worth that no layer waits for another under DFA: the layers' work on one thread, and shared by several."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.experiments import Experiment, prepare
from alignlib.layers import Dense
from alignlib.timing import interleaved


@dataclass(frozen=True)
class ParallelTimes:
    """Seconds of the same work done in two ways, arrays of shape (rounds,).

    ``alone``: one layer after another; ``shared``: layers handed to threads. The numbers that come out are the same.
    """

    threads: int
    alone: Array
    shared: Array

    @property
    def speedup(self) -> Array:
        """How many times as quick the threads are, round by round, shape (rounds,)."""
        speedup: Array = self.alone / self.shared
        return speedup


class DirectLayers:
    """One mini-batch of DFA at which every hidden layer can do its part in any order, or all at once.

    Parameters
    ----------
    experiment
        What to train; its rule is replaced by DFA.

    Attributes
    ----------
    gradients
        [(dW, db), …] of the hidden layers, as the last pass left them.
    """

    def __init__(self, experiment: Experiment):
        data, self.network, self.rule = prepare(replace(experiment, rule="dfa"))
        x, y = data.x_train[: experiment.batch_size], data.y_train[: experiment.batch_size]
        self.buffers = self.network.buffers(len(x))
        self.trace = self.network.trace(x, self.buffers)
        self.error = self.network.error(self.trace, y)
        self.gradients = self.network.views(np.zeros_like(self.network.parameters))[:-1]

    def signal(self, layer: Dense) -> Array:
        """Bring the error to one hidden layer: its δ, shape (batch, layer.width)."""
        return self.trace.carry(layer, self.rule.feedback[layer.index], self.error)

    def learn(self, layer: Dense) -> None:
        """Bring the error to one hidden layer and write the gradient of its weights and biases."""
        dW, db = self.gradients[layer.index]
        h, scratch = self.trace.inputs[layer.index], self.buffers.scaled[layer.index]
        layer.gradient(self.signal(layer), h, dW, db, scratch)


def parallel_times(
    experiment: Experiment, *, gradients: bool = False, threads: int = 2, rounds: int = 50
) -> ParallelTimes:
    """Time the hidden layers' error passes under DFA, with ``gradients`` also what they learn from them.

    Raises
    ------
    InvalidValue
        If ``rounds`` or ``threads`` is below 1, or the network has no hidden layer.
    """
    layers = DirectLayers(experiment)
    if threads < 1 or not layers.network.hidden:
        raise InvalidValue(f"needs threads ≥ 1 and a hidden layer; received {threads} and {experiment.hidden}.")
    work: Callable[[Dense], object] = layers.learn if gradients else layers.signal
    hidden = layers.network.hidden
    with ThreadPoolExecutor(threads) as pool:
        ways = {
            "alone": lambda: [work(layer) for layer in hidden],
            "shared": lambda: list(pool.map(work, hidden)),
        }
        return ParallelTimes(threads, **interleaved(ways, rounds, calls=3))
