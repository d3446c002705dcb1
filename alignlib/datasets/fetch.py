"""Find the files of a published data set: the reader's own folder, then the cache, then the mirrors.

Two environment variables steer it. ``ALIGNLIB_DATA`` names a folder that already holds the files, in one
sub-folder a data set; nothing is ever written or deleted there. ``ALIGNLIB_CACHE`` names the folder for
downloads (default: the operating system's cache folder). Both have the same layout.

A file is used only if its SHA-256 is the published one. Pooch, Requests and tqdm are imported when something
has to be downloaded and not before, so that this module works where they do not exist (as in Pyodide).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignlib.datasets.errors import DataError

DATA_VARIABLE = "ALIGNLIB_DATA"
CACHE_VARIABLE = "ALIGNLIB_CACHE"
TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds between two pieces of an answer


@dataclass(frozen=True)
class Archive:
    """A published data set: the sub-folder for it, its files with their SHA-256, and where they can be had.

    ``mirrors`` are addresses of folders that hold the files, tried in this order.
    """

    name: str
    files: Mapping[str, str]
    mirrors: tuple[str, ...]


def locate(archive: Archive, mirrors: Sequence[str] | None = None) -> dict[str, Path]:
    """Return the path of every file of ``archive``, each with the right content; download what is missing.

    Parameters
    ----------
    archive : Archive
        What to find.
    mirrors : sequence of str, optional
        Addresses to use instead of the archive's own.

    Raises
    ------
    DataError
        If a file in the reader's folder is not the published one, if the cache cannot be written, or if no
        mirror gave the right content; the text says what each answered and what to do.

    Warns
    -----
    UserWarning
        If ``ALIGNLIB_DATA`` is set but files are missing there.
    """
    found = _in_data_folder(archive)
    missing = [file for file in archive.files if file not in found]
    if missing:
        cache = cache_folder(archive)
        for file in missing:
            found[file] = _in_cache(cache, archive, file) or _download(cache, archive, file, mirrors)
    return found


def is_here(archive: Archive) -> bool:
    """Return whether all files of ``archive`` are in the reader's folder or in the cache, without looking into them."""
    named = os.environ.get(DATA_VARIABLE)
    folders = [Path(named).expanduser() / archive.name] if named else []
    with contextlib.suppress(DataError):
        folders.append(cache_folder(archive))
    return any(all(_exists(folder / file) for file in archive.files) for folder in folders)


def _in_data_folder(archive: Archive) -> dict[str, Path]:
    """Return the files that the reader's own folder holds, verified; warn about those it lacks."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return {}
    folder = Path(named).expanduser() / archive.name
    found = {file: folder / file for file in archive.files if _exists(folder / file)}
    for file, path in found.items():
        actual = _sha256(path)
        if actual != archive.files[file]:
            raise DataError(
                f"{path} is not the published file: its SHA-256 is {actual}, expected {archive.files[file]}. "
                f"It was left as it is; replace it, or point {DATA_VARIABLE} elsewhere."
            )
    missing = [file for file in archive.files if file not in found]
    if missing:
        warnings.warn(
            f"{DATA_VARIABLE} is set, but {folder} has no {', '.join(missing)}; "
            "going on with the cache and, where that fails, a download.",
            stacklevel=2,
        )
    return found


def cache_folder(archive: Archive) -> Path:
    """Return the folder where downloads of ``archive`` are kept (it need not exist yet).

    Raises
    ------
    DataError
        If ``ALIGNLIB_CACHE`` is not set and Pooch, which knows the system's cache folder, is not installed.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser() / archive.name
    return Path(_pooch(archive).os_cache("alignlib")) / archive.name


def _in_cache(cache: Path, archive: Archive, file: str) -> Path | None:
    """Return the cached file if its content is right; a damaged one is removed, as it is of no use."""
    path = cache / file
    if not _exists(path):
        return None
    if _sha256(path) == archive.files[file]:
        return path
    try:
        path.unlink()
    except OSError as error:
        raise _cache_error(cache, error) from error
    warnings.warn(f"{path} was damaged and has been removed; it is downloaded again.", stacklevel=3)
    return None


def _download(cache: Path, archive: Archive, file: str, mirrors: Sequence[str] | None) -> Path:
    """Return the path of ``file`` in ``cache`` after fetching it from the first mirror that has it."""
    pooch = _pooch(archive)
    _make_writable(cache)
    answers = []
    for mirror in archive.mirrors if mirrors is None else mirrors:
        url = f"{mirror.rstrip('/')}/{file}"
        answer = try_mirror(pooch, url, cache, file, archive.files[file])
        if answer is None:
            return cache / file
        answers.append(f"  {url}: {answer}")
    raise DataError(
        "\n".join(
            [
                f"cannot download {file} of {archive.name!r}; nothing of it was kept. Tried:",
                *(answers or ["  no mirror at all: the list is empty"]),
                _without_network(archive),
            ]
        )
    )


def try_mirror(pooch: Any, url: str, cache: Path, file: str, sha256: str) -> str | None:
    """Fetch ``url`` into the cache; return None if that went well, else what the mirror answered.

    Pooch writes beside the target, compares the SHA-256, renames if it agrees and deletes if it does not.
    """
    from requests.exceptions import RequestException

    try:
        with _quiet(pooch.get_logger()), _progress_bar(file) as bar:
            downloader = pooch.HTTPDownloader(
                progressbar=bar,
                chunk_size=1 << 16,
                timeout=TIMEOUT,
                # The published bytes as they are: a server may otherwise unpack .gz files on the way.
                headers={"Accept-Encoding": "identity"},
            )
            pooch.retrieve(url, f"sha256:{sha256}", fname=file, path=cache, downloader=downloader)
    except RequestException as error:  # before OSError, which it is, and ValueError, which some are
        return _network_answer(error)
    except ValueError as error:
        got = re.search(r"but got ([0-9a-f]{64})", str(error))
        return f"other content, SHA-256 {got[1]}, expected {sha256}; removed" if got else str(error)
    except OSError as error:
        raise _cache_error(cache, error) from error
    return None


def _network_answer(error: Any) -> str:
    """Return in a few words what went wrong between here and a mirror."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off before the end of the file; removed"
    reason = re.search(r"\[Errno[^\]]*\] [\w ,'-]+", str(error))
    return f"cannot be reached ({reason[0] if reason else type(error).__name__})"


def _without_network(archive: Archive) -> str:
    """Return what to do where there is no network."""
    files = [f"  {sha256}  {archive.name}/{file}" for file, sha256 in archive.files.items()]
    return "\n".join(
        [
            f"Without a network: set {DATA_VARIABLE} to a folder that holds these files (SHA-256 first):",
            *files,
        ]
    )


def _pooch(archive: Archive) -> Any:
    try:
        import pooch
    except ImportError as error:
        raise DataError(
            f"{archive.name!r} has to be downloaded, which needs the package pooch; it is not installed.\n"
            + _without_network(archive)
        ) from error
    return pooch


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Hold back Pooch's notes on each file; ours say what matters, and only where something went wrong."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _progress_bar(label: str) -> Iterator[Any]:
    """Yield a bar for one download (False without tqdm); it shows only where stderr is a terminal."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield False
        return
    # Pooch asks whether the bar is true, which tqdm answers by its total; Pooch then sets the real one.
    with tqdm(desc=label, total=1, unit="B", unit_scale=True, disable=None) as bar:
        yield bar


def _make_writable(cache: Path) -> None:
    """Create the cache folder and prove that it can be written, before any mirror is asked."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        raise _cache_error(cache, error) from error


def _cache_error(cache: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot use the cache folder {cache} ({error.strerror or error}). "
        f"Set {CACHE_VARIABLE} to a folder that can be written, or {DATA_VARIABLE} to one that has the files."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a folder that may not be looked into
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
