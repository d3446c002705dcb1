"""The stored reference of the book: ``expected/<profile>/<chapter>/``, one readable file a figure or table.

Everything in these files is compared with what the executed chapters show (:mod:`alignlib.book.compare`), and they
change only through :func:`update`. Beside its numbers a file keeps what other arithmetics made of them, ``seen``, from
which their tolerances follow (:mod:`alignlib.book.tolerance`). Each file ends in a seal, the digest of its content, so
that an edit by hand is seen even where it stays within the tolerance.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alignlib import arithmetic
from alignlib.book import chapters as book_chapters
from alignlib.book import tolerance
from alignlib.book.arithmetics import OWN, Arithmetic
from alignlib.book.chapters import Chapter
from alignlib.book.claims import CLAIM_MIME, TABLE_MIME, VALUE_MIME
from alignlib.book.compare import JSON, Deviation, compare, form, form_differences, quantities
from alignlib.book.figure import MIME as FIGURE_MIME
from alignlib.book.files import ASIDE, digest, read_json, remove_unfinished, write_file
from alignlib.errors import AlignlibError

FOLDER = "expected"
CLAIMS, VALUES = "_claims", "_values"
LINE_WIDTH = 100
#: Significant digits that are stored: a rounding well below what is allowed; of wall times fewer.
DIGITS, WALL_TIME_DIGITS = 9, 3


@dataclass(frozen=True)
class Shown:
    """What an executed chapter shows, by identifier: figures and tables, claims and values, as they are stored.

    ``problems`` lists what is wrong with the chapter itself, such as an identifier used twice.
    """

    items: dict[str, JSON] = field(default_factory=dict)
    claims: dict[str, JSON] = field(default_factory=dict)
    values: dict[str, JSON] = field(default_factory=dict)
    measured: dict[str, str] = field(default_factory=dict)
    problems: list[Deviation] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """How far a claim is from turning, and how far other arithmetics moved that margin when the reference was made."""

    claim: str
    margin: float
    moved: float

    @property
    def times(self) -> float:
        """The margin as a multiple of what rounding does to it."""
        return abs(self.margin) / self.moved if self.moved else math.inf

    @property
    def spoken(self) -> str:
        """What rounding does to the margin, in words."""
        return f"{100 * self.moved:.2g} % (1/{self.times:.3g} of it)" if self.moved else "nothing"


@dataclass(frozen=True)
class ChapterCheck:
    """How a chapter compares with its reference.

    ``turns`` are its claims whose margin is known, ``made_by`` names the arithmetics of the stored numbers and ``seen``
    those from which the tolerances come.
    """

    chapter: str
    figures: int
    claims_held: int
    claims: int
    deviations: tuple[Deviation, ...]
    turns: tuple[Turn, ...] = ()
    made_by: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()

    @property
    def failures(self) -> list[Deviation]:
        """What does not agree."""
        return [deviation for deviation in self.deviations if not deviation.ok]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.failures

    @property
    def worst(self) -> float:
        """The largest deviation as a share of what is allowed there; infinite where numbers cannot tell it."""
        if any(deviation.problem for deviation in self.deviations):
            return math.inf
        return max((deviation.fraction for deviation in self.deviations), default=0.0)


@dataclass(frozen=True)
class Change:
    """What an update did to one file of the reference: "new", "changed", "removed" or "kept"."""

    chapter: str
    file: str
    what: str
    deviations: tuple[Deviation, ...] = ()


# ---------------------------------------------------------------- what an executed chapter shows


def read_shown(notebook: Mapping[str, Any]) -> Shown:
    """Return what an executed notebook shows, in the form in which the reference keeps it."""
    shown = Shown()
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            _collect(shown, cell, output.get("data", {}))
    return shown


def _collect(shown: Shown, cell: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    if figure := data.get(FIGURE_MIME):
        _add(shown, shown.items, figure["id"], _stored(figure, ("panels",)))
        _check_caption(shown, cell, figure["id"])
    if table := data.get(TABLE_MIME):
        _add(shown, shown.items, table["id"], _stored(table, ("columns", "rows")))
    if claim := data.get(CLAIM_MIME):
        _add(shown, shown.claims, claim["id"], {n: claim[n] for n in ("statement", "holds", "margin") if n in claim})
        shown.measured[claim["id"]] = claim["measured"]
    if value := data.get(VALUE_MIME):
        _add(shown, shown.values, value["name"], {n: value[n] for n in ("value", "free") if n in value})


def _stored(item: JSON, content: Sequence[str]) -> JSON:
    provenance = item.get("provenance", {})
    return {
        "id": item["id"],
        "chapter": item["chapter"],
        "parameters": provenance.get("parameters", {}),
        "data": provenance.get("data", {}),
        **{name: item[name] for name in content},
    }


def _add(shown: Shown, group: dict[str, JSON], name: str, content: JSON) -> None:
    if name in group:
        shown.problems.append(Deviation(name, problem="two cells of the chapter show something of this name"))
    group[name] = content


def _check_caption(shown: Shown, cell: Mapping[str, Any], name: str) -> None:
    about = cell.get("metadata", {}).get("mystnb", {}).get("figure", {})
    if about.get("name") != f"fig-{name}" or not str(about.get("caption", "")).strip():
        wanted = f'{{"mystnb": {{"figure": {{"name": "fig-{name}", "caption": "…"}}}}}}'
        shown.problems.append(Deviation(name, problem=f"its cell needs the metadata {wanted}"))


# ---------------------------------------------------------------- check


def check(
    root: Path,
    profile: str,
    chapters: Sequence[Chapter] | None = None,
    *,
    fresh: bool = False,
    under: Arithmetic = OWN,
) -> list[ChapterCheck]:
    """Return how the executed chapters of a profile compare with the reference; nothing is written.

    Parameters
    ----------
    root, profile, chapters
        Which chapters; all of them if none are named, and then nothing else may stand in the reference.
    fresh
        Whether the executed notebooks are known to be up to date; otherwise one that is not is a failure.
    under
        The arithmetic that they were executed under.
    """
    chosen = book_chapters.discover(root) if chapters is None else list(chapters)
    stale = {} if fresh else _stale(root, profile, under)
    checks, owners = [], dict[str, str]()
    for chapter in chosen:
        shown = _executed(root, profile, chapter, stale, under)
        for name in shown.items:
            if owners.setdefault(name, chapter.name) != chapter.name:
                problem = f"chapter {owners[name]} has a figure or table of this name too"
                shown.problems.append(Deviation(name, problem=problem))
        checks.append(_check_chapter(root, profile, chapter, shown))
    if chapters is None:
        checks += _unclaimed_folders(root, profile, chosen)
    return checks


def _executed(
    root: Path, profile: str, chapter: Chapter, stale: Mapping[str, Sequence[str]], under: Arithmetic = OWN
) -> Shown:
    path = executed_path(root, profile, chapter, under)
    if not path.exists():
        command = "build" if under == OWN else f"arithmetics {under.name}"
        problem = f"it has not been executed; run `alignlib {command} --profile {profile}`"
        return Shown(problems=[Deviation(chapter.name, problem=problem)])
    shown = read_shown(book_chapters.read_notebook(path))
    for name, item in shown.items.items():
        if item["chapter"] != chapter.name:
            problem = f"it says that its chapter is {item['chapter']!r}, but stands in {chapter.name!r}"
            shown.problems.append(Deviation(name, problem=problem))
    if why := stale.get(chapter.name):
        problem = f"its executed notebook is out of date ({'; '.join(why[:3])}); run `alignlib build`"
        shown.problems.append(Deviation(chapter.name, problem=problem))
    return shown


def executed_path(root: Path, profile: str, chapter: Chapter, under: Arithmetic = OWN) -> Path:
    """Return where the executed notebook of a chapter is."""
    return book_chapters.home_of(root, profile, under) / "executed" / "chapters" / f"{chapter.name}.ipynb"


def _stale(root: Path, profile: str, under: Arithmetic = OWN) -> dict[str, tuple[str, ...]]:
    planned = book_chapters.plan(root, profile, under=under)
    return {entry.chapter.name: entry.reasons for entry in planned if entry.reasons}


def _check_chapter(root: Path, profile: str, chapter: Chapter, shown: Shown) -> ChapterCheck:
    folder = expected_folder(root, profile, chapter.name)
    known = {path.stem: path for path in _files(folder)}
    found, documents = list(shown.problems), _documents(shown)
    if documents and not known:
        make = f"look at what it shows, then run `alignlib update-expected {chapter.number} --profile {profile}`"
        found.append(Deviation(chapter.name, problem=f"there is no reference in profile {profile} yet; {make}"))
    for name, now in documents.items() if known else ():
        if name in known:
            found += _against_file(root, known[name], now, shown)
        else:
            update = f"if it belongs there, run `alignlib update-expected {chapter.number} --profile {profile}`"
            found.append(Deviation(_title(name, chapter.name), problem=f"the reference does not know it; {update}"))
    if documents:
        for name in set(known) - set(documents):
            gone = f"{_shown_path(root, known[name])} is there, but the chapter shows nothing of this name"
            found.append(Deviation(_title(name, chapter.name), problem=gone))
    held = sum(bool(claim["holds"]) for claim in shown.claims.values())
    stored = list(_readable(root, known.values()))
    claims: JSON = next((content["claims"] for content in stored if "claims" in content), {})
    return ChapterCheck(
        chapter.name,
        len(shown.items),
        held,
        len(shown.claims),
        tuple(found),
        tuple(turns(shown.claims, claims)),
        frozenset(content["arithmetic"] for content in stored),
        frozenset(name for content in stored for name in content["arithmetics"]),
    )


def _readable(root: Path, paths: Iterable[Path]) -> Iterator[JSON]:
    """Yield the files of a reference that can be read; what is wrong with the others has been said."""
    for path in paths:
        with suppress(AlignlibError):
            yield read_reference(root, path)[0]


def turns(claims: Mapping[str, JSON], stored: Mapping[str, JSON]) -> Iterator[Turn]:
    """Yield the claims whose margin is known, with what arithmetics did to it when the reference was made."""
    for name, claim in claims.items():
        if "margin" in claim:
            yield Turn(name, claim["margin"], max(stored.get(name, {}).get("moved", {}).values(), default=0.0))


def _documents(shown: Shown) -> dict[str, JSON]:
    """Return what the chapter's folder of the reference should hold: file stem -> content."""
    documents = dict(shown.items)
    if shown.claims:
        documents[CLAIMS] = {"claims": shown.claims}
    if shown.values:
        documents[VALUES] = {"values": shown.values}
    return documents


def _against_file(root: Path, path: Path, now: JSON, shown: Shown) -> list[Deviation]:
    try:
        reference, problems = read_reference(root, path)
    except AlignlibError as error:
        return [Deviation(_title(path.stem, path.parent.name), problem=str(error))]
    return problems + _compare_documents(reference, now, shown)


def _compare_documents(reference: JSON, now: JSON, shown: Shown) -> list[Deviation]:
    if "claims" in now:
        return _compare_claims(reference["claims"], now["claims"], shown)
    if "values" in now:
        return _compare_values(reference["values"], now["values"])
    return compare(reference, now)


def _compare_claims(old: Mapping[str, JSON], new: Mapping[str, JSON], shown: Shown) -> list[Deviation]:
    found = _missing_and_new("claim", old, new)
    for name in [name for name in old if name in new]:
        if old[name]["holds"] != new[name]["holds"]:
            problem = (
                "it held in the reference and does not now"
                if old[name]["holds"]
                else "it did not hold in the reference and holds now"
            )
            found.append(Deviation(f"claim {name}", problem=f"{problem} (measured: {shown.measured.get(name, '?')})"))
        if old[name]["statement"] != new[name]["statement"]:
            problem = f"it said {old[name]['statement']!r}, it says {new[name]['statement']!r}"
            found.append(Deviation(f"claim {name}", problem=problem))
    return found


def _compare_values(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[Deviation]:
    found = _missing_and_new("value", old, new)
    for name in [name for name in old if name in new]:
        found += compare({"id": f"value {name}", **old[name]}, {"id": f"value {name}", **new[name]})
    return found


def _missing_and_new(kind: str, old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[Deviation]:
    missing = [Deviation(f"{kind} {name}", problem="it is gone") for name in old if name not in new]
    added = [Deviation(f"{kind} {name}", problem="the reference does not know it") for name in new if name not in old]
    return missing + added


def _unclaimed_folders(root: Path, profile: str, chapters: Sequence[Chapter]) -> list[ChapterCheck]:
    """Return a failed check for everything in the profile's reference that belongs to no chapter."""
    folder = root / FOLDER / profile
    names = {chapter.name for chapter in chapters}
    left = [path for path in _files(folder) if path.name not in names]
    return [
        ChapterCheck(path.name, 0, 0, 0, (Deviation(_shown_path(root, path), problem="no chapter has this name"),))
        for path in left
    ]


def _files(folder: Path) -> list[Path]:
    """Return what is in a folder of the reference, without what a killed update may have left."""
    return [path for path in sorted(folder.glob("*")) if path.suffix != ASIDE]


def _title(stem: str, chapter: str) -> str:
    return {CLAIMS: f"claims of {chapter}", VALUES: f"values of {chapter}"}.get(stem, stem)


# ---------------------------------------------------------------- the files


def expected_folder(root: Path, profile: str, chapter: str) -> Path:
    """Return the folder of a chapter's reference."""
    return root / FOLDER / profile / chapter


def read_reference(root: Path, path: Path) -> tuple[JSON, list[Deviation]]:
    """Return a file of the reference, and the problem that it was edited by hand, if it was.

    Raises
    ------
    AlignlibError
        Naming the file and the line, if it is no JSON or lacks something.
    """
    shown = _shown_path(root, path)
    try:
        content = read_json(path)
    except AlignlibError as error:
        raise AlignlibError(str(error).replace(str(path), shown)) from None
    text = path.read_text(encoding="utf-8")
    _require(content, text, shown)
    if content["seal"] == seal(content):
        return content, []
    problem = (
        f"{shown}, line {_line(text, 'seal')}: edited by hand: the seal does not fit the content; "
        "restore the file, or run `alignlib update-expected` if the change is meant"
    )
    return content, [Deviation(_title(path.stem, path.parent.name), problem=problem)]


def seal(content: Mapping[str, Any]) -> str:
    """Return the digest of everything in a reference file but its seal, independent of its layout."""
    rest = {name: value for name, value in content.items() if name != "seal"}
    return digest(json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False))[:16]


#: What every file says of itself: which arithmetic its numbers are of, which others were tried, and its digest.
ABOUT = ("arithmetic", "arithmetics", "seal")
MEASURED = ("medians", "seen")
FIGURE_KEYS = ("chapter", "data", "id", "panels", "parameters", *ABOUT, *MEASURED)
TABLE_KEYS = ("chapter", "columns", "data", "id", "parameters", "rows", *ABOUT, *MEASURED)


def _require(content: Any, text: str, shown: str) -> None:
    """Refuse a document with missing or unknown names, at its top and in its parts."""
    if not isinstance(content, dict):
        raise AlignlibError(f"{shown}, line 1: not an object.")
    stem = Path(shown).stem
    if stem == CLAIMS:
        _require_keys(content, ("claims", *ABOUT), text, shown)
        parts = _parts(content["claims"], "claims", text, shown, dict)
        wanted: dict[str, tuple[str, ...]] = {"claims": ("holds", "statement")}
    elif stem == VALUES:
        _require_keys(content, ("values", *ABOUT), text, shown)
        parts = _parts(content["values"], "values", text, shown, dict)
        wanted = {"values": ("value", *MEASURED)}
    elif "columns" in content or "rows" in content:
        _require_keys(content, TABLE_KEYS, text, shown)
        parts = _parts(content["columns"], "columns", text, shown, list)
        wanted = {"columns": ("format", "name")}
    else:
        _require_keys(content, FIGURE_KEYS, text, shown)
        parts = _parts(content["panels"], "panels", text, shown, list)
        wanted = {"panels": PANEL_KEYS}
    for part in parts:
        more = ("free", "margin", "moved", "wiring", "y_limits")
        _require_keys(part, next(iter(wanted.values())), text, shown, more)
        for series in part.get("series", ()):
            _require_keys(series, ("name", "rule", "x", "y"), text, shown, more=("free", "rows", "seeds", "spread"))
    _require_numbers(content, shown)


PANEL_KEYS = ("guides", "kind", "series", "title", "x_label", "x_scale", "y_label", "y_scale")


def _parts(group: Any, name: str, text: str, shown: str, kind: type[dict[Any, Any]] | type[list[Any]]) -> list[Any]:
    if not isinstance(group, kind):
        raise AlignlibError(f"{shown}, line {_line(text, name)}: {name!r} must be a {kind.__name__}.")
    return list(group.values()) if isinstance(group, dict) else list(group)


def _require_keys(part: Any, wanted: Sequence[str], text: str, shown: str, more: Sequence[str] = ()) -> None:
    if not isinstance(part, dict):
        raise AlignlibError(f"{shown}: {part!r} stands where an object with {', '.join(wanted)} is expected.")
    for name in part:
        if name not in (*wanted, *more):
            place = f"{shown}, line {_line(text, name)}"
            raise AlignlibError(f"{place}: unknown name {name!r}. Accepted: {', '.join((*wanted, *more))}.")
    for name in wanted:
        if name not in part:
            after = next((_line(text, other) for other in part), 1)
            raise AlignlibError(f"{shown}, line {after}: {name!r} is missing here.")


def _require_numbers(content: JSON, shown: str) -> None:
    """Refuse numbers that cannot be read as such: lists of unequal length, a text among them."""
    if "claims" in content:
        return
    try:
        for entry in content["values"].values() if "values" in content else [content]:
            quantities(entry)
            form(entry)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise AlignlibError(f"{shown}: its numbers cannot be read ({error}).") from None


def _line(text: str, name: str) -> int:
    match = re.search(rf'"{re.escape(name)}"\s*:', text)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _shown_path(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


# ---------------------------------------------------------------- update on purpose


def update(
    root: Path,
    profile: str,
    chapters: Sequence[Chapter] | None = None,
    *,
    fresh: bool = False,
    under: Sequence[Arithmetic] = (),
) -> list[Change]:
    """Make what the executed chapters show the reference, and return what changed, file by file.

    The arguments are those of :func:`check`. The tolerances come from the same chapters executed ``under`` other
    arithmetics; without any, every number has to repeat as closely as the floor of the tolerances says.

    A file stays as it is while its numbers agree with the new ones and it has seen these arithmetics, so that an update
    on another machine changes nothing. Files of figures that no longer exist are removed. Each file is written aside
    and renamed.

    Raises
    ------
    AlignlibError
        If a chapter has not been executed, is out of date or has a problem of its own, or if under another arithmetic
        a claim has another verdict or a figure other labels; nothing is written then.
    """
    chosen = book_chapters.discover(root) if chapters is None else list(chapters)
    shown = {each.name: _shown_under(root, profile, chosen, each, fresh) for each in (OWN, *under)}
    problems = [f"{chapter}: {p}" for each in shown.values() for chapter, what in each.items() for p in what.problems]
    problems = problems or list(_decided_by_rounding(shown))
    if problems:
        raise AlignlibError("the reference stays as it is:\n" + "\n".join(f"  {line}" for line in problems))
    changes, texts, gone = [], dict[Path, str](), list[Path]()
    for chapter in chosen:
        folder = expected_folder(root, profile, chapter.name)
        what = shown[OWN.name][chapter.name]
        documents = _documents(what)
        others = {each.name: _documents(shown[each.name][chapter.name]) for each in under}
        for name, now in documents.items():
            path = folder / f"{name}.json"
            elsewhere = {under: each[name] for under, each in others.items()}
            measured = with_seen(now, elsewhere)
            change = _change(root, path, measured, list(elsewhere.values()), what)
            changes.append(change)
            if change.what != "kept":
                texts[path] = reference_text(measured)
        gone += [path for path in _files(folder) if path.suffix != ".json" or path.stem not in documents]
    if chapters is None:
        gone += _files_of_no_chapter(root / FOLDER / profile, chosen)
    remove_unfinished(root / FOLDER)
    for path, text in texts.items():
        write_file(path, text)
    for path in gone:
        path.unlink()
        changes.append(Change(path.parent.name, path.name, "removed"))
    _remove_empty_folders(root / FOLDER / profile)
    return changes


def _shown_under(
    root: Path, profile: str, chapters: Sequence[Chapter], under: Arithmetic, fresh: bool
) -> dict[str, Shown]:
    stale = {} if fresh else _stale(root, profile, under)
    return {chapter.name: _executed(root, profile, chapter, stale, under) for chapter in chapters}


def _decided_by_rounding(shown: Mapping[str, Mapping[str, Shown]]) -> Iterator[str]:
    """Yield what another arithmetic decides otherwise: verdicts of claims, labels and sizes of figures."""
    own = shown[OWN.name]
    for under, chapters in shown.items():
        for chapter, what in chapters.items():
            mine, theirs = _documents(own[chapter]), _documents(what)
            for name in {**mine, **theirs}:
                found = _otherwise(mine.get(name, {}), theirs.get(name, {}), own[chapter], what)
                yield from (f"{chapter}, {_title(name, chapter)}, under {under}: {text}" for text in found)


def _otherwise(mine: JSON, theirs: JSON, own: Shown, other: Shown) -> list[str]:
    if "claims" not in mine or "claims" not in theirs:
        return form_differences({"sizes": _sizes(mine), **_form(mine)}, {"sizes": _sizes(theirs), **_form(theirs)})
    apart = form_differences(_verdicts(mine), _verdicts(theirs))
    return [f"claim {text} ({_measurements(text, own, other)})" for text in apart]


def _form(document: JSON) -> JSON:
    if "values" in document:
        return {name: form(entry) for name, entry in document["values"].items()}
    return form(document) if document else {}


def _sizes(document: JSON) -> JSON:
    """Return the shape of every quantity: arrays of other sizes cannot be compared."""
    entries = document.get("values", {"": document} if document else {})
    return {
        f"{name} {q.name}".strip(): list(q.values.shape) for name, each in entries.items() for q in quantities(each)
    }


def _verdicts(document: JSON) -> JSON:
    return {name: {"holds": claim["holds"]} for name, claim in document["claims"].items()}


def _measurements(text: str, own: Shown, other: Shown) -> str:
    claim = text.split(",")[0].split(" ")[0]
    return f"measured: {own.measured.get(claim, '?')}; there: {other.measured.get(claim, '?')}"


def with_seen(now: JSON, others: Mapping[str, JSON]) -> JSON:
    """Return a document with what other arithmetics, by name, made of its numbers, and which arithmetic is its own."""
    about = {"arithmetic": arithmetic.name(), "arithmetics": list(others)}
    if "claims" in now:
        claims = {
            name: claim | _moved(claim, {under: each["claims"][name] for under, each in others.items()})
            for name, claim in now["claims"].items()
        }
        return {"claims": claims, **about}
    if "values" in now:
        values = {
            name: {**entry, **_seen(entry, {under: each["values"][name] for under, each in others.items()})}
            for name, entry in now["values"].items()
        }
        return {"values": values, **about}
    return {**now, **about, **_seen(now, others)}


def _moved(claim: JSON, others: Mapping[str, JSON]) -> JSON:
    """Return how far each arithmetic moved the margin of a claim, where it is known."""
    if "margin" not in claim:
        return {}
    moved = {name: abs(each["margin"] - claim["margin"]) for name, each in others.items() if "margin" in each}
    return {"margin": _round(claim["margin"], 4), "moved": {n: _round(m, 2) for n, m in moved.items() if m > 0}}


def _seen(now: JSON, others: Mapping[str, JSON]) -> JSON:
    """Return ``seen`` and ``medians`` of a figure, a table or a value."""
    theirs = {under: {q.name: q.values for q in quantities(each)} for under, each in others.items()}
    seen = {
        q.name: tolerance.measure(q.values, {under: each[q.name] for under, each in theirs.items()}, q.over_seeds)
        for q in quantities(now)
        if not q.free
    }
    return {
        "seen": {name: each.to_json() for name, each in seen.items() if each.moved},
        "medians": [name for name, each in seen.items() if each.median],
    }


def _change(root: Path, path: Path, now: JSON, elsewhere: Sequence[JSON], shown: Shown) -> Change:
    chapter, file = path.parent.name, path.name
    if not path.exists():
        return Change(chapter, file, "new")
    try:
        old, edited = read_reference(root, path)
    except AlignlibError as error:
        return Change(chapter, file, "changed", (Deviation(path.stem, problem=str(error)),))
    deviations = tuple(_compare_documents(old, now, shown))
    knows = set(now["arithmetics"]) <= set(old["arithmetics"])
    others = [deviation for each in elsewhere for deviation in _compare_documents(old, each, shown)]
    if knows and not edited and all(deviation.ok for deviation in (*deviations, *others)):
        return Change(chapter, file, "kept")
    return Change(chapter, file, "changed", (*edited, *deviations))


def _files_of_no_chapter(folder: Path, chapters: Sequence[Chapter]) -> list[Path]:
    names = {chapter.name for chapter in chapters}
    others = [path for path in _files(folder) if path.name not in names]
    return sorted(file for path in others for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


# ---------------------------------------------------------------- writing


def reference_text(document: JSON) -> str:
    """Return a document as it is stored: sorted names, rounded numbers, a short array a line, its seal last."""
    content = rounded(document)
    lines = _lines({**content, "seal": seal(content)}, "")
    return "\n".join(lines) + "\n"


def rounded(document: JSON) -> JSON:
    """Return the document with its numbers rounded to the digits that are stored."""
    if "claims" in document:
        return document
    if "values" in document:
        entries = {name: _round_entry(entry, ("value",)) for name, entry in document["values"].items()}
        return {**document, "values": entries}
    if "columns" in document:
        frees = [column.get("free", "") for column in document["columns"]]
        rows = [
            [_round(cell, _digits(free)) for cell, free in zip(row, frees, strict=True)] for row in document["rows"]
        ]
        return {**document, "rows": rows}
    return {**document, "panels": [_round_panel(panel) for panel in document["panels"]]}


def _round_panel(panel: JSON) -> JSON:
    kept = {name: value for name, value in panel.items() if name != "y_limits"}  # drawing only, never compared
    return {**kept, "series": [_round_entry(series, ("x", "y")) for series in panel["series"]]}


def _round_entry(entry: JSON, names: Sequence[str]) -> JSON:
    return {**entry, **{name: _round(entry[name], _digits(entry.get("free", ""))) for name in names}}


def _digits(free: str) -> int:
    return WALL_TIME_DIGITS if free else DIGITS


def _round(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_round(entry, digits) for entry in value]
    if isinstance(value, dict):
        return {name: _round(entry, digits) for name, entry in value.items()}
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _lines(value: Any, indent: str) -> list[str]:
    """Return JSON with one name a line and every list of plain values in as few lines as it needs."""
    if isinstance(value, dict) and value and not _short(value):
        body = [_named(name, value[name], indent + " ") for name in sorted(value)]
        return ["{", *_comma_separated(body), indent + "}"]
    if isinstance(value, list) and any(isinstance(entry, list | dict) for entry in value):
        body = [_indented(_lines(entry, indent + " "), indent + " ") for entry in value]
        return ["[", *_comma_separated(body), indent + "]"]
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if isinstance(value, list) and len(text) + len(indent) > LINE_WIDTH:
        wrapped = textwrap.wrap(text, LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
        plain = all(not isinstance(entry, str) for entry in value)  # breaking inside a text would change it
        return [wrapped[0], *(f"{indent} {line}" for line in wrapped[1:])] if plain else [text]
    return [text]


def _named(name: str, value: Any, indent: str) -> list[str]:
    first, *rest = _lines(value, indent)
    return [f"{indent}{json.dumps(name, ensure_ascii=False)}: {first}", *rest]


def _indented(lines: list[str], indent: str) -> list[str]:
    return [indent + lines[0], *lines[1:]]


def _comma_separated(entries: list[list[str]]) -> list[str]:
    return [
        line + ("," if number < len(entries) - 1 and place == len(entry) - 1 else "")
        for number, entry in enumerate(entries)
        for place, line in enumerate(entry)
    ]


def _short(value: Mapping[str, Any]) -> bool:
    """Whether an object reads best on one line: few plain entries, such as a tolerance."""
    plain = not any(isinstance(entry, list | dict) for entry in value.values())
    return plain and len(value) <= 3 and len(json.dumps(value)) < LINE_WIDTH // 2


def describe(changes: Sequence[Change]) -> str:
    """Return the changes of an update as a table, and what became of each file in one sentence."""
    from tabulate import tabulate

    rows = [
        [change.chapter, deviation.figure, deviation.series, *_old_and_new(deviation)]
        for change in changes
        for deviation in change.deviations
        if change.what == "changed" and (deviation.problem or deviation.largest > 0)
    ]
    table = tabulate(rows, ["chapter", "figure", "series", "largest change", "at"], disable_numparse=True)
    files = [f"  {change.what}: {change.chapter}/{change.file}" for change in changes if change.what != "kept"]
    kept = sum(change.what == "kept" for change in changes)
    counted = f"{len(files)} files of the reference written or removed, {kept} kept as they were."
    return "\n".join([*([table, ""] if rows else []), *files, counted])


def _old_and_new(deviation: Deviation) -> tuple[str, str]:
    if deviation.problem:
        return deviation.problem, ""
    return f"{deviation.reference:.6g} → {deviation.measured:.6g}", deviation.where
