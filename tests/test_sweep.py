"""Sweeps: the grid is checked before anything runs, what is done is skipped, failures stop no other run."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import alignlib as al
from alignlib import cli
from alignlib.book import chapters, sweeps
from alignlib.book.executors import executor_at
from alignlib.errors import AlignlibError, InvalidValue
from alignlib.experiments import many, run_each
from alignlib.experiments.settings import read_choices, read_setting, write_setting

MakeBook = Callable[..., Path]
TINY = al.Experiment(hidden=(6,), epochs=1, train_size=64, probe=0)
TYPED = ["hidden=6", "epochs=1", "train_size=64", "probe=0"]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def quiet(text: str) -> None:
    pass


# ---------------------------------------------------------------- settings as text


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hidden", "7x240", (240,) * 7),
        ("hidden", "128+64", (128, 64)),
        ("hidden", "2x8+4", (8, 8, 4)),
        ("hidden", "none", ()),
        ("convolutions", "[[8, 5, 2]]", [[8, 5, 2]]),
        ("learning_rate", "1e-4", 1e-4),
        ("epochs", "12", 12),
        ("nesterov", "yes", True),
        ("train_size", "none", None),
        ("rule", "dfa", "dfa"),
    ],
)
def test_a_setting_is_read(name: str, text: str, value: Any) -> None:
    assert read_setting(name, text) == value


@pytest.mark.parametrize("experiment", [TINY, al.Experiment(hidden=(7, 7, 3), train_size=None, nesterov=False)])
def test_what_is_written_is_read_back(experiment: al.Experiment) -> None:
    for name in ("hidden", "learning_rate", "epochs", "nesterov", "train_size", "rule"):
        value = getattr(experiment, name)
        assert read_setting(name, write_setting(value)) == value


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("seed", "0:4", [0, 1, 2, 3]),
        ("seed", "0:10:4", [0, 4, 8]),
        ("seed", "0:2,7", [0, 1, 7]),
        ("hidden", "2x8,4+2", [(8, 8), (4, 2)]),
        ("learning_rate", "0.1, 1e-3", [0.1, 1e-3]),
    ],
)
def test_choices_are_expanded(name: str, text: str, values: list[Any]) -> None:
    assert read_choices(name, text) == values


@pytest.mark.parametrize(
    ("settings", "over", "complaint"),
    [
        ([], ["ruel=bp"], "an experiment has no field 'ruel'; did you mean 'rule'?"),
        (["epoch=2"], ["rule=bp"], "no field 'epoch'; did you mean 'epochs'?"),
        ([], ["rule=bp,dfaa"], "unknown rule 'dfaa'; did you mean 'dfa'?"),
        ([], ["learning_rate=0.1,-1"], "learning_rate must be a finite number, not below 0"),
        ([], ["learning_rate=fast"], "learning_rate must be a finite number"),
        ([], ["epochs=1.5"], "epochs must be a whole number"),
        ([], ["hidden=wide"], "hidden must be widths such as 7x240"),
        ([], ["seed=0,1,0"], "holds 0 twice"),
        ([], ["seed="], "lists no value"),
        ([], ["seed"], "write name=value; received 'seed'"),
        ([], [], "a sweep needs something to vary"),
        (["seed=1"], ["seed=0:2"], "'seed' is both fixed and varied"),
        (["seed=1", "seed=2"], ["rule=bp"], "'seed' is given twice"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_runs(
    settings: list[str], over: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [part for text in over for part in ("--over", text)]
    assert cli.run(["sweep", "experiment", *settings, *options, "--out", str(tmp_path / "out")]) == cli.USAGE
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- experiments


def test_a_sweep_gives_one_tidy_row_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "experiment", *TYPED, "--over", "rule=bp,dfa", "--over", "learning_rate=0.01,0.1"]
    arguments += ["--over", "seed=0:2", "--workers", "1", "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == 0
    rows = table(tmp_path / "out")
    assert len(rows) == 8
    assert [(r["rule"], r["learning_rate"], r["seed"]) for r in rows][:3] == [
        ("bp", "0.01", "0"),
        ("bp", "0.01", "1"),
        ("bp", "0.1", "0"),
    ]
    last = al.run(al.Experiment(hidden=(6,), epochs=1, train_size=64, probe=0, rule="dfa", learning_rate=0.1, seed=1))
    assert float(rows[-1]["test_error"]) == pytest.approx(last.final("test_error"))
    assert "[8/8] rule=dfa learning_rate=0.1 seed=1" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "out" / "summary.svg").read_text()


def test_what_is_done_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiments = sweeps.grid_of_experiments(TINY, {}, {"seed": "0:3"})
    sweeps.sweep_experiments(experiments[:2], ["seed"], tmp_path / "out", workers=1, say=quiet)
    ran: list[int] = []
    run = many.run
    monkeypatch.setattr(many, "run", lambda e, **options: ran.append(e.seed) or run(e, **options))
    report = sweeps.sweep_experiments(experiments, ["seed"], tmp_path / "out", workers=1, say=quiet)
    assert (ran, report.skipped, len(table(tmp_path / "out"))) == ([2], 2, 3)


def fails_for_seed_1(experiment: al.Experiment, **options: Any) -> al.Result:
    if experiment.seed == 1:
        raise AlignlibError("the disk is full")
    return al.run(experiment, **options)


def test_a_failed_run_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(many, "run", fails_for_seed_1)
    arguments = ["sweep", "experiment", *TYPED, "--over", "seed=0:3", "--workers", "1", "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == cli.FAILED
    assert "1 of 3 runs failed" in (said := capsys.readouterr().err)
    assert "seed=1: the disk is full" in said
    assert [row["seed"] for row in table(tmp_path / "out")] == ["0", "2"]
    monkeypatch.undo()
    assert cli.run(arguments) == 0
    assert [row["seed"] for row in table(tmp_path / "out")] == ["0", "1", "2"]
    assert "3 runs, 2 of them done before" in capsys.readouterr().out


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InvalidValue, match="not empty and no former sweep"):
        sweeps.sweep_experiments([TINY], ["seed"], tmp_path, workers=1, say=quiet)


def test_networks_of_other_depths_share_a_table(tmp_path: Path) -> None:
    experiments = sweeps.grid_of_experiments(TINY, {"probe": "8"}, {"hidden": "4,2x4"})
    sweeps.sweep_experiments(experiments, ["hidden"], tmp_path / "out", workers=1, say=quiet)
    first, second = table(tmp_path / "out")
    assert (first["hidden"], second["hidden"]) == ("4", "2x4")
    assert first["delta_norm/2"] == ""
    assert float(second["delta_norm/2"]) > 0


def test_a_curve_that_no_run_has_is_refused_and_the_table_is_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="unknown curve 'test_eror'; did you mean 'test_error'"):
        sweeps.sweep_experiments([TINY], ["seed"], tmp_path / "out", workers=1, y="test_eror", say=quiet)
    assert len(table(tmp_path / "out")) == 1


# ---------------------------------------------------------------- workers that die


def test_results_or_errors_come_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "run", fails_for_seed_1)
    outcomes = dict(run_each(al.grid(TINY, seed=range(3)), workers=1, show_progress=False))
    assert {e.seed: str(outcome) for e, outcome in outcomes.items() if isinstance(outcome, Exception)} == {
        1: "the disk is full"
    }


def dies(number: int) -> int:
    if number == 2:
        os._exit(1)
    return number * number


def test_a_run_that_kills_its_process_takes_no_other_with_it() -> None:
    outcomes = dict(many.work(dies, range(5), workers=2))
    assert {n: outcome for n, outcome in outcomes.items() if n != 2} == {0: 0, 1: 1, 3: 9, 4: 16}
    assert "a worker process ended before its run did" in str(outcomes[2])


# ---------------------------------------------------------------- chapters

CELLS = [
    'from alignlib import book\nchapter = book.Chapter("04-direct", globals())',
    'chapter.value("half", rate / 2, "{:.2f}")',
    'chapter.claim("is-small", "The rate is small.", holds=rate < 0.5, measured=f"{rate}")',
    """\
lines = book.series("line", [0, 1], [rate, len(seeds)])
chapter.figure("both", book.panel("lines", [lines]), alt="A line from the rate to the number of seeds.")""",
    'assert name != "broken", "it broke"',
]
PARAMETERS = """\
rate: float = 0.1  # a rate (0, 1]
seeds: list[int] = [0, 1]  # one run each [0, 99]
name: str = "fine"  # whether it works {fine, broken}"""


@pytest.fixture
def root(tmp_path: Path, make_book: MakeBook, chapter_notebook: Callable[..., Any]) -> Path:
    made = chapter_notebook("Direct", CELLS, PARAMETERS)
    made.cells[5].metadata = {"mystnb": {"figure": {"name": "fig-both", "caption": "Both."}}}
    return make_book(tmp_path / "book", c04_direct=made)


def sweep_chapter(root: Path, over: dict[str, str], workers: int = 1, **fixed: str) -> sweeps.Report:
    chapter = chapters.resolve(root, "4")
    grid = sweeps.grid_of_chapter(chapter, fixed, over)
    return sweeps.sweep_chapter(root, chapter, grid, list(over), root / "out", workers=workers, say=quiet)


def test_a_chapter_is_swept(root: Path) -> None:
    report = sweep_chapter(root, {"rate": "0.2,0.8", "seeds": "0+1"}, workers=2)
    assert (report.runs, report.failed) == (2, {})
    rows = table(root / "out")
    values = [(r["rate"], r["value"], r["text"]) for r in rows if r["kind"] == "value"]
    assert values == [("0.2", "0.1", "0.10"), ("0.8", "0.4", "0.40")]
    assert [(r["id"], r["value"]) for r in rows if r["kind"] == "claim"] == [("is-small", "1"), ("is-small", "0")]
    assert [(r["series"], r["x"], r["value"]) for r in rows if r["kind"] == "figure"][:2] == [
        ("line", "0.0", "0.2"),
        ("line", "1.0", "2.0"),
    ]
    assert all(row["seeds"] == "0+1" for row in rows)
    assert "<svg" in (root / "out" / "summary.svg").read_text()
    assert sweep_chapter(root, {"rate": "0.2,0.8", "seeds": "0+1"}).skipped == 2


def test_a_chapter_that_fails_is_listed(root: Path) -> None:
    report = sweep_chapter(root, {"name": "fine,broken"})
    assert list(report.failed) == ["name=broken"]
    assert "it broke" in str(sweeps.last_failure(report))
    assert {row["name"] for row in table(root / "out")} == {"fine"}


@pytest.mark.parametrize(
    ("over", "complaint"),
    [
        ({"rat": "0.1"}, "unknown parameter 'rat'; did you mean 'rate'?"),
        ({"rate": "0.1,7"}, "out of range. Accepted: above 0 and at most 1"),
        ({"seeds": "0,100"}, "out of range. Accepted: 0 to 99"),
        ({"name": "fine,broke"}, "did you mean 'broken'?"),
    ],
)
def test_a_chapters_grid_is_checked(root: Path, over: dict[str, str], complaint: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        sweep_chapter(root, over)
    assert complaint in str(caught.value)


# ---------------------------------------------------------------- a cluster


def started(*command: str) -> subprocess.Popen[str]:
    """Start `dask …` as a user does; its messages go to a pipe."""
    dask = Path(sys.executable).with_name("dask")
    return subprocess.Popen([str(dask), *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def said(process: subprocess.Popen[str], what: str) -> str:
    """Wait for a message of a process, and return its line."""
    assert process.stderr
    for line in process.stderr:
        if what in line:
            return line
    raise AssertionError(f"the process ended without saying {what!r}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers, each a process of its own on this machine's loopback."""
    quietly = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = started("scheduler", *quietly, "--port", "0")
    workers: list[subprocess.Popen[str]] = []
    try:
        address = said(scheduler, "Scheduler at:").split()[-1]
        options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path / "dask")]
        workers += [started("worker", address, *quietly, *options) for _ in range(2)]
        for worker in workers:
            said(worker, "Registered to:")
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_every_result_once(
    cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    address, workers = cluster
    experiments = al.grid(TINY, rule=["bp", "dfa"], seed=range(12))
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        if text.startswith("[6/24]"):
            workers[0].kill()  # in the middle of what it was doing, and with what it had finished

    with executor_at(address) as executor:
        report = sweeps.sweep_experiments(experiments, ["rule", "seed"], tmp_path / "out", executor, say=say)
    assert workers[0].wait() != 0
    assert workers[1].poll() is None
    assert report.failed == {}
    finished = [line.split("] ")[1].split(":")[0] for line in told[1:]]
    assert sorted(finished) == sorted(f"rule={e.rule} seed={e.seed}" for e in experiments)
    errors = [float(row["test_error"]) for row in table(tmp_path / "out")]
    assert errors == pytest.approx([al.run(e).final("test_error") for e in experiments])


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alignlib.book.executors._PATIENCE", "100ms")
    with pytest.raises(AlignlibError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9.*dask scheduler"):
        executor_at("tcp://127.0.0.1:9").__enter__()


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(AlignlibError, match=r"pip install 'alignlib\[dask\]'"):
        executor_at("tcp://127.0.0.1:9").__enter__()
