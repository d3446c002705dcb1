"""Which cells a figure needs, read from the code: hand-made notebooks, and the book's own."""

import json
from pathlib import Path

import pytest

from alignlib.book.excerpt import excerpt, names
from alignlib.errors import AlignlibError

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"


def cell(name, source, *tags):
    return {"cell_type": "code", "id": name, "source": source, "metadata": {"tags": list(tags)}}


def notebook(*cells):
    start = [
        cell("imports", "import numpy as np\nfrom alignlib import book"),
        cell("parameters", "n: int = 3  # how many\nm: int = 4  # others", "parameters"),
        cell("chapter", "chapter = book.Chapter('01-a', globals())"),
    ]
    return {"cells": [*start, *cells, {"cell_type": "markdown", "id": "text", "source": "", "metadata": {}}]}


def kept(*cells):
    return [one["id"] for one in excerpt(notebook(*cells), "01-a")["cells"]]


@pytest.mark.parametrize(
    ("source", "needed", "made", "changed"),
    [
        ("a = b + 1", "b", "a", ""),
        ("a = a + 1", "a", "a", ""),
        ("a += b", "a b", "", "a"),
        ("rows.append(a)", "a rows", "", "rows"),
        ("found[key] = 1", "found key", "", "found"),
        ("base.field = 1", "base", "", "base"),
        ("for a in b:\n    c = a", "b", "a c", ""),
        ("x = [a for a in b if c]", "b c", "x", ""),
        ("def f(a):\n    return a + g", "g", "f", ""),
        ("class A(B):\n    def f(self):\n        return h", "B h", "A", ""),
        ("with w(a) as b:\n    c = b", "a w", "b c", ""),
        ("if a:\n    b = 1\nelse:\n    b = c", "a c", "b", ""),
        ("from p import q as r\nimport s.t", "", "r s", ""),
        ("a = 1\nb = a\nrows = []\nrows.append(b)", "", "a b rows", ""),
        ("f = lambda a: a * k", "k", "f", ""),
    ],
)
def test_what_a_cell_does_with_names(source, needed, made, changed):
    found = names(source)
    assert (found.needed, found.made, found.changed) == tuple(frozenset(t.split()) for t in (needed, made, changed))


def test_only_what_the_figure_needs_is_kept():
    figure = cell("figure", "chapter.figure('f', runs)", "run-here")
    cells = [cell("a", "runs = n"), cell("b", "other = runs + m"), figure, cell("after", "runs = 0")]
    assert kept(*cells) == ["imports", "parameters", "chapter", "a", "figure"]


def test_a_later_value_hides_an_earlier_one_but_a_change_does_not():
    figure = cell("figure", "chapter.figure('f', runs)", "run-here")
    assert kept(cell("old", "runs = n"), cell("new", "runs = m"), figure)[3:] == ["new", "figure"]
    assert kept(cell("old", "runs = [n]"), cell("more", "runs += [m]"), figure)[3:] == ["old", "more", "figure"]
    assert kept(cell("old", "runs = [n]"), cell("more", "runs.append(m)"), figure)[3:] == ["old", "more", "figure"]


def test_the_values_that_papermill_injected_are_left_out_and_the_used_parameters_named():
    injected = cell("injected", "n = 99", "injected-parameters")
    found = excerpt(notebook(injected, cell("figure", "chapter.figure('f', n)", "run-here")), "01-a")
    assert [one["id"] for one in found["cells"]] == ["imports", "parameters", "chapter", "figure"]
    assert found["uses"] == ["n"]


def test_without_a_tag_there_is_no_excerpt_and_without_parameters_none_can_be():
    assert excerpt(notebook(cell("figure", "chapter.figure('f', n)")), "01-a") is None
    with pytest.raises(AlignlibError, match="none `parameters`"):
        excerpt({"cells": [cell("figure", "f", "run-here")]}, "01-a")


@pytest.mark.parametrize("number", ["03", "04", "05", "06"])
def test_the_chapters_that_run_in_the_page_need_few_of_their_cells(number):
    (path,) = CHAPTERS.glob(f"{number}-*.ipynb")
    book = json.loads(path.read_text(encoding="utf-8"))
    found = excerpt(book, path.stem)
    assert any(one["figure"] for one in found["cells"])
    assert found["uses"]
    assert len(found["cells"]) < 8
    assert not any("chapter.claim(" in one["source"] for one in found["cells"])
