"""The book under other arithmetics than this machine's own: executed, checked, and made into tolerances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from alignlib import arithmetic
from alignlib.book import arithmetics, chapters, reference
from alignlib.book.arithmetics import OWN, Arithmetic
from alignlib.book.chapters import Chapter, Say
from alignlib.book.files import build_lock
from alignlib.book.reference import ChapterCheck
from alignlib.experiments.verify import sample


def listed() -> str:
    """Return the arithmetics as a table, and which one this machine has by itself."""
    rows = [
        [each.name, each.about, "yes" if each.here else f"no: needs {each.needs}"]
        for each in arithmetics.ARITHMETICS.values()
    ]
    table = tabulate(rows, ["name", "computes as", "here"], disable_numparse=True)
    return f"{table}\n\nThis machine's own: {arithmetic.name()}."


def drawn(root: Path, chosen: Sequence[Chapter] | None, size: int | None, seed: int) -> Sequence[Chapter] | None:
    """Return ``size`` of the chosen chapters, or of all, drawn by ``seed``; all of them without a size."""
    return chosen if size is None else sample(chosen or chapters.discover(root), size, seed)


def execute_and_check(
    root: Path, profile: str, under: Arithmetic, chosen: Sequence[Chapter] | None, *, jobs: int, say: Say
) -> list[ChapterCheck]:
    """Execute what changed of the chapters under an arithmetic, and return how they compare with the reference."""
    with build_lock(root / "_build") as temporary:
        chapters.execute_all(root, profile, jobs=jobs, say=say, temporary=temporary, only=chosen, under=under)
        return reference.check(root, profile, chosen, fresh=True, under=under)


def update(
    root: Path, profile: str, chosen: Sequence[Chapter] | None, under: Sequence[Arithmetic], *, jobs: int, say: Say
) -> str:
    """Execute what changed of the chapters, under this machine's arithmetic and the others, and make the reference.

    Returns what changed in words. What was executed before a stop is not executed again.

    Raises
    ------
    AlignlibError
        As :func:`alignlib.book.reference.update`.
    """
    with build_lock(root / "_build") as temporary:
        for each in (OWN, *under):
            say(f"Under {each.name}: {each.about}.")
            chapters.execute_all(root, profile, jobs=jobs, say=say, temporary=temporary, only=chosen, under=each)
        return reference.describe(reference.update(root, profile, chosen, fresh=True, under=under))
