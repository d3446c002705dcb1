"""From executed chapters to a finished site: stage, render, look at it, and only then replace the old one.

Everything happens below ``_build/<profile>``; the published folder is exchanged by renaming,
so that whatever fails on the way, the book of the last successful build stays where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from alignlib.book import inpage, landing, pages, reference, sharpness
from alignlib.book.citing import Book, book_entry, entry_files, figure_entry, plain, read_book
from alignlib.book.claims_page import claims_page
from alignlib.book.crate import FILE as CRATE
from alignlib.book.crate import crate
from alignlib.book.figure_pages import figure_page, gallery
from alignlib.book.rule_marks import style_sheet
from alignlib.book.scaling import fill
from alignlib.book.sitecheck import SiteFindings, check_site, figure_number
from alignlib.book.status_page import Moment, status_page
from alignlib.book.verdicts import with_measured
from alignlib.errors import AlignlibError
from alignlib.rules import RULES

#: What the table of contents may list without a file in the repository: made from the executed chapters.
GENERATED = ("figures", "claims", "sharpness", "status")
#: A new version of one of these draws another site from the same sources.
RENDERERS = ("jupyter-book", "sphinx", "myst-nb", "myst-parser", "sphinx-book-theme", "sphinx-design", "matplotlib")
STAMP = "site.json"


class SiteFailed(AlignlibError):
    """The site could not be built; the text lists what is wrong with it."""


@dataclass(frozen=True)
class SiteReport:
    """What a build of the site gives: where it is, what it holds, whether it had to be made."""

    profile: str
    index: Path
    pages: int
    figures: int
    claims: int
    links: int
    seconds: float
    rebuilt: bool


def build_site(root: Path, profile: str) -> SiteReport:
    """Build the site of `profile` from the executed chapters below ``_build`` of the repository at `root`.

    Nothing is done when nothing that goes into the site has changed.
    The result is ``_build/<profile>/html`` and a copy of it ``_build/html``.

    Raises
    ------
    SiteFailed
        An executed chapter or a page is missing, Sphinx warned, or the finished HTML has a fault.
    """
    started = time.perf_counter()
    root = root.resolve()
    home = root / "_build" / profile
    final, shown = home / "html", root / "_build" / "html"
    for folder in (final, shown):
        _recover(folder)
    chapters = [pages.read_chapter(path) for path in _executed(root, profile)]
    _require_captions(chapters)
    content = _content(root, profile, chapters)
    digest = _digest(root, content)
    stamp = _stamp(final)
    rebuilt = stamp.get("digest") != digest
    if rebuilt:
        moment = Moment.now(root)
        _stage(content | landing.cover_files() | _dated(root, profile, chapters, moment), home / "staging")
        built = _render(home)
        findings = check_site(built, _machine_paths(root))
        findings.problems += _misnumbered(built, _manifest(root, profile))
        _refuse(findings, profile)
        stamp = {
            "profile": profile,
            "digest": digest,
            "pages": findings.pages,
            "links": findings.links,
            "figures": sum(len(chapter.figures) for chapter in chapters),
            "claims": sum(len(chapter.claims) for chapter in chapters),
        }
        (built / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
        _exchange(built, final)
        shutil.rmtree(home / "sphinx", ignore_errors=True)
    if _stamp(shown) != stamp:
        _publish_copy(final, shown)
    counts = {name: int(stamp[name]) for name in ("pages", "figures", "claims", "links")}
    seconds = time.perf_counter() - started
    return SiteReport(profile=profile, index=final / "index.html", seconds=seconds, rebuilt=rebuilt, **counts)


# ---------------------------------------------------------------- what goes in

Content = dict[str, bytes]


def table_of_contents(root: Path) -> list[str]:
    """Return the documents that ``_toc.yml`` lists, without suffix, in reading order, the index first."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    listed = [entry["file"] for part in toc.get("parts", [toc]) for entry in part.get("chapters", [])]
    return [toc["root"], *listed]


def _executed(root: Path, profile: str) -> list[Path]:
    folder = root / "_build" / profile / "executed"
    wanted = [folder / f"{name}.ipynb" for name in table_of_contents(root) if name.startswith("chapters/")]
    if missing := [path.stem for path in wanted if not path.is_file()]:
        raise SiteFailed(
            f"no executed notebook of profile {profile!r} for {', '.join(missing)}; "
            "`alignlib build` executes the chapters before it makes the site"
        )
    return wanted


def _require_captions(chapters: Sequence[pages.ShownChapter]) -> None:
    for chapter in chapters:
        for figure in chapter.figures:
            if not figure.caption or figure.anchor != f"fig-{figure.id}":
                wanted = f'{{"mystnb": {{"figure": {{"name": "fig-{figure.id}", "caption": "…"}}}}}}'
                raise SiteFailed(
                    f"chapter {chapter.name}: figure {figure.id!r} has no caption or another anchor; "
                    f"its cell needs the metadata {wanted}"
                )


def _content(root: Path, profile: str, chapters: list[pages.ShownChapter]) -> Content:
    """Return every file that Sphinx gets to see: path inside the staging folder -> bytes."""
    content: Content = {}
    for name in ("_config.yml", "_toc.yml", "references.bib"):
        content[name] = (root / name).read_bytes()
    for path in sorted((root / "assets").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content[path.relative_to(root).as_posix()] = path.read_bytes()
    book, manifest = read_book(root), _manifest(root, profile)
    generated = {
        "figures": gallery(chapters),
        "claims": claims_page(chapters, _stored_verdicts(root, profile, chapters)),
        "sharpness": sharpness.page(sharpness.read(root, profile)),
        "status": "",  # made when the site is: it names the day and the commit
    }
    measured = {claim["id"]: claim["measured"] for chapter in chapters for claim in chapter.claims}
    notebooks = {path.stem: _complete(path, measured) for path in _executed(root, profile)}
    content |= {f"chapters/{name}.ipynb": _json(notebook) for name, notebook in notebooks.items()}
    for name in table_of_contents(root):
        if not name.startswith("chapters/"):
            content |= _document(root, name, generated)
    for chapter in chapters:
        content |= _of_chapter(book, chapters, chapter, profile)
    content |= _made(root, profile, chapters, manifest)
    content |= {f"exports/citation.{kind}": data for kind, data in entry_files(book, book_entry(book)).items()}
    content["exports/figures/index.json"] = _figure_index(chapters)
    content["exports/manifest.json"] = _json(manifest)
    content["assets/static/rules.css"] = style_sheet().encode()
    content["book.json"] = _json(_for_sphinx(book, chapters, manifest))
    return content | inpage.content(root, profile, notebooks)


def _of_chapter(book: Book, chapters: list[pages.ShownChapter], chapter: pages.ShownChapter, profile: str) -> Content:
    """Return the page and the files of each figure of a chapter, and its tables as files."""
    content: Content = {}
    for figure in chapter.figures:
        files = pages.figure_files(figure) | entry_files(book, figure_entry(book, chapter, figure, profile))
        content |= {f"exports/figures/{figure.id}.{kind}": data for kind, data in files.items()}
        page = figure_page(book, chapters, chapter, figure, profile)
        content[f"figures/{figure.id}.md"] = page.encode()
    for table in chapter.tables:
        content[f"exports/figures/{table['id']}.csv"] = pages.table_csv(table).encode()
    return content


def _made(root: Path, profile: str, chapters: list[pages.ShownChapter], manifest: dict[str, Any]) -> Content:
    """Return the pieces that a page of the repository may include: ``made/<name>.txt``."""
    pieces = {"map": landing.chapter_map(root, chapters, manifest), "counts": landing.counts(chapters)}
    for chapter in chapters:
        pieces |= {f"figure-{shown.id}": landing.result(chapter, shown.id, profile) for shown in chapter.figures}
    return {f"made/{name}.txt": text.encode() for name, text in pieces.items()}


def _dated(root: Path, profile: str, chapters: list[pages.ShownChapter], moment: Moment) -> Content:
    """Return what names the day and the commit; these alone are no reason to make the site again."""
    manifest = _manifest(root, profile)
    files = {f"exports/{CRATE}": crate(read_book(root), chapters, manifest, moment)}
    if "status" in table_of_contents(root):
        files["status.md"] = status_page(profile, chapters, manifest, moment).encode()
    return files


def _stored_verdicts(root: Path, profile: str, chapters: list[pages.ShownChapter]) -> dict[str, bool]:
    """Return the verdict that the reference holds for each claim."""
    verdicts: dict[str, bool] = {}
    for chapter in chapters:
        path = reference.expected_folder(root, profile, chapter.name) / f"{reference.CLAIMS}.json"
        if path.is_file():
            stored = reference.read_reference(root, path)[0]["claims"]
            verdicts |= {name: bool(claim["holds"]) for name, claim in stored.items()}
    return verdicts


def _for_sphinx(book: Book, chapters: list[pages.ShownChapter], manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the extension in ``assets/ext`` needs to know for the heads and feet of the pages."""
    ran = {entry["id"]: entry.get("seconds") for entry in manifest.get("chapters", [])}
    return {
        "title": book.title,
        "author": book.author,
        "year": book.year,
        "address": book.address,
        "picture": "figures/wiring-cover.png",
        "rules": {name: rule.label for name, rule in RULES.items()},
        "chapters": {
            f"chapters/{chapter.name}": {
                "asks": chapter.asks,
                "facts": landing.chapter_facts(chapter, chapters, ran.get(chapter.name)),
                "picture": f"figures/{chapter.figures[0].id}.png" if chapter.figures else "",
            }
            for chapter in chapters
        },
        "figures": {
            figure.id: {"title": plain(figure.title), "alt": figure.alt, "chapter": plain(chapter.title)}
            for chapter in chapters
            for figure in chapter.figures
        },
    }


def _complete(executed: Path, measured: dict[str, str]) -> dict[str, Any]:
    """Return an executed notebook with what other chapters measured in its verdicts."""
    notebook: dict[str, Any] = json.loads(executed.read_text(encoding="utf-8"))
    for _, shown in pages.outputs(notebook):
        if "text/html" in shown:
            shown["text/html"] = with_measured("".join(shown["text/html"]), measured)
    return notebook


def _document(root: Path, name: str, generated: dict[str, str]) -> Content:
    if name in generated:  # pages of the build itself
        return {f"{name}.md": generated[name].encode()}
    path = root / f"{name}.md"
    if not path.is_file():
        raise SiteFailed(f"_toc.yml lists {name!r}, but there is no {name}.md beside it")
    return {f"{name}.md": fill(root, path.read_text(encoding="utf-8")).encode()}


def _figure_index(chapters: list[pages.ShownChapter]) -> bytes:
    """List every figure by identifier: the chapter that shows it, its caption and alternative text."""
    index = {
        figure.id: {"chapter": chapter.name, "caption": figure.caption, "alt": figure.alt}
        for chapter in chapters
        for figure in chapter.figures
    }
    return _json(index)


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _manifest(root: Path, profile: str) -> dict[str, Any]:
    path = root / "_build" / profile / "manifest.json"
    if not path.is_file():
        return {}
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _digest(root: Path, content: Content) -> str:
    """Digest everything that the site is made of, also the package that the API page documents."""
    total = hashlib.sha256()
    for name in sorted(content):
        total.update(f"{name}\0{hashlib.sha256(content[name]).hexdigest()}\n".encode())
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    total.update(" ".join(f"{name}={version(name)}" for name in RENDERERS).encode())
    return total.hexdigest()


# ---------------------------------------------------------------- render


def _stage(content: Content, staging: Path) -> None:
    shutil.rmtree(staging, ignore_errors=True)
    for name, data in content.items():
        path = staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _render(home: Path) -> Path:
    """Run Jupyter Book on the staged files and return the folder of the HTML.

    It runs inside the staging folder, because the path of the local extension is relative to it.
    """
    output = home / "sphinx"
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", ".", "--path-output", "../sphinx"]
    command += ["--warningiserror", "--keep-going", "--all", "--quiet"]
    ran = subprocess.run(
        command,
        cwd=home / "staging",
        env=os.environ | {"PYTHONHASHSEED": "0", "NO_COLOR": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    built = output / "_build" / "html"
    if ran.returncode or not (built / "index.html").is_file():
        raise SiteFailed("Sphinx did not accept the pages:\n" + _complaints(ran.stdout + ran.stderr, home))
    for leftover in (".buildinfo", ".doctrees"):
        (built / leftover).unlink(missing_ok=True)
    return built


def _complaints(log: str, home: Path) -> str:
    """Return the warnings and errors of a Sphinx log; its end if there are none."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log).replace(f"{home / 'staging'}{os.sep}", "")
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    found = [line for line in lines if re.search(r"\b(?:WARNING|ERROR|CRITICAL)\b|[Ee]rror: |Could not", line)]
    return "\n".join(f"  {line}" for line in dict.fromkeys(found or lines[-20:]))


def _machine_paths(root: Path) -> list[str]:
    """Return the strings that would tell the reader where this machine keeps its files."""
    places = {str(root), str(Path(sys.prefix)), f"{Path.home()}{os.sep}"}
    return sorted(place for place in places if len(place) > len("/x/"))


def _misnumbered(built: Path, manifest: dict[str, Any]) -> list[str]:
    """Return where a page gives a figure another number than the manifest, and so its citation, does."""
    problems = []
    for figure in manifest.get("figures", []):
        page = f"chapters/{figure['chapter']}.html"
        shown = figure_number(built / page, f"fig-{figure['id']}")
        if not shown.endswith(f" {figure['number']}"):
            problems.append(f"{page}: figure {figure['id']!r} is {shown!r}, its citation says {figure['number']}")
    return problems


def _refuse(findings: SiteFindings, profile: str) -> None:
    if findings.problems:
        shown = "\n".join(f"  {problem}" for problem in findings.problems[:40])
        more = len(findings.problems) - 40
        shown += f"\n  … and {more} more" if more > 0 else ""
        count = len(findings.problems)
        raise SiteFailed(f"profile {profile!r}: {count} faults in the pages; the old book stays:\n{shown}")


# ---------------------------------------------------------------- exchange


def _exchange(new: Path, final: Path) -> None:
    """Put the folder `new` in the place of `final` by renaming; `final` is whole at every moment but one.

    A build that is killed in that moment leaves ``<final>.old``, which the next one puts back.
    """
    old = final.with_name(final.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _recover(final: Path) -> None:
    old = final.with_name(final.name + ".old")
    if old.is_dir() and not final.exists():
        old.rename(final)


def _publish_copy(source: Path, target: Path) -> None:
    new = target.with_name(target.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(source, new)
    _exchange(new, target)


def _stamp(folder: Path) -> dict[str, Any]:
    try:
        stamp: dict[str, Any] = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if (folder / "index.html").is_file() else {}
