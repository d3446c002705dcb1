"""Small books for the tests: real notebooks with a parameters cell, in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

PARAMETERS = """\
epochs: int = 3  # passes through the data [1, 50]
seeds: list[int] = [0, 1]  # one run each [0, 999]"""
FIGURE = """\
y = [[seed + 1.0 / (k + 1) for k in range(epochs)] for seed in seeds]
lines = book.series("DFA", range(epochs), y, rule="dfa", seeds=seeds)
chapter.figure("dfa-falls", book.panel("lines", [lines], y_label="error"), alt="A line that falls from one to zero.")"""
STATEMENTS = """\
chapter.claim("dfa-learns", "The error falls.", holds=epochs > 1, measured=f"{epochs} epochs")
chapter.value("dfa-final", 1 / epochs, "{:.1f} %")
chapter.table("dfa-table", [["a", 1.5], ["b", 2.5]], ["name", "size"], alt="A table with two rows for the tests.")"""
CAPTION = {"mystnb": {"figure": {"name": "fig-dfa-falls", "caption": "**It falls.** The error of one run."}}}

Cell = tuple[str, dict[str, Any]]


def notebook(title: str, cells: Sequence[Cell | str], parameters: str | None = PARAMETERS) -> nbformat.NotebookNode:
    """Return a chapter: a title, the imports, the parameters cell, and then code cells with their metadata."""
    v4 = nbformat.v4
    made = v4.new_notebook(
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    )
    made.cells = [v4.new_markdown_cell(f"# {title}")]
    if parameters is not None:
        made.cells.append(v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for cell in cells:
        source, metadata = (cell, {}) if isinstance(cell, str) else cell
        made.cells.append(v4.new_code_cell(source, metadata=metadata))
    for number, each in enumerate(made.cells):
        each.id = f"cell-{number}"
    return made


def full_chapter(name: str) -> nbformat.NotebookNode:
    """Return a chapter with a figure, a claim, a value and a table."""
    start = f'from alignlib import book\nchapter = book.Chapter("{name}", globals())'
    return notebook("Direct feedback", [start, (FIGURE, CAPTION), STATEMENTS])


@pytest.fixture(scope="session")
def make_book() -> Callable[..., Path]:
    """Return what writes a book: chapters by name (a notebook, or the code of its cells) into a folder."""

    def make(root: Path, **chapters: nbformat.NotebookNode | Sequence[Cell | str]) -> Path:
        for folder in ("chapters", "profiles"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "profiles" / "digits.yml").write_text("# the defaults\n")
        for key, content in chapters.items():
            name = key.removeprefix("c").replace("_", "-")
            made = content if isinstance(content, nbformat.NotebookNode) else notebook(name, content)
            nbformat.write(made, root / "chapters" / f"{name}.ipynb")
        return root

    return make


@pytest.fixture(scope="session")
def chapter_notebook() -> Callable[..., nbformat.NotebookNode]:
    """Return what makes the notebook of a chapter from the code of its cells."""
    return notebook


@pytest.fixture(scope="session")
def executed_book(tmp_path_factory: pytest.TempPathFactory, make_book: Callable[..., Path]) -> Path:
    """Return a book with one full chapter, executed and with its reference; to be copied, not changed."""
    from alignlib.book import chapters, reference

    name = "04-direct-feedback"
    root = make_book(tmp_path_factory.mktemp("book"), c04_direct_feedback=full_chapter(name))
    chapters.execute_all(root, say=lambda text: None, watch=chapters.in_silence)
    reference.update(root, "digits")
    return root
