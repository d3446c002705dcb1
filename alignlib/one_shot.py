"""One-shot learners side by side: the same random numbers for all, ridge and step chosen on validation data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alignlib import metrics
from alignlib._typing import Array
from alignlib.baselines import back_projection, label_projection, shifted_target
from alignlib.baselines.solved import Layers, Solved, fit_readout
from alignlib.datasets import Dataset
from alignlib.errors import InvalidValue, choose
from alignlib.initializers import FEEDBACK, WEIGHTS, draw


@dataclass(frozen=True)
class Draws:
    """Everything random that one-shot learners need, the same for all of them.

    Attributes
    ----------
    start
        Hidden layers, and a random readout where a learner asks what the network answers before any fit.
    feedback
        B (n_1, n_out), uniform in ±1/√n_1.
    projections
        P_l (n_{l−1}, n_out) for l = 2 … L, of the same kind as weights.
    """

    start: Solved
    feedback: Array
    projections: tuple[Array, ...]


def draws(n_in: int, hidden: Sequence[int], n_out: int, seed: int, *, scale: float = 1.0, **options: Any) -> Draws:
    """Return the random numbers of ``seed``; layers, readout, feedback and projections have streams of their own.

    ``scale`` and ``options`` are those of :meth:`alignlib.baselines.solved.Layers.draw`.
    """
    of_layers, of_readout, of_feedback, of_projections = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    layers = Layers.draw(n_in, hidden, of_layers, scale=scale, **options)
    return Draws(
        Solved.draw_readout(layers, n_out, of_readout),
        draw(FEEDBACK, "fan-out", (hidden[0], n_out), of_feedback),
        tuple(draw(WEIGHTS, "fan-in", (n, n_out), of_projections) for n in hidden[:-1]),
    )


@dataclass(frozen=True)
class Setting:
    """What is chosen on validation data: the ridge of every readout, that of the first layer, and the shift's length.

    Learners look only at what they have.
    """

    ridge: float = 0.0
    input_ridge: float = 0.0
    step: float = 1.0


Learner = Callable[[Draws, Array, Array, Setting], Solved]


def _shifted(factor: str, solved_first: bool) -> Learner:
    """The shifted target, by a factor, from the random readout or from that of the Extreme Learning Machine."""

    def learn(drawn: Draws, x: Array, y: Array, setting: Setting) -> Solved:
        start = fit_readout(drawn.start.layers, x, y, setting.ridge) if solved_first else drawn.start
        return shifted_target.refit(
            start,
            drawn.feedback,
            x,
            y,
            setting.ridge,
            input_ridge=setting.input_ridge,
            step=setting.step,
            factor=factor,
        )

    return learn


#: The learners by short name.
LEARNERS: Mapping[str, Learner] = {
    "elm": lambda drawn, x, y, s: fit_readout(drawn.start.layers, x, y, s.ridge),
    "shifted": _shifted("pre-activation", solved_first=False),
    "repaired": _shifted("slope", solved_first=True),
    "label": lambda drawn, x, y, s: label_projection.fit(drawn.start.layers, drawn.projections, x, y, s.ridge),
    "back": lambda drawn, x, y, s: back_projection.refit(drawn.start, x, y, s.ridge),
}

#: What they are called in figures.
LABELS: Mapping[str, str] = {
    "elm": "plain ELM",
    "shifted": "shifted target, as published",
    "repaired": "shifted target, repaired",
    "label": "label projection",
    "back": "back-projection",
}


def settings(
    learner: str, ridges: Sequence[float], input_ridges: Sequence[float], steps: Sequence[float]
) -> list[Setting]:
    """Return what there is to try for ``learner``: ridges for all, the other two only where they are asked for.

    The shifted target as published has a step of 1 and no ridge in the first layer.
    """
    choose("one-shot learner", learner, LEARNERS)
    if learner == "repaired":
        return [Setting(*values) for values in itertools.product(ridges, input_ridges, steps)]
    return [Setting(ridge=ridge) for ridge in ridges]


def test_error(learner: str, drawn: Draws, data: Dataset, setting: Setting) -> float:
    """Return the percentage of test examples that ``learner`` gets wrong after its fit on the training part."""
    return metrics.error_rate(_learned(learner, drawn, data, setting).predict(data.x_test), data.y_test)


def choose_setting(learner: str, tried: Sequence[Setting], drawn: Sequence[Draws], data: Dataset) -> Setting:
    """Return the setting with the smallest mean squared error on the validation split of ``data``, mean over draws.

    Of equal ones the first counts. The loss is what the fits make small; errors would be coarser to judge by.

    Raises
    ------
    InvalidValue
        If there is nothing to choose from, or nothing drawn.
    """
    if not tried or not drawn:
        raise InvalidValue("needed: at least one setting and one draw.")
    if len(tried) == 1:
        return tried[0]
    split = data.split_validation()

    def loss(setting: Setting) -> float:
        losses = [
            metrics.normalised_squared_error(_learned(learner, one, split, setting).predict(split.x_test), split.y_test)
            for one in drawn
        ]
        return float(np.mean(losses))

    return min(tried, key=loss)


def _learned(learner: str, drawn: Draws, data: Dataset, setting: Setting) -> Solved:
    learn = LEARNERS[choose("one-shot learner", learner, LEARNERS)]
    return learn(drawn, data.x_train, data.y_train, setting)
