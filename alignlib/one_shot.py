"""One-shot learners side by side: the same random numbers for all, ridge and step chosen on validation data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alignlib import metrics
from alignlib._typing import Array
from alignlib.baselines import back_projection, label_projection, least_squares, shifted_target
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


class Examples:
    """Training examples x (n, n_in) and y (n, n_out), with the inverse of x kept: no seed changes it."""

    def __init__(self, x: Array, y: Array):
        self.x, self.y = x, y
        self._inverses: dict[tuple[float, bool], least_squares.Inverse] = {}

    def inverse(self, ridge: float, biased: bool) -> least_squares.Inverse:
        """Return :func:`alignlib.baselines.least_squares.inverse` of x."""
        key = (ridge, biased)
        if key not in self._inverses:
            self._inverses[key] = least_squares.inverse(self.x, ridge, bias=biased)
        return self._inverses[key]


Learner = Callable[[Draws, Examples, Setting], Solved]


def _shifted(factor: str, solved_first: bool) -> Learner:
    """The shifted target, by a factor, from the random readout or from that of the Extreme Learning Machine."""

    def learn(drawn: Draws, seen: Examples, setting: Setting) -> Solved:
        layers, (x, y) = drawn.start.layers, (seen.x, seen.y)
        start = fit_readout(layers, x, y, setting.ridge) if solved_first else drawn.start
        inverse = seen.inverse(setting.input_ridge, layers.biased)
        return shifted_target.refit(
            start, drawn.feedback, x, y, setting.ridge, inverse=inverse, step=setting.step, factor=factor
        )

    return learn


def _elm(drawn: Draws, seen: Examples, setting: Setting) -> Solved:
    return fit_readout(drawn.start.layers, seen.x, seen.y, setting.ridge)


def _label(drawn: Draws, seen: Examples, setting: Setting) -> Solved:
    return label_projection.fit(drawn.start.layers, drawn.projections, seen.x, seen.y, setting.ridge)


def _back(drawn: Draws, seen: Examples, setting: Setting) -> Solved:
    return back_projection.refit(drawn.start, seen.x, seen.y, setting.ridge)


#: The learners by short name.
LEARNERS: Mapping[str, Learner] = {
    "elm": _elm,
    "shifted": _shifted("pre-activation", solved_first=False),
    "repaired": _shifted("slope", solved_first=True),
    "label": _label,
    "back": _back,
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


def learn(learner: str, drawn: Draws, seen: Examples, setting: Setting) -> Solved:
    """Return the network that ``learner`` makes of what was drawn; InvalidValue for an unknown learner."""
    return LEARNERS[choose("one-shot learner", learner, LEARNERS)](drawn, seen, setting)


class Comparison:
    """One-shot learners on one data set: settings are chosen on a validation split of the training part.

    ``data`` is used as it is; take fewer examples from it to make the comparison smaller.
    """

    def __init__(self, data: Dataset):
        self.data, self._split = data, data.split_validation()
        self.seen = Examples(data.x_train, data.y_train)
        self._kept = Examples(self._split.x_train, self._split.y_train)

    def validation_loss(self, learner: str, drawn: Sequence[Draws], setting: Setting) -> float:
        """Return the normalised squared error on the validation part, mean over draws: what fits make small."""
        x, y = self._split.x_test, self._split.y_test
        answers = (learn(learner, one, self._kept, setting).predict(x) for one in drawn)
        return float(np.mean([metrics.normalised_squared_error(answer, y) for answer in answers]))

    def choose(self, learner: str, tried: Sequence[Setting], drawn: Sequence[Draws]) -> Setting:
        """Return the setting with the smallest :meth:`validation_loss`; of equal ones the first.

        Raises
        ------
        InvalidValue
            If there is nothing to choose from, or nothing drawn.
        """
        if not tried or not drawn:
            raise InvalidValue("needed: at least one setting and one draw.")
        return min(tried, key=lambda setting: self.validation_loss(learner, drawn, setting))

    def choose_all(
        self,
        drawn: Sequence[Draws],
        ridges: Sequence[float],
        input_ridges: Sequence[float] = (0.0,),
        steps: Sequence[float] = (1.0,),
    ) -> dict[str, Setting]:
        """Return the :meth:`choose` of every learner, in the order of ``LEARNERS``.

        Those with a shifted target take over the ridge of the Extreme Learning Machine: then nothing but the shift
        makes the difference between them.
        """
        chosen: dict[str, Setting] = {}
        for learner in LEARNERS:
            own = [chosen["elm"].ridge] if learner in ("shifted", "repaired") else ridges
            chosen[learner] = self.choose(learner, settings(learner, own, input_ridges, steps), drawn)
        return chosen

    def test_error(self, learner: str, drawn: Draws, setting: Setting) -> float:
        """Return the percentage of test examples that are wrong after a fit to the whole training part."""
        solved = learn(learner, drawn, self.seen, setting)
        return metrics.error_rate(solved.predict(self.data.x_test), self.data.y_test)


def published_draws(n_in: int, hidden: Sequence[int], n_out: int, seed: int) -> Draws:
    """Return random numbers as in the author's code of 2021: all uniform in ±0.1, logistic units, no biases."""
    kind: dict[str, Any] = {"kind": "uniform", "scale": 0.1}
    one = draws(n_in, hidden, n_out, seed, nonlinearity="logistic", biased=False, **kind)
    of_readout, of_feedback = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)[1:3])
    start = Solved.draw_readout(one.start.layers, n_out, of_readout, **kind)
    return replace(one, start=start, feedback=draw(WEIGHTS, "uniform", (hidden[0], n_out), of_feedback, scale=0.1))
