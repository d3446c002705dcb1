"""The whole book: execute, check, and only then replace the site."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from alignlib import arithmetic
from alignlib.book import chapters, manifest, reference
from alignlib.book.arithmetics import PORTABLE
from alignlib.book.chapters import ChaptersFailed, Execution, Say
from alignlib.book.files import build_lock
from alignlib.book.reference import ChapterCheck
from alignlib.book.site import SiteReport, build_site
from alignlib.errors import AlignlibError


class CheckFailed(AlignlibError):
    """The executed chapters are not what the reference says."""


@dataclass(frozen=True)
class BuildReport:
    """What a finished build made."""

    executions: tuple[Execution, ...]
    checks: tuple[ChapterCheck, ...]
    site: SiteReport

    def __str__(self) -> str:
        return summary(self.checks, self.executions)


def build(root: Path, profile: str, *, jobs: int = 2, force: bool = False, say: Say = print) -> BuildReport:
    """Execute what changed, compare everything with the reference, and build the site.

    The book of the last good build stays where it is until the new one is whole.

    Raises
    ------
    ChaptersFailed
        If a cell of a chapter fails; what the other chapters show is compared with the reference all the same.
    CheckFailed
        If a figure, table, claim or value is not what the reference says.
    AlignlibError
        If the site has a fault, or another build is at work.
    """
    with build_lock(root / "_build") as temporary:
        try:
            executions = chapters.execute_all(root, profile, jobs=jobs, force=force, say=say, temporary=temporary)
        except ChaptersFailed as failed:
            raise ChaptersFailed(f"{failed}{_elsewhere(root, profile)}") from failed
        checks = reference.check(root, profile, fresh=True)
        if not all(check.ok for check in checks):
            say(f"\n{summary(checks, executions)}\n")
            raise CheckFailed(failures(checks))
        manifest.write_manifest(root, profile, executions, checks)
        site = build_site(root, profile)
        manifest.publish(root, profile)
    return BuildReport(tuple(executions), tuple(checks), site)


def _elsewhere(root: Path, profile: str) -> str:
    """Return how the chapters that could be executed disagree with the reference: the cause may show there first."""
    executed = [entry.chapter for entry in chapters.plan(root, profile) if not entry.reasons]
    checks = reference.check(root, profile, executed, fresh=True)
    return "" if all(check.ok for check in checks) else f"\n\nIn the other chapters:\n{failures(checks)}"


def summary(checks: Sequence[ChapterCheck], executions: Sequence[Execution] = ()) -> str:
    """Return the table of chapters: seconds, figures checked, claims held, largest deviation."""
    seconds = {execution.chapter.name: execution for execution in executions}
    rows = [[check.chapter, _seconds(seconds.get(check.chapter)), *_outcome(check)] for check in checks]
    head = ["chapter", "seconds", "figures checked", "claims held", "largest deviation"]
    if not executions:
        rows, head = [[row[0], *row[2:]] for row in rows], [head[0], *head[2:]]
    return tabulate(rows, head, disable_numparse=True)


def nearest_to_turning(checks: Sequence[ChapterCheck], most: int = 5) -> str:
    """Return the claims that rounding brings nearest to another verdict, and how near that is."""
    known = sorted((turn for check in checks for turn in check.turns), key=lambda turn: turn.times)
    if not known:
        return "No claim has a margin that could be read."
    rows = [[turn.claim, f"{100 * turn.margin:.2g} %", turn.spoken] for turn in known[:most]]
    head = ["claims nearest to turning", "margin", "rounding moves it by"]
    return tabulate(rows, head, disable_numparse=True)


def failures(checks: Sequence[ChapterCheck]) -> str:
    """Return what does not agree with the reference, one line each, by chapter."""
    lines: list[str] = []
    for check in checks:
        if check.failures:
            lines += [f"{check.chapter}:", *(f"  {failure}" for failure in check.failures)]
    count = sum(len(check.failures) for check in checks)
    return "\n".join([*lines, f"{count} disagreement{'s' if count > 1 else ''} with the reference.", *_advice(checks)])


def _advice(checks: Sequence[ChapterCheck]) -> list[str]:
    """Return how to tell rounding from an error, where numbers or verdicts disagree."""
    failed = [check for check in checks if any(not f.problem or f.figure.startswith("claim") for f in check.failures)]
    if not failed:
        return []
    made_by, seen = (sorted(set().union(*(getattr(c, name) for c in failed))) for name in ("made_by", "seen"))
    number = failed[0].chapter[:2]
    return [
        f"The reference was made by {' and '.join(made_by) or 'nobody'} and has seen {', '.join(seen) or 'no other'};",
        f"this machine computes by {arithmetic.name()}.",
        *(_portably(number) if PORTABLE.here else ()),
    ]


def _portably(chapter: str) -> tuple[str, ...]:
    return (
        f"Rounding or error? `alignlib arithmetics {PORTABLE.name} {chapter}` executes the chapter with kernels that",
        "every x86 processor since 2013 has:",
        "a disagreement that is gone there is rounding (please report it), one that stays is a difference.",
    )


def _seconds(execution: Execution | None) -> str:
    if execution is None:
        return "–"
    return f"{execution.seconds:.1f}" if execution.ran else f"({execution.seconds:.1f} before)"


def _outcome(check: ChapterCheck) -> list[str]:
    claims = f"{check.claims_held}/{check.claims}"
    recorded = not any(failure.figure.startswith("claim") for failure in check.failures)
    worst = "differs" if math.isinf(check.worst) else f"{100 * check.worst:.2g} % of its tolerance"
    return [str(check.figures), f"{claims} as recorded" if recorded else f"{claims}, not as recorded", worst]
