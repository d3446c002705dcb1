"""From published bytes to the arrays a network sees: labelled images of ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.datasets.dataset import Dataset, content_checksum
from alignlib.datasets.errors import DataError

N_CLASSES = 10


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images as published: ``images`` (n, height, width) uint8, ``labels`` (n,) uint8 from 0 to 9.

    Raises
    ------
    DataError
        If images and labels do not belong together.
    """

    images: Array
    labels: Array

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"images of shape {self.images.shape} and labels of shape {self.labels.shape} do not belong "
                "together. Accepted: (n, height, width) and (n,)."
            )
        if self.labels.size and self.labels.max() >= N_CLASSES:
            raise DataError(f"a label is {self.labels.max()}. Accepted: 0 to {N_CLASSES - 1}.")

    def __getitem__(self, indices: Array) -> LabelledImages:
        """Return the images and labels at ``indices``, in that order."""
        return LabelledImages(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A data set as bytes, in its final order; every dtype is made from it on demand.

    ``white`` is the pixel value that becomes 1.
    """

    name: str
    train: LabelledImages
    test: LabelledImages
    white: int
    description: str

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of images and labels, training part first."""
        return content_checksum(self.train.images, self.train.labels, self.test.images, self.test.labels)

    def as_dataset(self, dtype: np.dtype[Any]) -> Dataset:
        """Return inputs in [0, 1] and one-hot targets in ``dtype``."""
        return Dataset(
            name=self.name,
            task="classification",
            x_train=_inputs(self.train.images, self.white, dtype),
            y_train=_one_hot(self.train.labels, dtype),
            x_test=_inputs(self.test.images, self.white, dtype),
            y_test=_one_hot(self.test.labels, dtype),
            checksum=self.checksum,
            image_shape=(self.train.images.shape[1], self.train.images.shape[2]),
            description=self.description,
        )


def _inputs(images: Array, white: int, dtype: np.dtype[Any]) -> Array:
    # One division in the final dtype: NumPy converts block by block, so no second copy of the images exists.
    inputs: Array = np.divide(images.reshape(len(images), -1), white, dtype=dtype)
    return inputs


def _one_hot(labels: Array, dtype: np.dtype[Any]) -> Array:
    targets: Array = np.eye(N_CLASSES, dtype=dtype)[labels]
    return targets
