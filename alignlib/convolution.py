"""Convolutions with pooling: dense layers that look at small patches, everywhere with the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.layers import Dense


@dataclass(frozen=True)
class Patches:
    """The linear map P from images to patches: what each place of a pooled convolution looks at; and its transpose.

    The image is padded with zeros so that the convolution has a value at each of its pixels, and average pooling
    takes the mean of ``pool`` × ``pool`` such values. Since both are linear, the mean is taken of the *patches*:
    that spares all but one product in ``pool``². Pixels at the lower and right edge that fill no whole pooling
    window are left out.

    Images are (channels, height, width, batch) and patches (channels · kernel · kernel, places · batch); rows are
    in the order of PyTorch's kernels, places in that of its images.
    """

    channels: int
    height: int
    width: int
    kernel: int
    pool: int

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        return self.height // self.pool, self.width // self.pool

    @property
    def size(self) -> int:
        """Numbers in a patch."""
        return self.channels * self.kernel**2

    def cut(self, images: Array) -> Array:
        """Return P applied to images (channels, height, width, batch): patches (size, places · batch)."""
        margin, batch = self.kernel // 2, images.shape[-1]
        padded = np.zeros_like(images, shape=self._shape(2 * margin, batch))
        padded[:, margin : margin + self.height, margin : margin + self.width] = images
        blurred: Any = padded
        if self.pool > 1:
            blurred = sum(padded[window] for window in self._pooled) / self.pool**2
        cut = np.empty_like(images, shape=(self.channels, self.kernel**2, *self.places, batch))
        for i, window in enumerate(self._seen):
            cut[:, i] = blurred[window]
        return cut.reshape(self.size, -1)

    def paste(self, patches: Array) -> Array:
        """Return the transpose of P applied to patches (size, places · batch): images, overlaps added up."""
        margin, cut = self.kernel // 2, patches.reshape(self.channels, self.kernel**2, *self.places, -1)
        batch = cut.shape[-1]
        blurred = np.zeros_like(patches, shape=self._shape(self.kernel - self.pool, batch))
        for i, window in enumerate(self._seen):
            blurred[window] += cut[:, i]
        padded = blurred
        if self.pool > 1:
            blurred /= self.pool**2
            padded = np.zeros_like(patches, shape=self._shape(2 * margin, batch))
            for window in self._pooled:
                padded[window] += blurred
        return padded[:, margin : margin + self.height, margin : margin + self.width]

    def _shape(self, more: int, batch: int) -> tuple[int, ...]:
        return self.channels, self.height + more, self.width + more, batch

    @cached_property
    def _pooled(self) -> list[tuple[slice, ...]]:
        """The padded pixels that each offset of the pooling window meets."""
        rows, columns = self.height + self.kernel - self.pool, self.width + self.kernel - self.pool
        return [(slice(None), slice(i, i + rows), slice(j, j + columns)) for i, j in np.ndindex(self.pool, self.pool)]

    @cached_property
    def _seen(self) -> list[tuple[slice, ...]]:
        """The blurred pixels that each entry of the kernel meets."""
        (rows, columns), step = self.places, self.pool
        return [
            (slice(None), slice(i, i + step * rows, step), slice(j, j + step * columns, step))
            for i, j in np.ndindex(self.kernel, self.kernel)
        ]


@dataclass(frozen=True)
class Conv2d(Dense):
    """A convolution with average pooling: a = W P h + b, then the activity f(a).

    ``weight`` (channels out, channels in · kernel · kernel) and ``bias`` (channels out,) are used at every place.
    Activities stay flat, (batch, channels · height · width), so the next layer may be of any kind. Pooling comes
    before f: a place has one pre-activation, to which a learning rule brings one signal.
    """

    patches: Patches

    @property
    def width(self) -> int:
        """Number of units: channels times places."""
        rows, columns = self.patches.places
        return int(self.weight.shape[0]) * rows * columns

    def push(self, matrix: Array, signal: Array, out: Array | None = None) -> Array:
        """Convolve: ``matrix`` (channels out, size of a patch) applied to all patches of the signal."""
        there = None if out is None else self._channels(out)
        return _flat(np.matmul(matrix, self._cut(signal), out=there), len(signal))

    def pull(self, matrix: Array, signal: Array, out: Array | None = None) -> Array:
        """Convolve backwards: ``matrix`` (size of a patch, channels out) makes patches, which are added up."""
        return _flat(self.patches.paste(np.matmul(matrix, self._channels(signal))), len(signal))

    def outer(self, delta: Array, h: Array, out: Array | None = None) -> Array:
        """Return Σ δ hᵀ over the batch and over all places, shape of ``weight``."""
        product: Array = np.matmul(self._channels(delta), self._cut(h).T, out=out)
        return product

    def pre_activation(self, h: Array, out: Array | None = None) -> Array:
        """Return a = W P h + b for a batch h (batch, units below), shape (batch, width), in ``out`` if given."""
        a = self.push(self.weight, h, out)
        channels = self._channels(a)
        channels += self.bias[:, np.newaxis]
        return a

    def gradient(
        self, delta: Array, h: Array, weight_out: Array, bias_out: Array, scratch: Array | None = None
    ) -> None:
        """Write ∂W and ∂b: sums over the places, means over the batch, for δ (batch, width), h (batch, units below)."""
        scaled = np.multiply(delta, 1.0 / len(delta), out=scratch)
        self.outer(scaled, h, out=weight_out)
        np.sum(self._channels(scaled), axis=1, out=bias_out)

    @property
    def matrix(self) -> Array:
        """The dense matrix that does the same, (units, units below): most entries zero, the others shared."""
        below = self.patches.channels * self.patches.height * self.patches.width
        return self.push(self.weight, np.asarray(np.eye(below, dtype=self.weight.dtype), like=self.weight)).T

    def _cut(self, h: Array) -> Array:
        images = (self.patches.channels, self.patches.height, self.patches.width, len(h))
        return self.patches.cut(h.T.reshape(images))

    def _channels(self, a: Array) -> Array:
        """See (batch, width) as (channels, places · batch), without a copy if it is in "F" order as our buffers are."""
        return a.T.reshape(self.weight.shape[0], -1)


def _flat(images: Array, batch: int) -> Array:
    """See (channels, places · batch), or images with the batch last, as (batch, units)."""
    return images.reshape(-1, batch).T
