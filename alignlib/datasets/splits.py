"""Fixed orders and stratified splits: the same indices on every machine and with every NumPy."""

from __future__ import annotations

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue


def fixed_order(n: int, seed: int) -> Array:
    """Return a permutation of 0 … ``n`` − 1 (int64) that depends on ``n`` and ``seed`` alone.

    It sorts the raw 64-bit output of PCG64: NumPy keeps the stream of a bit generator, whereas the method
    behind ``Generator.permutation`` may change from one version to the next and would move the split.
    """
    keys = np.random.PCG64(seed).random_raw(n)
    return np.argsort(keys, kind="stable").astype(np.int64)


def stratified_split(labels: Array, n_held_out: int, seed: int) -> tuple[Array, Array]:
    """Return the indices (kept, held out) of a split that keeps the share of every class.

    Parameters
    ----------
    labels : (n,) integers from 0
        The class of each example.
    n_held_out : int
        How many examples are held out, 1 … n − 1. Each class gives its share of them, to within one example.
    seed : int
        Fixes which ones; both parts come back in the shuffled order that it gives.

    Raises
    ------
    InvalidValue
        If one part would be empty.
    """
    if not 0 < n_held_out < len(labels):
        raise InvalidValue(f"cannot hold out {n_held_out} of {len(labels)} examples: each part needs one.")
    order = fixed_order(len(labels), seed)
    quotas = _quotas(np.bincount(labels), n_held_out)
    shuffled = labels[order]
    is_held_out = np.zeros(len(labels), dtype=bool)
    for label, quota in enumerate(quotas):
        is_held_out[np.flatnonzero(shuffled == label)[:quota]] = True
    return order[~is_held_out], order[is_held_out]


def _quotas(counts: Array, n_held_out: int) -> Array:
    """Share ``n_held_out`` out in proportion to ``counts``; the largest remainders get what rounding left."""
    quotas, remainders = np.divmod(counts * n_held_out, counts.sum())
    missing = n_held_out - int(quotas.sum())
    quotas[np.argsort(-remainders, kind="stable")[:missing]] += 1
    return quotas
