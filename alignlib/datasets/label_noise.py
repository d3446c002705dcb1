"""Training examples that are given each other's labels."""

from __future__ import annotations

from dataclasses import replace

from alignlib._typing import Rng
from alignlib.datasets.dataset import Dataset
from alignlib.errors import InvalidValue


def shuffle_labels(data: Dataset, share: float, rng: Rng) -> Dataset:
    """Return the data set with the labels of this share of its training examples dealt out among them at random.

    The classes stay as frequent as they were, and some of the examples get a label of their own class again; the test
    part is left alone. From equal generators, a larger share shuffles the same examples and more.

    Raises
    ------
    InvalidValue
        If ``share`` is not a number from 0 to 1.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InvalidValue(f"share of shuffled labels is {share!r}. Accepted: a number from 0 to 1.")
    chosen = rng.permutation(len(data.y_train))[: round(share * len(data.y_train))]
    y = data.y_train.copy()
    y[chosen] = y[rng.permutation(chosen)]
    return replace(data, y_train=y)
