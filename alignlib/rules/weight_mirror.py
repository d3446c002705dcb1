"""Weight mirror: noise sent through the weights leaves their transpose in the feedback."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.arrays import at_hand, hand_over
from alignlib.errors import InvalidValue
from alignlib.network import MLP, Trace
from alignlib.plasticity import Plasticity
from alignlib.rules.feedback_alignment import FeedbackAlignment


class WeightMirror(FeedbackAlignment):
    """As FA, but after each update B_l ← (1 − λ) B_l + η ⟨ξ (W_l ξ)ᵀ⟩   (Akrout et al. 2019, eq. 7).

    The layer below sends independent noise ξ (uniform, mean 0, variance 1) in place of its activity, and that above
    answers W_l ξ. Since ⟨ξ ξᵀ⟩ = 1 on average, B_l tends to (η/λ) W_lᵀ. Noise has a generator of its own.
    """

    name = "wm"
    label = "WM"
    title = "Weight mirror"

    rate: ClassVar[float] = 0.05  #: η
    decay: ClassVar[float] = 0.05  #: λ; equal to η, B becomes as large as W
    examples: ClassVar[int] = 64  #: patterns of noise after each update

    def __init__(self, network: MLP, *, rng: Rng | None = None, **options: Any):
        super().__init__(network, rng=rng, **options)
        self._rng = rng.spawn(1)[0] if rng is not None else None
        self._sent = [np.empty((self.examples, len(B)), B.dtype, like=B) for B in self.feedback]
        self._noise = [at_hand(sent) for sent in self._sent]
        self._answers = [np.empty((self.examples, B.shape[1]), B.dtype, like=B) for B in self.feedback]
        self._products = [np.empty_like(B) for B in self.feedback]

    def learn_feedback(self, network: MLP, trace: Trace, signals: Sequence[Array], plasticity: Plasticity) -> None:
        """The mirror phase, one layer after the other; nothing of the training step is looked at."""
        if self._rng is None:
            raise InvalidValue("rule 'wm' makes noise: pass rng=numpy.random.default_rng(seed).")
        scratch = zip(self._noise, self._sent, self._answers, self._products, strict=True)
        for B, W, (noise, sent, answers, product) in zip(self.feedback, network.weights[1:], scratch, strict=True):
            self._rng.random(dtype=noise.dtype.type, out=noise)
            hand_over(noise, sent)
            sent -= 0.5
            sent *= 12**0.5
            answer = np.matmul(sent, W.T, out=answers)
            mirrored = np.matmul(sent.T, answer, out=product)
            mirrored *= self.rate / self.examples
            B *= 1.0 - self.decay
            B += mirrored
