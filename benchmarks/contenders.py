"""One training step, made in several ways: functions that return a closure which makes a step.

All train the same network on the same kind of mini-batch: float32, tanh units, logistic outputs with binary
cross-entropy. A closure works on arrays of its own, so contenders can take turns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

import alignlib as al
from alignlib import optimizers

Step = Callable[[], object]
RATE = 1e-4


def torch_module() -> ModuleType | None:
    """Return PyTorch, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def mini_batch(sizes: Sequence[int], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random inputs in [0, 1] and one-hot targets."""
    x = np.random.default_rng(0).random((batch, sizes[0]), dtype=np.float32)
    return x, np.eye(sizes[-1], dtype=np.float32)[np.arange(batch) % sizes[-1]]


def ours(sizes: Sequence[int], batch: int, optimizer: str, rule: str) -> Step:
    """Our own step, as :func:`alignlib.training.train` makes it."""
    network = al.MLP(sizes, rng=np.random.default_rng(1), dtype="float32")
    teacher = al.rules.RULES[rule](network, rng=np.random.default_rng(2))
    update = optimizers.make(optimizer, network.parameters, RATE)
    flat = np.zeros_like(network.parameters)
    gradients, buffers = network.views(flat), network.buffers(batch)
    x, y = mini_batch(sizes, batch)

    def step() -> None:
        teacher.learn(network, x, y, gradients, buffers=buffers)
        update.step(network.parameters, flat)

    return step


def textbook(sizes: Sequence[int], batch: int, optimizer: str) -> Step:
    """Backprop in NumPy as textbooks print it: a list of layers, a fresh array for every intermediate."""
    rng = np.random.default_rng(1)
    weights = [rng.uniform(-1, 1, (a, b)).astype(np.float32) / np.float32(a**0.5) for a, b in itertools.pairwise(sizes)]
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]
    squares = [np.zeros_like(p) for p in (*weights, *biases)]
    x, y = mini_batch(sizes, batch)

    def step() -> None:
        activities = [x]
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            a = activities[-1] @ w + b
            activities.append(np.tanh(a) if i < len(weights) - 1 else 1 / (1 + np.exp(-a)))
        delta = (activities[-1] - y) / batch
        dws, dbs = [], []
        for i in reversed(range(len(weights))):
            dws.insert(0, activities[i].T @ delta)
            dbs.insert(0, delta.sum(axis=0))
            if i:
                delta = (delta @ weights[i].T) * (1 - activities[i] ** 2)
        for p, g, s in zip((*weights, *biases), (*dws, *dbs), squares, strict=True):
            if optimizer == "rmsprop":
                s[...] = 0.99 * s + 0.01 * g**2
                g = g / (np.sqrt(s) + 1e-8)
            p -= RATE * g

    return step


def torch_step(torch: Any, sizes: Sequence[int], batch: int, optimizer: str, rule: str) -> Step:
    """PyTorch, eager: backprop by autograd, or DFA by hooks that put B e in place of each hidden gradient."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    parameters = [p for layer in layers for p in layer.parameters()]
    make = {"rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}[optimizer]
    update = make(parameters, lr=RATE)
    loss = torch.nn.BCEWithLogitsLoss(reduction="sum")
    feedback = [torch.rand(sizes[-1], width) for width in sizes[1:-1]]
    x, y = map(torch.from_numpy, mini_batch(sizes, batch))
    error = [y]

    def forward() -> Any:
        h = x
        for layer, B in itertools.zip_longest(layers, feedback):
            h = layer(h)
            if B is not None:
                h = torch.tanh(h)
                if rule == "dfa":
                    h.register_hook(lambda _, B=B: error[0] @ B)
        return h

    def step() -> None:
        update.zero_grad()
        a = forward()
        if rule == "dfa":
            error[0] = (torch.sigmoid(a.detach()) - y) / batch
        (loss(a, y) / batch).backward()
        update.step()

    return step


def products_and_passes(sizes: Sequence[int], batch: int, optimizer: str, rule: str) -> Step:
    """The bound: the matrix products of the step and nothing else, and one pass over what the optimiser touches.

    All but the input lie in memory as our own signals do, the way that BLAS multiplies quickest.
    """
    rng = np.random.default_rng(1)
    weights = [rng.random((b, a), dtype=np.float32) for a, b in itertools.pairwise(sizes)]
    signals = [
        np.asarray(rng.random((batch, n), dtype=np.float32), order="F" if i else "C") for i, n in enumerate(sizes)
    ]
    out, gradients = [np.empty_like(s) for s in signals], [np.empty_like(w) for w in weights]
    feedback = [rng.random((n, sizes[-1]), dtype=np.float32) for n in sizes]
    flat = [np.zeros(sum(w.size for w in weights), np.float32) for _ in range(3 if optimizer == "rmsprop" else 2)]
    hidden = range(1, len(sizes) - 1)

    def error_pass() -> None:
        for i in hidden if rule == "dfa" else reversed(hidden):
            if rule == "dfa":
                np.matmul(signals[-1], feedback[i].T, out=out[i])
            elif rule == "ifa":
                carrier, signal = (weights[i - 1], signals[i - 1]) if i > 1 else (feedback[1], signals[-1])
                np.matmul(signal, carrier.T, out=out[i])
            else:
                np.matmul(signals[i + 1], weights[i], out=out[i])

    def step() -> None:
        for i, w in enumerate(weights):
            np.matmul(signals[i], w.T, out=out[i + 1])
        error_pass()
        for i, g in enumerate(gradients):
            np.matmul(signals[i + 1].T, signals[i], out=g)
        for touched in flat[1:]:
            np.add(flat[0], touched, out=flat[0])

    return step
