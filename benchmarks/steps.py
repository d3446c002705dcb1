"""Milliseconds a training step: our rules, PyTorch, a textbook loop, and the bound, taking turns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import contenders
import numpy as np

from alignlib.timing import interleaved

NETWORKS = {
    "64-128-128-10": [64, 128, 128, 10],
    "784-800-800-10": [784, 800, 800, 10],
    "784-7×240-10": [784] + [240] * 7 + [10],
    "784-100×240-10": [784] + [240] * 100 + [10],
}
BATCHES = (16, 64, 256)
OPTIMIZERS = ("sgd", "rmsprop")
RULES = ("bp", "fa", "dfa", "ifa")


def measure(
    rounds: int, networks: Sequence[str] = tuple(NETWORKS), batches: Sequence[int] = BATCHES
) -> list[dict[str, Any]]:
    """Return one row a network, batch, optimiser and contender: median milliseconds a step, and the quartiles."""
    rows = []
    for network in networks:
        for batch in batches:
            for optimizer in OPTIMIZERS:
                rows += _turns(network, batch, optimizer, rounds)
                print(f"  {network}, batch {batch}, {optimizer}", flush=True)
    return rows


def _turns(network: str, batch: int, optimizer: str, rounds: int) -> list[dict[str, Any]]:
    sizes = NETWORKS[network]
    steps = {rule: contenders.ours(sizes, batch, optimizer, rule) for rule in RULES}
    steps["textbook BP"] = contenders.textbook(sizes, batch, optimizer)
    for rule in ("bp", "dfa"):
        steps[f"bound {rule}"] = contenders.products_and_passes(sizes, batch, optimizer, rule)
        if torch := contenders.torch_module():
            steps[f"PyTorch {rule}"] = contenders.torch_step(torch, sizes, batch, optimizer, rule)
    work = batch * sum(a * b for a, b in itertools.pairwise(sizes))
    calls = max(1, math.ceil(2e8 / work))  # long enough for the clock, short enough to take turns often
    taken = interleaved(steps, rounds, calls=calls)
    key = {"network": network, "batch": batch, "optimizer": optimizer}
    return [{**key, "step": name, **_summary(seconds), "rounds": seconds.tolist()} for name, seconds in taken.items()]


def _summary(seconds: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(1e3 * seconds, (25, 50, 75))
    return {"ms": middle, "low": low, "high": high}
