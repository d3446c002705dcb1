"""Errors for people: what was received, what is accepted, and the nearest correct name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class AlignlibError(Exception):
    """Anything that alignlib refuses or cannot do; its text is meant to be read by the person who asked."""


class InvalidValue(AlignlibError, ValueError):
    """A value that cannot be used: unknown name, wrong type or out of range."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``; did you mean 'epochs'?`` for the choice most like ``name``, or nothing if none is close."""
    close = get_close_matches(name, list(choices), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def choose(kind: str, name: object, choices: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``choices``.

    Raises
    ------
    InvalidValue
        Naming what was received, what is accepted and the nearest name.
    """
    accepted = sorted(choices)
    if isinstance(name, str) and name in accepted:
        return name
    hint = nearest(name, accepted) if isinstance(name, str) else ""
    raise InvalidValue(f"unknown {kind} {name!r}{hint or '.'} Accepted: {', '.join(accepted)}.")
