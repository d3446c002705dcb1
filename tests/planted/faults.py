"""Errors planted in the science, one at a time, in a clone: does a test turn red, and does the check of the book?

    .venv/bin/python tests/planted/faults.py [NAME]... [--no-book]

Each fault replaces one piece of source by another, as a slip of the pen would. The tests that need no book run first;
then the chapters that the fault names are executed and compared with the reference. What neither notices is printed
last, and the exit is not zero. It takes about two minutes for a fault, and most of that for the book.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
#: Tests that look at stored numbers or at the book are left out: the question is whether the science is tested.
TESTS = (
    "-q",
    "-x",
    "--ignore=tests/book",
    "--ignore=tests/browser",
    "--ignore=tests/test_site.py",
    "-p",
    "no:cacheprovider",
)


@dataclass(frozen=True)
class Fault:
    """A slip: in which file of alignlib what is replaced by what, and the chapter whose figures should show it."""

    name: str
    file: str
    old: str
    new: str
    chapter: int


def main() -> int:
    """Plant each fault, print a line for it, and return how many were not noticed."""
    given = argparse.ArgumentParser(description="Plant errors in the science and see who notices.")
    given.add_argument("names", nargs="*", help="faults by a part of their name; all without one")
    given.add_argument("--no-book", action="store_true", help="tests only")
    asked = given.parse_args()
    faults = [
        Fault(**each) for each in yaml.safe_load((Path(__file__).parent / "faults.yml").read_text(encoding="utf-8"))
    ]
    chosen = [fault for fault in faults if not asked.names or any(name in fault.name for name in asked.names)]
    unseen = []
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        clone = Path(folder) / "book"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        for fault in chosen:
            tests, book = noticed(fault, clone, book=not asked.no_book)
            print(f"{fault.name:40} tests: {tests:8} book: {book}", flush=True)
            if "red" not in (tests, book):
                unseen.append(fault.name)
    if unseen:
        print(f"{len(unseen)} of {len(chosen)} not noticed: {', '.join(unseen)}", file=sys.stderr)
    return min(len(unseen), 1)


def noticed(fault: Fault, clone: Path, *, book: bool) -> tuple[str, str]:
    """Return "red" or "green" for the tests and for the check of the book (or "–") with the fault in the clone."""
    path = clone / "alignlib" / fault.file
    source = path.read_text(encoding="utf-8")
    if source.count(fault.old) != 1:
        raise SystemExit(
            f"{fault.name}: {fault.file} has the replaced piece {source.count(fault.old)} times, not once."
        )
    path.write_text(source.replace(fault.old, fault.new), encoding="utf-8")
    try:
        here = {**os.environ, "PYTHONPATH": str(clone), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        tests = [sys.executable, "-m", "pytest", *TESTS, "tests"]
        command = [
            sys.executable,
            "-c",
            "from alignlib.cli import main; main()",
            "arithmetics",
            "own",
            str(fault.chapter),
        ]
        seen = _colour(tests, clone, here), _colour(command, clone, here) if book else "–"
    finally:
        path.write_text(source, encoding="utf-8")
    return seen


def _colour(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return "red" if done.returncode else "green"


if __name__ == "__main__":
    raise SystemExit(main())
