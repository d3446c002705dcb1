"""Random matrices: initial weights, and the fixed feedback of the rules.

All are drawn in float64 and then converted, so that a float32 network starts from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.arithmetic import nudged
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
    return nudged(np.ascontiguousarray(scale * make(rng, *shape), dtype=dtype))


def draw_feedback(
    kind: str,
    shape: tuple[int, int],
    rng: Rng | None,
    *,
    scale: float = 1.0,
    density: float = 1.0,
    rank: int | None = None,
    dtype: str = "float64",
) -> Array:
    """Return a matrix of :func:`draw`, kind in :data:`FEEDBACK`, made sparse or of low rank without changing its size.

    ``density`` below 1 keeps only that share of its entries (:func:`thinned`), ``rank`` sends the signal through so
    many numbers (:func:`compressed`). The draw itself, and the random numbers left for the next one, stay the same.

    Raises
    ------
    InvalidValue
        As :func:`draw`, and if both are asked for: a thinned matrix does not keep its rank.
    """
    full = draw(FEEDBACK, kind, shape, rng, scale=scale, dtype=dtype, what="feedback")
    if density == 1.0 and rank is None:
        return full
    if density != 1.0 and rank is not None:
        raise InvalidValue(f"feedback is made sparse or of low rank, not both; received {density=} and {rank=}.")
    (own,) = rng.spawn(1) if rng is not None else (np.random.default_rng(0),)
    reduced = thinned(full, density, own) if rank is None else compressed(full, rank, own)
    return np.ascontiguousarray(reduced, dtype=dtype)


def thinned(matrix: Array, density: float, rng: Rng) -> Array:
    """Return ``matrix`` with all but a share ``density`` of its entries set to zero, at least one kept.

    The kept ones are spread evenly: no row has two more than another. They are multiplied by 1/√(the share kept), so
    that signals keep their mean square. Of two densities the smaller keeps a part of what the larger keeps.

    Raises
    ------
    InvalidValue
        If ``density`` is not above 0 and at most 1.
    """
    if not 0 < density <= 1:
        raise InvalidValue(f"density must be above 0 and at most 1; received {density!r}.")
    rows, columns = matrix.shape
    keep = max(1, round(density * matrix.size))
    # every row puts its entries in an order of its own; first come all rows' first entries, then their second ones, …
    turns = rng.permuted(np.tile(np.arange(columns), (rows, 1)), axis=1) * rows + rng.permutation(rows)[:, np.newaxis]
    kept: Array = np.where(turns < keep, matrix * np.sqrt(matrix.size / keep), 0.0)
    return kept


def compressed(matrix: Array, rank: int, rng: Rng) -> Array:
    """Return ``matrix`` Q Qᵀ, with ``rank`` random orthonormal columns in Q: only the numbers Qᵀ signal get through.

    The result is multiplied by √(columns / rank), so that signals keep their mean square. Of two ranks the smaller
    lets a part through of what the larger does.

    Raises
    ------
    InvalidValue
        If ``rank`` is not from 1 to the smaller side of the matrix.
    """
    rows, columns = matrix.shape
    if not 1 <= rank <= min(rows, columns):
        raise InvalidValue(
            f"the rank of a {rows} x {columns} matrix is from 1 to {min(rows, columns)}; received {rank}."
        )
    Q = _orthogonal(rng, columns, columns)[:, :rank]
    reduced: Array = np.sqrt(columns / rank) * (matrix @ Q) @ Q.T
    return reduced
