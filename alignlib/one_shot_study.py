"""The study of one-shot learners that is too long for a chapter: made once, kept as JSON lines, checkable line by line.

Every line is one fit, with all that is needed to do it again: ``alignlib.one_shot_study.again`` does. Made by
``python -m alignlib.one_shot_study records/one-shot-mnist.jsonl``; what is in the file already is not done again.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alignlib import datasets, one_shot
from alignlib.errors import InvalidValue
from alignlib.experiments.store import code_digests

LABEL = "one-shot learners on the first 10 000 training examples of MNIST, tested on all 10 000 test examples"
DATASET, TRAIN_SIZE = "mnist", 10_000
SEEDS, TUNING_SEEDS = tuple(range(20)), (100, 101)
SHAPES = ((500,), (500, 500), (1000,), (500, 500, 500), (2000,))
RIDGES, INPUT_RIDGES, STEPS = (0.01, 0.1, 1.0, 10.0), (10.0, 1000.0), (1.0, 10.0, 100.0)

#: The files that these numbers hang on.
CODE = (
    "alignlib/activations.py",
    "alignlib/baselines/back_projection.py",
    "alignlib/baselines/label_projection.py",
    "alignlib/baselines/least_squares.py",
    "alignlib/baselines/shifted_target.py",
    "alignlib/baselines/solved.py",
    "alignlib/initializers.py",
    "alignlib/one_shot.py",
)


@dataclass(frozen=True)
class Outcome:
    """One fit: who, of which shape, from which random numbers, with which setting; and the test error in percent."""

    learner: str
    hidden: tuple[int, ...]
    seed: int
    setting: one_shot.Setting
    test_error: float
    seconds: float

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Outcome:
        """Read what :meth:`to_json` wrote; InvalidValue if a field is missing or unknown."""
        values = json.loads(line)
        try:
            values["setting"] = one_shot.Setting(**values["setting"])
            values["hidden"] = tuple(values["hidden"])
            return cls(**values)
        except (KeyError, TypeError) as problem:
            raise InvalidValue(f"not an outcome of the one-shot study ({problem}): {line[:80]!r}.") from None


def read(path: Path) -> tuple[dict[str, Any], list[Outcome]]:
    """Return the head of the file (label, checksum of the data, code, versions, machine) and its outcomes."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return json.loads(head), [Outcome.from_json(line) for line in lines]


def comparison() -> one_shot.Comparison:
    """Return the comparison that the study is about; it needs MNIST."""
    return one_shot.Comparison(datasets.load(DATASET).take(TRAIN_SIZE))


def again(outcome: Outcome, here: one_shot.Comparison) -> Outcome:
    """Return the same fit, done anew."""
    start = time.perf_counter()
    data = here.data
    drawn = one_shot.draws(data.n_in, outcome.hidden, data.n_out, outcome.seed)
    error = here.test_error(outcome.learner, drawn, outcome.setting)
    return replace(outcome, test_error=error, seconds=round(time.perf_counter() - start, 2))


def outcomes(done: Iterable[Outcome]) -> Iterator[Outcome]:
    """Yield the outcomes of the whole study, those that are done first."""
    known = {(o.learner, o.hidden, o.seed): o for o in done}
    yield from known.values()
    here = comparison()
    for hidden in SHAPES:
        learners = [name for name in one_shot.LEARNERS if name != "label" or len(hidden) > 1]  # one layer: equals elm
        missing = [(name, seed) for seed in SEEDS for name in learners if (name, hidden, seed) not in known]
        if not missing:
            continue
        settings = {o.learner: o.setting for o in known.values() if o.hidden == hidden}
        if any(name not in settings for name in learners):
            drawn = [one_shot.draws(here.data.n_in, hidden, here.data.n_out, seed) for seed in TUNING_SEEDS]
            settings = here.choose_all(drawn, RIDGES, INPUT_RIDGES, STEPS)
        for name, seed in missing:
            yield again(Outcome(name, hidden, seed, settings[name], 0.0, 0.0), here)


def head() -> dict[str, Any]:
    """Return the first line of the file."""
    digests = code_digests()
    return {
        "label": LABEL,
        "data_checksum": datasets.checksum(DATASET),
        "tried": {"ridges": RIDGES, "input_ridges": INPUT_RIDGES, "steps": STEPS, "seeds": TUNING_SEEDS},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
        "code": {file: digests[file] for file in CODE},
    }


def main(path: str) -> None:
    """Write the study to ``path``, aside and renamed after every fit."""
    file = Path(path)
    done = read(file)[1] if file.exists() else []
    lines = [json.dumps(head())]
    for number, outcome in enumerate(outcomes(done), start=1):
        lines.append(outcome.to_json())
        if number > len(done):
            part = file.with_suffix(".part")
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
            part.replace(file)
            print(outcome, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
