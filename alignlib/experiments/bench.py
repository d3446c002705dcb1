"""An experiment taken apart: for rules of one's own, and for looking in between two updates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alignlib.experiments.experiment import Experiment
from alignlib.experiments.measure import evaluate, numbered, probe
from alignlib.experiments.run import Training, prepare, streams
from alignlib.rules import Rule
from alignlib.training import Step


class Bench:
    """The data, network and rule of an experiment, trained one update at a time.

    Left alone, the network goes through the same updates as in :func:`alignlib.run`; between two of them its weights,
    biases and feedback may be read and written.

    Parameters
    ----------
    experiment
        What to train; ``record_every`` and ``stop_at_train_error`` are not looked at.
    rule
        A class to learn by in place of the experiment's own rule. It gets the same settings and the same random
        numbers, so that matrices of equal shapes have equal entries; initial weights stay those of the experiment.

    Attributes
    ----------
    data, network, rule
        As :func:`alignlib.experiments.prepare` makes them.
    """

    def __init__(self, experiment: Experiment, rule: type[Rule] | None = None):
        self.experiment = experiment
        self.data, self.network, self.rule = prepare(experiment)
        if rule is not None:
            self.rule = rule(
                self.network,
                rng=streams(experiment.seed)["feedback"],
                feedback=experiment.feedback,
                feedback_scale=experiment.feedback_scale,
                shared=experiment.feedback_shared,
                density=experiment.feedback_density,
                rank=experiment.feedback_rank,
            )

    def updates(self) -> Iterator[Step]:
        """Train, yielding after every update; to go on asking is to go on training."""
        return Training(self.experiment, self.data, self.network, self.rule).updates()

    def test_error(self) -> float:
        """Return the error on the part of the data that is not trained on, as :func:`alignlib.run` records it."""
        return evaluate(self.network, self.data)[1]

    def probe(self) -> dict[str, float]:
        """Return the angles, signal norms and weight norms at the present weights, named as the curves of a result."""
        n = self.experiment.probe
        norms = [float(np.linalg.norm(W)) for W in self.network.weights]
        angles = probe(self.network, self.rule, self.data.x_train[:n], self.data.y_train[:n])
        return numbered("weight_norm", norms) | angles
