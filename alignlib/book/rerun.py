"""One chapter with the reader's parameters, and how its numbers and figures differ from the book's."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from alignlib.book import chapters as book_chapters
from alignlib.book import pages, reference
from alignlib.book.chapters import Chapter, Say
from alignlib.book.compare import JSON
from alignlib.book.differences import Difference, differences
from alignlib.book.figure import Figure
from alignlib.book.files import ASIDE, read_json, write_file, write_json
from alignlib.book.parameters import Value
from alignlib.errors import AlignlibError, InvalidValue

MARK = "run.json"
CUSTOM = "custom"


@dataclass(frozen=True)
class Rerun:
    """A finished run of the reader's: its folder, how it differs from the book, and which claims changed."""

    folder: Path
    seconds: float
    differences: tuple[Difference, ...]
    claims: tuple[str, ...]

    def __str__(self) -> str:
        lines = ["Where your run is furthest from the book's:", "", _table(self.differences)]
        if not self.differences:
            lines = ["The book has no reference for this chapter and profile to compare with."]
        return "\n".join([*lines, *(["", *self.claims] if self.claims else [])])


def rerun(
    root: Path,
    chapter: Chapter,
    values: Mapping[str, Value],
    *,
    profile: str = book_chapters.DEFAULT_PROFILE,
    out: Path | None = None,
    say: Say = print,
) -> Rerun:
    """Execute a chapter with these parameters (checked before) on top of the profile's, and compare it.

    The folder ``out`` (default ``runs/NN-name`` in the working folder) receives the executed notebook, the files
    of each figure, each figure drawn over the book's, and ``comparison.md``. Whatever else lies in the folder of
    a former run stays; a folder that is none is refused.

    Raises
    ------
    ChapterFailed
        If a cell fails; the former run in the folder stays.
    InvalidValue
        If the folder holds something else, or the profile is unknown.
    """
    settings = book_chapters.profile_values(root, profile).get(chapter.name, {})
    chosen = {**settings, **values}
    changed = {name: value for name, value in values.items() if settings.get(name) != value}
    folder = out or Path("runs") / chapter.name
    former = _former_files(folder)
    staging = folder / ASIDE
    shutil.rmtree(staging, ignore_errors=True)
    started = time.perf_counter()
    try:
        staging.mkdir(parents=True)
        executed = staging / f"{chapter.name}.ipynb"
        say(f"{chapter.name}: running in {folder}")
        book_chapters.execute(chapter, executed, chosen, root=root, profile=CUSTOM if changed else profile)
        run = _compare(root, profile, chapter, executed, folder, time.perf_counter() - started)
        _write_pictures(root, profile, executed, staging)
        write_file(staging / "comparison.md", _page(chapter, profile, chosen, run, executed))
        _move_in(staging, folder, former, {"chapter": chapter.name, "profile": profile, "parameters": chosen})
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()  # only where it is empty: the run failed and the folder was made for it
    return run


# ---------------------------------------------------------------- the folder


def _former_files(folder: Path) -> list[str]:
    """Return the files that a former run left in the folder; refuse a folder that holds anything but a run."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise InvalidValue(f"{folder} is a file; name a folder with --out.")
    mark = folder / MARK
    if mark.is_file():
        return [str(name) for name in read_json(mark).get("files", [])]
    if any(path.name != ASIDE for path in folder.iterdir()):
        raise InvalidValue(f"{folder} is not empty and no former run; name another folder with --out.")
    return []


def _move_in(staging: Path, folder: Path, former: Sequence[str], about: JSON) -> None:
    """Replace the files of the former run by the new ones; the mark that lists them is written last."""
    made = sorted(path.relative_to(staging) for path in staging.rglob("*") if path.is_file())
    for name in former:
        path = folder / name
        if path.resolve().is_relative_to(folder.resolve()) and path.name != MARK:
            path.unlink(missing_ok=True)
    for part in made:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (staging / part).replace(folder / part)
    write_json(folder / MARK, {**about, "files": [part.as_posix() for part in made]})


# ---------------------------------------------------------------- numbers


def _compare(root: Path, profile: str, chapter: Chapter, executed: Path, folder: Path, seconds: float) -> Rerun:
    shown = reference.read_shown(book_chapters.read_notebook(executed))
    found: list[Difference] = []
    for name, now in shown.items.items():
        if book := _reference(root, profile, chapter.name, name):
            found += differences(name, book, now)
    values = _reference(root, profile, chapter.name, reference.VALUES).get("values", {})
    for name in [name for name in shown.values if name in values]:
        found += differences(f"value {name}", values[name], shown.values[name])
    claims = _reference(root, profile, chapter.name, reference.CLAIMS).get("claims", {})
    return Rerun(folder, seconds, tuple(found), tuple(_changed_claims(claims, shown)))


def _changed_claims(book: Mapping[str, JSON], shown: reference.Shown) -> Iterable[str]:
    for name, claim in shown.claims.items():
        before = book.get(name, {}).get("holds", claim["holds"])
        if before != claim["holds"]:
            now = "holds here, not in the book" if claim["holds"] else "does not hold here, as it does in the book"
            yield f"Claim {name} {now} (measured: {shown.measured[name]}): {claim['statement']}"


def _reference(root: Path, profile: str, chapter: str, name: str) -> JSON:
    """Return a document of the reference; empty if there is none."""
    path = reference.expected_folder(root, profile, chapter) / f"{name}.json"
    return reference.read_reference(root, path)[0] if path.is_file() else {}


# ---------------------------------------------------------------- pictures and page


def _write_pictures(root: Path, profile: str, executed: Path, folder: Path) -> None:
    """Write the files of each figure and table, and each figure over the book's, which is grey."""
    shown = pages.read_chapter(executed)
    for figure in shown.figures:
        for suffix, content in pages.figure_files(figure).items():
            write_file(folder / "figures" / f"{figure.id}.{suffix}", content)
        if book := _reference(root, profile, shown.name, figure.id):
            _write_overlay(Figure.from_json(figure.data), book, folder / "figures")
    for table in shown.tables:
        write_file(folder / "figures" / f"{table['id']}.csv", pages.table_csv(table))


def _write_overlay(figure: Figure, book: JSON, folder: Path) -> None:
    from alignlib.book.drawing import draw, to_png, to_svg

    try:
        drawing = draw(figure, Figure.from_json({**book, "alt": figure.alt}))
    except InvalidValue:
        return  # the reader's parameters gave it other panels: there is nothing to lay one over the other
    about = json.dumps(figure.to_json()["provenance"], sort_keys=True, ensure_ascii=False)
    write_file(folder / f"{figure.id}-vs-book.svg", to_svg(drawing, about))
    write_file(folder / f"{figure.id}-vs-book.png", to_png(drawing, about))


def _page(chapter: Chapter, profile: str, values: Mapping[str, Value], run: Rerun, executed: Path) -> str:
    """Return the comparison as Markdown."""
    shown = pages.read_chapter(executed)
    pictures = executed.parent / "figures"
    declared = book_chapters.effective(book_chapters.parameters(chapter), values)
    lines = [f"# {shown.title}: your run and the book's", "", f"Compared with the profile `{profile}`.", ""]
    lines += [tabulate([[f"`{n}`", f"`{v}`"] for n, v in declared.items()], ["parameter", "yours"], "github"), ""]
    lines += ["## Numbers", "", _table(run.differences, "github"), ""] if run.differences else []
    lines += ["## Claims with another outcome", "", *(f"- {claim}" for claim in run.claims), ""] if run.claims else []
    lines += ["## Figures", ""]
    for figure in shown.figures:
        over = (pictures / f"{figure.id}-vs-book.svg").exists()
        name = f"{figure.id}-vs-book.svg" if over else f"{figure.id}.svg"
        lines += [f"![{figure.alt}](figures/{name})", "", figure.caption, ""]
    return "\n".join(lines)


def _table(found: Sequence[Difference], layout: str = "simple") -> str:
    head = ["figure", "series", "book", "yours", "difference", "at"]
    return tabulate([difference.row for difference in found], head, layout, disable_numparse=True)


def describe_parameters(chapter: Chapter, settings: Mapping[str, Value]) -> str:
    """Return the parameters of a chapter as a table, with their values under a profile."""
    rows = [
        [p.name, p.type, p.text(settings.get(p.name, p.default)), p.accepted or "any", p.help]
        for p in book_chapters.parameters(chapter)
    ]
    if not rows:
        raise AlignlibError(f"{chapter.spoken} has no parameters.")
    return tabulate(rows, ["parameter", "type", "default", "accepted", "meaning"], disable_numparse=True)
