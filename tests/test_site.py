"""The site: a tiny real book is rendered once by Jupyter Book, and then broken in every way we look for."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup

from alignlib.book import claims, figure, pages, site
from alignlib.book.sitecheck import check_site

REPOSITORY = Path(__file__).resolve().parents[1]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300" width="432pt" height="216pt">'
    '<path d="M20 280V20M20 280H580" style="stroke: #1a1b2e; fill: none"/>'
    '<path d="M20 40L200 200L580 {end}" style="stroke: #bf4a00; stroke-width: 3; fill: none"/></svg>'
)
TOC = """\
format: jb-book
root: index
parts:
  - caption: Rules
    numbered: 1
    chapters:
      - file: chapters/02-first
      - file: chapters/04-second
  - caption: Evidence
    chapters:
      - file: figures
      - file: claims
      - file: status
      - file: bibliography
"""
BIBLIOGRAPHY = "# Bibliography\n\n```{bibliography}\n```\n"


def cell(kind: str, source: str, outputs: list[Any] | None = None, **metadata: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": f"c{abs(hash(source)) % 10**7}", "metadata": metadata}
    made["source"] = source
    if kind == "code":
        made |= {"execution_count": 1, "outputs": outputs or []}
    return made


def shown(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def figure_cell(chapter: str, name: str, caption: str, end: int = 250) -> dict[str, Any]:
    series = figure.series("DFA", [0, 1, 2], np.array([[3.0, 2.0, np.nan], [3.5, 2.5, 1.0]]), "dfa", seeds=[0, 1])
    made = figure.Figure(
        name, chapter, [figure.panel("lines", series)], f"Two lines of {name} that fall & stay down.", {}
    )
    data = {
        "image/svg+xml": DRAWING.format(end=end),
        "image/png": base64.b64encode(PIXEL).decode(),
        figure.MIME: made.to_json(),
        "text/plain": made.alt,
    }
    metadata = {"mystnb": {"figure": {"name": f"fig-{name}", "caption": caption}}}
    return cell("code", f"chapter.figure({name!r})", [shown(data)], **metadata)


def notebook(chapter: str, title: str, text: str) -> dict[str, Any]:
    value = claims.Value(f"{chapter}-error", 3.104, "{:.2f} %")
    data, metadata = value.bundle()
    claim = claims.Claim(f"claim-{chapter}", "The angle stays acute.", True, "72.3° ± 1.1° (n=5)", "Our run", chapter)
    contra = claims.Claim(f"contra-{chapter}", "It is always faster.", False, "1.03 (n=3)", "An article", chapter)
    table = claims.Table(f"table-{chapter}", ["rule", "error"], [["BP", 1.5], ["DFA", 2.0]], "Errors of two rules.")
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [
            cell("markdown", f"# {title}\n\nWhat one knows afterwards {{cite:p}}`nokland2016`.\n\n{text}"),
            cell("code", f"epochs: int = {len(chapter)}", tags=["parameters"]),
            figure_cell(chapter, f"{chapter[3:]}-error", "**A fall.** Error over epochs, $n=2$."),
            cell("code", "chapter.claim(...)", [shown(claim._repr_mimebundle_()), shown(contra._repr_mimebundle_())]),
            cell("code", "chapter.value(...)", [shown(data, **metadata)]),
            figure_cell(chapter, f"{chapter[3:]}-angle", "An angle, see also {cite:t}`lillicrap2016`.", 100),
            cell("code", "chapter.table(...)", [shown(table._repr_mimebundle_())]),
            cell(
                "markdown",
                f"## What it shows\n\nThe error ends at {{glue:text}}`{chapter}-error`, see "
                f"{{numref}}`fig-{chapter[3:]}-error` and {{eq}}`eq-{chapter}`.\n\n"
                f"$$\\delta_l = (B_l e) \\odot f'(a_l)$$ (eq-{chapter})\n\n"
                f"```{{exercise}} Try\n:label: exercise-{chapter}\nTry it.\n```\n\n"
                f"```{{solution}} exercise-{chapter}\n:class: dropdown\nSo.\n```\n",
            ),
        ],
    }


def make_tiny(root: Path) -> Path:
    """Make a repository with two executed chapters, the second far from the first in its number."""
    for name in ("_config.yml", "references.bib"):
        shutil.copy(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / "assets", root / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (root / "index.md").write_text("# A tiny book\n\nRead {numref}`fig-second-error`.\n", encoding="utf-8")
    (root / "bibliography.md").write_text(BIBLIOGRAPHY, encoding="utf-8")
    executed = root / "_build" / "digits" / "executed" / "chapters"
    executed.mkdir(parents=True)
    for name, title in (("02-first", "The first rule"), ("04-second", "The second rule")):
        (executed / f"{name}.ipynb").write_text(json.dumps(notebook(name, title, "Text.")), encoding="utf-8")
    manifest = {
        "versions": {"numpy": np.__version__},
        "chapters": [{"id": "02-first", "seconds": 3.2, "parameters": {"epochs": 2, "rule": "dfa"}}],
    }
    (root / "_build" / "digits" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root
