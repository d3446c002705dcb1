"""What runs cost, read from the records, and how long they take on more cores: the computed part of a page."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tabulate import tabulate

from alignlib.book.plots import value_label
from alignlib.book.root import RECORDS
from alignlib.errors import InvalidValue, choose
from alignlib.experiments import records
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.records import Record
from alignlib.experiments.settings import write_setting
from alignlib.published import noise_name
from alignlib.rules import RULES

#: Numbers of cores between which the page does its arithmetic.
CORES = (1, 2, 8, 32, 128, 1000)
_MARK = re.compile(r"<!-- computed: ([a-z-]+) -->")


def fill(root: Path, text: str) -> str:
    """Return a page with what is to be computed in the place of ``<!-- computed: NAME -->``.

    Raises
    ------
    InvalidValue
        If a name stands for nothing, or there is no record to compute it from.
    """
    return _MARK.sub(lambda found: COMPUTED[choose("computed part of a page", found[1], COMPUTED)](root), text)


def costs(root: Path) -> str:
    """Return a table: for each network and rule of the long records, the runs, epochs and the time one takes."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in _long(root):
        groups.setdefault((_shape(record.experiment), RULES[record.experiment.rule].label), []).append(record)
    rows = [
        [shape, rule, len(runs), _range([run.final("epoch") for run in runs]), f"{_per_epoch(runs):.1f}", _hours(runs)]
        for (shape, rule), runs in sorted(groups.items(), key=lambda entry: (entry[0][0], -_per_epoch(entry[1])))
    ]
    head = ["network", "rule", "runs", "epochs", "seconds an epoch", "hours a run"]
    return tabulate(rows, head, "github", disable_numparse=True)


def cores(root: Path) -> str:
    """Return a table: how long all long records together take on more and more cores, one run a core."""
    seconds = [record.seconds for record in _long(root)]
    alone = makespan(seconds, 1)
    rows = [
        [n, _duration(makespan(seconds, n)), f"{alone / makespan(seconds, n):.1f}", f"{100 * _used(seconds, n):.0f} %"]
        for n in CORES
    ]
    head = ["cores", "time for all", "times as fast as one core", "of the cores' time used"]
    return tabulate(rows, head, "github", disable_numparse=True)


def summary(root: Path) -> str:
    """Return one sentence on all long records: how many, how many core hours, the longest."""
    found = _long(root)
    longest = max(found, key=lambda record: record.seconds)
    machines = sorted({str(record.machine.get("cpu", "unknown")) for record in found})
    return (
        f"The {len(found)} long records took {sum(r.seconds for r in found) / 3600:.1f} core hours together "
        f"({', '.join(machines)}, one BLAS thread each); the longest, `{longest.id}`, took "
        f"{_duration(longest.seconds)}."
    )


def makespan(seconds: Sequence[float], n: int) -> float:
    """Return when the last of these runs ends on ``n`` cores, if each core takes the longest run that is left."""
    free = [0.0] * min(n, len(seconds))
    for run in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + run)
    return max(free)


def _used(seconds: Sequence[float], n: int) -> float:
    return sum(seconds) / (n * makespan(seconds, n))


def _long(root: Path) -> list[Record]:
    """Return the records of a file of their own: the many short ones say little of cost."""
    home = root / RECORDS
    own = [path for path in records.files(home) if path.suffix == ".json"]
    if not own:
        raise InvalidValue(f"{home} holds no record of a long run; `alignlib record` makes them.")
    return sorted((each for path in own for each in records.read_file(path, home)), key=lambda record: record.id)


def _shape(experiment: Experiment) -> str:
    widths = write_setting(experiment.hidden).replace("x", "×")
    data = value_label("dataset", experiment.dataset)
    below = " on a convolution" if experiment.convolutions else ""
    return f"{data}, {widths} {experiment.activation}{below}{noise_name(experiment)}, {experiment.dtype}"


def _per_epoch(runs: Sequence[Record]) -> float:
    return median(run.seconds / run.final("epoch") for run in runs)


def _hours(runs: Sequence[Record]) -> str:
    return f"{median(run.seconds for run in runs) / 3600:.2f}"


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):g}", f"{max(values):g}"
    return low if low == high else f"{low} to {high}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


#: What can stand in a page, by name.
COMPUTED: Mapping[str, Callable[[Path], str]] = {"costs": costs, "cores": cores, "summary": summary}
