"""The settings of an experiment as people type them: ``hidden=7x240``, ``rule=bp,dfa``, ``seed=0:10``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from alignlib.errors import InvalidValue
from alignlib.experiments.experiment import Experiment, known

_KINDS = {field.name: str(field.type) for field in fields(Experiment)}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_RANGE = re.compile(r"(\d+):(\d+)(?::(\d+))?")


def read_setting(name: str, text: str) -> Any:
    """Return the value that a text gives to a field of an experiment; its range is checked by the experiment itself.

    Widths are written ``7x240`` (seven layers of 240 units), ``128+64`` or both; ``none`` is no layer, and no value
    where a field may be without one. Convolutions are written as JSON.

    Raises
    ------
    InvalidValue
        For an unknown field, with the nearest name, or a text that is not of its kind.
    """
    known([name])
    kind, text = _KINDS[name], text.strip()
    if text.lower() == "none" and ("None" in kind or name in ("hidden", "convolutions")):
        return None if "None" in kind else ()
    if name == "hidden":
        return _widths(text)
    if name == "convolutions":
        return _json(name, text)
    if kind == "bool":
        return _TRUTH.get(text.lower(), text)
    if kind.startswith("int"):
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else text
    return _number(text) if kind.startswith("float") else text


def read_choices(name: str, text: str) -> list[Any]:
    """Return the values that a text lists for a field: ``bp,dfa``, and ``0:10`` for the whole numbers 0 to 9.

    Raises
    ------
    InvalidValue
        As :func:`read_setting`, and for a list that is empty or holds a value twice.
    """
    known([name])
    whole = name in _KINDS and _KINDS[name].startswith("int")
    values = expand(name, text, lambda piece: read_setting(name, piece), whole=whole)
    return [_json(name, text)] if name == "convolutions" else values


def expand(name: str, text: str, read: Any, *, whole: bool) -> list[Any]:
    """Return the values in a text with commas, each read by ``read``; ``whole`` numbers may come as ranges.

    Raises
    ------
    InvalidValue
        For a list that is empty or holds a value twice.
    """
    values: list[Any] = []
    for piece in text.split(","):
        if whole and (found := _RANGE.fullmatch(piece.strip())):
            start, stop, step = (int(part or 1) for part in found.groups())
            values += range(start, stop, max(step, 1))
        elif piece.strip():
            values.append(read(piece))
    if not values:
        raise InvalidValue(f"{name}={text} lists no value; write {name}=1,2,4 or, for whole numbers, {name}=0:10.")
    twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
    if twice is not None:
        raise InvalidValue(f"{name}={text} holds {twice!r} twice; each value counts once.")
    return values


def read_experiment(base: Experiment, given: Mapping[str, str]) -> Experiment:
    """Return ``base`` with settings given as text; InvalidValue as :func:`read_setting` and :class:`Experiment`."""
    values = {name: getattr(base, name) for name in _KINDS}
    return Experiment(**{**values, **{name: read_setting(name, text) for name, text in given.items()}})


def write_setting(value: Any) -> str:
    """Return a value as it can be typed; :func:`read_setting` gives it back."""
    if isinstance(value, tuple) and all(isinstance(width, int) for width in value):
        alike = len(set(value)) == 1 and len(value) > 1
        return f"{len(value)}x{value[0]}" if alike else "+".join(map(str, value)) or "none"
    if isinstance(value, tuple):
        return json.dumps(value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _widths(text: str) -> Any:
    found = [re.fullmatch(r"(?:(\d+)[x×])?(\d+)", part.strip()) for part in text.split("+")]
    if None in found:
        raise InvalidValue(f"hidden must be widths such as 7x240 or 128+64; received {text!r}.")
    return tuple(int(each[2]) for each in found if each for _ in range(int(each[1] or 1)))


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidValue(f"{name} is written as JSON, such as [[8, 5, 2]]; received {text!r}.") from None


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
