"""Long runs that go on where they stopped: after each epoch everything that changes is written to one file.

Killed at any moment, nothing but the current epoch is lost, and the result is that of an uninterrupted run, bit for
bit; only the clock's readings differ.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from alignlib._typing import Array
from alignlib.arrays import to_host
from alignlib.errors import AlignlibError
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.floor import changed_files, run_code
from alignlib.experiments.result import Result, versions
from alignlib.experiments.run import Run

_ABOUT, _PENDING = "about", ("pending answers", "pending targets")


class CheckpointRefused(AlignlibError):
    """A checkpoint that a run cannot go on from; the text says why and what to do."""


def run_resumable(
    experiment: Experiment, path: str | os.PathLike[str], *, show_progress: bool = True, arrays: str | None = None
) -> Result:
    """Do what :func:`alignlib.run` does, going on from the checkpoint at ``path`` if there is one, and keeping one.

    The file stays when the run is done; whoever has the result in safety may remove it.

    Raises
    ------
    CheckpointRefused
        If the checkpoint is of another experiment, other data or other code, or cannot be read.
    """
    going, place = Run(experiment, arrays), Path(path)
    if place.exists():
        load(place, going)
    going.finish(show_progress=show_progress, after_epoch=lambda: save(place, going))
    return going.result()


def save(path: Path, going: Run) -> None:
    """Write all that a run has changed so far, aside and renamed: NumPy's npz with one entry of JSON, no pickle."""
    training, recorder = going.training, going.recorder
    generators, numbers, arrays = {}, {}, {}
    for name, holder, key, value in _state(going):
        if isinstance(value, np.random.Generator):
            generators[name] = value.bit_generator.state
        elif isinstance(value, int | float):
            numbers[name] = holder[key]
        else:
            arrays[name] = to_host(value)
    about = {
        **_papers(going),
        "done": training.done,
        "seconds": going.stopwatch.seconds,
        "rows": recorder.rows,
        "generators": generators,
        "numbers": numbers,
    }
    arrays |= dict(zip(_PENDING, recorder.seen.pending() or (), strict=False))
    content = io.BytesIO()
    np.savez(content, **{_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.part")  # one run writes it, so what a killed one left is overwritten
    aside.write_bytes(content.getbuffer())
    aside.replace(path)


def load(path: Path, going: Run) -> None:
    """Bring a run that has not begun to where :func:`save` was called.

    Raises
    ------
    CheckpointRefused
        If it is of another experiment, other data or other code, or cannot be read.
    """
    about, arrays = _read(path)
    if why := _refusal(about, going):
        raise CheckpointRefused(f"{path} cannot be gone on from: {why}. Remove it to begin anew.")
    training, recorder = going.training, going.recorder
    if training.plasticity and any(name.startswith("plasticity/_optimizers") for name in arrays):
        training.plasticity.start(training.rule.feedback)
    pending = [arrays.pop(name) for name in _PENDING if name in arrays]
    saved = {**arrays, **about["generators"], **about["numbers"]}
    state = list(_state(going))
    if saved.keys() != {name for name, *_ in state}:
        odd = ", ".join(sorted(saved.keys() ^ {name for name, *_ in state})[:3])
        raise CheckpointRefused(
            f"{path} cannot be gone on from: it holds another state ({odd}). Remove it to begin anew."
        )
    for name, holder, key, value in state:
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = saved[name]
        elif isinstance(value, int | float):
            holder[key] = saved[name]
        else:
            value[...] = np.asarray(saved[name], like=value)
    training.done, going.stopwatch.seconds, recorder.rows = about["done"], about["seconds"], about["rows"]
    if pending:
        recorder.seen.put_back(*pending)


def _papers(going: Run) -> dict[str, Any]:
    """Return what must be the same when the run goes on."""
    training = going.training
    papers = {
        "experiment": asdict(training.experiment),
        "data": training.data.checksum,
        "arrays": going.arrays,
        "numpy": versions()["numpy"],
        "code": run_code(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(papers))
    return plain


def _refusal(about: dict[str, Any], going: Run) -> str:
    now = _papers(going)
    for field, value in now["experiment"].items():
        then = about["experiment"].get(field)
        if then != value:
            return f"it is of another experiment, with {field} {then!r} and not {value!r}"
    if about["data"] != now["data"]:
        return f"the data of {now['experiment']['dataset']!r} changed"
    for name in ("numpy", "arrays"):
        if about[name] != now[name]:
            return f"it was computed with {name} {about[name]}, now it would be {now[name]}"
    changed = changed_files(about["code"])
    return f"{', '.join(changed[:3])} changed since" if changed else ""


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        return json.loads(arrays.pop(_ABOUT).tobytes()), arrays
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as problem:
        raise CheckpointRefused(f"{path} is not a checkpoint: {problem}. Remove it to begin anew.") from None


_Leaf = tuple[str, Any, Any, Any]


def _state(going: Run) -> list[_Leaf]:
    """Return (name, holder, key, value) of every array, generator and number that an update may change.

    Whatever a rule or an optimiser keeps is found by looking into it, so that none can forget to say what it keeps.
    """
    training = going.training
    roots = {
        "network": [training.network.parameters],
        "optimizer": training.optimizer,
        "rule": training.rule,
        "plasticity": training.plasticity,
        "rng": training.rng,
    }
    return list(_leaves(roots, "", set()))


def _leaves(thing: Any, name: str, seen: set[int]) -> Iterator[_Leaf]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    holder = _holder(thing)
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        inner = f"{name}/{key}" if name else str(key)
        if _is_array(value) or isinstance(value, np.random.Generator):
            if id(value) not in seen:
                seen.add(id(value))
                yield inner, holder, key, value
        elif isinstance(value, int | float):
            if not isinstance(holder, tuple):
                yield inner, holder, key, value
        else:
            yield from _leaves(value, inner, seen)


def _holder(thing: Any) -> Any:
    """Return the entries of a container or an object; nothing for what holds no state."""
    if isinstance(thing, dict | list | tuple):
        return thing
    return {} if isinstance(thing, type) or callable(thing) else getattr(thing, "__dict__", {})


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "__setitem__")
