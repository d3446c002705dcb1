"""The repository itself: tidy notebooks, an honest lock file, one version and one address everywhere."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import alignlib
from alignlib.book.landing import cover
from alignlib.book.site import GENERATED, table_of_contents

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
URL = "https://github.com/alignlib/learning-without-weight-transport"
SITE = "https://alignlib.github.io/learning-without-weight-transport/"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def source(cell: dict[str, Any]) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def tracked() -> list[Path]:
    ran = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in ran.stdout.split("\0") if name and (ROOT / name).is_file()]


# ---------------------------------------------------------------- chapters


@each_notebook
def test_a_notebook_holds_no_outputs(path: Path) -> None:
    stored = [n for n, cell in enumerate(read(path)["cells"], 1) if cell.get("outputs") or cell.get("execution_count")]
    assert stored == [], "make fix strips outputs"


@each_notebook
def test_every_cell_has_an_identifier_of_its_own(path: Path) -> None:
    names = [cell.get("id") for cell in read(path)["cells"]]
    assert None not in names
    assert len(set(names)) == len(names)


@each_notebook
def test_one_cell_holds_the_parameters(path: Path) -> None:
    tags = [cell["metadata"].get("tags", []) for cell in read(path)["cells"]]
    assert sum("parameters" in each for each in tags) == 1
    assert not any("injected-parameters" in each for each in tags)


@each_notebook
def test_a_notebook_keeps_no_trace_of_a_run(path: Path) -> None:
    notebook = read(path)
    assert "papermill" not in notebook["metadata"]
    assert not any({"papermill", "execution"} & set(cell["metadata"]) for cell in notebook["cells"])


@each_notebook
def test_a_title_leaves_its_number_to_the_file_name(path: Path) -> None:
    first = source(read(path)["cells"][0]).lstrip()
    assert re.match(r"# \D", first), "the first cell starts with the title, and the title with a word"


def first_code() -> str:
    """The cell with which every chapter begins, as the template has it."""
    [template] = (ROOT / "templates").glob("*.ipynb")
    return source(read(template)["cells"][1])


@each_notebook
def test_a_notebook_installs_the_book_where_it_is_missing(path: Path) -> None:
    cell = read(path)["cells"][1]
    assert source(cell) == first_code()
    assert cell["metadata"]["tags"] == ["remove-cell"]


@pytest.mark.parametrize("here", [True, False])
def test_the_installing_cell_works_once_in_the_clone(monkeypatch: pytest.MonkeyPatch, here: bool) -> None:
    called: list[tuple[str, ...]] = []

    class Shell:
        def system(self, command: str) -> None:
            called.append((command,))

        def run_line_magic(self, name: str, line: str) -> None:
            called.append((name, line))

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if here else None)
    exec(first_code(), {"get_ipython": Shell})
    clone = [
        (f"git clone --quiet --depth 1 {URL} book",),
        ("cd", "book"),
        ("pip", "install --quiet --editable .[book]"),
    ]
    assert called == ([] if here else clone)


def test_binder_installs_the_locked_versions() -> None:
    lines = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-r ../requirements.lock"]
    wanted = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert PROJECT["requires-python"] == f">={wanted}"


@each_notebook
def test_a_figure_is_anchored_by_its_identifier(path: Path) -> None:
    for cell in read(path)["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        if figure:
            name = figure["name"].removeprefix("fig-")
            assert figure["name"].startswith("fig-")
            assert f'"{name}"' in source(cell), f"the cell of {figure['name']} makes another figure"
            assert figure["caption"].strip()


def test_anchors_are_unique_in_the_whole_book() -> None:
    names = [
        cell["metadata"]["mystnb"]["figure"]["name"]
        for path in NOTEBOOKS
        for cell in read(path)["cells"]
        if "figure" in cell["metadata"].get("mystnb", {})
    ]
    assert sorted(set(names)) == sorted(names)


def test_the_table_of_contents_lists_exactly_what_exists() -> None:
    listed = table_of_contents(ROOT)
    assert len(set(listed)) == len(listed)
    chapters = [name for name in listed if name.startswith("chapters/")]
    assert chapters == [f"chapters/{path.stem}" for path in NOTEBOOKS]
    others = set(listed) - set(chapters) - set(GENERATED)
    assert others == {name for name in others if (ROOT / f"{name}.md").is_file()}


@each_notebook
def test_a_chapter_says_what_it_asks_and_what_it_builds_on(path: Path) -> None:
    about = read(path)["metadata"].get("book", {})
    wanted = 'its metadata need {"book": {"asks": "…?", "after": [numbers of chapters]}}'
    assert str(about.get("asks", "")).endswith("?"), wanted
    earlier = {int(other.stem[:2]) for other in NOTEBOOKS if other.stem < path.stem}
    assert set(about["after"]) <= earlier, wanted


# ---------------------------------------------------------------- packages


#: Extras that nobody gets who does not ask for them by name.
ASKED_FOR = ("gpu",)
EXTRAS = PROJECT["optional-dependencies"]


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.removesuffix("\\").strip()) for line in lines if re.match(r"[a-z0-9]", line)]


def asked() -> list[str]:
    usual = [name for extra, names in EXTRAS.items() if extra not in ASKED_FOR for name in names]
    return [*PROJECT["dependencies"], *usual]


def test_the_lock_file_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links", text)


def test_every_locked_package_has_a_hash() -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"))[1:]
    assert len(blocks) > 50
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_environment_is_the_locked_one() -> None:
    wrong = {}
    for pinned in locked():
        if pinned.marker is None or pinned.marker.evaluate():
            try:
                found = version(pinned.name)
            except PackageNotFoundError:
                found = "nothing"
            if f"=={found}" != str(pinned.specifier):
                wrong[pinned.name] = f"{found} instead of {pinned.specifier}"
    assert wrong == {}, "make env installs what requirements.lock says"


def test_every_dependency_is_locked_within_its_bounds() -> None:
    pins = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in locked()}
    for requirement in map(Requirement, asked()):
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not in requirements.lock; run make lock"
        assert requirement.specifier.contains(pins[name]), f"{name}: run make lock"


def test_what_only_some_ask_for_is_in_nobody_elses_environment() -> None:
    pins = {canonicalize_name(pin.name) for pin in locked()}
    assert [name for extra in ASKED_FOR for name in EXTRAS[extra] if Requirement(name).name in pins] == []


def test_every_dependency_has_a_reason() -> None:
    reasons = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Dependencies")[1].split("## ")[0]
    names = [Requirement(each).name for each in (*asked(), *(n for e in ASKED_FOR for n in EXTRAS[e]))]
    unexplained = [name for name in names if name.split("-", 1)[-1] not in reasons and not name.startswith("types-")]
    assert unexplained == []


# ---------------------------------------------------------------- one version, one address


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["version"] == alignlib.__version__ == citation["version"]
    assert f"Version {alignlib.__version__}" in (ROOT / "cite.md").read_text(encoding="utf-8")
    assert f"## {alignlib.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_addresses_are_the_same_everywhere() -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {config["repository"]["url"], citation["repository-code"], PROJECT["urls"]["Repository"]} == {URL}
    assert {config["html"]["baseurl"], citation["url"], PROJECT["urls"]["Book"]} == {SITE}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert SITE in readme


def test_no_file_names_this_machine_or_a_package_index() -> None:
    # Put together from parts, so that this file does not name them either.
    patterns = [re.escape(f"/{name}/") for name in ("work", "root")]
    patterns += [r"/(?:home|Users)/[a-z]\w*/", "pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(?:org|com)"]
    patterns += ["--(?:extra-)?index" + "-url [^ ]*:"]
    traces = re.compile("|".join(patterns))
    found = []
    for path in tracked():
        if "vendor" in path.parts or path.suffix in {".woff2", ".png", ".npz"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in traces.finditer(text)]
    assert found == []


def test_what_others_made_is_unchanged() -> None:
    folder = ROOT / "assets" / "vendor" / "mathjax"
    noted = re.search(r"SHA-256: ([0-9a-f]{64})", (folder / "README.txt").read_text(encoding="utf-8"))
    assert noted is not None
    assert hashlib.sha256((folder / "tex-svg-full.js").read_bytes()).hexdigest() == noted[1]


def test_the_picture_of_the_readme_shows_the_rules_as_they_are() -> None:
    picture = (ROOT / "assets" / "four-rules.svg").read_text(encoding="utf-8")
    assert cover().digest in picture, "draw it again: make picture"


def test_every_command_of_the_makefile_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    described = set(re.findall(r"^([a-z]+):.*## \S", text, re.MULTILINE))
    assert set(re.findall(r"^\.PHONY: ([a-z]+)$", text, re.MULTILINE)) == described
    assert {"help", "book", "test", "lab", "serve", "check", "lock", "clean"} <= described
