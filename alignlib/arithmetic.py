"""The arithmetic of this process: which kernels round its numbers, and how a rounding twin nudges them.

The same program gives other last digits on another processor: BLAS and NumPy choose kernels by what it can do, and
they add in other orders. Training makes such differences larger, in chaotic runs as large as the result. A *rounding
twin* shows on one machine which numbers another machine can meet: it starts from matrices whose entries are some units
in the last place off, up or down by chance, and is otherwise the same run.

How many units? Kernels round at every step, so over a training they do more than one unit at its start; and what they
meet rarely, a twin should meet surely, since only few can be run: an example on the edge between two classes falls to
the other side with a chance that grows with the nudge. In double precision a thousand units, 2e-13 of a number, leave
every number that does not amplify rounding where it is. In single precision eight are as many as that allows.
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
#: Units in the last place by which a twin moves each entry, by precision.
UNITS: Mapping[str, int] = {"float64": 1024, "float32": 8}


def nudged(matrix: Array) -> Array:
    """Return a drawn matrix as this process's twin starts from it; without a twin, the matrix itself.

    Every entry moves by ``UNITS`` of its last place, up or down; zeros stay.

    Raises
    ------
    InvalidValue
        If ALIGNLIB_TWIN is not a whole number, at least 1.
    """
    number = twin()
    if not number:
        return matrix
    signs = np.random.default_rng([number, *matrix.shape]).choice([-1, 1], matrix.shape)
    units = signs.astype(matrix.dtype) * UNITS[matrix.dtype.name]
    return np.where(matrix == 0, matrix, matrix + units * np.spacing(matrix))


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
