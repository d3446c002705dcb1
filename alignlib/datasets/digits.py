"""The 8×8 handwritten digits that come with the package.

Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
Repository, 1998 (CC BY 4.0). ``digits.npz`` holds scikit-learn's copy, 1797 images with values 0 … 16, as
unsigned bytes in scikit-learn's order.

That order is by writer: neighbours are by the same hand. Cutting it in two would train on some writers and
test on others, so the split is a fixed shuffle, stratified by class. The same writers are therefore in both
parts, and the errors are smaller than they would be on the hands of strangers.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from alignlib.datasets.dataset import Dataset
from alignlib.datasets.images import ImageSet, LabelledImages
from alignlib.datasets.splits import stratified_split

N_TEST = 360
SPLIT_SEED = 1
WHITE = 16


def load(dtype: np.dtype[Any]) -> Dataset:
    """Return the digits: 1437 training and 360 test examples, 64 inputs in [0, 1], 10 classes."""
    return _read().as_dataset(dtype)


def checksum() -> str:
    """Return the SHA-256 of the content."""
    return _read().checksum


@lru_cache(maxsize=1)
def _read() -> ImageSet:
    published = read_published()
    train, test = stratified_split(published.labels, N_TEST, SPLIT_SEED)
    return ImageSet(
        name="digits",
        train=published[train],
        test=published[test],
        white=WHITE,
        description=f"Handwritten digits of 8×8 pixels (UCI, scikit-learn's copy): {len(train)} training and "
        f"{len(test)} test examples. The source is ordered by writer, so the split is a fixed shuffle, "
        "stratified by class; the same writers are in both parts.",
    )


def read_published() -> LabelledImages:
    """Return all 1797 images and labels as stored, in scikit-learn's order."""
    with (
        files("alignlib.datasets").joinpath("digits.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as stored,
    ):
        return LabelledImages(stored["images"], stored["labels"])
