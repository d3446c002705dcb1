"""The error for data that cannot be had or cannot be trusted."""

from __future__ import annotations

from alignlib.errors import AlignlibError


class DataError(AlignlibError):
    """A data file is missing, damaged or not the published one; the text says what to do about it."""
