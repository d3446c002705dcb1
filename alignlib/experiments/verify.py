"""Checking records without the hours: the first steps of a run are computed again and their losses compared.

Rounding differs between processors, and training makes small differences larger. How far that takes the first fifty
losses was measured with the kernels that OpenBLAS has for SkylakeX, Haswell and Nehalem processors. In the records
of the book, single precision with small learning rates, the losses then differ by at most 3e-7 of their size. In runs
meant to be hard, eight rules on the digits at a learning rate of 0.03, they differ by up to 2e-10 in double precision,
and by up to 0.07 in single precision: such a run is chaos in single precision and has to be recorded in double.
A sign or a factor that is wrong in a rule moves the losses by far more than the tolerances below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from alignlib import datasets
from alignlib.experiments.bench import Bench
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.floor import floor_digest, run_code
from alignlib.experiments.records import LOSSES, Record, Verified
from alignlib.experiments.result import Result
from alignlib.experiments.run import streams

#: How far a loss of the first steps may be off, as a share of the recorded loss, by the precision of the run.
TOLERANCES: Mapping[str, float] = {"float32": 1e-3, "float64": 1e-8}
#: How far the last numbers of a whole run may be off: percentage points of error for the chaotic single precision.
WHOLE_TOLERANCES: Mapping[str, float] = {"float32": 0.5, "float64": 0.1}

Item = TypeVar("Item")

OK, DIFFERS, SKIPPED = "agrees", "differs", "skipped"


@dataclass(frozen=True)
class Verdict:
    """What computing the beginning of a run again has shown.

    ``worst`` is the largest relative difference among ``steps`` losses, first seen at step ``where``; ``note`` says
    why nothing was computed, or what else is wrong.
    """

    record: Record
    outcome: str
    steps: int = 0
    worst: float = 0.0
    where: int = 0
    note: str = ""
    whole: bool = False

    @property
    def tolerance(self) -> float:
        """How far it may be off."""
        return (WHOLE_TOLERANCES if self.whole else TOLERANCES)[self.record.experiment.dtype]

    def marked(self, date: str) -> Record:
        """Return the record with the mark that the present lower floor agrees with it."""
        mark = Verified(floor_digest(run_code()), date, self.steps, self.worst, self.whole)
        return replace(self.record, verified=mark)


def first_losses(experiment: Experiment, steps: int = LOSSES) -> list[float]:
    """Return the mean loss on the mini-batch of each of the first updates, just before it; fewer if it has fewer."""
    bench = Bench(experiment)
    loss, updates = bench.network.loss, islice(bench.updates(), steps)
    with np.errstate(over="ignore", invalid="ignore"):
        return [float(np.mean(loss.values(step.trace.pre_activations[-1], step.y))) for step in updates]


def verify(record: Record) -> Verdict:
    """Compute the first steps of a record's run again, and say whether they agree."""
    if missing := _missing_data(record.experiment):
        return Verdict(record, SKIPPED, note=missing)
    checksum = datasets.checksum(record.experiment.dataset, rng=streams(record.experiment.seed)["data"])
    if checksum != record.result.data_checksum:
        return Verdict(record, DIFFERS, note=f"the data of {record.experiment.dataset!r} are others")
    now = first_losses(record.experiment, len(record.first_losses))
    return _compared(record, now)


def verify_whole(record: Record, again: Result) -> Verdict:
    """Compare a whole run that was repeated with its record, by the last test error in percentage points."""
    steps = int(again.final("step"))
    worst = abs(again.final("test_error") - record.final("test_error"))
    same = again.data_checksum == record.result.data_checksum
    verdict = Verdict(record, OK, steps, worst, steps, "" if same else "the data are others", whole=True)
    return verdict if same and worst <= verdict.tolerance else replace(verdict, outcome=DIFFERS)


def sample(records: Sequence[Item], size: int | None, seed: int) -> list[Item]:
    """Return ``size`` of the records, drawn without repetition, in their order; all of them for None.

    Chapters are drawn in the same way.
    One that is in doubt is as likely as any other: the draw must not depend on what is checked.
    """
    if size is None or size >= len(records):
        return list(records)
    chosen = np.random.default_rng(seed).choice(len(records), size, replace=False)
    return [records[i] for i in sorted(chosen)]


def verdict_of(record: Record, outcome: Verdict | Exception) -> Verdict:
    """Return the verdict on a record; a computation that fails is no agreement."""
    return outcome if isinstance(outcome, Verdict) else Verdict(record, DIFFERS, note=f"failed: {outcome}")


def _compared(record: Record, now: Sequence[float]) -> Verdict:
    then = np.array(record.first_losses)
    again = np.array(now)
    if len(then) != len(again):
        return Verdict(record, DIFFERS, len(again), note=f"{len(again)} steps and not {len(then)}")
    with np.errstate(invalid="ignore"):
        off = np.abs(again - then) / np.maximum(np.abs(then), np.finfo(np.float64).tiny)
    off[~np.isfinite(off)] = np.inf
    off[~np.isfinite(then) & ~np.isfinite(again)] = 0.0  # it had diverged then as it has now
    worst = float(off.max(initial=0.0))
    verdict = Verdict(record, OK, len(now), worst)
    if worst <= verdict.tolerance:
        return verdict
    return replace(verdict, outcome=DIFFERS, where=int(np.argmax(off > verdict.tolerance)) + 1)


def _missing_data(experiment: Experiment) -> str:
    """Return why the data of an experiment cannot be had here without fetching them; empty if they can."""
    here = datasets.is_here(experiment.dataset)
    return "" if here else f"the data of {experiment.dataset!r} are not on this machine (see ALIGNLIB_DATA)"
