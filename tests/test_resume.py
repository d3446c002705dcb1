"""Long runs go on where they stopped: killed at any moment, the result is that of an uninterrupted run, bit for bit."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alignlib as al
from alignlib.experiments import checkpoint
from alignlib.experiments.checkpoint import CheckpointRefused, run_resumable
from alignlib.experiments.run import Run

TINY = al.Experiment(hidden=(7, 6), epochs=4, train_size=90, batch_size=32, probe=8, weight_decay=1e-3)
CLOCK = "seconds"


class Killed(Exception):
    """Stands for the end of the process."""


def interrupted(experiment: al.Experiment, path: Path, epochs: int) -> None:
    """Run, and stop after so many epochs, as a process that is killed just after it has written its checkpoint."""
    going = Run(experiment)
    if path.exists():
        checkpoint.load(path, going)

    def after_epoch() -> None:
        checkpoint.save(path, going)
        if going.training.done == epochs * going.training.steps_an_epoch:
            raise Killed

    with pytest.raises(Killed):
        going.finish(show_progress=False, after_epoch=after_epoch)


def assert_same(one: al.Result, other: al.Result) -> None:
    assert one.experiment == other.experiment
    assert one.curves.keys() == other.curves.keys()
    for name in one.curves.keys() - {CLOCK}:
        np.testing.assert_array_equal(one.curves[name], other.curves[name], err_msg=name)


def assert_goes_on(experiment: al.Experiment, path: Path, *stops: int) -> None:
    path.unlink(missing_ok=True)
    for epochs in stops:
        interrupted(experiment, path, epochs)
    assert_same(run_resumable(experiment, path, show_progress=False), al.run(experiment, show_progress=False))


# ---------------------------------------------------------------- bit for bit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", al.optimizers.OPTIMIZERS)
@pytest.mark.parametrize("rule", al.rules.RULES)
def test_every_rule_and_optimizer_goes_on_bit_for_bit(rule: str, optimizer: str, dtype: str, tmp_path: Path) -> None:
    momentum = 0.9 if optimizer == "sgd" else 0.0
    experiment = dataclasses.replace(TINY, rule=rule, optimizer=optimizer, momentum=momentum, dtype=dtype)
    assert_goes_on(experiment, tmp_path / "run.npz", 2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.fixed_dictionaries(
        {
            "rule": st.sampled_from(sorted(al.rules.RULES)),
            "optimizer": st.sampled_from(al.optimizers.OPTIMIZERS),
            "record_every": st.integers(0, 7),
            "batch_size": st.integers(5, 100),
            "hidden": st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
            "label_noise": st.sampled_from([0.0, 0.5]),
            "dropout_hidden": st.sampled_from([0.0, 0.3]),
            "dropout_input": st.sampled_from([0.0, 0.1]),
            "adversarial": st.sampled_from([0.0, 0.05]),
            "stop_at_train_error": st.sampled_from([None, 60.0]),
            "probe": st.sampled_from([0, 8]),
            "seed": st.integers(0, 99),
        }
    ),
    stops=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True).map(sorted),
)
def test_any_run_goes_on_bit_for_bit(changes: dict[str, Any], stops: list[int], tmp_path: Path) -> None:
    experiment = dataclasses.replace(TINY, **changes)
    whole = al.run(experiment, show_progress=False)
    path = tmp_path / "run.npz"
    path.unlink(missing_ok=True)
    ended = whole.final("epoch")
    for epochs in stops:
        if epochs < ended:  # a run that reached its stop is not there to be interrupted
            interrupted(experiment, path, epochs)
    assert_same(run_resumable(experiment, path, show_progress=False), whole)


def test_convolutions_go_on(tmp_path: Path) -> None:
    assert_goes_on(
        dataclasses.replace(TINY, convolutions=((3, 3, 2),), rule="fa", frozen=1), tmp_path / "run.npz", 1, 3
    )


def test_a_run_that_diverges_goes_on(tmp_path: Path) -> None:
    wild = dataclasses.replace(TINY, output="linear", activation="relu", optimizer="sgd", learning_rate=1e60)
    assert np.isnan(al.run(wild, show_progress=False).final("test_loss"))
    assert_goes_on(wild, tmp_path / "run.npz", 2)


def test_a_finished_run_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.npz"
    whole = run_resumable(TINY, path, show_progress=False)
    monkeypatch.setattr(al.optimizers.RMSprop, "step", None)
    assert_same(run_resumable(TINY, path, show_progress=False), whole)


def test_the_clock_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    interrupted(TINY, path, 3)
    first = Run(TINY)
    checkpoint.load(path, first)
    assert first.stopwatch.seconds > 0
    seconds = run_resumable(TINY, path, show_progress=False).curves[CLOCK]
    assert seconds[3] <= first.stopwatch.seconds <= seconds[4]


# ---------------------------------------------------------------- really killed

CHILD = """
import sys
from pathlib import Path
import alignlib as al
from alignlib.experiments import checkpoint

moment, path = sys.argv[1:]
experiment = al.Experiment.from_json(sys.stdin.readline())
replace = Path.replace

def reported(self, target):
    if moment == "before the renaming":
        print("now", flush=True)
        sys.stdin.readline()  # until it is killed
    replace(self, target)
    print("now", flush=True)

Path.replace = reported
checkpoint.run_resumable(experiment, path, show_progress=False)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system that can kill a process")
@pytest.mark.parametrize("moment", ["while training", "before the renaming"])
def test_a_killed_process_loses_the_current_epoch_only(moment: str, tmp_path: Path) -> None:
    experiment = dataclasses.replace(TINY, rule="wm", optimizer="adam", epochs=30, dtype="float32")
    path = tmp_path / "run.npz"
    interrupted(experiment, path, 1)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, moment, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin
    assert child.stdout
    child.stdin.write(experiment.to_json() + "\n")
    child.stdin.flush()
    for _ in range(1 if moment == "before the renaming" else 3):
        assert child.stdout.readline() == "now\n"
    child.kill()  # wherever it is now
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    left = Run(experiment)
    checkpoint.load(path, left)
    assert left.training.done >= left.training.steps_an_epoch * (1 if moment == "before the renaming" else 4)
    assert_same(run_resumable(experiment, path, show_progress=False), al.run(experiment, show_progress=False))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.npz"]


# ---------------------------------------------------------------- refusals


@pytest.fixture
def left(tmp_path: Path) -> Path:
    interrupted(TINY, tmp_path / "run.npz", 2)
    return tmp_path / "run.npz"


def refused(path: Path, experiment: al.Experiment = TINY) -> str:
    with pytest.raises(CheckpointRefused) as caught:
        run_resumable(experiment, path, show_progress=False)
    assert str(path) in str(caught.value)
    assert "Remove it to begin anew" in str(caught.value)
    return str(caught.value)


def test_that_of_another_experiment_is_refused(left: Path) -> None:
    message = refused(left, dataclasses.replace(TINY, learning_rate=0.5))
    assert "another experiment, with learning_rate 0.001 and not 0.5" in message


def test_that_of_other_code_is_refused(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = {**checkpoint.run_code(), "alignlib/rules/direct.py": "0" * 16}
    monkeypatch.setattr("alignlib.experiments.floor.run_code", lambda: now)
    assert "alignlib/rules/direct.py changed since" in refused(left)


def test_that_of_another_numpy_is_refused(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "versions", lambda: {"numpy": "9.9"})
    assert f"it was computed with numpy {np.__version__}, now it would be 9.9" in refused(left)


def test_that_of_other_data_is_refused(left: Path) -> None:
    going = Run(TINY)
    going.training.data = dataclasses.replace(going.training.data, checksum="0" * 64)
    with pytest.raises(CheckpointRefused, match="the data of 'digits' changed"):
        checkpoint.load(left, going)


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive"])
def test_half_a_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    assert "is not a checkpoint" in refused(path)


def test_a_cut_off_file_is_refused(left: Path) -> None:
    left.write_bytes(left.read_bytes()[:-200])
    assert "is not a checkpoint" in refused(left)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    with path.open("wb") as file:
        np.savez(file, about=np.array([{}], dtype=object))
    assert "is not a checkpoint" in refused(path)


def test_another_state_is_refused(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(al.optimizers.RMSprop, "__init__", _remembering(al.optimizers.RMSprop.__init__))
    assert "another state (optimizer/more)" in refused(left)


def _remembering(init: Any) -> Any:
    def more(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.more = np.zeros(3)

    return more
