"""The arithmetic of a process: its name, its rounding twins, and results of another one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import alignlib as al
from alignlib import arithmetic, initializers
from alignlib.experiments import many
from alignlib.experiments.store import Store

QUICK = al.Experiment(hidden=(16, 12), epochs=2, train_size=200, probe=32, learning_rate=0.001)


@pytest.fixture(autouse=True)
def fresh_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The name is kept for the life of a process; here processes change what they are."""
    monkeypatch.delenv(arithmetic.TWIN, raising=False)
    arithmetic.name.cache_clear()
    yield
    arithmetic.name.cache_clear()


def become(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setenv(arithmetic.TWIN, str(number))
    arithmetic.name.cache_clear()


# ---------------------------------------------------------------- twins


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_twin_is_so_many_units_in_the_last_place_off(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    drawn = np.random.default_rng(3).normal(size=(40, 30)).astype(dtype)
    become(monkeypatch, 1)
    nudged = arithmetic.nudged(drawn)
    assert nudged.dtype == dtype
    assert nudged.shape == drawn.shape
    off, unit = nudged - drawn, np.abs(np.spacing(drawn))
    assert 0.4 < np.mean(off > 0) < 0.6
    np.testing.assert_array_equal(np.abs(off) / unit, arithmetic.UNITS[dtype])


def test_a_twin_keeps_zeros_and_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.array([[0.0, -0.0, 1.0]])
    become(monkeypatch, 1)
    nudged = arithmetic.nudged(drawn)
    np.testing.assert_array_equal(nudged[0, :2], 0.0)
    assert nudged[0, 2] != 1.0
    np.testing.assert_array_equal(drawn, [[0.0, 0.0, 1.0]])


def test_a_twin_is_the_same_for_its_number_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.ones((8, 8))
    assert arithmetic.nudged(drawn) is drawn
    made = {}
    for number in (1, 2, 3):
        become(monkeypatch, number)
        made[number] = arithmetic.nudged(drawn)
        np.testing.assert_array_equal(arithmetic.nudged(drawn), made[number])
    for one, other in [(1, 2), (1, 3), (2, 3)]:
        assert np.any(made[one] != made[other])


def test_what_is_drawn_is_nudged_and_the_stream_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> tuple[np.ndarray, float]:
        rng = np.random.default_rng(5)
        return initializers.draw(initializers.FEEDBACK, "gaussian", (6, 4), rng), rng.random()

    own, after = draw()
    become(monkeypatch, 2)
    twin, after_twin = draw()
    assert after == after_twin
    np.testing.assert_array_equal(twin, arithmetic.nudged(own))
    assert np.all(twin != own)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "one", " 1", "00"])
def test_a_number_of_no_twin_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(arithmetic.TWIN, text)
    with pytest.raises(al.InvalidValue, match=f"ALIGNLIB_TWIN must be a whole number, at least 1; it is '{text}'"):
        arithmetic.nudged(np.ones(2))


def test_an_empty_number_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(arithmetic.TWIN, "")
    assert arithmetic.twin() == 0


def test_the_run_of_a_twin_differs_in_its_last_digits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    own = al.run(QUICK, show_progress=False)
    again = al.run(QUICK, show_progress=False)
    become(monkeypatch, 1)
    twin = al.run(QUICK, show_progress=False)
    np.testing.assert_array_equal(own.curves["train_loss"], again.curves["train_loss"])
    assert np.any(own.curves["train_loss"] != twin.curves["train_loss"])
    for name in own.curves.keys() - {"seconds"}:
        np.testing.assert_allclose(twin.curves[name], own.curves[name], rtol=1e-6, atol=1e-6, err_msg=name)
    assert own.versions["arithmetic"] + ", twin 1" == twin.versions["arithmetic"]


# ---------------------------------------------------------------- names


def test_the_name_says_kernels_and_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    own = arithmetic.name()
    blas, numpy = own.split(", ")
    assert blas
    assert numpy.startswith("NumPy ")
    become(monkeypatch, 4)
    assert arithmetic.name() == f"{own}, twin 4"


def test_the_name_follows_the_environment_of_the_process() -> None:
    if "OpenBLAS" not in arithmetic.name():
        pytest.skip("this NumPy has another BLAS")
    command = "from alignlib import arithmetic; print(arithmetic.name())"
    names = set()
    for kernels in ("Sandybridge", "Nehalem"):
        environment = {**os.environ, "OPENBLAS_CORETYPE": kernels}
        ran = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True)
        names.add(ran.stdout.strip().split(", ")[0])
    assert names == {"OpenBLAS Sandybridge", "OpenBLAS Nehalem"}


def test_without_threadpoolctl_the_name_is_what_numpy_was_built_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert arithmetic.name().startswith(f"{built}, NumPy ")


# ---------------------------------------------------------------- stores


def test_a_stored_result_of_another_arithmetic_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    [own] = al.run_many([QUICK], store=store, show_progress=False)
    assert store.get(QUICK)[0] is not None
    become(monkeypatch, 1)
    found, why = store.get(QUICK)
    assert found is None
    assert why == f"made by another arithmetic ({own.versions['arithmetic']}, here {arithmetic.name()})"
    [twin] = al.run_many([QUICK], store=store, show_progress=False)
    assert np.any(twin.curves["train_loss"] != own.curves["train_loss"])
    assert store.get(QUICK)[0] is not None


def test_a_stored_result_that_does_not_say_its_arithmetic_is_run_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    [own] = al.run_many([QUICK], store=store, show_progress=False)
    path = store.path(QUICK)
    text = path.read_text()
    assert '"arithmetic"' in text
    path.write_text(text.replace('"arithmetic"', '"arithmetics"'))
    found, why = store.get(QUICK)
    assert found is None
    assert f"another arithmetic (None, here {own.versions['arithmetic']})" in why


# ---------------------------------------------------------------- processors


def test_only_processors_that_the_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("ALIGNLIB_WORKERS", raising=False)
    assert many.processors() == 3
    assert many._workers_of_environment() == 3
    monkeypatch.setenv("ALIGNLIB_WORKERS", "5")
    assert many._workers_of_environment() == 5


def test_where_nobody_tells_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert many.processors() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert many.processors() == 1
