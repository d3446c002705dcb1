"""Read IDX, the format of the MNIST files: a magic number, the sizes, then the bytes row by row."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from alignlib._typing import Array
from alignlib.datasets.errors import DataError

UNSIGNED_BYTE = 0x08


def read_idx_gz(path: Path) -> Array:
    """Return the uint8 array of a gzipped IDX file, in the shape that its header states.

    Raises
    ------
    DataError
        If the file cannot be read, is not gzip, or :func:`parse_idx` refuses what is in it.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a complete gzip file ({error}).") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return parse_idx(content, str(path))


def parse_idx(content: bytes, source: str) -> Array:
    """Return the read-only uint8 array that the IDX bytes ``content`` hold.

    The header is two zero bytes, a type code, the number of dimensions and each size as a big-endian
    32-bit integer (Y. LeCun, C. Cortes and C. J. C. Burges, the MNIST database).

    Raises
    ------
    DataError
        Naming ``source``: wrong magic number, another type than unsigned byte, or sizes that do not agree
        with the length of the content.
    """
    if len(content) < 4:
        raise DataError(f"{source}: {len(content)} bytes are too short for an IDX header.")
    if content[:2] != b"\0\0" or content[3] == 0:
        raise DataError(
            f"{source}: starts with 0x{content[:4].hex()}, which is not the magic number of an IDX file "
            "(two zero bytes, a type code, the number of dimensions)."
        )
    if content[2] != UNSIGNED_BYTE:
        raise DataError(
            f"{source}: holds IDX type 0x{content[2]:02x}. Accepted: 0x{UNSIGNED_BYTE:02x} (unsigned byte)."
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{source}: ends inside its IDX header of {start} bytes.")
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    # Python's integers do not overflow: absurd sizes are refused here, before any memory is asked for.
    expected = 1
    for size in shape:
        expected *= size
    if len(content) - start != expected:
        raise DataError(
            f"{source}: the header announces {' × '.join(map(str, shape))} = {expected} bytes, "
            f"but {len(content) - start} follow."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
