"""Networks that begin with convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alignlib._typing import Array
from alignlib.activations import Activation
from alignlib.convolution import Conv2d, Patches
from alignlib.errors import InvalidValue
from alignlib.layers import Dense
from alignlib.network import MLP

Convolutions = tuple[tuple[int, int, int], ...]


class ConvNet(MLP):
    """Convolutions, then dense layers: an MLP in which most weights of the first layers are zero and the others shared.

    Everything else is as in :class:`MLP`, whose further parameters it takes; ``sizes`` holds the units a layer.

    Parameters
    ----------
    image
        Channels, height and width of an input: ``(1, 28, 28)``. Batches stay flat, (batch, 784).
    convolutions
        Channels, kernel and pool of each: ``[(8, 5, 2), (16, 5, 2)]`` is 8 and then 16 channels, each with a kernel
        of 5 × 5 pixels at every pixel of the padded image, and the mean over windows of 2 × 2.
    dense
        Units of the dense layers above, output last: ``[64, 10]``.

    Raises
    ------
    InvalidValue
        For sizes that cannot be used, beside what :class:`MLP` refuses.
    """

    def __init__(
        self, image: Sequence[int], convolutions: Iterable[Sequence[int]], dense: Sequence[int], **options: Any
    ):
        if len(image) != 3:
            raise InvalidValue(f"image must be (channels, height, width); received {image!r}.")
        self.image, self.convolutions = tuple(image), checked_convolutions(convolutions)
        self._patches: list[Patches] = []
        sizes = []
        channels, height, width = self.image
        for channels_out, kernel, pool in self.convolutions:
            sizes.append(channels * height * width)
            self._patches.append(Patches(channels, height, width, kernel, pool))
            channels, (height, width) = channels_out, self._patches[-1].places
            if not height or not width:
                raise InvalidValue(f"pooling {self.convolutions} leaves nothing of images of {self.image}.")
        super().__init__([*sizes, channels * height * width, *dense], **options)

    def _weight_shapes(self) -> list[tuple[int, int]]:
        kernels = [(c, patches.size) for (c, _, _), patches in zip(self.convolutions, self._patches, strict=True)]
        return kernels + super()._weight_shapes()[len(kernels) :]

    def _layer(self, index: int, weight: Array, bias: Array, activation: Activation) -> Dense:
        if index < len(self._patches):
            return Conv2d(index, weight, bias, activation, self._patches[index])
        return super()._layer(index, weight, bias, activation)

    def like(self, **options: Any) -> MLP:
        """Return another network of the same layers; ``options`` are those of the constructor, not copied."""
        return ConvNet(self.image, self.convolutions, self.sizes[len(self.convolutions) + 1 :], **options)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{c}×{k}×{k}" + (f" /{p}" if p > 1 else "") for c, k, p in self.convolutions)
        return f"ConvNet({kinds}, then {super().__repr__()})"


def checked_convolutions(convolutions: Any) -> Convolutions:
    """Return triples (channels, kernel, pool) as plain numbers.

    Raises
    ------
    InvalidValue
        If they are not triples of positive whole numbers with odd kernels.
    """
    try:
        given = [tuple(int(number.__index__()) for number in triple) for triple in convolutions]
    except (TypeError, AttributeError):
        given = [()]
    checked = tuple((triple[0], triple[1], triple[2]) for triple in given if len(triple) == 3)
    if len(checked) < len(given) or any(min(triple) < 1 for triple in checked):
        raise InvalidValue(
            "convolutions must be triples (channels, kernel, pool) of positive whole numbers, such as "
            f"((8, 3, 2), (16, 3, 2)); received {convolutions!r}."
        )
    for _, kernel, _ in checked:
        if kernel % 2 == 0:
            raise InvalidValue(f"a kernel has a middle: its size must be odd; received {kernel} in {convolutions!r}.")
    return checked
