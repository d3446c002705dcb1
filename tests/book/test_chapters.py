"""Finding chapters, profiles, execution through real papermill, and what makes a chapter run again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from alignlib.book import chapters, files, freshness
from alignlib.book.root import find_root
from alignlib.errors import AlignlibError, InvalidValue

MakeBook = Callable[..., Path]
NAMES = ("02-backpropagation", "03-feedback-alignment", "04-direct-feedback-alignment", "12-other")


@pytest.fixture
def many(tmp_path: Path, make_book: MakeBook) -> Path:
    return make_book(tmp_path, **{f"c{name}": ["pass"] for name in NAMES})


@pytest.fixture
def book(executed_book: Path, tmp_path: Path) -> Path:
    """A copy of the executed book, at another place than where it was executed."""
    return Path(shutil.copytree(executed_book, tmp_path / "copy"))


def quietly(root: Path, **options: Any) -> list[chapters.Execution]:
    return chapters.execute_all(root, say=lambda text: None, watch=chapters.in_silence, **options)


def reasons(root: Path, profile: str = "digits") -> list[str]:
    [entry] = chapters.plan(root, profile)
    return list(entry.reasons)


# ---------------------------------------------------------------- finding


def test_discovers_in_order(many: Path) -> None:
    assert [chapter.name for chapter in chapters.discover(many)] == list(NAMES)
    assert [chapter.number for chapter in chapters.discover(many)] == [2, 3, 4, 12]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("4", "04-direct-feedback-alignment"),
        ("04", "04-direct-feedback-alignment"),
        ("04-direct-feedback-alignment", "04-direct-feedback-alignment"),
        ("direct", "04-direct-feedback-alignment"),
        ("Direct-Feedback", "04-direct-feedback-alignment"),
        ("back", "02-backpropagation"),
        ("propagation", "02-backpropagation"),
        ("feedback-alignment", "03-feedback-alignment"),  # the whole name goes before a part of another's
        ("12", "12-other"),
    ],
)
def test_resolves_numbers_names_and_parts(many: Path, text: str, name: str) -> None:
    assert chapters.resolve(many, text).name == name


def test_resolves_paths(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(many)
    assert chapters.resolve(many, f"chapters/{NAMES[0]}.ipynb").number == 2
    with pytest.raises(InvalidValue, match=r"no notebook chapters/02-x\.ipynb"):
        chapters.resolve(many, "chapters/02-x.ipynb")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("5", "unknown chapter '5'"),
        ("dirct-feedback-alignment", "did you mean 'direct-feedback-alignment'"),
        ("alignment", "could be 03-feedback-alignment or 04-direct-feedback-alignment"),
        ("", "unknown chapter ''"),
    ],
)
def test_says_what_an_unknown_chapter_could_be(many: Path, text: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=complaint):
        chapters.resolve(many, text)


def test_refuses_other_names_and_shared_numbers(many: Path) -> None:
    shutil.copy(many / "chapters/12-other.ipynb", many / "chapters/12-again.ipynb")
    with pytest.raises(AlignlibError, match="share the number 12"):
        chapters.discover(many)
    (many / "chapters/12-again.ipynb").rename(many / "chapters/Untitled.ipynb")
    with pytest.raises(AlignlibError, match="NN-lower-case-words"):
        chapters.discover(many)


def test_needs_exactly_one_parameters_cell(tmp_path: Path, make_book: MakeBook, chapter_notebook: Any) -> None:
    none = chapter_notebook("None", ["pass"], parameters=None)
    two = chapter_notebook("Two", [("x: int = 1  # one", {"tags": ["parameters"]})])
    root = make_book(tmp_path, c01_none=none, c02_two=two)
    first, second = chapters.discover(root)
    with pytest.raises(AlignlibError, match=r"chapters/01-none\.ipynb: no cell is tagged"):
        chapters.parameters(first)
    with pytest.raises(AlignlibError, match=r"02-two\.ipynb: cells 2, 3 are tagged"):
        chapters.parameters(second)


def test_a_broken_notebook_is_named(tmp_path: Path, make_book: MakeBook) -> None:
    root = make_book(tmp_path)
    (root / "chapters/01-broken.ipynb").write_text("{")
    with pytest.raises(AlignlibError, match=r"01-broken\.ipynb: not a notebook"):
        chapters.plan(root, "digits")


def test_finds_the_book_from_inside_it(many: Path, tmp_path: Path) -> None:
    assert find_root(many / "chapters") == many


# ---------------------------------------------------------------- profiles


def test_profiles_spread_common_values_to_the_chapters_that_have_them(
    tmp_path: Path, make_book: MakeBook, chapter_notebook: Any
) -> None:
    other = chapter_notebook("Other", ["pass"], parameters="rate: float = 0.1  # step size [0, 1]")
    root = make_book(tmp_path, c02_one=["pass"], c03_two=["pass"], c04_other=other)
    (root / "profiles/big.yml").write_text("all: {epochs: 9, rate: 1e-4}\n3: {epochs: 7}\nother:\n")
    assert chapters.profile_values(root, "big") == {
        "02-one": {"epochs": 9},
        "03-two": {"epochs": 7},
        "04-other": {"rate": 1e-4},
    }
    assert chapters.profiles(root) == ["big", "digits"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("02-one: {epoch: 9}", r"profiles/big\.yml: unknown parameter 'epoch'; did you mean 'epochs'\? Chapter 02"),
        ("02-one: {epochs: 9.5}", r"'epochs' got 9\.5"),
        ("02-one: {epochs: 99}", "out of range"),
        ("all: {epoch: 9}", "no chapter has a parameter 'epoch'; did you mean 'epochs'"),
        ("02-won: {epochs: 9}", "unknown chapter '02-won'; did you mean '02-one'"),
        ("epochs: 9", "write `chapter: {parameter: value}`"),
        ("[", "not YAML"),
    ],
)
def test_a_profile_is_checked_and_named(tmp_path: Path, make_book: MakeBook, text: str, complaint: str) -> None:
    root = make_book(tmp_path, c02_one=["pass"])
    (root / "profiles/big.yml").write_text(text)
    with pytest.raises(InvalidValue, match=complaint):
        chapters.profile_values(root, "big")


def test_an_unknown_profile_gives_the_nearest(many: Path) -> None:
    with pytest.raises(InvalidValue, match="unknown profile 'digit'; did you mean 'digits'"):
        chapters.plan(many, "digit")


# ---------------------------------------------------------------- execution


SURROUNDINGS = """\
import os, sys
names = ("ALIGNLIB_PROFILE", "ALIGNLIB_WORKERS", "ALIGNLIB_STORE", "OPENBLAS_NUM_THREADS", "MPLBACKEND", "IPYTHONDIR")
print({name: os.environ.get(name) for name in names})"""


@pytest.mark.slow
def test_executes_in_a_known_environment_and_leaves_no_trace(
    tmp_path: Path, make_book: MakeBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("ALIGNLIB_STORE", raising=False)
    monkeypatch.delenv("ALIGNLIB_WORKERS", raising=False)
    root = make_book(tmp_path, c02_one=[SURROUNDINGS, "print(epochs, seeds)\nprint('again', file=sys.stderr)"])
    [chapter] = chapters.discover(root)
    outputs = [root / "first.ipynb", root / "second.ipynb"]
    for output in outputs:
        given = chapters.parse(chapter, [("epochs", "5")])
        chapters.execute(chapter, output, given, root=root, profile="digits", workers=3, watch=chapters.in_silence)
    first, second = (output.read_text() for output in outputs)
    assert first.replace(_temporary(first), "") == second.replace(_temporary(second), "")
    notebook = nbformat.reads(first, as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1", "injected-parameters", "cell-2", "cell-3"]
    assert notebook.cells[2].source.split() == ["#", "Parameters", "epochs", "=", "5"]
    assert notebook.cells[4].outputs[0].text == "5 [0, 1]\n"
    seen = notebook.cells[3].outputs[0].text
    for expected in ("'ALIGNLIB_PROFILE': 'digits'", "'ALIGNLIB_WORKERS': '3'", "'OPENBLAS_NUM_THREADS': '1'"):
        assert expected in seen
    assert f"'ALIGNLIB_STORE': '{root / '_build/store'}'" in seen
    assert "TkAgg" not in seen
    assert "papermill" not in json.dumps([notebook.metadata, *(cell.metadata for cell in notebook.cells)])
    assert all("execution" not in cell.metadata for cell in notebook.cells)
    assert not Path(_temporary(first)).exists()


def _temporary(text: str) -> str:
    """Return the temporary folder that the executed notebook printed."""
    return text.split("'IPYTHONDIR': '")[1].split("'")[0]


@pytest.mark.slow
def test_raw_papermill_works_too(tmp_path: Path, make_book: MakeBook) -> None:
    root = make_book(tmp_path, c02_one=["from alignlib import book", "print(epochs)"])
    papermill.execute_notebook(
        root / "chapters/02-one.ipynb", tmp_path / "out.ipynb", {"epochs": 5}, progress_bar=False
    )
    assert nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs[0].text == "5\n"


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_nothing_old_is_lost(tmp_path: Path, make_book: MakeBook) -> None:
    failing = ["1 / 1", "def halve(n):\n    return n / 0\nhalve(epochs)", "never = 1"]
    root = make_book(tmp_path, c02_fails=failing, c03_dies=["import os\nos._exit(3)"], c04_fine=["print(7)"])
    old = root / "_build/digits/executed/chapters/02-fails.ipynb"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    (root / "profiles/digits.yml").write_text("2: {epochs: 4}")
    with pytest.raises(chapters.ChaptersFailed) as caught:
        quietly(root)
    text = str(caught.value)
    assert "chapter 02-fails failed in cell 4 of 5:" in text  # as the reader counts, without the injected cell
    assert "      return n / 0" in text
    assert "ZeroDivisionError: division by zero" in text
    assert "never = 1" not in text
    assert "\x1b" not in text
    assert "chapter 03-dies failed in cell 3 of 3:" in text
    assert "os._exit(3)" in text
    assert old.read_text() == "old"
    assert not (root / "_build/digits/state/02-fails.json").exists()
    assert (root / "_build/digits/state/04-fine.json").exists()


# ---------------------------------------------------------------- freshness


def test_an_unchanged_chapter_is_not_executed_again(book: Path) -> None:
    said: list[str] = []
    [entry] = chapters.execute_all(book, say=said.append)
    assert not entry.ran
    assert entry.seconds > 0
    assert said == []


def test_force_says_so(book: Path) -> None:
    [entry] = chapters.plan(book, "digits", force=True)
    assert entry.reasons == ("asked for",)


def edit_chapter(book: Path) -> None:
    path = book / "chapters/04-direct-feedback.ipynb"
    path.write_text(path.read_text().replace("It falls.", "It sinks."))


def change_parameter(book: Path) -> None:
    (book / "profiles/digits.yml").write_text("all: {epochs: 5, seeds: [0, 1, 2]}")


def remove_executed(book: Path) -> None:
    (book / "_build/digits/executed/chapters/04-direct-feedback.ipynb").unlink()


def edit_executed(book: Path) -> None:
    path = book / "_build/digits/executed/chapters/04-direct-feedback.ipynb"
    path.write_text(path.read_text() + " ")


def break_record(book: Path) -> None:
    (book / "_build/digits/state/04-direct-feedback.json").write_text("{")


def change_lock(book: Path) -> None:
    (book / "requirements.lock").write_text("numpy==2")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit_chapter, ["chapter edited"]),
        (change_parameter, ["parameter epochs 3 → 5", "parameter seeds 0,1 → 0,1,2"]),
        (remove_executed, ["executed notebook missing"]),
        (edit_executed, ["executed notebook edited"]),
        (break_record, ["never run"]),
        (change_lock, ["requirements.lock is new"]),
    ],
)
def test_says_why_a_chapter_runs(book: Path, change: Callable[[Path], None], expected: list[str]) -> None:
    assert reasons(book) == []
    change(book)
    assert reasons(book) == expected


def test_says_which_version_and_file_changed(book: Path) -> None:
    record = book / "_build/digits/state/04-direct-feedback.json"
    content = json.loads(record.read_text())
    numpy = content["inputs"]["version numpy"]
    content["inputs"]["version numpy"] = "1.0"
    content["inputs"]["file alignlib/rules/direct.py"] = "other"
    content["inputs"]["file alignlib/gone.py"] = "digest"
    del content["inputs"]["file alignlib/errors.py"]
    record.write_text(json.dumps(content))
    assert reasons(book) == [
        f"numpy 1.0 → {numpy}",
        "alignlib/errors.py is new",
        "alignlib/gone.py is gone",
        "alignlib/rules/direct.py changed",
    ]


def test_outputs_that_jupyterlab_stored_change_nothing(book: Path) -> None:
    path = book / "chapters/04-direct-feedback.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "7"}]
            cell["execution_count"] = 7
            cell["source"] = "".join(cell["source"])
    path.write_text(json.dumps(notebook))
    assert reasons(book) == []


def test_a_data_set_that_appears_counts_and_one_that_goes_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alignlib.datasets.mnist import MNIST

    monkeypatch.setenv("ALIGNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path / "data"))
    without = freshness.dataset_inputs("dataset = 'mnist'")
    assert without == {"dataset mnist": False}
    assert freshness.dataset_inputs('"digits"') == {}
    (tmp_path / "data/mnist").mkdir(parents=True)
    for file in MNIST.files:
        (tmp_path / "data/mnist" / file).touch()
    present = freshness.dataset_inputs('{"dataset": "mnist"}')
    output = tmp_path / "out"
    output.write_text("executed")
    for old, new, expected in [(without, present, ["dataset mnist appeared"]), (present, without, [])]:
        record = freshness.record("02-one", 1.0, old, files.digest("executed"))
        assert freshness.reasons(record, new, output) == expected


def test_a_chapter_depends_on_the_science_and_the_figures_but_not_on_the_machinery() -> None:
    used = freshness.package_files()
    rooms = {
        "errors.py",
        "rules/direct.py",
        "datasets/digits.npz",
        "book/figure.py",
        "book/drawing.py",
        "book/style.py",
    }
    assert {f"alignlib/{name}" for name in rooms} <= set(used)
    machinery = {f"alignlib/{name}" for name in freshness.MACHINERY_FILES}
    assert not machinery & set(used)
    assert all(name == "alignlib/__main__.py" or Path(freshness.PACKAGE.parent, name).exists() for name in machinery)


def test_what_chapters_import_is_never_machinery() -> None:
    """A figure must not depend on a file whose change would not run it again."""
    command = "import sys, alignlib, alignlib.book, alignlib.book.drawing; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    imported = {name.replace(".", "/") for name in ran.stdout.split() if name.startswith("alignlib")}
    assert not {f"alignlib/{name.removesuffix('.py')}" for name in freshness.MACHINERY_FILES} & imported


def test_former_chapters_leave_nothing_behind(book: Path) -> None:
    for folder, name in (("executed/chapters", "03-gone.ipynb"), ("state", "03-gone.json")):
        (book / "_build/digits" / folder / name).write_text("{}")
    quietly(book)
    assert not list((book / "_build").rglob("03-gone*"))


# ---------------------------------------------------------------- builds that end early


WAITS = """\
import os, time
from pathlib import Path
from alignlib.experiments.many import _processes
with _processes(1) as pool:
    Path("started").write_text(f"{os.getpid()} {pool.submit(os.getpid).result()}")
    while not Path("go").exists():
        time.sleep(0.05)"""


@pytest.fixture
def waiting(tmp_path: Path, make_book: MakeBook) -> Path:
    """A book whose chapter waits until a file says go on, with an older executed notebook."""
    root = make_book(tmp_path, c02_waits=[WAITS])
    old = root / "_build/digits/executed/chapters/02-waits.ipynb"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    return root


def start_build(root: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a build in a process of its own; return it and the processes of its kernel and worker once a cell runs."""
    command = [sys.executable, "-m", "alignlib.cli", "build"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    started = root / "chapters/started"
    assert _eventually(lambda: started.exists() and started.read_text() != ""), process.communicate(timeout=5)
    return process, [int(number) for number in started.read_text().split()]


def _eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{process}/stat")  # a killed orphan may wait for its new parent to notice
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills processes the POSIX way")
def test_a_killed_build_blocks_nobody_and_the_next_starts_clean(waiting: Path) -> None:
    process, below = start_build(waiting)
    with pytest.raises(AlignlibError, match=rf"another build is at work .*process {process.pid}"):
        quietly(waiting)
    temporary = json.loads((waiting / "_build/lock").read_text())["temporary"]
    assert Path(temporary).is_dir()
    process.kill()
    process.communicate()
    assert _eventually(lambda: all(map(_gone, below)))
    assert (waiting / "_build/digits/executed/chapters/02-waits.ipynb").read_text() == "old"
    (waiting / "_build/digits/state").mkdir(exist_ok=True)
    half = waiting / "_build/digits/state/.02-waits.json.1.partial"
    half.write_text("{")
    (waiting / "chapters/go").touch()
    [entry] = quietly(waiting)
    assert entry.ran
    assert entry.reasons == ("never run",)
    assert not half.exists()
    assert not Path(temporary).exists()
    assert reasons(waiting) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals the POSIX way")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_stops_the_kernel_and_keeps_the_old_book(waiting: Path, number: int, code: int) -> None:
    process, below = start_build(waiting)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code, output
    assert "nothing of the old book was touched" in output
    assert "Traceback" not in output
    assert _eventually(lambda: all(map(_gone, below)), 5)
    assert (waiting / "_build/digits/executed/chapters/02-waits.ipynb").read_text() == "old"
    assert not list((waiting / "_build").rglob("*.partial"))
    assert json.loads((waiting / "_build/lock").read_text()) == {}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, make_book: MakeBook) -> None:
    root = make_book(tmp_path, c02_one=["pass"])
    (root / "_build").write_text("a file in the way")
    with pytest.raises(OSError, match="_build") as caught:
        quietly(root)
    assert "_build" in str(files.explain(caught.value))


def test_errors_of_the_system_are_explained() -> None:
    assert str(files.explain(OSError(28, "No space left on device", "a/b.json"))) == "a/b.json: the disk is full."
    assert "read-only" in str(files.explain(PermissionError(13, "Permission denied", "a")))


def test_writing_aside_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_a_progress_bar_that_cannot_be_shown_says_nothing(tmp_path: Path) -> None:
    from alignlib.book import kernel

    warn = "import warnings; warnings.warn('IProgress not found. Please update'); warnings.warn('something else')"
    said = subprocess.run(
        [sys.executable, "-c", warn], env=kernel.environment(tmp_path, "digits", 1), capture_output=True, text=True
    )
    assert "something else" in said.stderr
    assert "IProgress" not in said.stderr
