"""The one training loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.adversarial import Adversary
from alignlib.arrays import take_rows
from alignlib.dropout import Dropout
from alignlib.network import MLP, Buffers, Masks, Trace
from alignlib.optimizers import SGD, Optimizer
from alignlib.plasticity import Plasticity


class Teacher(Protocol):
    """What the loop asks for gradients: a :class:`alignlib.rules.Rule`, or a learner that sends no error at all."""

    @property
    def learns_feedback(self) -> bool:
        """Whether :meth:`learn` wants to be handed a plasticity."""

    def learn(
        self,
        network: MLP,
        x: Array,
        y: Array,
        gradients: Sequence[tuple[Array, Array]],
        weight_decay: float = 0.0,
        buffers: Buffers | None = None,
        plasticity: Plasticity | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """Write the gradients, means over the batch, into [(dW, db), …]; return the trace of the forward pass."""


@dataclass(frozen=True)
class Step:
    """One update: which it was, and what the network answered to its mini-batch just before.

    The arrays are used again by the next step: copy what is to be kept.
    """

    number: int  #: counts updates from 1
    ends_epoch: bool
    trace: Trace
    y: Array


def train(
    network: MLP,
    rule: Teacher,
    optimizer: Optimizer,
    x: Array,
    y: Array,
    *,
    epochs: int,
    batch_size: int,
    rng: Rng,
    weight_decay: float = 0.0,
    dropout: Dropout | None = None,
    adversary: Adversary | None = None,
    plasticity: Plasticity | None = None,
    done: int = 0,
) -> Iterator[Step]:
    """Train in place on x (n, n_in), y (n, n_out), yielding after every update; stop asking to stop early.

    Each epoch visits all examples once, in an order drawn from ``rng``; the last mini-batch may be smaller.
    With ``dropout`` each update is that of a thinned network, with an ``adversary`` it is made on the examples that
    this changed; what a step says of the network's answers is then said of those.
    ``plasticity`` is that of a rule which learns its feedback; by default one that steps as the weights do.
    ``done`` updates were made before: the steps are counted from there.
    """
    x, y = (np.asarray(part, like=network.parameters) for part in (x, y))
    flat = np.zeros_like(network.parameters)
    gradients, number = network.views(flat), done
    if rule.learns_feedback and plasticity is None:
        plasticity = Plasticity(optimizer, weight_decay)
    sizes = {min(batch_size, len(x)), len(x) % batch_size or batch_size} if len(x) else set()
    buffers = {size: (network.buffers(size), _rows(x, size), _rows(y, size)) for size in sizes}
    for _ in range(epochs):
        order = np.asarray(rng.permutation(len(x)), like=x)
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            work, x_batch, y_batch = buffers[len(batch)]
            take_rows(x, batch, x_batch)
            take_rows(y, batch, y_batch)
            masks = dropout.masks(len(batch)) if dropout else None
            if adversary:
                x_batch = adversary.change(x_batch, y_batch, work, masks)
            trace = rule.learn(network, x_batch, y_batch, gradients, weight_decay, work, plasticity, masks)
            optimizer.step(network.parameters, flat)
            number += 1
            yield Step(number, start + batch_size >= len(x), trace, y_batch)


def descend(network: MLP, rule: Teacher, x: Array, y: Array, *, learning_rate: float, steps: int) -> Iterator[Step]:
    """Train in place by plain gradient steps, each on the whole of x (n, n_in), y (n, n_out), yielding after each."""
    optimizer, order = SGD(network.parameters, learning_rate), np.random.default_rng(0)  # one batch has no order
    return train(network, rule, optimizer, x, y, epochs=steps, batch_size=len(x), rng=order)


def _rows(values: Array, n: int) -> Array:
    return np.empty((n, values.shape[1]), values.dtype, like=values)
