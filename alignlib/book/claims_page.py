"""The page of all claims: what comes out against a source first, every measurement beside its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from alignlib.book.claims import Claim
from alignlib.book.pages import ShownChapter, markdown_table

Json = dict[str, Any]
#: A source is a publication where it names a year; "derived above" and "tested here" are the book's own.
YEAR = re.compile(r"\b(?:19|20)\d\d")
#: Sources whose statement is the opposite of the claim's, by the words that chapters use for it.
OPPOSED = re.compile(r"\bagainst\b|\bthe opposite\b")

AGAINST, FAILED, CONFIRMED, OWN = "against", "failed", "confirmed", "own"
STANDINGS = {
    AGAINST: "Against a source",
    FAILED: "Failed expectations of our own",
    CONFIRMED: "As a source says",
    OWN: "Findings of this book",
}
_EXPLAINED = {
    AGAINST: (
        "A publication is named beside each of these, and what it says, or what one reads in it, does not hold here.",
        "Settings differ: the source line says which part of it is meant, and the chapter what was done otherwise.",
    ),
    FAILED: ("We wrote these sentences down before we knew; the computation says no, and so they stay.",),
    CONFIRMED: (),
    OWN: (),
}


def standing(claim: Json) -> str:
    """Return how a claim stands to its source: against, failed, confirmed or own."""
    source = str(claim.get("source", ""))
    published, opposed = bool(YEAR.search(source)), bool(OPPOSED.search(source))
    if not claim["holds"]:
        return FAILED if opposed or not published else AGAINST
    return AGAINST if published and opposed else CONFIRMED if published else OWN


def claims_page(chapters: Sequence[ShownChapter], stored: Mapping[str, bool]) -> str:
    """Return the page; ``stored`` has the verdict that the reference holds for each claim, by identifier."""
    listed = [(chapter, claim) for chapter in chapters for claim in chapter.claims]
    groups = {name: [(c, claim) for c, claim in listed if standing(claim) == name] for name in STANDINGS}
    held = sum(bool(claim["holds"]) for _, claim in listed)
    lines = [
        "# Claims",
        "",
        f"The book makes {len(listed)} claims that a computation decides: "
        f"{held} hold here and {len(listed) - held} do not.",
        "What does not hold stays on the list: a statement of a paper that our measurement contradicts is a result,",
        "and so is an expectation of ours that failed.",
        "",
        *markdown_table(
            ("Claims", "Number"),
            [(f"[{told}](claims-{name})", len(groups[name])) for name, told in STANDINGS.items() if groups[name]],
        ),
        "",
        "The reference of a claim is its verdict, and nothing but the same verdict will do: one that changes stops",
        "the build.",
        "The numbers beside it are of this build; the figures and tables that they come from have",
        "[tolerances](tolerances) of their own.",
        "",
        "```{raw} html",
        _form([chapter for chapter in chapters if chapter.claims]),
        "```",
        "",
    ]
    for name, group in groups.items():
        if group:
            lines += [f"(claims-{name})=", f"## {STANDINGS[name]}", "", *_EXPLAINED[name], "", *_listed(group, stored)]
    return "\n".join(lines)


def _listed(group: Sequence[tuple[ShownChapter, Json]], stored: Mapping[str, bool]) -> Iterator[str]:
    for chapter, claim in group:
        yield from ("```{raw} html", _row(chapter, claim, stored.get(claim["id"])), "```", "")


def _row(chapter: ShownChapter, claim: Json, stored: bool | None) -> str:
    badge = Claim.from_json(claim).to_html().removesuffix("</div>")
    place = f"chapters/{chapter.name}.html#claim-{claim['id']}"
    reference = "none yet" if stored is None else "holds" if stored else "does not hold"
    about = f'<span class="claim-reference">reference: {reference}</span>'
    link = f'<a href="{place}">{escape(chapter.spoken)}</a>'
    badge = badge.replace(
        'class="claim ', f'data-chapter="{chapter.number}" data-standing="{standing(claim)}" class="claim ', 1
    )
    return f'{badge}<span class="claim-place">{about} · {link}</span></div>'


def _form(chapters: Sequence[ShownChapter]) -> str:
    """The filter, hidden until its script runs: without scripts the list is simply whole."""
    options = "".join(f'<option value="{c.number}">{escape(c.spoken)}</option>' for c in chapters)
    verdicts = '<option value="claim-holds">holds</option><option value="claim-fails">does not hold</option>'
    return (
        '<form class="claims-filter" role="search" aria-label="Filter the claims" hidden>'
        '<label>Words <input type="search" name="words" placeholder="DFA, Nøkland, depth …"></label>'
        f'<label>Chapter <select name="chapter"><option value="">all</option>{options}</select></label>'
        f'<label>Verdict <select name="verdict"><option value="">all</option>{verdicts}</select></label>'
        '<output aria-live="polite"></output></form>'
        '<script src="claims/filter.js" defer></script>'
    )
