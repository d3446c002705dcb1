"""How sharply the book is checked: what error each figure would show, and how often rounding alone would raise alarm.

Everything here is read from the reference (``expected/``): the tolerance of a number as a share of the range of its
series is the smallest error that the check is sure to see; and each arithmetic, left out in turn, is a machine that the
reference has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.book import chapters, reference, tolerance
from alignlib.book.arithmetics import ARITHMETICS
from alignlib.book.compare import Quantity, quantities
from alignlib.book.pages import markdown_table
from alignlib.book.reference import CLAIMS, VALUES, Turn

Json = dict[str, Any]
#: Factors between what was seen and what is allowed, for which the page says what they would have meant.
FACTORS = (1.0, 2.0, tolerance.FACTOR)


@dataclass(frozen=True)
class Entry:
    """A quantity of the reference, and the chapter and the figure, table or value that it belongs to."""

    chapter: str
    item: str
    quantity: Quantity
    in_figure: bool = False

    @property
    def blunt(self) -> Array:
        """The tolerance of each compared number as a share of the range of its quantity."""
        return np.asarray(self.quantity.allowed.ravel() / tolerance.span(self.quantity.values))


@dataclass(frozen=True)
class Sharpness:
    """What the reference of a profile says of its own sharpness."""

    entries: Sequence[Entry]
    turns: Sequence[Turn]
    own: Sequence[str]
    arithmetics: Sequence[str]

    def compared(self) -> list[Entry]:
        """The quantities that are compared."""
        return [entry for entry in self.entries if not entry.quantity.free]

    def alarms(self, factor: float = tolerance.FACTOR) -> dict[str, list[tuple[Entry, float]]]:
        """Return for each arithmetic what would have raised a false alarm, had the reference not seen it."""
        found: dict[str, list[tuple[Entry, float]]] = {name: [] for name in self.arithmetics}
        for entry in self.compared():
            q = entry.quantity
            for name, share in tolerance.shares_left_out(q.values, q.seen, q.over_seeds, factor).items():
                if share > 1:
                    found[name].append((entry, share))
        return found

    def largest(self) -> dict[str, float]:
        """Return for each arithmetic the largest deviation as a share of the tolerance."""
        worst = dict.fromkeys(self.arithmetics, 0.0)
        for entry in self.compared():
            q = entry.quantity
            for name, share in tolerance.shares(q.values, q.seen, q.over_seeds).items():
                worst[name] = max(worst[name], share)
        return worst


def read(root: Path, profile: str) -> Sharpness:
    """Return what the reference of a profile says; AlignlibError where it cannot be read."""
    entries: list[Entry] = []
    turns: list[Turn] = []
    own: dict[str, None] = {}
    under: dict[str, None] = {}
    for chapter in chapters.discover(root):
        for path in sorted(reference.expected_folder(root, profile, chapter.name).glob("*.json")):
            content = reference.read_reference(root, path)[0]
            own[content["arithmetic"]] = None
            under |= dict.fromkeys(content["arithmetics"])
            entries += _entries(chapter.name, path.stem, content)
            if path.stem == CLAIMS:
                turns += reference.turns(content["claims"], content["claims"])
    known = [name for name in ARITHMETICS if name in under]
    return Sharpness(entries, turns, list(own), [*known, *(name for name in under if name not in known)])


def _entries(chapter: str, stem: str, content: Json) -> Iterator[Entry]:
    if stem == VALUES:
        for name, value in content["values"].items():
            yield from (Entry(chapter, name, each) for each in quantities(value))
    elif stem != CLAIMS:
        yield from (Entry(chapter, stem, each, "panels" in content) for each in quantities(content))


# ---------------------------------------------------------------- the page


def page(sharpness: Sharpness) -> str:
    """Return the page of the site that says how sharply its numbers are checked."""
    return "\n".join(
        [
            "# How sharply it is checked",
            "",
            "A check that accepts everything checks nothing.",
            "This page is made from the stored reference: what rounding does to each number,",
            "which [tolerance](tolerances) follows from it, and how large an error would have to be to be seen.",
            "",
            *_arithmetics(sharpness),
            *_figures(sharpness),
            *_nearest(sharpness),
        ]
    )


def _arithmetics(sharpness: Sharpness) -> Iterator[str]:
    compared, largest = sharpness.compared(), sharpness.largest()
    alarms = {factor: sharpness.alarms(factor) for factor in FACTORS}
    rows = [
        (
            name,
            ARITHMETICS[name].about if name in ARITHMETICS else "on another machine",
            _percent(largest[name]),
            *(len(alarms[factor][name]) for factor in FACTORS),
        )
        for name in sharpness.arithmetics
    ]
    yield from ("## Machines that the reference has seen", "")
    yield f"The numbers are those of {' and '.join(sharpness.own)}."
    yield "The same chapters were executed under the arithmetics below, and no claim changed its verdict."
    yield f"A number may be off by {tolerance.FACTOR:g} times what they did to it, so none of them is further off than"
    yield f"{_percent(1 / tolerance.FACTOR)} of a tolerance."
    yield "The last columns leave each of them out in turn:"
    yield "how many quantities would have raised a false alarm on a machine like this one, never seen before,"
    yield "if so many times of what the others did were allowed."
    yield ""
    head = ("Arithmetic", "Computes as", "Largest deviation", *(f"Alarms at {factor:g}×" for factor in FACTORS))
    yield from markdown_table(head, rows, numbers=1 + len(FACTORS))
    yield ""
    machines = [name for name in sharpness.arithmetics if not name.startswith("twin")]
    if len(rows) < 2:
        yield "With a single other arithmetic this says nothing about a machine never seen: nobody is left to judge by."
        yield ""
    elif machines:
        count = sum(len(alarms[tolerance.FACTOR][name]) for name in machines)
        yield f"So of {len(compared):,} quantities a machine never seen is expected to find {count / len(machines):.2g}"
        yield f"beyond their tolerance by rounding alone: {count} in all, {len(machines)} machines left out in turn."
        yield "Twins count only as witnesses: they are nudged at the start by more than one rounding."
        yield ""


def _figures(sharpness: Sharpness) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in sharpness.entries:
        if not entry.quantity.auxiliary:
            groups.setdefault((entry.chapter, entry.item), []).append(entry)
    rows = sorted((_row(*key, entries) for key, entries in groups.items()), key=lambda row: (-row[0], row[1]))
    free = sum(entry.quantity.free != "" for entry in sharpness.entries)
    outcomes = [entry.quantity.outcome for entry in sharpness.compared()]
    yield from ("## The smallest error that would be seen", "")
    yield "Each figure, table and number, the least sharp first: its tolerance as a share of the range of its series"
    yield "(of a single number, of its size), where it is widest and in the median."
    yield f"Of all quantities {outcomes.count(tolerance.EXACTLY):,} are exact on every machine that was tried,"
    yield f"{outcomes.count(tolerance.SPREAD):,} move with rounding,"
    yield f"{outcomes.count(tolerance.FREE):,} move as far as their range and are as good as not compared,"
    yield f"and {free:,} are wall times."
    yield ""
    shown = [row for row in rows if row[0] > tolerance.EXACT]
    table = [(what, chapter, _percent(median), _percent(worst)) for worst, what, chapter, median in shown]
    yield from markdown_table(("What", "Chapter", "Median", "Widest"), table, numbers=2)
    yield ""
    yield f"The other {len(rows) - len(shown):,} would show an error of a hundred-thousandth of their range."
    yield ""


def _row(chapter: str, item: str, entries: Sequence[Entry]) -> tuple[float, str, str, float]:
    shares = [entry.blunt for entry in entries if not entry.quantity.free and entry.quantity.values.size]
    every = np.concatenate(shares) if shares else np.zeros(1)
    place = f"[{item}](figures/{item})" if entries[0].in_figure else item
    return float(np.max(every)), place, chapter[:2], float(np.median(every))


def _percent(share: float) -> str:
    """Return a share in percent, two digits where they say something."""
    percent = 100 * share
    if 0 < percent < 1e-3:
        return "< 0.001 %"
    return f"{percent:,.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _nearest(sharpness: Sharpness, most: int = 12) -> Iterator[str]:
    nearest = sorted(sharpness.turns, key=lambda turn: turn.times)[:most]
    yield from ("## Claims nearest to turning", "")
    yield "The margin of a claim is the distance of the two numbers that decide it, as a share of their size."
    yield f"It is known of {len(sharpness.turns):,} claims; these are the ones that rounding brings nearest to another"
    yield "verdict. None turned."
    yield ""
    rows = [(turn.claim, _percent(abs(turn.margin)), f"{turn.times:.2g}") for turn in nearest]
    yield from markdown_table(("Claim", "Margin", "As a multiple of what rounding did to it"), rows, numbers=2)
