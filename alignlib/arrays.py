"""Where arrays live: in this machine's memory (NumPy), or on a graphics card (CuPy).

NumPy asks the arrays that it is given who does the work: its functions hand over to CuPy where the arrays are CuPy's
(NEP 13 and 18), and so do those that make an array, if told ``like`` which (NEP 35). So the package calls NumPy only,
and its rules, layers and optimisers run on either. Here is the little that those protocols leave open.

Random numbers are always drawn in this machine's memory and carried over: they are the same everywhere.
"""

from __future__ import annotations

import os

import numpy as np

from alignlib._typing import Array
from alignlib.errors import AlignlibError, choose

ARRAYS = ("numpy", "cupy")

#: What names the arrays of a run that is not told: it says where to compute, never what.
VARIABLE = "ALIGNLIB_ARRAYS"

_MISSING = (
    "arrays 'cupy' need CuPy, which cannot be imported ({}). For a graphics card with CUDA 12, "
    "pip install 'alignlib[gpu]'; for CUDA 13, pip install cupy-cuda13x; for others see CuPy's installation guide."
)


def chosen(arrays: str | None = None) -> str:
    """Return ``arrays``, or if that is None what the environment variable ALIGNLIB_ARRAYS says, or "numpy".

    Raises
    ------
    InvalidValue
        If that is not one of :data:`ARRAYS`.
    """
    return choose("arrays", arrays or os.environ.get(VARIABLE) or "numpy", ARRAYS)


def sample(arrays: str) -> Array:
    """Return an array without entries of the kind "numpy" or "cupy", to be handed to NumPy's functions as ``like``.

    Raises
    ------
    InvalidValue
        For another name.
    AlignlibError
        If CuPy is not installed, or finds no graphics card.
    """
    if choose("arrays", arrays, ARRAYS) == "numpy":
        return np.empty(0)
    try:
        import cupy
    except ImportError as problem:
        raise AlignlibError(_MISSING.format(problem)) from problem
    try:
        empty: Array = cupy.empty(0)
    except RuntimeError as problem:  # CuPy's errors are of this kind
        raise AlignlibError(f"CuPy is installed, but cannot use a graphics card: {problem}.") from problem
    return empty


def versions_of(arrays: str) -> dict[str, str]:
    """Return the version of what computes beside NumPy: nothing for "numpy"."""
    if arrays == "numpy":
        return {}
    import cupy

    return {"cupy": str(cupy.__version__)}


def to_host(array: Array) -> Array:
    """Return ``array`` in this machine's memory, in the order in which its entries lie: itself if it is there."""
    return array if isinstance(array, np.ndarray) else array.get(order="A")


def at_hand(array: Array) -> Array:
    """Return where to draw random numbers that :func:`hand_over` then puts into ``array``: itself if NumPy's."""
    if isinstance(array, np.ndarray):
        return array
    return np.empty(array.shape, array.dtype, order="C" if array.flags.c_contiguous else "F")


def hand_over(values: Array, array: Array) -> None:
    """Put ``values`` (what :func:`at_hand` gave) into ``array``, of equal shape and dtype."""
    if not isinstance(array, np.ndarray):
        array.set(values)


def take_rows(array: Array, rows: Array, out: Array) -> None:
    """Write the rows of ``array`` that ``rows`` counts, all of them there, into ``out``."""
    if isinstance(array, np.ndarray):
        # the mode spares NumPy a copy made in case that an index is out of range; CuPy knows no modes and makes none
        np.take(array, rows, axis=0, out=out, mode="clip")
    else:
        np.take(array, rows, axis=0, out=out)
