"""The parameters of a chapter: read from its one tagged cell, and checked before anything runs.

The cell holds one line a parameter, literals only::

    epochs: int = 20  # passes through the training data [1, 500]
    seeds: list[int] = [0, 1, 2]  # one run each [0, 99999]
    optimizer: str = "rmsprop"  # how the weights are updated {sgd, rmsprop, adam}

What stands in square brackets at the end of the comment is the accepted range (a round bracket leaves its end
out, and an end may be ``inf``), what stands in braces the accepted values; for a list both hold for each entry.
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alignlib.errors import InvalidValue, nearest

Scalar = int | float | bool | str
Value = Scalar | list[int] | list[float] | list[str]

SCALARS = ("int", "float", "bool", "str")
TYPES = (*SCALARS, "list[int]", "list[float]", "list[str]")

_NUMBER = r"[+-]?(?:inf|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_RANGE = re.compile(rf"(?P<open>[\[(])\s*(?P<low>{_NUMBER})\s*,\s*(?P<high>{_NUMBER})\s*(?P<close>[\])])$")
_CHOICES = re.compile(r"\{(?P<items>[^{}]*)\}$")
_WORDS_OF_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Interval:
    """The numbers from ``low`` to ``high``; an open end is left out."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return "any number"
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = f"{'below' if self.open_high else 'at most'} {self.high:g}"
        if math.isinf(self.high):
            return low
        if math.isinf(self.low):
            return high
        if not (self.open_low or self.open_high):
            return f"{_plain(self.low)} to {_plain(self.high)}"
        return f"{low} and {high}"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter: its name, type, default, meaning and what it accepts."""

    name: str
    type: str
    default: Value
    help: str
    interval: Interval | None = None
    choices: tuple[Scalar, ...] = ()

    @property
    def entry_type(self) -> str:
        """The type of one entry: ``int`` for ``list[int]``, the type itself for a single value."""
        return self.type.removeprefix("list[").removesuffix("]")

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return self.type.startswith("list[")

    @property
    def accepted(self) -> str:
        """What is accepted beyond the type, in words; empty if anything of the type is."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        return str(self.interval) if self.interval else ""

    def check(self, value: object) -> Value:
        """Return ``value`` as this parameter's type (a whole number serves as a float; a bool is no number).

        Raises
        ------
        InvalidValue
            If the type is wrong, an entry is out of range or not among the choices, a list is empty, or
            seeds repeat.
        """
        if not self.is_list:
            return self._entry(value)
        if not isinstance(value, list):
            raise self._refusal(value)
        if not value:
            raise InvalidValue(f"parameter {self.name!r} is an empty list; it needs at least one {self.entry_type}.")
        entries = [self._entry(entry) for entry in value]
        self._refuse_repeated_seeds(entries)
        return entries  # type: ignore[return-value]  # all entries are of the one entry type

    def parse(self, text: str) -> Value:
        """Return the value that ``text`` says, as typed after ``-p name``; lists as ``0,1,2`` or ``[0, 1, 2]``.

        Raises
        ------
        InvalidValue
            As :meth:`check`.
        """
        if not self.is_list:
            return self.check(_scalar(self.type, text))
        return self.check(self._list(text))

    def text(self, value: Value) -> str:
        """Return ``value`` as it can be typed after ``-p name``; :meth:`parse` gives it back."""
        if isinstance(value, list):
            plain = all(re.fullmatch(r"[^\s\"',\[\]]+", str(entry)) for entry in value)
            return ",".join(str(entry) for entry in value) if plain else json.dumps(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _list(self, text: str) -> list[object]:
        body = text.strip()
        if body.startswith("[") and body.endswith("]"):
            try:
                return list(json.loads(body))
            except json.JSONDecodeError:
                body = body[1:-1].strip()
        if not body:
            return []
        pieces = [piece.strip() for piece in body.split(",")]
        return [_scalar(self.entry_type, _unquoted(piece)) for piece in pieces]

    def _entry(self, value: object) -> Scalar:
        typed = _typed(self.entry_type, value)
        if typed is None:
            raise self._refusal(value)
        if self.choices and typed not in self.choices:
            hint = nearest(typed, [str(choice) for choice in self.choices]) if isinstance(typed, str) else ""
            raise InvalidValue(f"parameter {self.name!r} got {typed!r}{hint or '.'} Accepted: {self.accepted}.")
        if self.interval and isinstance(typed, int | float) and typed not in self.interval:
            raise InvalidValue(f"parameter {self.name!r} got {typed!r}, out of range. Accepted: {self.accepted}.")
        return typed

    def _refusal(self, value: object) -> InvalidValue:
        wanted = f"{self.type}, {self.accepted}" if self.accepted else self.type
        example = self.text(self.default)
        return InvalidValue(f"parameter {self.name!r} got {value!r}. Accepted: {wanted}; for example {example}.")

    def _refuse_repeated_seeds(self, entries: Sequence[Scalar]) -> None:
        repeated = [entry for i, entry in enumerate(entries) if entry in entries[:i]]
        if repeated and (self.name == "seeds" or self.name.endswith("_seeds")):
            raise InvalidValue(f"parameter {self.name!r} holds {repeated[0]!r} twice; each seed counts once.")


def read_parameters(source: str, where: str) -> list[Parameter]:
    """Return the parameters that the source of a parameters cell declares, in its order.

    Raises
    ------
    InvalidValue
        Naming ``where`` and the line, if the cell holds anything else than
        ``name: type = literal  # meaning``, or a default that the parameter itself would refuse.
    """
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise InvalidValue(f"{where}, line {error.lineno}: {error.msg}.") from None
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    last_line = 0
    for statement in statements:
        place = f"{where}, line {statement.lineno}"
        if statement.lineno <= last_line:
            raise InvalidValue(f"{place}: one parameter a line.")
        last_line = statement.end_lineno or statement.lineno
        comment = comments.get(last_line) or comments.get(statement.lineno, "")
        parameter = _declared(statement, comment, place)
        if parameter.name in found:
            raise InvalidValue(f"{place}: parameter {parameter.name!r} is declared twice.")
        found[parameter.name] = parameter
    return list(found.values())


def by_name(parameters: Sequence[Parameter], name: str, chapter: str) -> Parameter:
    """Return the parameter of that name; ``chapter`` is how the error calls the chapter (``Chapter 04``).

    Raises
    ------
    InvalidValue
        With the nearest name and all that the chapter accepts.
    """
    names = {parameter.name: parameter for parameter in parameters}
    if name not in names:
        accepts = f"{chapter} accepts: {', '.join(names) or 'no parameters'}."
        raise InvalidValue(f"unknown parameter {name!r}{nearest(name, names) or '.'} {accepts}")
    return names[name]


def parse_values(parameters: Sequence[Parameter], given: Sequence[tuple[str, str]], chapter: str) -> dict[str, Value]:
    """Return the values given as text, checked; see :func:`by_name` and :meth:`Parameter.parse` for errors."""
    values: dict[str, Value] = {}
    for name, text in given:
        parameter = by_name(parameters, name, chapter)
        if name in values:
            raise InvalidValue(f"parameter {name!r} is given twice.")
        values[name] = parameter.parse(text)
    return values


def check_values(parameters: Sequence[Parameter], given: Mapping[str, object], chapter: str) -> dict[str, Value]:
    """Return the values given as Python objects, checked; errors as :func:`parse_values`."""
    return {name: by_name(parameters, name, chapter).check(value) for name, value in given.items()}


def _declared(statement: ast.stmt, comment: str, place: str) -> Parameter:
    form = "a parameter is written `name: type = literal  # meaning [low, high]` or `# meaning {a, b}`"
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        raise InvalidValue(f"{place}: {form}; nothing else may stand in the parameters cell.")
    name, kind = statement.target.id, ast.unparse(statement.annotation)
    if kind not in TYPES:
        raise InvalidValue(f"{place}: parameter {name!r} has type {kind!r}. Accepted: {', '.join(TYPES)}.")
    if name.startswith("_") or keyword.issoftkeyword(name):
        raise InvalidValue(f"{place}: {name!r} cannot be the name of a parameter.")
    if statement.value is None:
        raise InvalidValue(f"{place}: parameter {name!r} has no default; {form}.")
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        raise InvalidValue(f"{place}: the default of {name!r} is not a literal; {form}.") from None
    return _with_limits(name, kind, default, comment, place)


def _with_limits(name: str, kind: str, default: Value, comment: str, place: str) -> Parameter:
    entry_type = kind.removeprefix("list[").removesuffix("]")
    interval: Interval | None = None
    choices: tuple[Scalar, ...] = ()
    meaning = comment
    if found := _RANGE.search(comment):
        # two numbers in round brackets are part of the sentence
        if found["open"] + found["close"] != "()" or "inf" in found[0]:
            interval, meaning = _interval(found, entry_type, name, place), comment[: found.start()]
    elif found := _CHOICES.search(comment):
        choices, meaning = _choices(found["items"], entry_type, name, place), comment[: found.start()]
    elif comment.endswith(("]", "}")):
        raise InvalidValue(f"{place}: cannot read what {name!r} accepts: write [low, high] or {{a, b}}.")
    if not meaning.strip():
        raise InvalidValue(f"{place}: parameter {name!r} has no meaning; say it in a comment on its line.")
    parameter = Parameter(name, kind, default, meaning.strip(" ;,"), interval, choices)
    try:
        checked = parameter.check(default)
    except InvalidValue as error:
        raise InvalidValue(f"{place}: the default does not fit: {error}") from None
    return Parameter(name, kind, checked, parameter.help, interval, choices)


def _interval(found: re.Match[str], entry_type: str, name: str, place: str) -> Interval:
    if entry_type not in ("int", "float"):
        raise InvalidValue(f"{place}: {name!r} is {entry_type}, a range needs numbers; use {{a, b}}.")
    low, high = float(found["low"]), float(found["high"])
    if low > high:
        raise InvalidValue(f"{place}: the range of {name!r} ends before it starts.")
    return Interval(low, high, found["open"] == "(", found["close"] == ")")


def _choices(items: str, entry_type: str, name: str, place: str) -> tuple[Scalar, ...]:
    choices = [_typed(entry_type, _scalar(entry_type, _unquoted(item.strip()))) for item in items.split(",")]
    if entry_type == "bool" or None in choices or "" in choices:
        raise InvalidValue(f"{place}: the choices of {name!r} are not all of type {entry_type}.")
    return tuple(choice for choice in choices if choice is not None)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").strip() for token in tokens if token.type == tokenize.COMMENT}


def _scalar(kind: str, text: str) -> object:
    """Return what the text says if it is of that type, else the text itself, which the check then refuses."""
    text = text if kind == "str" else text.strip()
    if kind == "int" and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if kind == "float" and re.fullmatch(_NUMBER, text):
        return float(text)
    if kind == "bool":
        return _WORDS_OF_TRUTH.get(text.lower(), text)
    return text


def _typed(kind: str, value: object) -> Scalar | None:
    """Return the value as that type, or None: a bool is no number, and numbers must be finite."""
    if kind == "str":
        return value if isinstance(value, str) else None
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "int":
        return value if isinstance(value, int) else None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else f"{number:g}"
