"""The steps of "Add a learning rule" and the chapter template, carried out on a copy of the book."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "add-a-rule.md").read_text(encoding="utf-8")


def block(caption: str) -> str:
    """Return the code that stands under this caption on the page."""
    found = re.search(rf"```{{code-block}} \w+\n:caption: {re.escape(caption)}\n(.*?)```", PAGE, flags=re.S)
    assert found, f"no block with the caption {caption!r}"
    return found[1]


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("ALIGNLIB_STORE", None)
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def with_rule(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package and its tests with the page's rule added, as the page says."""
    root = tmp_path_factory.mktemp("clone")
    for folder in ("alignlib", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "alignlib" / "rules" / "fading.py").write_text(block("alignlib/rules/fading.py"), encoding="utf-8")
    listing = root / "alignlib" / "rules" / "__init__.py"
    text = listing.read_text(encoding="utf-8")
    line = block(r"alignlib/rules/\_\_init\_\_.py, with the other imports")
    text = re.sub(r"(from alignlib\.rules\.feedback_alignment )", rf"{line}\1", text, count=1)
    named = block(r"alignlib/rules/\_\_init\_\_.py, in RULES").strip()
    text, found = re.subn(r"(    for rule in \(\n)", rf"\1        {named}\n", text)
    assert found == 1, "RULES is no longer made from a tuple of one rule a line"
    listing.write_text(text, encoding="utf-8")
    return root


def contract(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the page's command with this interpreter."""
    command = block("at the command line").split()
    return run(root, sys.executable, *command[1:], "-p", "no:cacheprovider")


def test_the_page_adds_a_rule_that_passes_the_contract(with_rule: Path) -> None:
    done = contract(with_rule)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 8


def test_the_contract_refuses_a_rule_that_changes_its_arguments(with_rule: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(with_rule, broken)
    path = broken / "alignlib" / "rules" / "fading.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("signals = super()", "error *= 2.0\n        signals = super()"), encoding="utf-8")
    assert contract(broken).returncode == 1


def test_the_new_rule_trains_and_is_drawn(with_rule: Path) -> None:
    drawn = 'from alignlib import book\nprint([p.title for p in book.wirings(["fading"])])'
    done = run(with_rule, sys.executable, "-c", block("in a notebook") + drawn)
    assert done.returncode == 0, done.stderr
    error, angle = map(float, done.stdout.splitlines()[0].split())
    assert error < 50
    assert 0 < angle < 90
    assert "fading DFA" in done.stdout


def test_the_page_passes_the_checks_of_the_code(with_rule: Path) -> None:
    for command in (("ruff", "check", "alignlib/rules/fading.py"), ("mypy", "--strict", "alignlib/rules/fading.py")):
        done = run(with_rule, sys.executable, "-m", *command)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_template_is_a_chapter_that_runs(tmp_path: Path) -> None:
    for folder in ("chapters", "profiles", "expected"):
        (tmp_path / folder).mkdir()
    (tmp_path / "profiles" / "digits.yml").write_text("# the defaults\n", encoding="utf-8")
    shutil.copy(ROOT / "templates" / "98-template.ipynb", tmp_path / "chapters")
    shutil.copytree(ROOT / "alignlib", tmp_path / "alignlib", ignore=shutil.ignore_patterns("__pycache__"))
    done = run(tmp_path, sys.executable, "-m", "papermill", "chapters/98-template.ipynb", "done.ipynb")
    assert done.returncode == 0, done.stderr[-3000:]
    text = (tmp_path / "done.ipynb").read_text(encoding="utf-8")
    for made in ("figure", "claim", "value"):
        assert f"application/vnd.alignlib.{made}+json" in text
