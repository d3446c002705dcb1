"""The arithmetic of this process: which kernels round its numbers, and how a rounding twin nudges them.

The same program gives other last digits on another processor: BLAS and NumPy choose kernels by what it can do, and
they add in other orders. Training makes such differences larger, in chaotic runs as large as the result. A *rounding
twin* shows on one machine which numbers another machine can meet: it starts from matrices whose entries are one unit in
the last place off, up or down by chance, and is otherwise the same run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue

#: Environment variable with the number of the twin; empty for the run itself.
TWIN = "ALIGNLIB_TWIN"


def nudged(matrix: Array) -> Array:
    """Return a drawn matrix as this process's twin starts from it; without a twin, the matrix itself.

    Every entry becomes one of its two neighbours among the numbers of its precision; zeros stay.

    Raises
    ------
    InvalidValue
        If ALIGNLIB_TWIN is not a whole number, at least 1.
    """
    number = twin()
    if not number:
        return matrix
    up = np.random.default_rng([number, *matrix.shape]).random(matrix.shape) < 0.5
    towards = np.where(up, np.inf, -np.inf).astype(matrix.dtype)
    return np.where(matrix == 0, matrix, np.nextafter(matrix, towards))


def twin() -> int:
    """Return the number of the twin that this process is; 0 if it is none."""
    text = os.environ.get(TWIN, "")
    if not text:
        return 0
    if not text.isdecimal() or int(text) < 1:
        raise InvalidValue(f"{TWIN} must be a whole number, at least 1; it is {text!r}.")
    return int(text)


@cache
def name() -> str:
    """Return what decides about the last digits here: "OpenBLAS SkylakeX, NumPy AVX512_SPR", and which twin it is."""
    found: Mapping[str, Any] = np.show_config(mode="dicts")
    simd = found.get("SIMD Extensions", {})
    widest = (simd.get("found") or simd.get("baseline") or ["baseline"])[-1]
    parts = [_blas(found), f"NumPy {widest}"]
    return ", ".join([*parts, f"twin {twin()}"] if twin() else parts)


def _blas(found: Mapping[str, Any]) -> str:
    """Return the kernels that BLAS chose, where threadpoolctl can tell; otherwise what NumPy was built with."""
    built = str(found.get("Build Dependencies", {}).get("blas", {}).get("name", "unknown BLAS"))
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return built
    for library in threadpool_info():
        if library["user_api"] == "blas":
            return f"{_spoken(library['internal_api'])} {library.get('architecture', '')}".strip()
    return built


def _spoken(library: str) -> str:
    return {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS"}.get(library, library)
