"""The plan of the records: a readable file that lists which long runs there are, before any of them is made."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from string import Formatter
from typing import Any

from alignlib.book.yaml_files import read_yaml
from alignlib.errors import InvalidValue, choose, nearest
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.settings import read_setting, write_setting
from alignlib.rules import RULES

PLAN = "plan.yml"
_STUDY = ("label", "base", "many", "runs")


@dataclass(frozen=True)
class Planned:
    """A run that the plan lists: its id, what it is in words, the experiment; ``file`` names the file of many."""

    id: str
    label: str
    experiment: Experiment
    file: str | None = None


def read_plan(path: Path, pattern: str = "*") -> list[Planned]:
    """Return the runs of a plan whose id fits a pattern, in the order of the plan.

    A study has a ``label``, a ``base`` and ``runs``; each of the runs says what differs from the base, and a list of
    values stands for one run each. The id is study/run and then the listed values, in the order in which they stand.
    A label may quote settings: ``{hidden}``, ``{rule}``, ``{seed}``. With ``many: true`` the runs of one name share a
    file and keep only their last numbers.

    Raises
    ------
    InvalidValue
        Naming the file, the study and the run, if an entry cannot be read, two runs share an id, or none fits.
    """
    place = path.name
    if not path.is_file():
        raise InvalidValue(f"no plan {path}: it lists the runs of the records.")
    studies = read_yaml(path, place)
    if not isinstance(studies, dict) or not all(isinstance(study, dict) for study in studies.values()):
        raise InvalidValue(f"{place}: write `study: {{label: …, base: …, runs: …}}`.")
    planned = [run for name, study in studies.items() for run in _study(str(name), study, place)]
    ids = [run.id for run in planned]
    if twice := next((id for id in ids if ids.count(id) > 1), ""):
        raise InvalidValue(f"{place}: two runs are called {twice!r}.")
    found = [run for run in planned if fnmatchcase(run.id, pattern) or fnmatchcase(run.id, f"{pattern}/*")]
    if not found:
        raise InvalidValue(f"{place} lists no run that fits {pattern!r}{nearest(pattern, ids) or '.'}")
    return found


def _study(name: str, study: Mapping[str, Any], place: str) -> Iterator[Planned]:
    for key in study:
        choose(f"entry of study {name!r} in {place}", key, _STUDY)
    runs = study.get("runs")
    if not isinstance(runs, dict) or not runs:
        raise InvalidValue(f"{place}, study {name!r}: `runs` must name at least one run.")
    for run, variants in runs.items():
        for variant in variants if isinstance(variants, list) else [variants]:
            where = f"{place}, {name}/{run}"
            if not isinstance(variant, dict):
                raise InvalidValue(f"{where}: write what differs from the base, {{name: value}}; received {variant!r}.")
            yield from _runs(f"{name}/{run}", study, variant, where)


def _runs(name: str, study: Mapping[str, Any], variant: Mapping[str, Any], where: str) -> Iterator[Planned]:
    own = dict(variant)
    label, many = str(own.pop("label", study.get("label", ""))), bool(study.get("many", False))
    settings = {**study.get("base", {}), **own}
    varied = [key for key, value in settings.items() if isinstance(value, list) and key != "convolutions"]
    lists = [settings[key] for key in varied]
    for values in itertools.product(*lists):
        chosen = {**settings, **dict(zip(varied, values, strict=True))}
        try:
            experiment = Experiment(**{key: _value(key, value) for key, value in chosen.items()})
            text = _label(label, experiment)
        except InvalidValue as problem:
            raise InvalidValue(f"{where}: {problem}") from None
        parts = [_part(getattr(experiment, key)) for key in varied]
        id = f"{name}/{'-'.join(parts)}" if many else "-".join([name, *parts])
        yield Planned(id, text, experiment, name if many else None)


def _value(key: str, value: Any) -> Any:
    # one layer is a number, in YAML as on the command line
    return read_setting(key, str(value)) if isinstance(value, str) or key == "hidden" else value


def _label(template: str, experiment: Experiment) -> str:
    """Return the label with the settings that it quotes, as people write them."""
    if not template.strip():
        raise InvalidValue("every run needs a `label` that says in words what it is.")
    values = {name: write_setting(getattr(experiment, name)) for name in asdict(experiment)}
    values["hidden"] = values["hidden"].replace("x", "×")
    values["rule"] = RULES[experiment.rule].label
    for _, name, _, _ in Formatter().parse(template):
        if name is not None:
            choose("setting in a label", name, values)
    return " ".join(template.format(**values).split())


def _part(value: Any) -> str:
    """Return a value as a part of an id."""
    return re.sub(r"[^a-z0-9.+=,_-]", "", write_setting(value).lower()) or "none"
