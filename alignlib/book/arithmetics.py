"""The arithmetics under which one machine can execute the book: its own, those of other processors, rounding twins.

OpenBLAS brings kernels for many processors and takes those of this one, or those that OPENBLAS_CORETYPE names; NumPy
does the same with its own loops, of which NPY_DISABLE_CPU_FEATURES takes some away. So a machine can compute as an
older one does. For processors that are not at hand (ARM, Apple's Accelerate) there are rounding twins
(:mod:`alignlib.arithmetic`): nobody knows how these round, but every number that rounding can move is moved.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alignlib.arithmetic import TWIN
from alignlib.errors import AlignlibError, choose

_KERNELS, _LESS = "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"
_WIDER = "X86_V4 AVX512_ICL AVX512_SPR"  # than what every processor with AVX2 has
_ALL = f"X86_V3 {_WIDER}"


@dataclass(frozen=True)
class Arithmetic:
    """A way to round: its name, what it is in words, the environment of the process, what the processor must have."""

    name: str
    about: str
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""

    @property
    def folder(self) -> str:
        """Where below ``_build`` its executed chapters are; this machine's own are at the top."""
        return f"arithmetics/{self.name}" if self.name != "own" else ""

    @property
    def here(self) -> bool:
        """Whether this machine can compute so."""
        return not self.needs or self.needs in _features()


OWN = Arithmetic("own", "the kernels that BLAS and NumPy choose for this processor")
#: The kernels that every processor with AVX2 has; their results should be the same on all of them, bit by bit.
PORTABLE = Arithmetic(
    "haswell", "processors with AVX2 and no AVX-512 (2013; AMD Zen)", {_KERNELS: "Haswell", _LESS: _WIDER}, "X86_V3"
)
TWINS = tuple(
    Arithmetic(f"twin-{number}", f"rounding twin {number} of this machine's own", {TWIN: str(number)})
    for number in range(1, 5)
)
ARITHMETICS: Mapping[str, Arithmetic] = {
    each.name: each
    for each in (
        OWN,
        Arithmetic("prescott", "SSE kernels (2004)", {_KERNELS: "Prescott", _LESS: _ALL}, "X86_V2"),
        Arithmetic("nehalem", "processors without AVX (2008)", {_KERNELS: "Nehalem", _LESS: _ALL}, "X86_V2"),
        Arithmetic("sandybridge", "AVX and no AVX2 (2011)", {_KERNELS: "Sandybridge", _LESS: _ALL}, "X86_V3"),
        PORTABLE,
        Arithmetic("skylakex", "processors with AVX-512 (2017)", {_KERNELS: "SkylakeX"}, "X86_V4"),
        Arithmetic("two-threads", "two BLAS threads", {"OPENBLAS_NUM_THREADS": "2", "ALIGNLIB_WORKERS": "1"}),
        *TWINS,
    )
}
#: Under which arithmetics references are made: three generations of kernels and two twins; where a book takes half an
#: hour, fewer.
USUAL = ("prescott", "sandybridge", "haswell", "twin-1", "twin-2")
USUAL_FOR_LONG = ("sandybridge", "haswell", "twin-1")


def named(name: str) -> Arithmetic:
    """Return the arithmetic of this name.

    Raises
    ------
    InvalidValue
        For an unknown name, with the nearest one.
    AlignlibError
        If this processor cannot compute so.
    """
    found = ARITHMETICS[choose("arithmetic", name, ARITHMETICS)]
    if not found.here:
        raise AlignlibError(f"arithmetic {name!r} needs a processor with {found.needs}, which this one is not.")
    return found


def usual(profile: str) -> list[Arithmetic]:
    """Return the arithmetics under which a profile's references are made, of those that this machine has."""
    names = USUAL if profile == "digits" else USUAL_FOR_LONG
    return [ARITHMETICS[name] for name in names if ARITHMETICS[name].here]


def another(seed: int) -> Arithmetic:
    """Return kernels of another processor, drawn by ``seed``, of those that references are made under."""
    kernels = [each for each in usual("digits") if _KERNELS in each.environment]
    if not kernels:
        raise AlignlibError("this machine's BLAS has the kernels of no other processor; try a rounding twin.")
    return random.Random(seed).choice(kernels)


def _features() -> set[str]:
    """Return what this processor can do, in NumPy's words."""
    config: Mapping[str, Any] = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    return {*simd.get("baseline", ()), *simd.get("found", ())}
