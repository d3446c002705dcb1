"""The `alignlib` command: what people type, what they read, and the exit codes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alignlib import cli
from alignlib.book import build, site
from alignlib.errors import AlignlibError

MakeBook = Callable[..., Path]

FIGURE_FILE = "expected/digits/04-direct-feedback/dfa-falls.json"


class Shell:
    """Runs commands inside a book, without a process of their own."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root, self.capture = root, capture

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self.capture.readouterr()
        ended = cli.run(arguments)
        out, err = self.capture.readouterr()
        assert ended == code, out + err
        assert "Traceback" not in out + err
        return out + err

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))


@pytest.fixture
def shell(
    executed_book: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    root = Path(shutil.copytree(executed_book, tmp_path / "book"))
    monkeypatch.chdir(root)
    return Shell(root, capsys)


@pytest.fixture
def built(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the site be built by a stand-in; return the profiles it was asked for. The real one has its own tests."""
    asked: list[str] = []

    def stand_in(root: Path, profile: str) -> site.SiteReport:
        asked.append(profile)
        assert (root / "_build" / profile / "manifest.json").is_file()
        return site.SiteReport(profile, root / "_build" / profile / "html/index.html", 1, 1, 1, 1, 0.1, True)

    monkeypatch.setattr(build, "build_site", stand_in)
    return asked


# ---------------------------------------------------------------- build, check, update


def test_build_says_what_it_did_and_where_the_book_is(shell: Shell, built: list[str]) -> None:
    said = shell("build")
    assert "04-direct-feedback" in said
    assert "1/1 as recorded" in said
    assert "of its tolerance" in said
    assert "0 of 1 chapters executed. The book: " in said
    assert str(shell.root / "_build/digits/html/index.html") in said
    assert built == ["digits"]


def test_build_writes_the_manifest(shell: Shell, built: list[str]) -> None:
    shell("build")
    manifest = json.loads((shell.root / "_build/manifest.json").read_text())
    assert manifest == json.loads((shell.root / "_build/digits/manifest.json").read_text())
    [chapter] = manifest["chapters"]
    assert 0 <= chapter["deviation"] <= 1
    assert (chapter["id"], chapter["title"]) == ("04-direct-feedback", "Direct feedback")
    assert chapter["parameters"] == {"epochs": 3, "seeds": [0, 1]}
    assert chapter["seconds"] > 0
    [figure] = manifest["figures"]
    assert {name: figure[name] for name in ("id", "chapter", "number", "caption", "alt")} == {
        "id": "dfa-falls",
        "chapter": "04-direct-feedback",
        "number": "4.1",
        "caption": "**It falls.** The error of one run.",
        "alt": "A line that falls from one to zero.",
    }
    assert len(figure["digest"]) == 64
    [claim] = manifest["claims"]
    assert (claim["id"], claim["holds"], claim["measured"]) == ("dfa-learns", True, "3 epochs")
    assert [value["text"] for value in manifest["values"]] == ["0.3 %"]
    assert [table["id"] for table in manifest["tables"]] == ["dfa-table"]
    assert {"python", "numpy", "matplotlib", "alignlib"} <= set(manifest["versions"])


def test_a_failed_check_leaves_the_old_book(shell: Shell, built: list[str]) -> None:
    shell.edit(FIGURE_FILE, "0.5", "0.6")
    said = shell("build", code=1)
    assert "dfa-falls: DFA: off by 0.1 at x = 1, seed 0 (reference 0.6, now 0.5)" in said
    assert "edited by hand" in said
    assert built == []
    assert not (shell.root / "_build/manifest.json").exists()


def test_a_failing_chapter_does_not_hide_what_others_disagree_about(
    shell: Shell, built: list[str], make_book: MakeBook
) -> None:
    make_book(shell.root, c05_broken=["epochs / 0"])
    shell.edit(FIGURE_FILE, "0.5", "0.6")
    said = shell("build", code=1)
    assert "chapter 05-broken failed in cell 3" in said
    assert "dfa-falls: DFA: off by 0.1 at x = 1, seed 0" in said
    assert built == []


def test_a_failed_site_is_no_published_book(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: Path, profile: str) -> None:
        raise AlignlibError("a link leads nowhere")

    monkeypatch.setattr(build, "build_site", refuse)
    assert "a link leads nowhere" in shell("build", code=1)
    assert not (shell.root / "_build/manifest.json").exists()


def test_check_passes_and_names_what_differs(shell: Shell) -> None:
    assert "as recorded" in shell("check")
    shell.edit(FIGURE_FILE, '"y_label": "error"', '"y_label": "mistakes"')
    said = shell("check", "4", code=1)
    assert "dfa-falls: panels 1, y_label was 'mistakes', is 'error'" in said
    assert "disagreements with the reference" in said


def test_check_refuses_executed_chapters_that_are_out_of_date(shell: Shell) -> None:
    shell.edit("chapters/04-direct-feedback.ipynb", "It falls.", "It sinks.")
    assert "out of date (chapter edited); run `alignlib build`" in shell("check", code=1)


def test_check_names_the_claims_nearest_to_turning(shell: Shell) -> None:
    claim = next(line for line in shell("check").splitlines() if line.startswith("dfa-learns"))
    assert claim.split() == ["dfa-learns", "50", "%", "nothing"]  # epochs > 1 for 3 epochs


@pytest.mark.slow
def test_update_expected_executes_under_what_it_is_told_and_settles_the_difference(shell: Shell) -> None:
    shell.edit(FIGURE_FILE, "0.5", "0.6")
    said = shell("update-expected", "4", "--under", "twin-1", "--under", "twin-2")
    assert said.count("04-direct-feedback: never run") == 2
    assert "0.6 → 0.5" in said
    assert f"changed: {'/'.join(Path(FIGURE_FILE).parts[2:])}" in said
    assert json.loads((shell.root / FIGURE_FILE).read_text())["arithmetics"] == ["twin-1", "twin-2"]
    shell("check")
    again = shell("update-expected", "--under", "twin-2")
    assert "0 files of the reference written or removed" in again
    assert "never run" not in again


def test_update_expected_refuses_an_unknown_arithmetic(shell: Shell) -> None:
    before = (shell.root / FIGURE_FILE).read_text()
    said = shell("update-expected", "--under", "prescot", code=2)
    assert "unknown arithmetic 'prescot'; did you mean 'prescott'" in said
    assert (shell.root / FIGURE_FILE).read_text() == before


def test_list_names_the_chapters(shell: Shell) -> None:
    assert shell("list") == "04-direct-feedback\n"


# ---------------------------------------------------------------- run


def test_run_help_lists_the_parameters(shell: Shell) -> None:
    said = shell("run", "4", "--help")
    for word in ("epochs", "list[int]", "0,1", "1 to 50", "passes through the data"):
        assert word in said
    (shell.root / "profiles/long.yml").write_text("all: {epochs: 40}")
    assert "40" in shell("run", "direct", "--profile", "long", "-h")
    assert "-p NAME VALUE" in shell("run", "--help")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["4", "-p", "epoch", "5"],
            "unknown parameter 'epoch'; did you mean 'epochs'? Chapter 04 accepts: epochs, seeds.",
        ),
        (["4", "-p", "epochs", "many"], "parameter 'epochs' got 'many'. Accepted: int, 1 to 50; for example 3."),
        (["4", "-p", "epochs", "99"], "out of range. Accepted: 1 to 50."),
        (["4", "-p", "seeds", "1,1"], "holds 1 twice"),
        (["4", "-p", "epochs"], "requires 2 arguments"),
        (["44"], "unknown chapter '44'"),
        (["4", "--profile", "digit"], "did you mean 'digits'"),
        (["4", "--outt", "x"], "No such option"),
        ([], "name a chapter"),
    ],
)
def test_run_refuses_before_it_executes(shell: Shell, arguments: list[str], complaint: str) -> None:
    assert complaint in shell("run", *arguments, code=2)
    assert not (shell.root / "runs").exists()


def test_run_keeps_out_of_a_folder_that_is_no_run(shell: Shell) -> None:
    mine = shell.root / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    assert "mine is not empty and no former run" in shell("run", "4", "--out", "mine", code=2)
    assert "letter.txt is a file" in shell("run", "4", "--out", "mine/letter.txt", code=2)
    said = shell("run", "4", "--out", "mine/letter.txt/deeper", code=1)
    assert "mine/letter.txt" in said
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]


@pytest.mark.slow
def test_run_compares_with_the_book(shell: Shell) -> None:
    said = shell("run", "4", "-p", "epochs", "1", "-p", "seeds", "0,3")
    folder = shell.root / "runs/04-direct-feedback"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "04-direct-feedback.ipynb",
        "comparison.md",
        "run.json",
        *(f"figures/dfa-falls.{kind}" for kind in ("csv", "json", "png", "svg")),
        *(f"figures/dfa-falls-vs-book.{kind}" for kind in ("png", "svg")),
        "figures/dfa-table.csv",
    }
    row = next(line for line in said.splitlines() if line.startswith("dfa-falls"))
    assert row.split()[1:] == ["DFA", "1.5", "2.5", "+1", "x", "=", "0"]  # the median over seeds, where both have x
    assert "dfa-table" in said
    assert "Claim dfa-learns does not hold here, as it does in the book (measured: 1 epochs)" in said
    page = (folder / "comparison.md").read_text()
    assert "| dfa-falls" in page
    assert "(figures/dfa-falls-vs-book.svg)" in page
    assert "Claim dfa-learns" in page

    (folder / "notes.txt").write_text("mine")
    (folder / "run.json").write_text(json.dumps({"files": ["old.csv", "../../chapters/04-direct-feedback.ipynb"]}))
    (folder / "old.csv").write_text("1")
    shell.edit("chapters/04-direct-feedback.ipynb", "book.Chapter(", "book.Charter(")
    said = shell("run", "4", code=1)
    assert "chapter 04-direct-feedback failed in cell 3 of 5" in said
    assert "AttributeError: module 'alignlib.book' has no attribute 'Charter'" in said
    assert (folder / "old.csv").exists()  # the former run stays until a new one is whole
    shell.edit("chapters/04-direct-feedback.ipynb", "book.Charter(", "book.Chapter(")
    shell("run", "4")
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "old.csv").exists()
    assert (shell.root / "chapters/04-direct-feedback.ipynb").exists()


# ---------------------------------------------------------------- cite


def test_cite_gives_text_bibtex_address_and_the_way_to_reproduce(shell: Shell, built: list[str]) -> None:
    (shell.root / "_config.yml").write_text(
        "title: A book\nauthor: Its authors\ncopyright: '2026'\nhtml: {baseurl: 'https://example.org/book'}\n"
    )
    from_reference = shell("cite", "dfa-falls")
    shell("build")
    said = shell("cite", "dfa-falls")
    address = "https://example.org/book/figures/dfa-falls.html"
    assert f"Its authors (2026). Figure 4.1 (dfa-falls), chapter 4: Direct feedback. In: A book. {address}" in said
    assert "@misc{alignlib-dfa-falls," in said
    assert re.search(rf"url += {{{re.escape(address)}}}", said)
    for text in (said, from_reference):
        assert address in text
        assert "{{}}" not in text, "a figure without a caption is cited by its name"
        assert ".venv/bin/alignlib run 4 --profile digits" in text
    assert "Digest of the numbers" in said
    assert "#table-dfa-table" in shell("cite", "dfa-table")
    assert "did you mean 'dfa-falls'" in shell("cite", "dfa-fall", code=2)


def test_cite_names_the_commit_and_what_differs_from_the_defaults(shell: Shell) -> None:
    for arguments in (["init", "-q"], ["add", "chapters"], ["commit", "-q", "-m", "A chapter"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], check=True)
    ran = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    shell.edit(FIGURE_FILE, '"epochs": 3', '"epochs": 7')
    said = shell("cite", "dfa-falls")
    assert f"git checkout {ran.stdout.strip()}\n" in said
    assert ".venv/bin/alignlib run 4 --profile digits -p epochs 7\n" in said


# ---------------------------------------------------------------- errors for people


def test_outside_of_a_book_the_command_says_what_a_book_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("alignlib.book.root.CLONE", tmp_path / "nowhere")
    assert cli.run(["list"]) == 1
    assert "no book found" in capsys.readouterr().err


def test_without_the_tools_it_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    assert cli.run(["list"]) == 2
    assert "pip install 'alignlib[book]'" in capsys.readouterr().err


def test_a_full_disk_is_said_in_words(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device", "_build/digits/manifest.json")

    monkeypatch.setattr(build.manifest, "write_manifest", full)
    assert shell("build", code=1).endswith("alignlib: _build/digits/manifest.json: the disk is full.\n")


def test_the_installed_command_answers() -> None:
    ran = subprocess.run([sys.executable, "-m", "alignlib.cli", "--help"], capture_output=True, text=True, check=True)
    for command in ("arithmetics", "build", "check", "update-expected", "run", "cite", "list"):
        assert command in ran.stdout
    version = subprocess.run([sys.executable, "-m", "alignlib.cli", "--version"], capture_output=True, text=True)
    assert "alignlib" in version.stdout
