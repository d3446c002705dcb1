"""What a chapter states and measures besides its figures: claims, values in the running text, tables.

Each object shows itself to people (HTML, plain text) and to the checker (private JSON), from the same data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from alignlib.book.figure import JSON, check_alt, check_id
from alignlib.errors import InvalidValue, choose

CLAIM_MIME = "application/vnd.alignlib.claim+json"
VALUE_MIME = "application/vnd.alignlib.value+json"
TABLE_MIME = "application/vnd.alignlib.table+json"
GLUE_PREFIX = "application/papermill.record/"  # what MyST-NB takes as "keep for the text, show nothing here"


UNFIT = (ValueError, IndexError, KeyError, TypeError)  # what formatting raises


@dataclass(frozen=True)
class Measured:
    """A mean over seeds with its standard deviation (n - 1 in the denominator; NaN for one run) and their number.

    ``f"{m:.1f}"`` reads "2.3 ± 0.1 (n=5)"; what follows the number's format is its unit, and ``f"{m:.1f°}"`` reads
    "72.3° ± 1.1° (n=5)".
    """

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Any) -> Measured:
        """Return the mean and spread of the finite entries of ``values``."""
        finite = np.asarray(values, dtype=np.float64).ravel()
        finite = finite[np.isfinite(finite)]
        if finite.size == 0:
            raise InvalidValue("nothing to take the mean of: no finite value.")
        std = float(np.std(finite, ddof=1)) if finite.size > 1 else math.nan
        return cls(float(np.mean(finite)), std, int(finite.size))

    def __format__(self, spec: str) -> str:
        number, unit = _split_format(spec or ".2f")
        spread = "" if math.isnan(self.std) else f" ± {format(self.std, number.lstrip('+'))}{unit}"
        return f"{format(self.mean, number)}{unit}{spread} (n={self.n})"

    def __str__(self) -> str:
        return format(self, "")

    def to_json(self) -> JSON:
        """Return the measurement as plain JSON values."""
        return {"mean": self.mean, "std": None if math.isnan(self.std) else self.std, "n": self.n}


def _split_format(spec: str) -> tuple[str, str]:
    """Split ".1f°" into the format of the number and the unit."""
    found = re.match(r"(?P<number>\+?,?(\.\d+)?[eEfFgG]?)(?P<unit>.*)$", spec)
    assert found is not None
    return found["number"], found["unit"]


def written(value: Any, pattern: str) -> str:
    """Return ``value`` in a pattern such as "{:.1f} %"; a measurement carries the unit at both its numbers."""
    found = re.fullmatch(r"\{(?::(?P<spec>[^{}]*))?\}(?P<unit>[^{}]*)", pattern)
    if isinstance(value, Measured) and found is not None:
        return typeset(format(value, (found["spec"] or ".2f") + found["unit"]))
    return typeset(pattern.format(value))


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def typeset(text: str) -> str:
    """Return a text whose numbers are printed as in a book: a true minus sign, 3·10⁻⁵ for 3e-05."""

    def power(found: re.Match[str]) -> str:
        exponent = int(found[2])
        return f"{found[1]}·10{str(exponent).translate(RAISED)}" if exponent else found[1]

    text = re.sub(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]\d{2,3})(?!\w)", power, text)
    return re.sub(r"(?<![\w.)\]])-(?=\.?\d)", "−", text)


def bound(text: str) -> str:
    """Return a text of a page in which a spread and a percent sign stay on the line of their number."""
    return re.sub(r"(?<=\d) (?=%)| (?=± )|(?<=±) ", "\u00a0", text)


LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "−0123456789")


def markup(text: str) -> str:
    """Return a text as HTML; raised digits become plain ones raised, since few fonts have all ten of them."""
    text = escape(bound(text), quote=False)
    return re.sub(r"[⁻⁰¹²³⁴-⁹]+", lambda found: f"<sup>{found[0].translate(LOWERED)}</sup>", text)


@dataclass(frozen=True)
class Claim:
    """A statement about results, whether it holds here, and what was measured.

    ``measured`` carries the numbers, so that the statement needs none; ``source`` is plain text. ``margin`` is how far
    it is from turning, as :mod:`alignlib.book.margins` reads it; None where no number decides.
    """

    id: str
    statement: str
    holds: bool
    measured: str
    source: str = ""
    chapter: str = ""
    margin: float | None = None

    def __post_init__(self) -> None:
        check_id("claim", self.id)
        if not isinstance(self.holds, bool | np.bool_):
            raise InvalidValue(f"claim {self.id!r}: holds must be True or False, received {self.holds!r}.")
        object.__setattr__(self, "holds", bool(self.holds))
        for name in ("statement", "measured"):
            if not str(getattr(self, name)).strip():
                raise InvalidValue(f"claim {self.id!r}: {name} is empty.")
        object.__setattr__(self, "measured", str(self.measured))
        if "{cite" in self.source:
            raise InvalidValue(
                f"claim {self.id!r}: citation roles are not read inside a badge; write the source as plain text, "
                f"such as 'Nøkland (2016), Table 1', and cite it in the prose. Received {self.source!r}."
            )

    @property
    def verdict(self) -> str:
        """The outcome in words, so that it never hangs on a colour."""
        return "holds" if self.holds else "does not hold"

    def to_json(self) -> JSON:
        """Return the claim as plain JSON values."""
        return {
            "id": self.id,
            "chapter": self.chapter,
            "statement": self.statement,
            "holds": self.holds,
            "measured": self.measured,
            "source": self.source,
            **({} if self.margin is None else {"margin": self.margin}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Claim:
        """Inverse of :meth:`to_json`."""
        return cls(**data)

    def to_html(self) -> str:
        """Return the badge; its look is the style sheet's business."""
        mark, outcome = ("✓", "claim-holds") if self.holds else ("✗", "claim-fails")
        source = f'<span class="claim-source">Source: {escape(self.source)}</span>' if self.source else ""
        return (
            f'<div class="claim {outcome}" id="claim-{self.id}">'
            f'<span class="claim-badge"><span aria-hidden="true">{mark}</span> {self.verdict}</span> '
            f'<span class="claim-statement">{escape(self.statement)}</span> '
            f'<span class="claim-measured">{markup(typeset(self.measured))}</span> {source}</div>'
        )

    def __str__(self) -> str:
        mark = "✓" if self.holds else "✗"
        source = f" [{self.source}]" if self.source else ""
        return f"{mark} {self.verdict}: {self.statement} Measured: {self.measured}.{source}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> JSON:
        return {"text/html": self.to_html(), CLAIM_MIME: self.to_json(), "text/plain": str(self)}


@dataclass(frozen=True)
class Value:
    """A number that sentences quote as ``{glue:text}`name```; not shown where it is made.

    ``format`` is a format string such as "{:.1f} %"; the value may be a number, a text or a :class:`Measured`.
    ``free`` says why it is not compared with its reference, if it is not.
    """

    name: str
    value: Any
    format: str = "{}"
    free: str = ""
    chapter: str = ""

    def __post_init__(self) -> None:
        check_id("value", self.name)
        object.__setattr__(self, "value", plain_cell(self.value, f"value {self.name!r}"))
        try:
            written(self.value, self.format)
        except UNFIT as error:
            raise InvalidValue(
                f"value {self.name!r}: {self.value!r} does not fit the format {self.format!r} ({error})."
            ) from error

    @property
    def text(self) -> str:
        """The value as it stands in the sentence."""
        return written(self.value, self.format)

    def to_json(self) -> JSON:
        """Return the value as plain JSON values."""
        return {
            "name": self.name,
            "chapter": self.chapter,
            "value": cell_json(self.value),
            "text": self.text,
            **({"free": self.free} if self.free else {}),
        }

    def bundle(self) -> tuple[JSON, JSON]:
        """Return the data and metadata of the display message.

        The text is stored as a Python literal because MyST-NB reads it as one: bare "3.10" would become 3.1.
        """
        data = {GLUE_PREFIX + "text/plain": repr(bound(self.text)), VALUE_MIME: self.to_json()}
        return data, {"scrapbook": {"name": self.name, "mime_prefix": GLUE_PREFIX}}


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, the format of its numbers, and why they are not compared, if they are not."""

    name: str
    format: str = "{}"
    free: str = ""

    def text(self, cell: Any) -> str:
        """Return a cell as the reader sees it."""
        if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
            return "–"
        if isinstance(cell, bool):
            return "yes" if cell else "no"
        return cell if isinstance(cell, str) else written(cell, self.format)

    def to_json(self) -> JSON:
        """Return the column as plain JSON values."""
        return {"name": self.name, "format": self.format, **({"free": self.free} if self.free else {})}


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | Measured | None)


@dataclass(frozen=True)
class Table:
    """A computed table, compared with its reference like a figure.

    rows: sequences of cells, one a column; a cell is a text, number, bool, None or :class:`Measured`.
    alt: what the table tells, for readers who hear it; shown as its caption if ``caption`` is empty.
    """

    id: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    alt: str
    caption: str = ""
    chapter: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_id("table", self.id)
        object.__setattr__(self, "alt", check_alt(f"table {self.id!r}", self.alt))
        columns = [column if isinstance(column, Column) else Column(column) for column in self.columns]
        object.__setattr__(self, "columns", tuple(columns))
        rows = [[plain_cell(cell, f"table {self.id!r}") for cell in row] for row in self.rows]
        object.__setattr__(self, "rows", tuple(tuple(row) for row in rows))
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise InvalidValue(
                    f"table {self.id!r}: row {number} has {len(row)} cells, there are {len(self.columns)} columns."
                )
            for column, cell in zip(self.columns, row, strict=True):
                self._check_format(column, cell)

    def _check_format(self, column: Column, cell: Any) -> None:
        try:
            column.text(cell)
        except UNFIT as error:
            raise InvalidValue(
                f"table {self.id!r}, column {column.name!r}: {cell!r} does not fit the format {column.format!r} "
                f"({error})."
            ) from error

    @property
    def text_rows(self) -> list[list[str]]:
        """The cells as the reader sees them."""
        return [[c.text(cell) for c, cell in zip(self.columns, row, strict=True)] for row in self.rows]

    def to_json(self) -> JSON:
        """Return the table as plain JSON values."""
        return {
            "id": self.id,
            "chapter": self.chapter,
            "columns": [column.to_json() for column in self.columns],
            "rows": [[cell_json(cell) for cell in row] for row in self.rows],
            "alt": self.alt,
            "caption": self.caption,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Table:
        """Inverse of :meth:`to_json`."""
        columns = [Column(**column) for column in data["columns"]]
        rows = [[cell_from_json(cell) for cell in row] for row in data["rows"]]
        return cls(
            data["id"],
            columns,
            rows,
            data["alt"],
            data["caption"],
            data["chapter"],
            data.get("provenance", {}),
        )

    def to_html(self) -> str:
        """Return the table in a box that scrolls by itself (also by keyboard) on narrow screens."""
        head = "".join(self._head_html(i) for i in range(len(self.columns)))
        body = "".join(
            "<tr>" + "".join(self._cell_html(i, number) for i in range(len(row))) + "</tr>"
            for number, row in enumerate(self.text_rows)
        )
        caption = escape(self.caption or self.alt)
        return (
            f'<div class="table-scroll" id="table-{self.id}" tabindex="0" role="region" '
            f'aria-label="{escape(self.alt, quote=True)}"><table class="computed-table">'
            f"<caption><span>{caption}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _cell_html(self, column: int, row: int) -> str:
        text = markup(self.text_rows[row][column])
        if column == 0:
            return f'<th scope="row">{text}</th>'
        return f'<td class="number">{text}</td>' if _is_number(self.rows[row][column]) else f"<td>{text}</td>"

    def _head_html(self, column: int) -> str:
        numbers = column > 0 and all(_is_number(row[column]) for row in self.rows)
        kind = ' class="number"' if numbers else ""
        return f'<th scope="col"{kind}>{escape(self.columns[column].name)}</th>'

    def __str__(self) -> str:
        from tabulate import tabulate

        return tabulate(self.text_rows, [c.name for c in self.columns], disable_numparse=True)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> JSON:
        return {"text/html": self.to_html(), TABLE_MIME: self.to_json(), "text/plain": str(self)}


def plain_cell(value: Any, owner: str) -> Any:
    """Return ``value`` as a plain Python text, number, bool, None or Measured; InvalidValue for the rest."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float | Measured):
        return value
    raise InvalidValue(
        f"{owner}: {value!r} is a {type(value).__name__}; accepted: text, number, True/False, None, Measured."
    )


def cell_json(value: Any) -> Any:
    """Return a plain cell as JSON; a measurement becomes {"mean", "std", "n"}, what is not finite null."""
    if isinstance(value, Measured):
        return value.to_json()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cell_from_json(value: Any) -> Any:
    """Inverse of :func:`cell_json`."""
    if isinstance(value, Mapping):
        return Measured(value["mean"], math.nan if value["std"] is None else value["std"], value["n"])
    return value


def columns_of(names: Sequence[str | Column], formats: Mapping[str, str], free: Mapping[str, str]) -> list[Column]:
    """Return the columns called ``names`` with their formats, and the reasons why some are not compared."""
    known = [name.name if isinstance(name, Column) else name for name in names]
    for name in (*formats, *free):
        choose("column", name, known)
    return [
        name if isinstance(name, Column) else Column(name, formats.get(name, "{}"), free.get(name, ""))
        for name in names
    ]
