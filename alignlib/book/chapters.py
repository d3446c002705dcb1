"""The chapters of the book: finding them, their parameters, and running them through papermill."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from alignlib.book import freshness
from alignlib.book.arithmetics import OWN, Arithmetic
from alignlib.book.files import build_lock, digest, explain, remove_unfinished, write_file, write_json
from alignlib.book.parameters import Parameter, Value, check_values, parse_values, read_parameters
from alignlib.book.root import FOLDER
from alignlib.book.yaml_files import read_yaml
from alignlib.errors import AlignlibError, InvalidValue, choose, nearest
from alignlib.experiments.many import processors

NAME = re.compile(r"(\d\d)-([a-z0-9]+(?:-[a-z0-9]+)*)")
DEFAULT_PROFILE = "digits"
EVERY_CHAPTER = "all"

Notebook = dict[str, Any]
Say = Callable[[str], None]


class ChaptersFailed(AlignlibError):
    """At least one chapter could not be executed; the text holds the account of each."""


@dataclass(frozen=True, order=True)
class Chapter:
    """One chapter: its number, its name (``04-direct-feedback-alignment``) and its notebook."""

    number: int
    name: str
    path: Path

    @property
    def spoken(self) -> str:
        """How errors call it."""
        return f"Chapter {self.number:02d}" if self.number else f"Notebook {self.name}"


@dataclass(frozen=True)
class Execution:
    """What a build did with a chapter: the seconds its last execution took, and why it ran (or that it did not)."""

    chapter: Chapter
    output: Path
    seconds: float
    ran: bool
    reasons: tuple[str, ...] = ()


def discover(root: Path) -> list[Chapter]:
    """Return the chapters below ``root``, in order.

    Raises
    ------
    AlignlibError
        If a notebook's name is not of the form ``NN-some-name`` or two share a number.
    """
    found: dict[int, Chapter] = {}
    for path in sorted((root / FOLDER).glob("*.ipynb")):
        match = NAME.fullmatch(path.stem)
        if not match:
            raise AlignlibError(f"{path}: a chapter is named NN-lower-case-words.ipynb.")
        number = int(match[1])
        if number in found:
            raise AlignlibError(f"{path} and {found[number].path.name} share the number {number:02d}.")
        found[number] = Chapter(number, path.stem, path)
    return list(found.values())


def resolve(root: Path, text: str) -> Chapter:
    """Return the chapter that ``text`` means: its number, its name, an unambiguous part of it, or a path.

    Raises
    ------
    InvalidValue
        If none or more than one fits, with the nearest name.
    """
    chapters = discover(root)
    if text.endswith(".ipynb") or os.sep in text:
        return _by_path(chapters, Path(text))
    if re.fullmatch(r"[0-9]+", text):
        matches = [chapter for chapter in chapters if chapter.number == int(text)]
    else:
        matches = _by_name(chapters, text.lower())
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InvalidValue(f"chapter {text!r} could be {' or '.join(c.name for c in matches)}; say more of it.")
    names = [chapter.name for chapter in chapters]
    slugs = {_slug(chapter): chapter.name for chapter in chapters}
    hint = nearest(text, [*names, *slugs])
    raise InvalidValue(f"unknown chapter {text!r}{hint or '.'} Accepted: {', '.join(names) or 'none: there are none'}.")


def _by_path(chapters: Sequence[Chapter], path: Path) -> Chapter:
    if not path.is_file():
        raise InvalidValue(f"no notebook {path}; say a chapter by its number, name or path.")
    for chapter in chapters:
        if chapter.path.resolve() == path.resolve():
            return chapter
    match = NAME.fullmatch(path.stem)
    return Chapter(int(match[1]) if match else 0, path.stem, path)


def _by_name(chapters: Sequence[Chapter], text: str) -> list[Chapter]:
    """Return the chapters that fit best: the whole name before its beginning before any part of it."""
    tests: list[Callable[[Chapter], bool]] = [
        lambda chapter: text in (chapter.name, _slug(chapter)),
        lambda chapter: chapter.name.startswith(text) or _slug(chapter).startswith(text),
        lambda chapter: text in chapter.name,
    ]
    for fits in tests if text else ():
        if matches := [chapter for chapter in chapters if fits(chapter)]:
            return matches
    return []


def _slug(chapter: Chapter) -> str:
    return chapter.name[3:]


# ---------------------------------------------------------------- parameters


def read_notebook(path: Path) -> Notebook:
    """Return a notebook as plain JSON.

    Raises
    ------
    AlignlibError
        If the file cannot be read or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(notebook["cells"], list):
            return dict(notebook)
    except OSError as error:
        raise explain(error) from None
    except (ValueError, KeyError, TypeError):
        pass
    raise AlignlibError(f"{path}: not a notebook; its JSON is broken or has no cells.")


def source_of(cell: Mapping[str, Any]) -> str:
    """Return the source of a cell, which JSON may hold as one text or as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def parameters(chapter: Chapter) -> list[Parameter]:
    """Return the parameters that the chapter's one tagged cell declares.

    Raises
    ------
    AlignlibError
        If there is not exactly one such cell, or it holds anything but declarations
        (:func:`alignlib.book.parameters.read_parameters`).
    """
    tagged = [
        (number, cell)
        for number, cell in enumerate(read_notebook(chapter.path)["cells"], start=1)
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    place = f"{FOLDER}/{chapter.path.name}"
    if len(tagged) != 1:
        cells = ", ".join(str(number) for number, _ in tagged)
        found = f"cells {cells} are" if tagged else "no cell is"
        raise AlignlibError(f"{place}: {found} tagged `parameters`; exactly one must be.")
    number, cell = tagged[0]
    return read_parameters(source_of(cell), f"{place}, cell {number}")


def parse(chapter: Chapter, given: Sequence[tuple[str, str]]) -> dict[str, Value]:
    """Return the values typed for a chapter, checked against its parameters; InvalidValue if one is refused."""
    return parse_values(parameters(chapter), given, chapter.spoken)


# ---------------------------------------------------------------- profiles


def profiles(root: Path) -> list[str]:
    """Return the names of the profiles, the default one among them."""
    return sorted({DEFAULT_PROFILE, *(path.stem for path in (root / "profiles").glob("*.yml"))})


def profile_values(root: Path, profile: str) -> dict[str, dict[str, Value]]:
    """Return what a profile sets: chapter name -> parameter -> value; every chapter is there.

    The file ``profiles/<profile>.yml`` maps chapters to parameters; under ``all`` stand those of every chapter
    that has a parameter of the name.

    Raises
    ------
    InvalidValue
        If the profile, a chapter or a parameter is unknown or a value is refused; the file is named.
    """
    choose("profile", profile, profiles(root))
    place = f"profiles/{profile}.yml"
    content = _profile_content(root / place, place)
    try:
        return _spread_out(root, content)
    except InvalidValue as error:
        raise InvalidValue(f"{place}: {error}") from None


def _profile_content(path: Path, place: str) -> dict[str, dict[str, object]]:
    if not path.exists():
        return {}
    content = read_yaml(path, place) or {}
    if isinstance(content, dict) and all(isinstance(values, dict | None) for values in content.values()):
        return {str(name): dict(values or {}) for name, values in content.items()}
    raise InvalidValue(f"{place}: write `chapter: {{parameter: value}}`, and `all:` for every chapter.")


def _spread_out(root: Path, content: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, Value]]:
    chapters = {chapter: parameters(chapter) for chapter in discover(root)}
    common = content.get(EVERY_CHAPTER, {})
    known = {parameter.name for declared in chapters.values() for parameter in declared}
    for name in common:
        if chapters and name not in known:
            raise InvalidValue(f"no chapter has a parameter {name!r}{nearest(name, known) or '.'}")
    own = {resolve(root, name): values for name, values in content.items() if name != EVERY_CHAPTER}
    values: dict[str, dict[str, Value]] = {}
    for chapter, declared in chapters.items():
        names = {parameter.name for parameter in declared}
        shared = {name: value for name, value in common.items() if name in names}
        values[chapter.name] = check_values(declared, {**shared, **own.get(chapter, {})}, chapter.spoken)
    return values


def effective(declared: Sequence[Parameter], values: Mapping[str, Value]) -> dict[str, Value]:
    """Return every parameter's value: the given ones, else the defaults."""
    return {parameter.name: values.get(parameter.name, parameter.default) for parameter in declared}


# ---------------------------------------------------------------- execution


class Watcher(Protocol):
    """What follows the execution of one chapter, cell by cell."""

    def __call__(self, chapter: Chapter, cells: int) -> AbstractContextManager[Callable[[], None]]:
        """Return a context whose value is called after each of the ``cells``."""


def in_silence(chapter: Chapter, cells: int) -> AbstractContextManager[Callable[[], None]]:
    """Watch nothing."""
    return nullcontext(lambda: None)


@contextmanager
def on_terminal(chapter: Chapter, cells: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error if that is a terminal."""
    from tqdm import tqdm

    shown = sys.stderr.isatty()
    with tqdm(total=cells, desc=chapter.name, unit="cell", leave=False, disable=not shown) as bar:
        yield lambda: _advance(bar)


def _advance(bar: Any) -> None:
    bar.update()


def execute(
    chapter: Chapter,
    output: Path,
    values: Mapping[str, Value],
    *,
    root: Path,
    profile: str = DEFAULT_PROFILE,
    workers: int | None = None,
    temporary: Path | None = None,
    watch: Watcher = on_terminal,
) -> float:
    """Execute a chapter with the values (checked before) and write the executed notebook; return the seconds.

    The notebook is written aside and renamed when it is whole: whatever happens, an older one at ``output``
    stays until then. Ctrl-C stops the kernel and raises KeyboardInterrupt.

    Raises
    ------
    ChapterFailed
        Naming the chapter, the cell, its source and the error.
    """
    job = _Job(chapter, output, values, root, profile, workers or processors(), watch)
    with tempfile.TemporaryDirectory(prefix="alignlib-") if temporary is None else nullcontext(temporary) as folder:
        [outcome] = _in_threads([job], Path(folder), jobs=1)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def execute_all(
    root: Path,
    profile: str = DEFAULT_PROFILE,
    *,
    jobs: int = 2,
    force: bool = False,
    say: Say = print,
    watch: Watcher = on_terminal,
    temporary: Path | None = None,
    only: Sequence[Chapter] | None = None,
    under: Arithmetic = OWN,
) -> list[Execution]:
    """Execute every chapter of which something changed, ``jobs`` at a time, and say why each one runs.

    ``only`` names the chapters that are meant; ``under`` the arithmetic, whose executed chapters are kept apart.
    The longest run first. A chapter's record of what it was made from is written last, so a killed build leaves
    nothing that counts as done. Who gives ``temporary``, a folder with a short path, holds the build lock.

    Raises
    ------
    ChaptersFailed
        After all others were executed, with the account of each that failed.
    AlignlibError
        If another build of this book is at work, or the profile is refused.
    """
    planned = plan(root, profile, force=force, under=under)
    chosen = [entry for entry in planned if only is None or entry.chapter in only]
    home = home_of(root, profile, under)
    with build_lock(root / "_build") if temporary is None else nullcontext(temporary) as folder:
        remove_unfinished(home)
        _remove_former_chapters(home, planned)
        to_run = sorted((entry for entry in chosen if entry.reasons), key=lambda e: -e.seconds)
        for entry in to_run:
            say(f"{entry.chapter.name}: {_joined(entry.reasons)}")
        settings = profile_values(root, profile)
        workers = max(1, processors() // max(1, min(jobs, len(to_run))))
        batch = [
            _Job(e.chapter, e.output, settings[e.chapter.name], root, profile, workers, watch, home, under)
            for e in to_run
        ]
        outcomes = _in_threads(batch, folder, jobs, say)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    if failures:
        raise ChaptersFailed("\n\n".join(str(failure) for failure in failures))
    took = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    seconds = dict(zip((entry.chapter for entry in to_run), took, strict=True))
    return [replace(e, seconds=seconds.get(e.chapter, e.seconds), ran=bool(e.reasons)) for e in chosen]


def home_of(root: Path, profile: str, under: Arithmetic = OWN) -> Path:
    """Return the folder of a profile's executed chapters under an arithmetic."""
    return root / "_build" / under.folder / profile


def plan(root: Path, profile: str, *, force: bool = False, under: Arithmetic = OWN) -> list[Execution]:
    """Return for each chapter why it has to be executed; no reason where its executed notebook is up to date."""
    settings = profile_values(root, profile)
    shared = freshness.shared_inputs(root)
    home = home_of(root, profile, under)
    planned = []
    for chapter in discover(root):
        output = home / "executed" / FOLDER / chapter.path.name
        now = _inputs(root, chapter, settings[chapter.name], shared)
        record = freshness.read_record(_record(home, chapter))
        reasons = freshness.reasons(record, now, output)
        if force and not reasons:
            reasons = ["asked for"]
        # a chapter that never ran may be the longest: it starts first
        seconds = float(record.get("seconds", 1e9))
        planned.append(Execution(chapter, output, seconds, False, tuple(reasons)))
    return planned


@dataclass(frozen=True)
class _Job:
    """One chapter to execute; ``record`` is the folder that remembers what it was made from, if any."""

    chapter: Chapter
    output: Path
    values: Mapping[str, Value]
    root: Path
    profile: str
    workers: int
    watch: Watcher
    record: Path | None = None
    under: Arithmetic = OWN


def _in_threads(
    batch: Sequence[_Job], temporary: Path, jobs: int, say: Say = lambda text: None
) -> list[float | Exception]:
    """Run the jobs side by side and return the seconds or the error of each; Ctrl-C stops all kernels.

    Also a single job runs in a thread: the main thread is then free to notice Ctrl-C at once.
    """
    from alignlib.book import kernel

    _prepare_fonts(batch)
    kernel.allow_kernels()
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = {pool.submit(_attempt, job, temporary / f"k{number}"): job for number, job in enumerate(batch)}
        try:
            _follow(futures, say)
        except BaseException:
            for future in futures:
                future.cancel()
            kernel.stop_kernels()
            raise
    return [future.result() for future in futures]


def _follow(futures: Mapping[Future[float | Exception], _Job], say: Say) -> None:
    """Wait for all jobs and say of each when it is done."""
    waiting = set(futures)
    while waiting:  # with a timeout, so that Ctrl-C is noticed on every platform
        done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in done:
            outcome = future.result()
            how = "failed" if isinstance(outcome, Exception) else f"done in {outcome:.1f} s"
            say(f"{futures[future].chapter.name}: {how}")


def _attempt(job: _Job, temporary: Path) -> float | Exception:
    try:
        return _perform(job, temporary)
    except AlignlibError as error:
        return error
    except OSError as error:
        return AlignlibError(f"chapter {job.chapter.name}: {explain(error)}")


def _perform(job: _Job, temporary: Path) -> float:
    from alignlib.book import kernel

    started = time.perf_counter()
    # noted before anything is read, so that a change made meanwhile counts as one at the next build
    noted = inputs(job.root, job.chapter, job.values) if job.record else {}
    notebook = _runnable(job.chapter)
    place = kernel.Place(
        job.chapter.name,
        job.chapter.path.resolve().parent,
        kernel.environment(job.root.resolve(), job.profile, job.workers, job.under),
        temporary,
    )
    code_cells = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
    with job.watch(job.chapter, code_cells + bool(job.values)) as on_cell:
        executed = kernel.run_notebook(notebook, job.values, place, on_cell)
    text = _text(executed)
    write_file(job.output, text)
    seconds = time.perf_counter() - started
    if job.record:
        noted |= freshness.dataset_inputs(_mentions(job.chapter, job.values))  # the run may have fetched data
        record = freshness.record(job.chapter.name, seconds, noted, digest(text))
        write_json(_record(job.record, job.chapter), record)
    return seconds


def _runnable(chapter: Chapter) -> Any:
    """Return the notebook in the newest format, its cells' identifiers the same at every reading."""
    import nbformat

    raw = read_notebook(chapter.path)
    try:
        notebook = nbformat.reads(json.dumps(raw), as_version=4)  # type: ignore[no-untyped-call]
        notebook = nbformat.v4.upgrade(notebook)  # type: ignore[no-untyped-call]
        nameless = [number for number, cell in enumerate(raw["cells"]) if "id" not in cell]
        for number in nameless:
            notebook.cells[number].id = f"cell-{number + 1}"
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises its own, jsonschema's and plain ones
        raise AlignlibError(f"{chapter.path}: not a valid notebook: {str(error).splitlines()[0]}") from None
    return notebook


def _text(notebook: Any) -> str:
    import nbformat

    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text.rstrip("\n") + "\n"


def _inputs(
    root: Path, chapter: Chapter, values: Mapping[str, Value], shared: Mapping[str, object]
) -> dict[str, object]:
    declared = parameters(chapter)
    own: dict[str, object] = {"chapter": freshness.notebook_digest(read_notebook(chapter.path))}
    own.update({f"parameter {name}": value for name, value in effective(declared, values).items()})
    mentions = _mentions(chapter, values)
    read = freshness.record_inputs(root, mentions) | freshness.claim_inputs(root, chapter.name, mentions)
    return {**shared, **own, **freshness.dataset_inputs(mentions), **read}


def inputs(root: Path, chapter: Chapter, values: Mapping[str, Value]) -> dict[str, object]:
    """Return all that an execution of a chapter with these values depends on, with digests of what are files."""
    return _inputs(root, chapter, values, freshness.shared_inputs(root))


def _mentions(chapter: Chapter, values: Mapping[str, Value]) -> str:
    """Return the text in which a chapter can name the data sets and the records it uses."""
    code = [source_of(c) for c in read_notebook(chapter.path)["cells"] if c.get("cell_type") == "code"]
    return "\n".join([*code, json.dumps(values)])


def _remove_former_chapters(home: Path, planned: Sequence[Execution]) -> None:
    """Remove executed notebooks and records of chapters that were renamed or taken out."""
    kept = {path for entry in planned for path in (entry.output, _record(home, entry.chapter))}
    for path in [*(home / "executed" / FOLDER).glob("*.ipynb"), *(home / "state").glob("*.json")]:
        if path not in kept:
            path.unlink()


def _record(home: Path, chapter: Chapter) -> Path:
    return home / "state" / f"{chapter.name}.json"


def _joined(reasons: Sequence[str], most: int = 4) -> str:
    more = len(reasons) - most
    return "; ".join(reasons[:most]) + (f"; and {more} more" if more > 0 else "")


def _prepare_fonts(batch: Sequence[_Job]) -> None:
    """Let Matplotlib list the fonts once, here: a kernel that does it says so in the middle of a chapter."""
    if batch:
        import matplotlib.font_manager  # noqa: F401
