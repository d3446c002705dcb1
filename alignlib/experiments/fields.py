"""The fields of a JSON object, read strictly: a complaint names the file, the field and what is wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.errors import AlignlibError, nearest

JSON = dict[str, Any]

#: The format of records that this alignlib writes and reads.
FORMAT = 1


class RecordError(AlignlibError):
    """A record that cannot be read or must not be trusted; the text names the file and the field."""


class Fields:
    """The fields of a JSON object, each taken once and checked; a complaint names the file and the field."""

    def __init__(self, content: JSON, place: str):
        self._rest, self.place = {key: value for key, value in content.items() if key != "checksum"}, place
        self._taken: list[str] = []

    def take(self, name: str, wanted: str, good: Callable[[Any], bool]) -> Any:
        """Return a field if it is good, else complain what was wanted."""
        if name not in self._rest:
            raise RecordError(f"{self.place}: field {name!r} is missing{nearest(name, self._rest) or '.'}")
        value = self._rest.pop(name)
        self._taken.append(name)
        if not good(value):
            raise RecordError(f"{self.place}: field {name!r} must be {wanted}; received {json.dumps(value)[:60]}.")
        return value

    def end(self) -> None:
        """Complain of a field that nobody took."""
        for name in self._rest:
            raise RecordError(f"{self.place}: unknown field {name!r}{nearest(name, self._taken) or '.'}")

    def is_format(self) -> None:
        """Check the number of the format."""
        self.take("format", f"{FORMAT}, the format that this alignlib reads", lambda value: value == FORMAT)

    def text(self, name: str) -> str:
        """Take a text that is not empty."""
        return str(self.take(name, "a text", _is_text))

    def whole(self, name: str) -> int:
        """Take a whole number, at least 0."""
        return int(self.take(name, "a whole number, at least 0", _is_whole))

    def number(self, name: str) -> float:
        """Take a finite number, at least 0."""
        return float(self.take(name, "a number, at least 0", lambda v: _is_number(v) and v is not None and v >= 0))

    def list_of_numbers(self, name: str) -> list[float]:
        """Take a list of numbers, null for what is not finite."""
        return floats(self.take(name, "a list of numbers", _are_numbers))

    def mapping(self, name: str) -> JSON:
        """Take an object."""
        return dict(self.take(name, "an object", lambda value: isinstance(value, dict)))

    def objects(self, name: str) -> list[JSON]:
        """Take a list of objects."""
        good = self.take(
            name, "a list of objects", lambda v: isinstance(v, list) and all(isinstance(o, dict) for o in v)
        )
        return list(good)

    def texts(self, name: str) -> dict[str, str]:
        """Take an object of texts."""
        return dict(
            self.take(name, "an object of texts", lambda v: isinstance(v, dict) and all(map(_is_text, v.values())))
        )

    def machine(self, name: str) -> dict[str, str | int]:
        """Take an object of texts and whole numbers."""
        return dict(self.take(name, "an object of texts and whole numbers", _are_plain))

    def numbers(self, name: str) -> dict[str, float]:
        """Take an object of numbers, null for what is not finite."""
        taken = self.take(
            name, "an object of numbers", lambda v: isinstance(v, dict) and _are_numbers(list(v.values()))
        )
        return dict(zip(taken, floats(taken.values()), strict=True))

    def curves(self, name: str) -> dict[str, Array]:
        """Take an object of equally long lists of numbers, among them "epoch"."""
        taken = self.take(name, "an object of lists of numbers", _are_curves)
        lengths = {curve: len(values) for curve, values in taken.items()}
        if "epoch" not in lengths or len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise RecordError(f"{self.place}: field {name!r}: the curves must be equally long, one of them 'epoch'.")
        return {curve: np.array(floats(values), np.float64) for curve, values in taken.items()}

    def flag(self, name: str) -> bool:
        """Take true or false."""
        return bool(self.take(name, "true or false", lambda value: isinstance(value, bool)))

    def part(self, name: str) -> Fields | None:
        """Take an object whose fields are to be read in turn; null for none."""
        value = self.take(name, "an object or null", lambda v: v is None or isinstance(v, dict))
        return None if value is None else Fields(value, f"{self.place}, {name!r}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_plain(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(each) or _is_whole(each) for each in value.values())


def _are_named_numbers(value: Any) -> bool:
    return isinstance(value, dict) and _are_numbers(list(value.values()))


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _are_curves(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_are_numbers, value.values()))


def floats(values: Iterable[float | None]) -> list[float]:
    """Return numbers, NaN for null."""
    return [float("nan") if value is None else float(value) for value in values]
