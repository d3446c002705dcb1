"""Pyodide's files: from a folder or a server, each by its SHA-256; no wrong one is ever kept."""

import functools
import http.server
import json
import threading
from pathlib import Path

import pytest

from alignlib.book import pyodide
from alignlib.book.files import digest
from alignlib.errors import AlignlibError


@pytest.fixture
def release(tmp_path):
    """A small release: a folder that looks like Pyodide's, and the digests that it should have."""
    folder = tmp_path / "release"
    folder.mkdir()
    wheel = b"a wheel"
    packages = {"numpy": {"file_name": "numpy-1.whl", "sha256": digest(wheel)}}
    files = {"pyodide.mjs": b"code", pyodide.LOCK: json.dumps({"packages": packages}).encode()}
    for name, content in {**files, "numpy-1.whl": wheel}.items():
        (folder / name).write_bytes(content)
    return folder, {name: digest(content) for name, content in files.items()}


@pytest.fixture
def served(release):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=release[0])
    handler.func.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_from_a_folder(release, tmp_path):
    folder, runtime = release
    found = pyodide.obtain(tmp_path / "kept", str(folder), runtime=runtime)
    assert list(found) == ["pyodide.mjs", pyodide.LOCK, "numpy-1.whl"]
    assert all(path.read_bytes() == (folder / name).read_bytes() for name, path in found.items())
    assert pyodide.obtain(tmp_path / "kept", "", runtime=runtime) == found  # once checked, no source is needed


def test_from_the_release(release, served, tmp_path):
    found = pyodide.obtain(tmp_path / "kept", "release", release=served, runtime=release[1])
    assert found["numpy-1.whl"].read_bytes() == b"a wheel"


def test_the_environment_names_the_source(release, tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNLIB_PYODIDE", str(release[0]))
    assert len(pyodide.obtain(tmp_path / "kept", runtime=release[1])) == 3


def test_without_a_source_there_are_none(tmp_path):
    assert pyodide.obtain(tmp_path / "kept", "") == {}
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("name", ["pyodide.mjs", "numpy-1.whl"])
def test_other_content_is_refused_and_not_kept(release, served, tmp_path, name):
    folder, runtime = release
    (folder / name).write_bytes(b"something else")
    with pytest.raises(AlignlibError, match=f"{name} is not that of Pyodide"):
        pyodide.obtain(tmp_path / "kept", str(folder), runtime=runtime)
    assert not (tmp_path / "kept" / name).exists()
    with pytest.raises(AlignlibError, match="other content"):
        pyodide.obtain(tmp_path / "fetched", "release", release=served, runtime=runtime)
    assert not (tmp_path / "fetched" / name).exists()


def test_a_kept_file_that_was_damaged_is_taken_anew_or_not_at_all(release, tmp_path):
    folder, runtime = release
    found = pyodide.obtain(tmp_path / "kept", str(folder), runtime=runtime)
    found["numpy-1.whl"].write_bytes(b"damaged")
    assert pyodide.obtain(tmp_path / "kept", "", runtime=runtime) == {}
    assert pyodide.obtain(tmp_path / "kept", str(folder), runtime=runtime)["numpy-1.whl"].read_bytes() == b"a wheel"


def test_what_is_missing_is_named_with_what_to_do(release, served, tmp_path):
    folder, runtime = release
    (folder / "pyodide.mjs").unlink()
    with pytest.raises(AlignlibError, match=r"no pyodide.mjs in it. Name a folder"):
        pyodide.obtain(tmp_path / "kept", str(folder), runtime=runtime)
    with pytest.raises(AlignlibError, match=r"404.*or nothing for a book whose panels show commands"):
        pyodide.obtain(tmp_path / "kept", "release", release=served, runtime=runtime)


def test_the_recorded_digests_are_those_of_the_release():
    """Where the official files are at hand, they are the ones recorded."""
    import os

    folder = Path(os.environ.get(pyodide.VARIABLE, "") or Path(__file__).resolve().parents[3] / "shared" / "pyodide")
    if not (folder / pyodide.LOCK).is_file():
        pytest.skip("needs Pyodide's files: set ALIGNLIB_PYODIDE")
    assert {name: digest((folder / name).read_bytes()) for name in pyodide.RUNTIME} == pyodide.RUNTIME
