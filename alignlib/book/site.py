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

from alignlib.book import pages
from alignlib.book.figure import Figure
from alignlib.book.scaling import fill
from alignlib.book.sitecheck import SiteFindings, check_site, figure_number
from alignlib.errors import AlignlibError

#: What the table of contents may list without a file in the repository: made from the executed chapters.
GENERATED = ("figures", "claims", "status")
#: A new version of one of these draws another site from the same sources.
RENDERERS = ("jupyter-book", "sphinx", "myst-nb", "myst-parser", "sphinx-book-theme", "sphinx-design", "matplotlib")
#: The rules whose wiring the first page shows.
COVER = ("bp", "fa", "dfa", "ifa")
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
        _stage(content | _cover_files(), home / "staging")
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
    generated = {
        "figures": pages.gallery(chapters, profile),
        "claims": pages.claims_page(chapters),
        "status": pages.status_page(profile, chapters, _manifest(root, profile)),
    }
    for name in table_of_contents(root):
        content |= _document(root, profile, name, generated)
    for chapter in chapters:
        for figure in chapter.figures:
            for kind, data in pages.figure_files(figure).items():
                content[f"exports/figures/{figure.id}.{kind}"] = data
        for table in chapter.tables:
            content[f"exports/figures/{table['id']}.csv"] = pages.table_csv(table).encode()
    content["exports/figures/index.json"] = _figure_index(chapters)
    return content


def _document(root: Path, profile: str, name: str, generated: dict[str, str]) -> Content:
    if name.startswith("chapters/"):
        executed = root / "_build" / profile / "executed" / f"{name}.ipynb"
        return {f"{name}.ipynb": executed.read_bytes()}
    if name in generated:
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
    return (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode()


def cover(rules: Sequence[str] = COVER) -> Figure:
    """Return the wiring of rules, asked from the rules themselves, as one figure."""
    from alignlib.book.wirings import wirings

    alt = "The way of the output error to the hidden layers."
    return Figure("-".join(("wiring", *rules)), "index", wirings(rules), alt)


def draw_cover(path: Path) -> None:
    """Write the picture of the README, all rules of the first page in one drawing."""
    path.write_text(cover().svg(), encoding="utf-8")


def _cover_files() -> Content:
    """Draw the pictures of the first page, one a rule, so that a phone shows them below one another."""
    return {f"exports/figures/wiring-{rule}.svg": cover([rule]).svg().encode() for rule in COVER}


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
