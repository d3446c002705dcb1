"""Files that are never half-written, their digests, and the lock that keeps two builds apart."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from alignlib.errors import AlignlibError

ASIDE = ".partial"


def digest(content: bytes | str) -> str:
    """Return the SHA-256 of the content in hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def write_file(path: Path, content: bytes | str) -> None:
    """Write the file aside and rename it, so that a reader finds the old or the new content, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}{ASIDE}")
    try:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON with sorted keys, aside first."""
    write_file(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    AlignlibError
        Naming the file and the line where it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise AlignlibError(f"{path}, line {error.lineno}: not JSON ({error.msg}).") from None
    except ValueError as error:  # a constant that is not JSON, or bytes that are not UTF-8
        raise AlignlibError(f"{path}: not JSON ({error}).") from None


def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left below ``folder``."""
    for path in folder.rglob(f".*{ASIDE}"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def explain(error: OSError) -> AlignlibError:
    """Return an operating system's error about a file as one for people."""
    place = error.filename2 or error.filename
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the folder is read-only",
        errno.EACCES: "no permission; the folder may be read-only",
        errno.EPERM: "no permission; the folder may be read-only",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return AlignlibError(f"{place}: {reason}." if place else f"{reason}.")


@contextmanager
def build_lock(folder: Path) -> Iterator[Path]:
    """Hold the one lock of a build folder and yield a short temporary folder that ends with it.

    The operating system drops the lock with the process that held it, so a killed build blocks nobody; the
    temporary folder that it left is removed by the next holder.

    Raises
    ------
    AlignlibError
        If another build holds the lock, naming its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        if not _locked(file):
            raise AlignlibError(f"another build is at work in {folder} ({_owner(file)}); wait for it or stop it.")
        _remove_leftover(_read_owner(file))
        temporary = Path(tempfile.mkdtemp(prefix="alignlib-"))  # short: sockets in it have short names only
        try:
            _write_owner(file, {"pid": os.getpid(), "temporary": str(temporary)})
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            with suppress(OSError):
                _write_owner(file, {})


def _locked(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # beyond the text, which others may then still read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # a file system that knows no locks
            raise
    return True


def _write_owner(file: IO[str], owner: dict[str, object]) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(owner))
    file.flush()


def _read_owner(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        owner = json.loads(file.read() or "{}")
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _owner(file: IO[str]) -> str:
    return f"process {_read_owner(file).get('pid', 'unknown')}"


def _remove_leftover(owner: dict[str, Any]) -> None:
    left = Path(str(owner.get("temporary", "")))
    if left.name.startswith("alignlib-") and left.parent == Path(tempfile.gettempdir()):
        shutil.rmtree(left, ignore_errors=True)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number; a missing one is null")
