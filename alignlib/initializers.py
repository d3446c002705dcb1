"""Random matrices: initial weights, and the fixed feedback of the rules.

All are drawn in float64 and then converted, so that a float32 network starts from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue, choose

Draw = Callable[[Rng, int, int], Array]


def _orthogonal(rng: Rng, rows: int, columns: int) -> Array:
    """Rows or columns, whichever are fewer, are orthonormal (Saxe et al. 2014)."""
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))  # without this, QR does not give the uniform distribution
    oriented: Array = q if rows >= columns else q.T
    return oriented


def _uniform(limit: float, rng: Rng, rows: int, columns: int) -> Array:
    matrix: Array = limit * rng.uniform(-1.0, 1.0, (rows, columns))
    return matrix


#: Initial weights W of shape (rows = fan-out, columns = fan-in), each times a given scale.
WEIGHTS: Mapping[str, Draw] = {
    "zero": lambda rng, rows, columns: np.zeros((rows, columns)),
    "fan-in": lambda rng, rows, columns: _uniform(1 / np.sqrt(columns), rng, rows, columns),
    "glorot": lambda rng, rows, columns: _uniform(np.sqrt(6 / (rows + columns)), rng, rows, columns),
    "he": lambda rng, rows, columns: np.sqrt(2 / columns) * rng.standard_normal((rows, columns)),
    "orthogonal": _orthogonal,
    "uniform": lambda rng, rows, columns: _uniform(1.0, rng, rows, columns),
    "gaussian": lambda rng, rows, columns: rng.standard_normal((rows, columns)),
}

#: Feedback B of shape (rows = units that receive, columns = units that send), each times a given scale.
#: "fan-out" is Nøkland's choice: uniform ±1/√(units that receive).
FEEDBACK: Mapping[str, Draw] = {
    "zero": WEIGHTS["zero"],
    "fan-out": lambda rng, rows, columns: _uniform(1 / np.sqrt(rows), rng, rows, columns),
    "gaussian": lambda rng, rows, columns: rng.standard_normal((rows, columns)) / np.sqrt(rows),
    "orthogonal": _orthogonal,
    "uniform": lambda rng, rows, columns: _uniform(1.0, rng, rows, columns),
}


def draw(
    kinds: Mapping[str, Draw],
    kind: str,
    shape: tuple[int, int],
    rng: Rng | None,
    *,
    scale: float = 1.0,
    dtype: str = "float64",
    what: str = "initial weights",
) -> Array:
    """Return ``scale`` times a random matrix of ``kind`` (a name in ``kinds``), shape ``shape``, C-contiguous.

    Raises
    ------
    InvalidValue
        For an unknown kind, or if random numbers are needed and ``rng`` is None.
    """
    make = kinds[choose(what, kind, kinds)]
    if rng is None:
        if kind != "zero":
            raise InvalidValue(f"{what} {kind!r} need random numbers: pass rng=numpy.random.default_rng(seed).")
        return np.zeros(shape, dtype)
    return np.ascontiguousarray(scale * make(rng, *shape), dtype=dtype)
