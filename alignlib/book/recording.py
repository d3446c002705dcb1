"""Making the records that the plan lists and that are not there yet, and computing records again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path

from alignlib.book.plan import Planned
from alignlib.errors import AlignlibError, nearest
from alignlib.experiments import records
from alignlib.experiments.checkpoint import run_resumable
from alignlib.experiments.many import work
from alignlib.experiments.records import Record
from alignlib.experiments.run import run
from alignlib.experiments.verify import DIFFERS, Verdict, first_losses, verify_whole

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A run to be made: what the plan says, and the file of its checkpoint."""

    planned: Planned
    checkpoint: Path


def missing(folder: Path, planned: Sequence[Planned]) -> list[Planned]:
    """Return the runs of a plan that have no record yet.

    Raises
    ------
    AlignlibError
        If a record is of another experiment than the plan says: one of the two is wrong, and a person must say which.
    """
    there = {record.id: record for path in records.files(folder) for record in records.read_file(path, folder)}
    for each in planned:
        if each.id in there and there[each.id].experiment != each.experiment:
            raise AlignlibError(
                f"{each.id}: {_difference(each, there[each.id])}; correct the plan, or remove the record."
            )
    return [each for each in planned if each.id not in there]


def _difference(planned: Planned, record: Record) -> str:
    then, now = asdict(record.experiment), asdict(planned.experiment)
    field = next(name for name in now if now[name] != then[name])
    return f"the plan says {field} {now[field]!r}, the record was made with {then[field]!r}"


def record_missing(
    folder: Path,
    planned: Sequence[Planned],
    checkpoints: Path,
    executor: Executor | None = None,
    *,
    workers: int | None = None,
    say: Say = print,
) -> dict[str, Exception]:
    """Make the records of all these runs and write each when it is done; return what failed, by id.

    A long run that was stopped goes on from its checkpoint; a finished one removes it.
    """
    jobs = [Job(each, checkpoints / f"{each.id.replace('/', '--')}.npz") for each in planned]
    failed: dict[str, Exception] = {}
    started = time.monotonic()
    for done, (job, outcome) in enumerate(work(make, jobs, executor, workers=workers), start=1):
        left = time_left(time.monotonic() - started, done, len(jobs))
        if isinstance(outcome, Exception):
            failed[job.planned.id] = outcome
            say(f"[{done}/{len(jobs)}] {job.planned.id}: failed{left}")
            continue
        keep(folder, job.planned, outcome)
        job.checkpoint.unlink(missing_ok=True)
        error = f"test error {outcome.final('test_error'):.2f}"
        say(f"[{done}/{len(jobs)}] {job.planned.id}: {error}, {outcome.seconds:.0f} s, {outcome.ended}{left}")
    return failed


def make(job: Job) -> Record:
    """Run what a job says, from its checkpoint if there is one, and return the record; runs on a worker."""
    planned = job.planned
    if planned.file:
        result = run(planned.experiment, show_progress=False)
    else:
        result = run_resumable(planned.experiment, job.checkpoint, show_progress=False)
    losses = first_losses(planned.experiment, records.FEW_LOSSES if planned.file else records.LOSSES)
    return records.record(planned.id, planned.label, result, losses, today())


def keep(folder: Path, planned: Planned, record: Record) -> None:
    """Write a record to its own file, or add it to the file of many."""
    if planned.file is None:
        records.write(folder, record)
        return
    path = folder / f"{planned.file}.jsonl"
    others = [each for each in records.read_file(path, folder) if each.id != record.id] if path.is_file() else []
    records.write_many(folder, planned.file, planned.label, [*others, record])


def repeat(folder: Path, id: str, checkpoints: Path) -> Verdict:
    """Repeat the whole run of a record, which may be stopped and gone on with, and compare.

    Raises
    ------
    InvalidValue
        If there is no such record, with the nearest id.
    """
    [record] = [each for each in records.read(folder, id) if each.id == id] or _not_one(folder, id)
    path = checkpoints / f"again--{id.replace('/', '--')}.npz"
    again = run_resumable(record.experiment, path)
    path.unlink(missing_ok=True)
    return verify_whole(record, again)


def _not_one(folder: Path, id: str) -> list[Record]:
    known = [record.id for record in records.read(folder)]
    raise AlignlibError(f"{id!r} means more than one record{nearest(id, known) or '.'} Name one.")


def failures(failed: Mapping[str, Exception]) -> str:
    """Return the list of failed runs with their errors."""
    return "\n".join([f"{len(failed)} failed:", *(f"  {id}: {problem}" for id, problem in failed.items())])


def time_left(seconds: float, done: int, total: int) -> str:
    """Return how long the rest will take if it goes on as before: "; about 3 min left"."""
    if done >= total:
        return ""
    left = seconds / done * (total - done)
    return f"; about {left:.0f} s left" if left < 100 else f"; about {left / 60:.0f} min left"


def today() -> str:
    """Return the date as records write it."""
    return time.strftime("%Y-%m-%d")


def rows(verdicts: Iterable[Verdict]) -> list[list[str]]:
    """Return the table of verdicts: a row for each, but one for all runs of a file of many that came out alike."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        id, apart = verdict.record.id, verdict.outcome == DIFFERS
        groups.setdefault((id if apart else "/".join(id.split("/")[:2]), verdict.outcome), []).append(verdict)
    return [_row(name, group) for (name, _), group in groups.items()]


def _row(name: str, group: Sequence[Verdict]) -> list[str]:
    furthest = max(group, key=lambda verdict: verdict.worst / verdict.tolerance)
    return [
        name if len(group) == 1 else f"{name}: {len(group)} runs",
        furthest.record.experiment.dtype,
        str(furthest.steps or ""),
        f"{furthest.worst:.1e}" if furthest.steps else "",
        f"{furthest.tolerance:.0e}",
        furthest.outcome + (f" from step {furthest.where}" if furthest.where and not furthest.whole else ""),
        furthest.note or furthest.record.doubt,
    ]
