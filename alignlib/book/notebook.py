"""A chapter from inside its notebook: it reads the parameters and hands out figures, claims, values and tables."""

from __future__ import annotations

import inspect
import math
import os
import platform
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from alignlib.book.claims import Claim, Column, Table, Value, columns_of
from alignlib.book.figure import JSON, Figure, Panel
from alignlib.book.margins import margin
from alignlib.book.root import RECORDS, find_root
from alignlib.book.verdicts import Statement, Verdicts, claims_of_book
from alignlib.errors import InvalidValue, nearest
from alignlib.experiments.records import Record, read, summary

PROFILE_VARIABLE = "ALIGNLIB_PROFILE"
CUSTOM, DEFAULTS = "custom", "digits"  # profiles: of changed parameters, and of the notebooks as they are


@dataclass(frozen=True)
class Source:
    """The source of a class or function, shown in the chapter as it stands in the package."""

    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> JSON:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", self.text)), default=0))
        return {"text/markdown": f"{fence}python\n{self.text}\n{fence}", "text/plain": self.text}


def source(shown: Any) -> Source:
    """Return the source of a class, function or module for display."""
    try:
        text = inspect.getsource(shown)
    except (TypeError, OSError) as error:
        raise InvalidValue(f"no source to show for {shown!r}: give a class, function or module.") from error
    return Source(textwrap.dedent(text).strip("\n"))


class Chapter:
    """One chapter while its notebook runs.

    Parameters
    ----------
    name
        File name of the chapter without suffix: "04-direct-feedback-alignment".
    namespace
        The notebook's ``globals()`` after the parameters cell. The annotated names in it are the parameters; their
        present values (papermill may have replaced the defaults) go into the provenance of everything made here.

    An identifier may be made again, so that a cell can be run twice while one works on it. That no two cells of a
    chapter share an identifier is checked in the executed notebook.
    """

    def __init__(self, name: str, namespace: Mapping[str, Any]):
        if not isinstance(name, str) or not re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", name):
            raise InvalidValue(f"chapter name {name!r}: expected its file name, such as '02-backpropagation'.")
        self.name = name
        self.profile = os.environ.get(PROFILE_VARIABLE) or CUSTOM
        self.parameters = read_parameters(namespace)
        self.data: dict[str, str] = {}
        self.read: dict[str, Record] = {}
        self.made: dict[str, str] = {}
        self.claims: dict[str, Claim] = {}

    def __repr__(self) -> str:
        return f"Chapter {self.name} (profile {self.profile}): {self.parameters}"

    def run(self, experiments: Iterable[Any], **options: Any) -> list[Any]:
        """Run experiments like :func:`alignlib.run_many` and remember which data they used."""
        import alignlib as al

        results = list(al.run_many(list(experiments), **options))
        self.uses({result.experiment.dataset: result.data_checksum for result in results})
        return results

    def uses(self, data: Mapping[str, str]) -> None:
        """Remember data sets by name and checksum, for the provenance of all that follows."""
        self.data.update(data)

    def records(self, pattern: str) -> list[Record]:
        """Return the records of the book whose id fits a pattern such as ``nokland/7x240-*``, by id.

        What is made from here on says that its numbers come from them. Write the pattern out: a build looks for it
        in the chapter, to run it again when one of these records changes.

        Raises
        ------
        InvalidValue
            If none fits, with the nearest id.
        RecordError
            If one was edited or cannot be read.
        """
        found = read(find_root() / RECORDS, pattern)
        self.read.update({record.id: record for record in found})
        self.uses({record.experiment.dataset: record.result.data_checksum for record in found})
        return found

    def figure(
        self, id: str, panels: Panel | Sequence[Panel], *, alt: str, data: Mapping[str, str] | None = None
    ) -> Figure:
        """Return a figure; leave it as the last expression of its cell, so that it is shown.

        ``alt`` says what can be seen, in a sentence. ``data`` names data sets (with checksums) that the panels do
        not know of themselves; panels made from results do.
        """
        panels = [panels] if isinstance(panels, Panel) else list(panels)
        used = dict(data or {})
        for panel in panels:
            used.update(panel.data)
        figure = Figure(id, self.name, panels, alt, self.provenance(id, used))
        self._register(id, "figure")
        return figure

    def table(
        self,
        id: str,
        rows: Iterable[Sequence[Any] | Mapping[str, Any]],
        columns: Sequence[str | Column] | None = None,
        *,
        alt: str,
        caption: str = "",
        formats: Mapping[str, str] | None = None,
        free: Mapping[str, str] | None = None,
    ) -> Table:
        """Return a computed table; leave it as the last expression of its cell.

        Rows are sequences of cells, or mappings from column name to cell (then ``columns`` may be left out).
        ``formats``, and ``free`` with the reasons why a column is not compared, are given by column name.
        """
        listed = list(rows)
        if columns is None:
            if not listed or not isinstance(listed[0], Mapping):
                raise InvalidValue(f"table {id!r}: name the columns, or give rows as dictionaries.")
            columns = list(listed[0])
        made = columns_of(columns, formats or {}, free or {})
        names = [column.name for column in made]
        cells = [_cells(row, number, names) for number, row in enumerate(listed, start=1)]
        table = Table(id, made, cells, alt, caption, self.name, self.provenance(id, {}))
        self._register(id, "table")
        return table

    def claim(self, id: str, statement: str, *, holds: bool, measured: object, source: str = "") -> None:
        """Show a statement with its outcome, at once: several may stand in one cell."""
        claim = Claim(id, statement, holds, str(measured), source, self.name, margin(sys._getframe(1), bool(holds)))
        self._register(id, "claim")
        self.claims[id] = claim
        _display(claim)

    def verdicts(self, id: str, statements: Sequence[Statement], *, alt: str, caption: str = "") -> Verdicts:
        """Return verdicts on what a text says; leave it as the last expression of its cell.

        They follow from the claims that the statements name: made in this chapter before, or in another one and kept
        in the reference of the book, that of the profile "digits" where a reader changed parameters.
        """
        profile = DEFAULTS if self.profile == CUSTOM else self.profile
        claims = {**claims_of_book(find_root(), profile, without=self.name), **self.claims}
        verdicts = Verdicts(id, statements, claims, alt, caption, self.name, self.provenance(id, {}))
        self._register(id, "table")
        return verdicts

    def value(self, name: str, value: Any, format: str = "{}", *, free: str = "") -> None:
        """Keep a number for the running text, where ``{glue:text}`name``` quotes it; shows nothing."""
        made = Value(name, value, format, free, self.name)
        self._register(name, "value")
        data, metadata = made.bundle()
        _display(data, raw=True, metadata=metadata)

    def source(self, shown: Any) -> Source:
        """Return the source of a class, function or module for display."""
        return source(shown)

    def provenance(self, id: str, data: Mapping[str, str]) -> JSON:
        """Return where a figure or table comes from, as plain JSON values."""
        origin = {"records": summary(self.read.values())} if self.read else {}
        return {
            "figure": id,
            "chapter": self.name,
            "profile": self.profile,
            "parameters": dict(self.parameters),
            "data": dict(sorted({**self.data, **data}.items())),
            "versions": versions(),
            **origin,
        }

    def _register(self, id: str, kind: str) -> None:
        before = self.made.setdefault(id, kind)
        if before != kind:
            raise InvalidValue(f"{id!r} is already the name of a {before} of this chapter; call this {kind} otherwise.")


def _cells(row: Sequence[Any] | Mapping[str, Any], number: int, names: Sequence[str]) -> Sequence[Any]:
    """One row's cells in the order of the columns; a record may leave some out."""
    if not isinstance(row, Mapping):
        return row
    for name in row:
        if name not in names:
            raise InvalidValue(f"unknown column {name!r} in row {number}{nearest(name, names) or '.'}")
    return [row.get(name) for name in names]


def read_parameters(namespace: Mapping[str, Any]) -> JSON:
    """Return the annotated names of ``namespace`` with their present values, which must be plain JSON."""
    names = list(_annotations(namespace))
    missing = [name for name in names if name not in namespace]
    if missing:
        raise InvalidValue(f"parameter {missing[0]!r} is annotated but has no value.")
    return {name: _plain_parameter(name, namespace[name]) for name in names}


def _annotations(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations of a namespace, which Python 3.14 and newer make only when they are asked for (PEP 649)."""
    make = namespace.get("__annotate__")
    made: Mapping[str, Any] = make(1) if make else namespace.get("__annotations__", {})
    return made


def _plain_parameter(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list):
        return [_plain_parameter(name, item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain_parameter(name, item) for key, item in value.items()}
    hint = " Write a list instead of a tuple." if isinstance(value, tuple) else ""
    raise InvalidValue(
        f"parameter {name!r} has the value {value!r} ({type(value).__name__}); "
        f"accepted: text, finite number, True/False, None, and lists or dictionaries of these.{hint}"
    )


def versions() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    return {
        "alignlib": _version("alignlib"),
        "numpy": _version("numpy"),
        "matplotlib": _version("matplotlib"),
        "python": platform.python_version(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _display(shown: Any, **options: Any) -> None:
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        return
    if get_ipython() is not None:
        display(shown, **options)  # type: ignore[no-untyped-call]
