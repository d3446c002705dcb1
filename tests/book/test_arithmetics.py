"""The arithmetics of one machine: which there are, how a kernel comes to compute so, and where its results are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from alignlib import arithmetic, cli
from alignlib.book import arithmetics, chapters, kernel, reference, under
from alignlib.book.arithmetics import ARITHMETICS, OWN, PORTABLE, TWINS, Arithmetic
from alignlib.errors import AlignlibError, InvalidValue
from alignlib.experiments.verify import sample

MakeBook = Callable[..., Path]
FEATURES = {"X86_V2", "X86_V3", "X86_V4"}
SURROUNDINGS = """\
import os
from alignlib import arithmetic
names = ("ALIGNLIB_TWIN", "ALIGNLIB_STORE", "OPENBLAS_CORETYPE")
print(arithmetic.name())
print([os.environ.get(name, "") for name in names])"""


# ---------------------------------------------------------------- the list


def test_names_and_folders_are_unique_and_own_is_at_the_top() -> None:
    assert list(ARITHMETICS) == [each.name for each in ARITHMETICS.values()]
    assert len({each.folder for each in ARITHMETICS.values()}) == len(ARITHMETICS)
    assert (OWN.folder, OWN.here, dict(OWN.environment)) == ("", True, {})
    assert ARITHMETICS["haswell"] is PORTABLE
    environments = [tuple(sorted(each.environment.items())) for each in ARITHMETICS.values()]
    assert len(set(environments)) == len(environments)
    assert all(each.here for each in TWINS)


def test_an_unknown_name_gives_the_nearest() -> None:
    assert arithmetics.named("twin-2") is TWINS[1]
    with pytest.raises(InvalidValue, match="unknown arithmetic 'hasswell'; did you mean 'haswell'"):
        arithmetics.named("hasswell")


def test_what_the_processor_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetics, "_features", lambda: FEATURES - {"X86_V4"})
    assert arithmetics.named("haswell").here
    with pytest.raises(AlignlibError, match="'skylakex' needs a processor with X86_V4"):
        arithmetics.named("skylakex")


@pytest.mark.parametrize("profile", ["digits", "mnist"])
def test_the_usual_ones_are_kernels_and_twins_that_are_here(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    monkeypatch.setattr(arithmetics, "_features", lambda: FEATURES)
    everywhere = [each.name for each in arithmetics.usual(profile)]
    assert {"sandybridge", "haswell", "twin-1"} <= set(everywhere) <= set(ARITHMETICS) - {"own"}
    monkeypatch.setattr(arithmetics, "_features", lambda: set[str]())
    assert [each.name for each in arithmetics.usual(profile)] == [n for n in everywhere if n.startswith("twin")]


def test_another_is_drawn_by_the_seed_from_the_usual_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetics, "_features", lambda: FEATURES - {"X86_V4"})
    drawn = [arithmetics.another(seed).name for seed in range(50)]
    assert drawn == [arithmetics.another(seed).name for seed in range(50)]
    assert set(drawn) == {"prescott", "sandybridge", "haswell"}
    monkeypatch.setattr(arithmetics, "_features", lambda: set[str]())
    with pytest.raises(AlignlibError, match="rounding twin"):
        arithmetics.another(0)


def test_a_sample_is_drawn_by_the_seed_and_in_order() -> None:
    names = [f"{number:02}-chapter" for number in range(16)]
    drawn = [sample(names, 6, seed) for seed in range(40)]
    assert drawn == [sample(names, 6, seed) for seed in range(40)]
    assert all(len(set(each)) == 6 and each == sorted(each) for each in drawn)
    assert {name for each in drawn for name in each} == set(names)
    assert sample(names, 99, 0) == names


def test_a_sample_of_chapters_comes_from_those_that_are_meant(tmp_path: Path, make_book: MakeBook) -> None:
    root = make_book(tmp_path, c02_one=["pass"], c03_two=["pass"], c04_three=["pass"])
    one, two, _ = known = chapters.discover(root)
    assert under.drawn(root, None, None, 0) is None
    assert under.drawn(root, [two], None, 0) == [two]
    assert under.drawn(root, None, 9, 0) == known
    seen = {under.drawn(root, [one, two], 1, seed)[0].name for seed in range(20)}  # type: ignore[index]
    assert seen == {"02-one", "03-two"}


# ---------------------------------------------------------------- the kernel


def test_a_kernel_computes_as_it_is_told_with_a_store_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIGNLIB_STORE", str(tmp_path / "mine"))
    for each in ARITHMETICS.values():
        values = kernel.environment(tmp_path, "digits", 3, each)
        assert {**values, **each.environment} == values
        own = each is OWN
        assert values["ALIGNLIB_STORE"] == str(
            tmp_path / "mine" if own else tmp_path / "_build" / each.folder / "store"
        )
    assert kernel.environment(tmp_path, "digits", 3) == kernel.environment(tmp_path, "digits", 3, OWN)


def test_one_blas_thread_unless_two_are_the_point(tmp_path: Path) -> None:
    threads = {name: kernel.environment(tmp_path, "digits", 3, each) for name, each in ARITHMETICS.items()}
    assert {name for name, values in threads.items() if values["OPENBLAS_NUM_THREADS"] != "1"} == {"two-threads"}
    assert threads["two-threads"]["ALIGNLIB_WORKERS"] == "1"  # processes side by side have one thread each


# ---------------------------------------------------------------- executed


def shown(root: Path, name: str, each: Arithmetic) -> list[str]:
    """Return what the first cell after the parameters printed."""
    chapter = next(chapter for chapter in chapters.discover(root) if chapter.name == name)
    notebook = json.loads(reference.executed_path(root, "digits", chapter, each).read_text())
    text = "".join("".join(output.get("text", "")) for cell in notebook["cells"] for output in cell.get("outputs", []))
    return text.splitlines()


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_an_execution_under_a_twin_lands_in_its_own_folder(tmp_path: Path, make_book: MakeBook) -> None:
    root = make_book(tmp_path, c02_one=[SURROUNDINGS], c03_two=["pass"])
    twin, said = ARITHMETICS["twin-3"], list[str]()
    one, _ = chapters.discover(root)

    def execute(each: Arithmetic) -> list[chapters.Execution]:
        return chapters.execute_all(root, say=said.append, watch=chapters.in_silence, only=[one], under=each)

    [entry] = execute(OWN)
    assert entry.ran
    book = files_of(root / "_build/digits")
    [entry] = execute(twin)
    assert entry.ran
    assert entry.chapter == one
    assert files_of(root / "_build/digits") == book
    assert chapters.home_of(root, "digits", twin) == root / "_build/arithmetics/twin-3/digits"
    assert chapters.home_of(root, "digits") == root / "_build/digits"
    own, theirs = shown(root, "02-one", OWN), shown(root, "02-one", twin)
    assert theirs[0] == f"{own[0]}, twin 3"
    assert own[0] == arithmetic.name()
    assert theirs[1] == str(
        ["3", str(root / "_build/arithmetics/twin-3/store"), os.environ.get("OPENBLAS_CORETYPE", "")]
    )
    assert not list(root.rglob("03-two.json"))  # only what was meant
    said.clear()
    assert not execute(twin)[0].ran
    assert said == []
    path = root / "chapters/02-one.ipynb"
    path.write_text(path.read_text().replace("# 02-one", "# 02 one"))
    assert {e.chapter.name: e.reasons for e in chapters.plan(root, "digits", under=twin)} == {
        "02-one": ("chapter edited",),
        "03-two": ("never run",),
    }


def test_the_command_lists_the_arithmetics(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetics, "_features", lambda: FEATURES - {"X86_V4"})
    assert cli.run(["arithmetics"]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    for each in ARITHMETICS.values():
        assert each.about in rows[each.name]
        assert rows[each.name].rstrip().endswith("no: needs X86_V4" if each.name == "skylakex" else "yes")
    assert f"This machine's own: {arithmetic.name()}." in said


@pytest.mark.slow
def test_the_command_executes_and_checks_under_an_arithmetic(
    executed_book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(executed_book, tmp_path / "book"))
    monkeypatch.chdir(root)
    book = files_of(root / "_build/digits")
    assert cli.run(["arithmetics", "twin-1", "--sample", "1"]) == 0
    said = capsys.readouterr().out
    assert "Under twin-1" in said
    assert "04-direct-feedback: never run" in said
    assert "1/1 as recorded" in said
    path = root / "expected/digits/04-direct-feedback/dfa-falls.json"
    path.write_text(path.read_text().replace("0.5", "0.6", 1))
    assert cli.run(["arithmetics", "twin-1", "4"]) == 1
    assert "dfa-falls: DFA: off by 0.1 at x = 1, seed 0" in "".join(capsys.readouterr())
    assert files_of(root / "_build/digits") == book


def test_the_command_refuses_an_unknown_arithmetic(
    executed_book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(executed_book)
    assert cli.run(["arithmetics", "twin-9"]) == 2
    assert "unknown arithmetic 'twin-9'; did you mean 'twin-" in "".join(capsys.readouterr())
    assert not (executed_book / "_build/arithmetics").exists()
