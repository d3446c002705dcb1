"""Data sets by name: bundled, fetched and checked, or drawn.

====================  ============================================  =====================================
name                  what                                          where from
====================  ============================================  =====================================
``digits``            8×8 handwritten digits, 1437 + 360            inside the package
``mnist``             28×28 handwritten digits, 60 000 + 10 000     ``ALIGNLIB_DATA``, cache or mirrors
``fashion-mnist``     28×28 pictures of clothes, 60 000 + 10 000    ``ALIGNLIB_DATA``, cache or mirrors
``linear-teacher``    y = T x with a random T, 20 000 + 1 000       drawn from the generator given
``nonlinear-teacher`` answers of a random tanh net, 20 000 + 1 000  drawn from the generator given
====================  ============================================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alignlib._typing import Rng
from alignlib.datasets import digits, fetch, mnist
from alignlib.datasets.dataset import Dataset, float_dtype
from alignlib.datasets.errors import DataError
from alignlib.datasets.label_noise import shuffle_labels
from alignlib.datasets.synthetic import generator_for, linear_teacher, nonlinear_teacher
from alignlib.errors import choose

__all__ = [
    "DRAWN",
    "NAMES",
    "DataError",
    "Dataset",
    "checksum",
    "is_here",
    "linear_teacher",
    "load",
    "nonlinear_teacher",
    "shuffle_labels",
]

#: Those that are drawn from a generator; the others are the same for everybody.
DRAWN: dict[str, Callable[..., Dataset]] = {"linear-teacher": linear_teacher, "nonlinear-teacher": nonlinear_teacher}
NAMES = ("digits", "mnist", "fashion-mnist", *DRAWN)


def load(name: str, *, rng: Rng | None = None, dtype: Any = "float64") -> Dataset:
    """Return the data set called ``name``, with arrays of ``dtype`` that cannot be written to.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    rng : numpy.random.Generator, optional
        Where a synthetic task is drawn from; the others are fixed and ignore it.
    dtype : {"float64", "float32"}
        Of inputs and targets. It does not change the checksum.

    Raises
    ------
    InvalidValue
        If the name or the dtype is unknown, or a synthetic task gets no generator.
    DataError
        If the files cannot be had or are not the published ones.
    """
    name = choose("dataset", name, NAMES)
    float_type = float_dtype(dtype)
    if name == "digits":
        return digits.load(float_type)
    if name in DRAWN:
        return DRAWN[name](generator_for(name, rng), dtype=float_type)
    return mnist.load(name, float_type)


def is_here(name: str) -> bool:
    """Return whether a data set can be loaded without fetching anything: all its files are there, whatever they hold.

    Raises
    ------
    InvalidValue
        If the name is unknown.
    """
    archive = mnist.ARCHIVES.get(choose("dataset", name, NAMES))
    return archive is None or fetch.is_here(archive)


def checksum(name: str, *, rng: Rng | None = None) -> str:
    """Return the checksum that ``load(name, rng=rng)`` gives; no published file is needed or read for it.

    Raises
    ------
    InvalidValue
        If the name is unknown, or a synthetic task gets no generator.
    """
    name = choose("dataset", name, NAMES)
    if name == "digits":
        return digits.checksum()
    if name in DRAWN:
        return DRAWN[name](generator_for(name, rng)).checksum
    return mnist.CHECKSUMS[name]
