"""What a page gets beside its figures: the numbers of the tagged ones, the panel, and what the panel fetches."""

import io
import json
import zipfile

import pytest
from bs4 import BeautifulSoup
from test_live import FIGURE, PARAMETERS, RUNS

from alignlib import book
from alignlib.book import inpage, live, reference
from alignlib.book.figure import MIME, Figure
from alignlib.errors import AlignlibError, InvalidValue

ALT = "Lines that fall over the epochs."


def cell(name, source, *tags, figure=None):
    outputs = [{"output_type": "execute_result", "data": {MIME: figure.to_json()}}] if figure else []
    return {"cell_type": "code", "id": name, "source": source, "metadata": {"tags": list(tags)}, "outputs": outputs}


def figure(kind="lines", name="small"):
    x = [0, 1] if kind == "lines" else ["a", "b"]
    return Figure(name, "04-small", [book.panel(kind, book.series("</b> & BP", x, [1.0, 2.0]))], ALT)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture
def notebook():
    cells = [
        cell("imports", "import alignlib as al\nfrom alignlib import book"),
        cell("parameters", PARAMETERS, "parameters"),
        cell("runs", RUNS),
        cell("figure", FIGURE, "run-here", "interactive", figure=figure()),
    ]
    return {"cells": cells}


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    path = tmp_path / "pyodide.mjs"
    path.write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr(inpage.pyodide, "obtain", lambda folder: {"pyodide.mjs": path})


def beside(files, name="small"):
    return BeautifulSoup(files[f"beside/{name}.html"], "html.parser")


def test_a_tagged_figure_brings_its_numbers(kept):
    files = inpage.content(kept, "digits", {"04-small": {"cells": [cell("a", "", "interactive", figure=figure())]}})
    assert list(files) == ["beside/small.html"]
    assert b"</b>" not in files["beside/small.html"]  # it would end the script
    (series,) = json.loads(beside(files).script.string)["panels"][0]["series"]
    assert (series["name"], series["runs"]) == ("</b> & BP", [[1, 2]])


def test_a_tag_that_cannot_be_followed_is_refused(kept):
    with pytest.raises(AlignlibError, match="cell 'a' has the tag `interactive`, but shows no figure"):
        inpage.content(kept, "digits", {"04-small": {"cells": [cell("a", "", "interactive")]}})
    dots = {"cells": [cell("a", "", "interactive", figure=figure("dots"))]}
    with pytest.raises(InvalidValue, match="cannot be interactive"):
        inpage.content(kept, "digits", {"04-small": dots})


def test_the_panel_says_what_it_costs_and_the_command(kept, notebook, runtime):
    files = inpage.content(kept, "digits", {"04-small": notebook})
    panel = beside(files).section
    assert (panel["data-chapter"], panel["data-figures"], panel["data-runtime"]) == ("04-small", "small", "yes")
    assert "fetches 2\u00a0MB" in panel.text
    assert panel.select_one(".run-here-command code").text == ".venv/bin/alignlib run 4"
    assert panel.select_one(".run-here-live").has_attr("hidden")
    assert "profile" not in panel.text
    assert "runs the profile digits" in beside(inpage.content(kept, "mnist", {"04-small": notebook})).section.text


def test_what_was_kept_gives_the_same_files_as_what_was_computed(tmp_path, notebook, runtime):
    """Names of figures in another order than the alphabet's, so that a file with sorted keys loses it."""
    second = FIGURE.replace('"small"', '"a-later-one"')
    assert second != FIGURE
    notebook["cells"].append(cell("second", second, "run-here", figure=figure(name="a-later-one")))
    computed, kept = (inpage.content(tmp_path, "digits", {"04-small": notebook}) for _ in range(2))
    assert kept == computed
    assert beside(kept, "a-later-one").section["data-figures"] == "small a-later-one"


def test_without_pyodide_there_is_the_command_alone(kept, notebook, monkeypatch):
    monkeypatch.setattr(inpage.pyodide, "obtain", lambda folder: {})
    files = inpage.content(kept, "digits", {"04-small": notebook})
    assert beside(files).section["data-runtime"] == "no"
    assert not any(name.startswith("exports/pyodide") for name in files)


def test_the_program_is_the_notebooks_own_and_its_numbers_the_native_ones(kept, notebook, runtime):
    files = inpage.content(kept, "digits", {"04-small": notebook})
    program = json.loads(files["exports/run-here/04-small.json"])
    assert [one["source"] for one in program["excerpt"]["cells"]] == [one["source"] for one in notebook["cells"]]
    (ours,) = live.run(program["excerpt"])
    assert program["book"]["small"]["panels"] == ours.to_json()["panels"]
    by_name = {one["name"]: one for one in program["parameters"]}
    assert list(by_name) == ["dataset", "epochs", "seeds"]
    assert by_name["dataset"]["options"] == [{"value": "digits", "here": True}, {"value": "mnist", "here": False}]
    assert (by_name["seeds"]["default"], by_name["seeds"]["list"]) == ("0,1", True)
    assert by_name["epochs"]["accepted"] == "1 to 5"


def test_the_package_has_the_digits_and_no_time(kept):
    with zipfile.ZipFile(io.BytesIO(inpage.packed())) as archive:
        names = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {(2020, 1, 1, 0, 0, 0)}
    assert {"alignlib/__init__.py", "alignlib/book/live.py", "alignlib/datasets/digits.npz"} <= set(names)


def test_cells_that_do_not_give_the_books_numbers_are_refused(tmp_path, notebook, runtime):
    taken = inpage.excerpt(notebook, "04-small")
    (ours,) = live.run(taken)
    wrong = ours.to_json()
    wrong["panels"][0]["series"][0]["y"][0][1] += 1.0
    folder = tmp_path / "expected" / "digits" / "04-small"
    folder.mkdir(parents=True)
    stored = {"id": "small", "chapter": "04-small", "data": {}, "parameters": {}, "panels": wrong["panels"]}
    stored = reference.with_seen(stored, {})
    stored["seal"] = reference.seal(stored)
    (folder / "small.json").write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(AlignlibError, match=r"'small' was found to need do not give the book's numbers"):
        inpage.native(tmp_path, taken)


def test_cells_that_fail_by_themselves_are_named(tmp_path, notebook, runtime):
    notebook["cells"][2]["source"] += "\nmissing"
    with pytest.raises(AlignlibError, match=r"(?s)`run-here` fail by themselves:.*NameError: name 'missing'"):
        inpage.content(tmp_path, "digits", {"04-small": notebook})


def test_what_was_computed_is_kept_until_the_cells_change(tmp_path, notebook, monkeypatch):
    made = inpage.native(tmp_path, inpage.excerpt(notebook, "04-small"))
    assert {"alignlib.rules.direct", "alignlib.book.live"} <= set(made["modules"])
    assert "alignlib.book.site" not in made["modules"]
    monkeypatch.setattr(inpage, "_computed", lambda taken: pytest.fail("it was computed again"))
    assert inpage.native(tmp_path, inpage.excerpt(notebook, "04-small")) == made
    notebook["cells"][2]["source"] += "\n# a comment"
    with pytest.raises(pytest.fail.Exception):
        inpage.native(tmp_path, inpage.excerpt(notebook, "04-small"))
