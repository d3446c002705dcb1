"""Sign symmetry with one magnitude for a whole matrix."""

from typing import Any

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.initializers import draw_feedback
from alignlib.network import MLP
from alignlib.rules.sign_symmetry import FixedSignSymmetry


class UniformSignSymmetry(FixedSignSymmetry):
    """δ_l = m_{l+1} (sign W_{l+1}ᵀ δ_{l+1}) ⊙ f′(a_l), with a number m   (Liao et al. 2016, uSF).

    m is the root mean square of what FA would draw: the signals are as strong as those of the other kinds.
    """

    name = "usf"
    label = "uSF"
    title = "One size, true signs"

    def __init__(
        self,
        network: MLP,
        *,
        rng: Rng | None = None,
        feedback: str = "fan-out",
        feedback_scale: float = 1.0,
        density: float = 1.0,
        rank: int | None = None,
        **options: Any,
    ):
        super().__init__(network, feedback="zero", **options)
        for m, (rows, columns) in zip(self.feedback, (W.T.shape for W in network.weights[1:]), strict=True):
            M = draw_feedback(feedback, (rows, columns), rng, scale=feedback_scale, density=density, rank=rank)
            m[...] = np.sqrt(np.mean(M * M))

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """One number for each W but the first."""
        return {f"m{i}": (1, 1) for i in range(2, len(network.weights) + 1)}

    def counterparts(self, network: MLP) -> list[Array]:
        """The root mean square of W."""
        return [np.sqrt(np.mean(W * W, keepdims=True)) for W in network.weights[1:]]
