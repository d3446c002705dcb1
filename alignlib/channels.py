"""Imperfect ways for the error: matrices that are read with noise, and signals that have few levels.

A rule sends its signals by asking the trace to (:class:`alignlib.network.Trace`): to ``carry`` one to a layer, or to
bring it ``back`` or ``onward`` along the connections. Here the trace is disturbed; the rules stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue
from alignlib.layers import Dense
from alignlib.network import MLP, Trace
from alignlib.rules import Rule


@dataclass(frozen=True)
class Channel:
    """What happens to the error on each of its hops.

    Attributes
    ----------
    noise
        Gaussian noise added to each entry of every matrix that carries the error, drawn anew at every use; 1 is noise
        as large as the entries themselves (their root mean square).
    levels
        Number of values that a signal may have when it is sent (see :func:`quantise`); None for all.
    dither
        Round at random to one of the two neighbouring levels, right on average, and not to the nearest.

    Raises
    ------
    InvalidValue
        For negative noise, fewer than two levels, or dither without levels.
    """

    noise: float = 0.0
    levels: int | None = None
    dither: bool = False

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise InvalidValue(f"noise must not be negative; received {self.noise!r}.")
        if self.levels is not None and self.levels < 2:
            raise InvalidValue(f"levels must be at least 2, or None; received {self.levels!r}.")
        if self.dither and self.levels is None:
            raise InvalidValue("dither needs levels to round to; received levels=None.")

    def matrix(self, matrix: Array, rng: Rng) -> Array:
        """Return the matrix as it is read this time."""
        if not self.noise:
            return matrix
        size = self.noise * float(np.sqrt(np.mean(np.square(matrix))))
        read: Array = matrix + (size * rng.standard_normal(matrix.shape)).astype(matrix.dtype)
        return read

    def signal(self, signal: Array, rng: Rng) -> Array:
        """Return the signal as it is sent."""
        return signal if self.levels is None else quantise(signal, self.levels, rng if self.dither else None)


def quantise(signal: Array, levels: int, rng: Rng | None = None) -> Array:
    """Return ``signal`` rounded to ``levels`` values, spread evenly from −s to s, s the largest size in it.

    Two levels are the sign, three add zero; b bits are 2 to the power of b. Exact zeros stay zero: silence is free.
    With ``rng`` each number is rounded up or down at random so that it is right on average.

    Raises
    ------
    InvalidValue
        For fewer than two levels.
    """
    if levels < 2:
        raise InvalidValue(f"levels must be at least 2; received {levels!r}.")
    size = float(np.max(np.abs(signal), initial=0.0))
    if not size > 0:
        return signal.copy()
    place = (signal / size + 1.0) * (0.5 * (levels - 1))  # 0 … levels − 1
    rounded = np.floor(place + (0.5 if rng is None else rng.random(signal.shape)))
    sent = (np.clip(rounded, 0, levels - 1) * (2.0 / (levels - 1)) - 1.0) * size
    quantised: Array = np.where(signal == 0, 0.0, sent).astype(signal.dtype)
    return quantised


def through(rule: type[Rule], channel: Channel) -> type[Rule]:
    """Return ``rule`` as a class that sends everything through ``channel``; its fixed matrices are drawn as before.

    The class needs ``rng`` if the channel does; noise comes from a stream of its own.
    """

    class Imperfect(rule):  # type: ignore[valid-type, misc]
        def __init__(self, network: MLP, *, rng: Rng | None = None, **options: Any):
            super().__init__(network, rng=rng, **options)
            if rng is None and (channel.noise or channel.dither):
                raise InvalidValue("a noisy channel needs random numbers: pass rng=numpy.random.default_rng(seed).")
            self.channel_rng = np.random.default_rng(0) if rng is None else rng.spawn(1)[0]

        def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> Any:
            return super().hidden_signals(network, _Disturbed.of(trace, channel, self.channel_rng), error)

    Imperfect.__name__ = Imperfect.__qualname__ = f"Imperfect{rule.__name__}"
    Imperfect.__doc__ = f"{rule.title}, with every hop through {channel}."
    return Imperfect


@dataclass(frozen=True)
class _Disturbed(Trace):
    """A trace whose hops are imperfect; what the rule reads of the activity is exact."""

    channel: Channel = Channel()
    rng: Rng | None = None

    @classmethod
    def of(cls, trace: Trace, channel: Channel, rng: Rng) -> _Disturbed:
        exact = {field.name: getattr(trace, field.name) for field in fields(Trace)}
        return cls(**exact, channel=channel, rng=rng)

    def carry(self, layer: Dense, matrix: Array, signal: Array) -> Array:
        return super().carry(layer, *self._sent(matrix, signal))

    def back(self, layer: Dense, above: Dense, matrix: Array, signal: Array) -> Array:
        return super().back(layer, above, *self._sent(matrix, signal))

    def onward(self, layer: Dense, matrix: Array, signal: Array) -> Array:
        return super().onward(layer, *self._sent(matrix, signal))

    def _sent(self, matrix: Array, signal: Array) -> tuple[Array, Array]:
        """The matrix as it is read this time, and the signal as it is sent."""
        assert self.rng is not None
        return self.channel.matrix(matrix, self.rng), self.channel.signal(signal, self.rng)
