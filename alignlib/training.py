"""The one training loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.network import MLP, Trace
from alignlib.optimizers import Optimizer
from alignlib.rules import Rule


@dataclass(frozen=True)
class Step:
    """One update: which it was, and what the network answered to its mini-batch just before."""

    number: int  #: counts updates from 1
    ends_epoch: bool
    trace: Trace
    y: Array


def train(
    network: MLP,
    rule: Rule,
    optimizer: Optimizer,
    x: Array,
    y: Array,
    *,
    epochs: int,
    batch_size: int,
    rng: Rng,
    weight_decay: float = 0.0,
) -> Iterator[Step]:
    """Train in place on x (n, n_in), y (n, n_out), yielding after every update; stop asking to stop early.

    Each epoch visits all examples once, in an order drawn from ``rng``; the last mini-batch may be smaller.
    """
    flat = np.zeros_like(network.parameters)
    gradients = network.views(flat)
    number = 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            y_batch = y[batch]
            trace = rule.learn(network, x[batch], y_batch, gradients, weight_decay)
            optimizer.step(network.parameters, flat)
            number += 1
            yield Step(number, start + batch_size >= len(x), trace, y_batch)
