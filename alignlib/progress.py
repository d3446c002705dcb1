"""Progress bars: shown on a terminal, quiet everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress(
    items: Iterable[T], *, total: int | None = None, what: str = "", unit: str = "it", done: int = 0
) -> Iterator[T]:
    """Yield ``items``, with a bar on standard error if that is a terminal and tqdm is installed.

    ``done`` of the ``total`` were there before.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    try:
        from tqdm import tqdm
    except ImportError:  # the lower floor runs on NumPy alone, in a browser too
        yield from items
        return
    yield from tqdm(items, total=total, initial=done, desc=what, unit=unit, leave=False)
