"""The page that says how this very copy of the book was built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alignlib.book.citing import commit
from alignlib.book.pages import ShownChapter, markdown_table

Json = dict[str, Any]
#: Files at the root of the site that tell machines what it holds.
MACHINE_READABLE = ("manifest.json", "ro-crate-metadata.json", "figures/index.json")


@dataclass(frozen=True)
class Moment:
    """When and from which commit a site was made; the commit is empty without a git checkout."""

    date: str = ""
    commit: str = ""

    @classmethod
    def now(cls, root: Path) -> Moment:
        """Return this moment, by the day."""
        return cls(datetime.now(UTC).date().isoformat(), commit(root))


def status_page(profile: str, chapters: Sequence[ShownChapter], manifest: Json, moment: Moment) -> str:
    """Return the page from the manifest of the build; the moment of the build stands outside the manifest."""
    known = {str(entry.get("id")): entry for entry in manifest.get("chapters", [])}
    rows = [_row(chapter, known.get(chapter.name, {})) for chapter in chapters]
    versions: Mapping[str, str] = manifest.get("versions", {})
    return "\n".join(
        (
            "# This build",
            "",
            "Every chapter below was executed, compared with its stored reference and rendered without a warning.",
            "",
            *markdown_table(("What", "Value"), _about(profile, manifest, moment)),
            "",
            "## Chapters",
            "",
            "The deviation is the largest of all numbers in a chapter's figures, tables and sentences,",
            "as a share of the [tolerance](tolerances) that the number has:",
            "at 100 % the build would have stopped.",
            "Numbers that may differ, such as wall times, are left out.",
            "",
            *markdown_table(
                ("Chapter", "Seconds", "Largest deviation", "Figures", "Tables", "Claims that hold"),
                [*rows, _sum(chapters, known)],
                numbers=5,
            ),
            "",
            "## Versions",
            "",
            *markdown_table(("Package", "Version"), sorted(versions.items())),
            "",
            "All other packages are those of `requirements.lock` at this commit.",
            "",
            "## Parameters",
            "",
            "What each chapter ran with.",
            "",
            *_parameters(chapters, known),
        )
    )


def _about(profile: str, manifest: Json, moment: Moment) -> Iterator[tuple[str, str]]:
    yield "Profile", f"`{profile}`"
    if name := manifest.get("arithmetic"):
        yield "Arithmetic", f"{name}; [other machines](sharpness)"
    if moment.date:
        yield "Built on", moment.date
    if moment.commit:
        name, _, changed = moment.commit.partition(" ")
        yield "Commit", f"`{name}`" + (", with files changed since" if changed else "")
    yield "Machine-readable", ", ".join(f'<a href="{name}">{name}</a>' for name in MACHINE_READABLE)


def _row(chapter: ShownChapter, entry: Json) -> tuple[object, ...]:
    held = sum(bool(claim["holds"]) for claim in chapter.claims)
    return (
        f"[{chapter.spoken}](chapters/{chapter.name})",
        seconds(entry),
        deviation(entry),
        len(chapter.figures),
        len(chapter.tables),
        f"{held} of {len(chapter.claims)}",
    )


def _sum(chapters: Sequence[ShownChapter], known: Mapping[str, Json]) -> tuple[object, ...]:
    total = sum(float(entry.get("seconds") or 0) for entry in known.values())
    held = sum(bool(claim["holds"]) for chapter in chapters for claim in chapter.claims)
    figures, tables = (sum(len(getattr(c, kind)) for c in chapters) for kind in ("figures", "tables"))
    claims = sum(len(chapter.claims) for chapter in chapters)
    return ("**All**", f"{total:.0f}", "", figures, tables, f"{held} of {claims}")


def seconds(entry: Json) -> str:
    """Return how long a chapter ran."""
    return "–" if entry.get("seconds") is None else f"{float(entry['seconds']):.0f}"


def deviation(entry: Json) -> str:
    """Return the largest deviation of a chapter as a share of its tolerance."""
    share = entry.get("deviation")
    return "–" if share is None else f"{100 * float(share):.1f} %"


def _parameters(chapters: Sequence[ShownChapter], known: Mapping[str, Json]) -> Iterator[str]:
    for chapter in chapters:
        parameters: Mapping[str, object] = known.get(chapter.name, {}).get("parameters", {})
        if parameters:
            rows = [(f"`{name}`", f"`{value!r}`") for name, value in parameters.items()]
            yield from (
                f"```{{dropdown}} {chapter.spoken}",
                "",
                *markdown_table(("Parameter", "Value"), rows),
                "",
                "```",
                "",
            )
