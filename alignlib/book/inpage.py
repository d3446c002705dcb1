"""What a page needs beside its figures: their numbers for the hand, and the panel that computes them again.

Executed notebooks in, files of the site out. A figure's cell asks for it by a tag: ``interactive``, ``run-here``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from alignlib.book import interactive, live, pyodide
from alignlib.book.compare import compare
from alignlib.book.excerpt import TAG as RUN_TAG
from alignlib.book.excerpt import excerpt
from alignlib.book.figure import MIME, Figure
from alignlib.book.files import digest, read_json, write_json
from alignlib.book.parameters import Parameter
from alignlib.book.reference import expected_folder, read_reference
from alignlib.errors import AlignlibError

JSON = dict[str, Any]
Content = dict[str, bytes]

PACKAGE = Path(__file__).resolve().parents[1]
#: The profile whose values the notebooks hold, and with which a panel begins.
PROFILE = "digits"
MEGABYTE = 1_000_000


def content(root: Path, profile: str, notebooks: Mapping[str, JSON]) -> Content:
    """Return the files that make the figures of executed chapters answer: path in the staging folder -> bytes.

    ``beside/<figure>.html`` stands below a figure in the page. What panels fetch on the click lies in ``exports``.

    Raises
    ------
    AlignlibError
        If a tag stands where it cannot be followed, Pyodide's files are not the right ones, or the cells of a panel,
        run by themselves, do not give the book's numbers.
    """
    files: Content = {}
    beside: dict[str, str] = {}
    for notebook in notebooks.values():
        for figure in shown(notebook, interactive.TAG):
            beside[figure.id] = _numbers(interactive.payload(figure))
    found = {name: excerpt(notebook, name) for name, notebook in notebooks.items()}
    excerpts = {name: taken for name, taken in found.items() if taken is not None}
    if excerpts:
        package = packed()
        runtime = pyodide.obtain(root / "_build" / "pyodide")
        files |= {f"exports/pyodide/{name}": path.read_bytes() for name, path in runtime.items()}
        if runtime:
            files["exports/pyodide/NOTICE.txt"] = pyodide.NOTICE.encode()
        files["exports/run-here/alignlib.zip"] = package
        size = len(package) + sum(path.stat().st_size for path in runtime.values())
        for name, taken in excerpts.items():
            made = native(root, taken)
            program = _program(taken, made, digest(package))
            files[f"exports/run-here/{name}.json"] = json.dumps(program, ensure_ascii=False).encode()
            panel = _panel(name, profile, made, size if runtime else None, made["order"])
            last = made["order"][-1]
            beside[last] = beside.get(last, "") + panel
    return files | {f"beside/{figure}.html": text.encode() for figure, text in beside.items()}


def shown(notebook: JSON, tag: str) -> list[Figure]:
    """Return the figures that the cells with a tag show; AlignlibError for such a cell without one."""
    found = []
    for cell in notebook["cells"]:
        if tag not in cell["metadata"].get("tags", []):
            continue
        figures = [o["data"][MIME] for o in cell.get("outputs", []) if MIME in o.get("data", {})]
        if not figures:
            raise AlignlibError(f"cell {cell.get('id')!r} has the tag `{tag}`, but shows no figure.")
        found += [Figure.from_json(figure) for figure in figures]
    return found


# ---------------------------------------------------------------- the panel's program


def native(root: Path, taken: JSON) -> JSON:
    """Return the figures of an excerpt computed on this machine, by identifier, their order, and the seconds of a core.

    They are the numbers that a reader's are compared with. They must be those of the reference; that they are shows
    that the excerpt holds all that its figures need. Kept in ``_build`` until the excerpt or a module it used changes.
    """
    path = root / "_build" / "run-here" / f"{taken['chapter']}.json"
    if path.is_file() and (kept := read_json(path)).get("seal") == _seal(taken, kept.get("modules", [])):
        return dict(kept)
    made = _computed(taken)
    made["seal"] = _seal(taken, made["modules"])
    for name, figure in made["figures"].items():
        reference = expected_folder(root, PROFILE, taken["chapter"]) / f"{name}.json"
        if not reference.is_file():
            continue  # a figure that is new: the build that stores its reference comes later
        old, new = ({"id": name, "panels": f["panels"]} for f in (read_reference(root, reference)[0], figure))
        wrong = [str(found) for found in compare(old, new) if not found.ok]
        if wrong:
            raise AlignlibError(
                f"chapter {taken['chapter']}: the cells that figure {name!r} was found to need do not give the "
                f"book's numbers by themselves:\n  " + "\n  ".join(wrong)
            )
    write_json(path, made)
    return dict(read_json(path))  # what the next build finds: the same site, byte for byte


def _seal(taken: JSON, modules: Sequence[str]) -> str:
    """Digest of the excerpt, of the source of the modules that it used, and of this one."""
    sources = {}
    for name in (*modules, __name__):
        place = PACKAGE.parent.joinpath(*name.split("."))
        path = next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)
        sources[name] = digest(path.read_bytes()) if path else ""
    return digest(json.dumps([taken, sources, np.__version__], sort_keys=True))


def _computed(taken: JSON) -> JSON:
    """Run an excerpt in a Python of its own: one BLAS thread, and no store of finished runs, or no time is measured."""
    surroundings = {name: value for name, value in os.environ.items() if name != "ALIGNLIB_STORE"}
    done = subprocess.run(
        [sys.executable, "-m", live.__name__],
        input=json.dumps(taken),
        env=surroundings | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise AlignlibError(f"chapter {taken['chapter']}: its cells tagged `{RUN_TAG}` fail by themselves:\n{tail}")
    made: JSON = json.loads(done.stdout.splitlines()[-1])
    return made | {"modules": [*made["modules"], live.__name__], "order": list(made["figures"])}


def _program(taken: JSON, made: JSON, version: str) -> JSON:
    used = [parameter for parameter in live.declared(taken) if parameter.name in taken["uses"]]
    return {
        "excerpt": taken,
        "parameters": [_field(parameter) for parameter in used],
        "book": made["figures"],
        "version": version[:16],
    }


def _field(parameter: Parameter) -> JSON:
    """What the form says of a parameter. Its check is the chapter's own, in Python."""
    options = parameter.choices or ((True, False) if parameter.type == "bool" else ())
    elsewhere = () if parameter.name != "dataset" else {str(one) for one in options} - set(live.at_hand())
    return {
        "name": parameter.name,
        "help": parameter.help,
        "accepted": parameter.accepted,
        "default": parameter.text(parameter.default),
        "list": parameter.is_list,
        "options": [{"value": parameter.text(one), "here": one not in elsewhere} for one in options],
    }


def packed() -> bytes:
    """Return the package as the browser gets it, the same bytes from the same source: the modules and the digits."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.npz")]):
            name = path.relative_to(PACKAGE.parent).as_posix()
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target.getvalue()


# ---------------------------------------------------------------- what stands in the page


def _numbers(payload: JSON) -> str:
    """The numbers of a figure inside the page, so that they are there from ``file://`` too."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return f'<script type="application/json" class="figure-data" data-figure="{payload["id"]}">{text}</script>'


def _panel(chapter: str, profile: str, made: JSON, size: int | None, figures: Sequence[str]) -> str:
    """The panel as it stands in the page: without JavaScript, the command; the rest is shown by the script."""
    number = int(chapter[:2])
    many = len(figures) > 1
    above = "These figures" if many else "This figure"
    ours = (
        f"This book was built from the profile {profile}; the panel runs the profile {PROFILE}, whose data come with "
        "the package, and compares with the numbers of that profile."
        if profile != PROFILE
        else ""
    )
    live_text = (
        f"<p>{above} can be computed again in this page, by the cells of this chapter and the package of this book. "
        f"The first run fetches {(size or 0) / MEGABYTE:.0f} MB from this site: Python, NumPy and alignlib. "
        f"Where this book was built the computation took one core {made['seconds']:.0f} s; "
        f"a browser takes several times as long.</p>"
    )
    return (
        f'<section class="run-here" id="run-here-{number:02d}" aria-labelledby="run-here-title-{number:02d}" '
        f'data-chapter="{escape(chapter)}" data-figures="{" ".join(figures)}" '
        f'data-runtime="{"no" if size is None else "yes"}" data-script="../run-here/panel.mjs">'
        f'<p class="run-here-title" id="run-here-title-{number:02d}">Run it here</p>'
        f'<div class="run-here-live" hidden>{live_text}{f"<p>{ours}</p>" if ours else ""}</div>'
        f'<div class="run-here-app"></div>'
        f'<p class="run-here-command">The whole chapter on your machine: '
        f"<code>.venv/bin/alignlib run {number}</code></p></section>"
    )
