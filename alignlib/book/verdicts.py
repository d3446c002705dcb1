"""Verdicts on what a text says, each derived from claims: this chapter's own, and those of other chapters.

A verdict is never written down: a statement names claims, and their outcomes decide (:func:`decide`). The outcomes of
other chapters are read from the book's reference, with which every build compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from alignlib.book.claims import TABLE_MIME, Claim, Column, Table, markup, typeset
from alignlib.book.figure import JSON, check_id
from alignlib.errors import AlignlibError, InvalidValue, choose

HOLDS, LIMITS, FAILS = "holds", "holds with limits", "does not hold"
WRONG_WORD, UNTESTED = "wrong word", "cannot be tested here"
VERDICTS = (HOLDS, LIMITS, FAILS, WRONG_WORD, UNTESTED)

COLUMNS = ("statement", "what the article says", "verdict", "claims that were asked", "claims that decided")


@dataclass(frozen=True)
class Statement:
    """A statement of a text, and the claims that decide on it, by identifier.

    ``says`` are a few words of the text, ``means`` is the statement in ours.
    ``on`` are claims that must hold, ``against`` claims that must not, ``limits`` claims that limit it if they hold;
    ``instead`` are claims that, if all hold, show that something else than the word used was meant.
    ``why_not`` says why nothing here can decide, and then there are no claims.
    """

    id: str
    says: str
    means: str
    on: Sequence[str] = ()
    against: Sequence[str] = ()
    limits: Sequence[str] = ()
    instead: Sequence[str] = ()
    why_not: str = ""

    def __post_init__(self) -> None:
        check_id("statement", self.id)
        for name in ("on", "against", "limits", "instead"):
            if isinstance(getattr(self, name), str):
                raise InvalidValue(
                    f"statement {self.id!r}: {name} is a list of claims; received {getattr(self, name)!r}."
                )
        decided = bool(self.on or self.against or self.instead)
        if decided == bool(self.why_not.strip()):
            raise InvalidValue(
                f"statement {self.id!r}: give the claims that decide it (on, against, instead), "
                "or say in why_not why none can; one of the two."
            )

    @property
    def asked(self) -> tuple[str, ...]:
        """All claims that it names, each once."""
        return tuple(dict.fromkeys((*self.on, *self.against, *self.limits, *self.instead)))


def decide(statement: Statement, holds: Mapping[str, bool]) -> tuple[str, tuple[str, ...]]:
    """Return the verdict on a statement and the claims that decided; ``holds`` gives the outcome of every claim named.

    It holds if every claim in ``on`` does and none in ``against``; with limits if one of ``limits`` holds besides.
    Otherwise, or if there is nothing but ``instead``, the word is wrong if all of ``instead`` hold, and if not, the
    statement does not hold.
    """
    if statement.why_not:
        return UNTESTED, ()
    failed = [name for name in statement.on if not holds[name]]
    contradictions = [name for name in statement.against if holds[name]]
    if (statement.on or statement.against) and not failed and not contradictions:
        limits = [name for name in statement.limits if holds[name]]
        return (LIMITS, (*statement.on, *limits)) if limits else (HOLDS, (*statement.on, *statement.against))
    if statement.instead and all(holds[name] for name in statement.instead):
        return WRONG_WORD, tuple(statement.instead)
    return FAILS, tuple(dict.fromkeys((*failed, *contradictions))) or tuple(statement.instead)


@dataclass(frozen=True)
class Verdicts:
    """A list of verdicts that shows itself to people (HTML, plain text) and, as a table, to the checker.

    ``claims`` maps every identifier that the statements name to its claim; one of another chapter carries that
    chapter's name.
    """

    id: str
    statements: Sequence[Statement]
    claims: Mapping[str, Claim]
    alt: str
    caption: str = ""
    chapter: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [each.id for each in self.statements]
        for name in names:
            if names.count(name) > 1:
                raise InvalidValue(f"verdicts {self.id!r}: two statements are called {name!r}.")
        for each in self.statements:
            for name in each.asked:
                choose(f"claim in statement {each.id!r}", name, self.claims)

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each statement, by its identifier."""
        return {each.id: self._decided(each)[0] for each in self.statements}

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict was found, in the order of :data:`VERDICTS`."""
        found = list(self.verdicts.values())
        return {verdict: found.count(verdict) for verdict in VERDICTS}

    @property
    def table(self) -> Table:
        """The verdicts as a table of plain cells: what the reference keeps."""
        rows = [
            (each.id, each.says, verdict, len(each.asked), ", ".join(deciding) or None)
            for each in self.statements
            for verdict, deciding in [self._decided(each)]
        ]
        columns = [Column(name) for name in COLUMNS]
        return Table(self.id, columns, rows, self.alt, self.caption, self.chapter, self.provenance)

    def _decided(self, statement: Statement) -> tuple[str, tuple[str, ...]]:
        return decide(statement, {name: claim.holds for name, claim in self.claims.items()})

    def to_html(self) -> str:
        """Return the list: on a phone it reads as it does on a desk."""
        items = "".join(self._item(each) for each in self.statements)
        return (
            f'<section class="verdicts" id="table-{self.id}" aria-label="{escape(self.alt, quote=True)}">'
            f'<ol>{items}</ol><p class="verdicts-caption">{escape(self.caption or self.alt)}</p></section>'
        )

    def _item(self, statement: Statement) -> str:
        verdict, deciding = self._decided(statement)
        reason = f'<p class="verdict-why">{escape(statement.why_not)}</p>' if statement.why_not else ""
        evidence = "".join(self._evidence(name, name in deciding) for name in statement.asked)
        return (
            f'<li class="verdict verdict-{verdict.replace(" ", "-")}" id="verdict-{statement.id}">'
            f'<p class="verdict-says"><q>{escape(statement.says)}</q> <span class="verdict-badge">{verdict}</span></p>'
            f'<p class="verdict-means">{escape(statement.means)}</p>{reason}'
            f"{f'<ul>{evidence}</ul>' if evidence else ''}</li>"
        )

    def _evidence(self, name: str, decided: bool) -> str:
        claim = self.claims[name]
        elsewhere = claim.chapter != self.chapter
        place = f"Chapter {int(claim.chapter[:2])}" if elsewhere else "above"
        page = f"{claim.chapter}.html" if elsewhere else ""
        measured = "" if elsewhere else _typeset(claim.measured)  # the site fills in what other chapters measured
        return (
            f'<li class="{"verdict-decides" if decided else "verdict-asked"}">'
            f'<span class="verdict-outcome"><span aria-hidden="true">{"✓" if claim.holds else "✗"}</span> '
            f"{claim.verdict}</span> {escape(claim.statement)} "
            f'<span class="verdict-measured" data-claim="{name}">{measured}</span> '
            f'<a class="claim-place" href="{page}#claim-{name}">{place}</a></li>'
        )

    def __str__(self) -> str:
        return str(self.table)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> JSON:
        return {"text/html": self.to_html(), TABLE_MIME: self.table.to_json(), "text/plain": str(self)}


def _typeset(measured: str) -> str:
    return markup(typeset(measured))


def with_measured(html: str, measured: Mapping[str, str]) -> str:
    """Return a list of verdicts with what each claim measured, by identifier, where the list leaves that empty.

    A chapter knows the outcomes of other chapters' claims, from the reference; the numbers beside them are those of the
    book that is being built.
    """
    return re.sub(
        r'(?<= data-claim=")([\w-]+)">(?=</span>)', lambda found: f'{found[1]}">{_typeset(measured[found[1]])}', html
    )


def claims_of_book(root: Path, profile: str, *, without: str = "") -> dict[str, Claim]:
    """Return the claims of all chapters but ``without``, as the reference of a profile keeps them.

    The reference keeps no measurements; :func:`with_measured` adds those of the book.

    Raises
    ------
    AlignlibError
        If there is no reference of this profile.
    """
    files = sorted((root / "expected" / profile).glob("*/_claims.json"))
    if not files:
        raise AlignlibError(
            f"no claims in expected/{profile}: verdicts read what other chapters found from the reference there; "
            "run this chapter inside the repository, in a profile that has one."
        )
    found: dict[str, Claim] = {}
    for path in files:
        chapter = path.parent.name
        if chapter != without:
            for name, claim in json.loads(path.read_text(encoding="utf-8"))["claims"].items():
                found[name] = Claim(name, claim["statement"], claim["holds"], "see there", chapter=chapter)
    return found
