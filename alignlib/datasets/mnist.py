"""MNIST and Fashion-MNIST: the four original files each, found or fetched, checked and read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from alignlib.datasets import fetch
from alignlib.datasets.dataset import Dataset
from alignlib.datasets.idx import read_idx_gz
from alignlib.datasets.images import ImageSet, LabelledImages
from alignlib.datasets.splits import fixed_order

ORDER_SEED = 1
WHITE = 255

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"

MNIST = fetch.Archive(
    name="mnist",
    files={
        TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
FASHION_MNIST = fetch.Archive(
    name="fashion-mnist",
    files={
        TRAIN_IMAGES: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        TRAIN_LABELS: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        TEST_IMAGES: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        TEST_LABELS: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    mirrors=(
        # Its publisher serves it without TLS; the SHA-256 is what is trusted.
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
)
ARCHIVES = {archive.name: archive for archive in (MNIST, FASHION_MNIST)}
# What :func:`load` computes from the bytes in their final order, so that asking needs no files.
CHECKSUMS = {
    "mnist": "1c9e6a30dd80db572176dc0d58d27b7e9d91fc6444ceb88c5e4da59fa0f43c74",
    "fashion-mnist": "c47828b144bb1ec0b6188d8bae75640f0d70800587a5437458a466b8b42ce8d1",
}
WHAT = {
    "mnist": "Handwritten digits of 28×28 pixels (LeCun, Cortes and Burges)",
    "fashion-mnist": "Pictures of clothes of 28×28 pixels in ten classes (Zalando Research)",
}


def load(name: str, dtype: np.dtype[Any], mirrors: Sequence[str] | None = None) -> Dataset:
    """Return ``"mnist"`` or ``"fashion-mnist"``: 784 inputs in [0, 1], 10 classes.

    60 000 training examples in an order that is a fixed shuffle of the published one, and the published
    10 000 test examples as they are. The files are looked for in the folder that ``ALIGNLIB_DATA`` names,
    then in the cache, then on ``mirrors`` (default: the known public ones). They are read once a process.

    Raises
    ------
    DataError
        If the files cannot be had or are not the published ones.
    """
    where = tuple(os.environ.get(variable) for variable in (fetch.DATA_VARIABLE, fetch.CACHE_VARIABLE))
    return _read(name, where, None if mirrors is None else tuple(mirrors)).as_dataset(dtype)


@lru_cache(maxsize=2)
def _read(name: str, where: tuple[str | None, ...], mirrors: tuple[str, ...] | None) -> ImageSet:
    """``where`` only makes the cache notice that the environment names other folders."""
    paths = fetch.locate(ARCHIVES[name], mirrors)
    train, test = read_published(paths)
    return ImageSet(
        name=name,
        train=train[fixed_order(len(train.labels), ORDER_SEED)],
        test=test,
        white=WHITE,
        description=f"{WHAT[name]}: {len(train.labels)} training and {len(test.labels)} test examples. "
        "The split is the published one; the training order is a fixed shuffle.",
    )


def read_published(paths: dict[str, Path]) -> tuple[LabelledImages, LabelledImages]:
    """Return the training and the test part in the order of the files, given the path of each file."""
    train = LabelledImages(read_idx_gz(paths[TRAIN_IMAGES]), read_idx_gz(paths[TRAIN_LABELS]))
    test = LabelledImages(read_idx_gz(paths[TEST_IMAGES]), read_idx_gz(paths[TEST_LABELS]))
    return train, test
