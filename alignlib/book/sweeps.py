"""Sweeps: every combination of some settings, of an experiment or of a whole chapter, on one machine or many.

What is finished is kept at once and never run again; a run that fails is listed with its error and stops no other.
The folder holds ``results.csv`` (one tidy table), ``summary.svg`` and ``.png``, and the runs themselves.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alignlib import datasets
from alignlib.book import chapters as book_chapters
from alignlib.book import freshness, pages
from alignlib.book.chapters import Chapter
from alignlib.book.figure import Figure, Panel, Series
from alignlib.book.files import digest, write_file, write_json
from alignlib.book.parameters import Parameter, Value, by_name
from alignlib.book.plots import finals, label_of
from alignlib.book.plots import sweep as swept
from alignlib.book.recording import time_left
from alignlib.errors import AlignlibError, InvalidValue, choose
from alignlib.experiments import Experiment, Result, Store, run_each
from alignlib.experiments.experiment import known
from alignlib.experiments.many import work
from alignlib.experiments.records import how_it_ended
from alignlib.experiments.run import streams
from alignlib.experiments.settings import expand, read_choices, read_experiment, write_setting

Say = Callable[[str], None]
Combination = dict[str, Any]

#: Every run is one of the same sweep only if this says so.
MARK = "sweep.json"
MOST_PANELS = 6


@dataclass
class Report:
    """What a sweep has done: how many runs there are, how many were there before, and what failed, by name."""

    folder: Path
    runs: int
    skipped: int = 0
    failed: dict[str, Exception] = field(default_factory=dict)


# ---------------------------------------------------------------- the grid


def pairs(given: Iterable[str]) -> dict[str, str]:
    """Return texts of the form name=value by name.

    Raises
    ------
    InvalidValue
        If one is not of that form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise InvalidValue(f"write name=value; received {text!r}.")
        if name in found:
            raise InvalidValue(f"{name!r} is given twice.")
        found[name] = value
    return found


def grid_of_experiments(base: Experiment, fixed: Mapping[str, str], over: Mapping[str, str]) -> list[Experiment]:
    """Return every combination of the values in ``over``, the name given last changing fastest.

    Raises
    ------
    InvalidValue
        For a name that an experiment has not, with the nearest, a value of a wrong kind or out of range, or a name
        that is both fixed and varied.
    """
    known([*fixed, *over])
    _refuse_both(fixed, over)
    start = read_experiment(base, fixed)
    values = {name: read_choices(name, text) for name, text in over.items()}
    return [replace(start, **combination) for combination in _product(values)]


def grid_of_chapter(chapter: Chapter, fixed: Mapping[str, str], over: Mapping[str, str]) -> list[Combination]:
    """Return every combination of a chapter's parameters, the fixed ones included.

    Values of a parameter that is itself a list are written with ``+``: ``seeds=0+1,2+3`` gives it two lists.

    Raises
    ------
    InvalidValue
        As :func:`grid_of_experiments`, in the words of the chapter's own parameters.
    """
    declared = book_chapters.parameters(chapter)
    _refuse_both(fixed, over)
    start = book_chapters.parse(chapter, list(fixed.items()))
    values = {name: _choices(by_name(declared, name, chapter.spoken), text) for name, text in over.items()}
    return [{**start, **combination} for combination in _product(values)]


def _choices(parameter: Parameter, text: str) -> list[Value]:
    whole = parameter.entry_type == "int"
    return expand(parameter.name, text, lambda piece: _chosen(parameter, piece), whole=whole)


def _chosen(parameter: Parameter, piece: Any) -> Value:
    if parameter.is_list:
        return parameter.parse(str(piece).replace("+", ","))
    return parameter.parse(str(piece).strip())


def _product(values: Mapping[str, Sequence[Any]]) -> Iterator[Combination]:
    for combination in itertools.product(*values.values()):
        yield dict(zip(values, combination, strict=True))


def _refuse_both(fixed: Mapping[str, str], over: Mapping[str, str]) -> None:
    if not over:
        raise InvalidValue("a sweep needs something to vary: --over learning_rate=0.001,0.01, --over seed=0:10.")
    if both := next((name for name in over if name in fixed), ""):
        raise InvalidValue(f"{both!r} is both fixed and varied.")


# ---------------------------------------------------------------- experiments


def sweep_experiments(
    experiments: Sequence[Experiment],
    varied: Sequence[str],
    folder: Path,
    executor: Executor | None = None,
    *,
    workers: int | None = None,
    y: str = "test_error",
    say: Say = print,
) -> Report:
    """Run the experiments that are not done yet, and write the table and the picture of all that are."""
    report = Report(folder, len(experiments))
    store = Store(folder / "runs")
    report.skipped = sum(_is_done(store, experiment) for experiment in experiments)
    _begin(report, say)
    done: dict[Experiment, Result] = {}
    clock = _Clock(report, say)
    for experiment, outcome in run_each(experiments, executor, store=store, workers=workers, show_progress=False):
        name = _name({key: getattr(experiment, key) for key in varied})
        if isinstance(outcome, Exception):
            report.failed[name] = outcome
            clock.tell(f"{name}: failed")
        else:
            done[experiment] = outcome
            clock.tell(f"{name}: {label_of(y)} {outcome.final(y):.4g}" if y in outcome.curves else name)
    results = [done[experiment] for experiment in experiments if experiment in done]
    write_file(folder / "results.csv", table_of_results(results, varied))
    if results:
        _write_picture(folder, "experiment", _panel_of_results(results, varied, y), {"varied": list(varied)})
    return report


def _is_done(store: Store, experiment: Experiment) -> bool:
    checksum = datasets.checksum(experiment.dataset, rng=streams(experiment.seed)["data"])
    return store.get(experiment, checksum)[0] is not None


def table_of_results(results: Sequence[Result], varied: Sequence[str]) -> str:
    """Return a row a run: what was varied, the last value of every curve, the seconds, and how the run ended."""
    curves = list(dict.fromkeys(name for result in results for name in result.curves if name != "seconds"))
    rows = [
        [
            *(write_setting(getattr(result.experiment, name)) for name in varied),
            *(f"{result.final(curve):.9g}" if curve in result.curves else "" for curve in curves),
            f"{result.seconds:.3f}",
            how_it_ended(result),
        ]
        for result in results
    ]
    return _csv([*varied, *curves, "seconds", "ended"], rows)


def _panel_of_results(results: Sequence[Result], varied: Sequence[str], y: str) -> list[Panel]:
    """Return lines over the first setting that is a number, else dots; the other settings tell the lines apart."""
    choose("curve", y, {curve for result in results for curve in result.curves})
    results = [result for result in results if y in result.curves]  # a curve of layer 3 is one of deep networks only
    others = [name for name in varied if name != "seed"]
    numeric = [n for n in others if all(_is_number(getattr(r.experiment, n)) for r in results)]
    if numeric:
        return [swept(results, numeric[0], y, [n for n in others if n != numeric[0]] or "rule")]
    across = next((name for name in others if name != "rule"), None)
    return [finals(results, y, [name for name in others if name != across] or "rule", across)]


# ---------------------------------------------------------------- chapters


@dataclass(frozen=True)
class ChapterRun:
    """One execution of a chapter: where the book is, which chapter, which profile, all values that were set."""

    root: Path
    chapter: Chapter
    profile: str
    values: Combination


def sweep_chapter(
    root: Path,
    chapter: Chapter,
    combinations: Sequence[Combination],
    varied: Sequence[str],
    folder: Path,
    executor: Executor | None = None,
    *,
    profile: str = book_chapters.DEFAULT_PROFILE,
    workers: int | None = None,
    say: Say = print,
) -> Report:
    """Execute the chapter for each combination that is not done yet; collect its values, claims and figures' data."""
    settings = book_chapters.profile_values(root, profile).get(chapter.name, {})
    tasks = [ChapterRun(root, chapter, profile, {**settings, **combination}) for combination in combinations]
    inputs = {_key(task): book_chapters.inputs(root, chapter, task.values) for task in tasks}
    report = Report(folder, len(tasks))
    left = [task for task in tasks if _reasons(folder, task, inputs[_key(task)])]
    report.skipped = len(tasks) - len(left)
    _begin(report, say)
    clock = _Clock(report, say, done=report.skipped)
    for task, outcome in work(execute, left, executor, workers=workers):
        name = _name({key: task.values[key] for key in varied})
        if isinstance(outcome, Exception):
            report.failed[name] = outcome
            clock.tell(f"{name}: failed")
            continue
        text, seconds = outcome
        write_file(_notebook(folder, task), text)
        # written last: a killed sweep leaves nothing that counts as done
        state = freshness.record(chapter.name, seconds, inputs[_key(task)], digest(text))
        write_json(_state(folder, task), state)
        clock.tell(f"{name}: {seconds:.0f} s")
    done = [task for task in tasks if not _reasons(folder, task, inputs[_key(task)])]
    rows = [row for task in done for row in _rows(folder, task, varied)]
    head = [*varied, "kind", "id", "panel", "series", "seed", "x", "value", "text"]
    write_file(folder / "results.csv", _csv(head, rows))
    if done:
        _write_picture(folder, chapter.name, _panels_of_values(rows, varied), {"varied": list(varied)})
    return report


def execute(task: ChapterRun) -> tuple[str, float]:
    """Execute a chapter and return the text of its notebook and the seconds; runs on a worker."""
    with tempfile.TemporaryDirectory(prefix="alignlib-") as folder:
        output = Path(folder) / f"{task.chapter.name}.ipynb"
        seconds = book_chapters.execute(
            task.chapter,
            output,
            task.values,
            root=task.root,
            profile="custom",
            workers=1,
            watch=book_chapters.in_silence,
        )
        return output.read_text(encoding="utf-8"), seconds


def _key(task: ChapterRun) -> str:
    return hashlib.sha256(json.dumps([task.profile, task.values], sort_keys=True).encode()).hexdigest()[:16]


def _notebook(folder: Path, task: ChapterRun) -> Path:
    return folder / "runs" / _key(task) / f"{task.chapter.name}.ipynb"


def _state(folder: Path, task: ChapterRun) -> Path:
    return folder / "runs" / _key(task) / "state.json"


def _reasons(folder: Path, task: ChapterRun, now: Mapping[str, object]) -> list[str]:
    return freshness.reasons(freshness.read_record(_state(folder, task)), now, _notebook(folder, task))


def _rows(folder: Path, task: ChapterRun, varied: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of one execution: its values, its claims (1 holds, 0 does not), and the data of its figures."""
    start = [_text(task.values[name]) for name in varied]
    shown = pages.read_chapter(_notebook(folder, task))
    for value in shown.values:
        number = value["value"] if _is_number(value["value"]) else ""
        yield [*start, "value", value["name"], "", "", "", "", str(number), value["text"]]
    for claim in shown.claims:
        yield [*start, "claim", claim["id"], "", "", "", "", str(int(claim["holds"])), claim["measured"]]
    for figure in shown.figures:
        for panel, series, seed, x, y in list(csv.reader(io.StringIO(Figure.from_json(figure.data).to_csv())))[1:]:
            yield [*start, "figure", figure.id, panel, series, seed, x, y, ""]


def _panels_of_values(rows: Sequence[Sequence[str]], varied: Sequence[str]) -> list[Panel]:
    """Return a panel for each number that the chapter quotes, and one for the share of its claims that hold."""
    n = len(varied)
    numbers = [(*row[:n], row[n + 1], row[n + 6]) for row in rows if row[n] == "value" and row[n + 6]]
    names = list(dict.fromkeys(row[n] for row in numbers))[: MOST_PANELS - 1]
    panels = [_panel(name, [row for row in numbers if row[n] == name], varied) for name in names]
    claims: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if row[n] == "claim":
            claims.setdefault(tuple(row[:n]), []).append(100.0 * float(row[n + 6]))
    shares = [(*key, "", str(sum(values) / len(values))) for key, values in claims.items()]
    return [*panels, *([_panel("claims that hold, %", shares, varied)] if shares else [])]


def _panel(title: str, rows: Sequence[Sequence[str]], varied: Sequence[str]) -> Panel:
    """Return one number over the first setting; the other settings tell the lines apart."""
    n = len(varied)
    lines: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        name = ", ".join(f"{key}={value}" for key, value in zip(varied[1:], row[1:n], strict=True)) or title
        lines.setdefault(name, []).append((row[0], float(row[-1])))
    numeric = all(re.fullmatch(r"[-+0-9.e]+", x) for points in lines.values() for x, _ in points)
    series = [
        Series(name, [float(x) if numeric else x for x, _ in points], [y for _, y in points])  # type: ignore[arg-type]
        for name, points in lines.items()
    ]
    return Panel("lines" if numeric else "dots", series, title=title, x_label=varied[0], y_label=title)


# ---------------------------------------------------------------- telling and writing


class _Clock:
    """Says of each run that it is done, and how long the rest will take."""

    def __init__(self, report: Report, say: Say, done: int = 0):
        self._report, self._say, self._done, self._started = report, say, done, time.monotonic()

    def tell(self, what: str) -> None:
        self._done += 1
        new, total = self._done - self._report.skipped, self._report.runs - self._report.skipped
        if new > 0:
            left = time_left(time.monotonic() - self._started, new, total)
            self._say(f"[{self._done}/{self._report.runs}] {what}{left}")


def _begin(report: Report, say: Say) -> None:
    mark = report.folder / MARK
    if report.folder.exists() and any(report.folder.iterdir()) and not mark.is_file():
        raise InvalidValue(f"{report.folder} is not empty and no former sweep; name another folder with --out.")
    write_json(mark, {"made by": "alignlib sweep"})
    say(f"{report.runs} runs, {report.skipped} of them done before; results in {report.folder}")


def _write_picture(folder: Path, name: str, panels: Sequence[Panel], about: Mapping[str, Any]) -> None:
    if not panels:
        return
    varied = " and ".join(about["varied"])
    figure = Figure("sweep", name, panels, f"What a sweep over {varied} gave, one mark or line for each run.", about)
    write_file(folder / "summary.svg", figure.svg())
    write_file(folder / "summary.png", figure.png())
    write_file(folder / "summary.csv", figure.to_csv())


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(head)
    table.writerows(rows)
    return text.getvalue()


def _name(combination: Combination) -> str:
    return " ".join(f"{name}={_text(value)}" for name, value in combination.items())


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(_text, value))
    return write_setting(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def last_failure(report: Report) -> AlignlibError | None:
    """Return the error that ends a sweep of which some runs failed: all of them with their errors."""
    if not report.failed:
        return None
    lines = [f"{len(report.failed)} of {report.runs} runs failed; give the command again to try them again:"]
    for name, problem in report.failed.items():
        first, *rest = str(problem).splitlines() or [type(problem).__name__]
        lines += [f"  {name}: {first}", *(f"    {line}" for line in rest)]
    return AlignlibError("\n".join(lines))
