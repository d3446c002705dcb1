"""From an experiment to its result: a pure function, and the run under way that it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from alignlib import arrays as where
from alignlib import datasets, optimizers
from alignlib._typing import Rng
from alignlib.adversarial import Adversary
from alignlib.convnet import ConvNet
from alignlib.datasets import Dataset
from alignlib.dropout import Dropout
from alignlib.errors import InvalidValue
from alignlib.experiments.experiment import PUBLISHED, Experiment
from alignlib.experiments.measure import Answers, EarlyStop, Recorder
from alignlib.experiments.result import Result, versions
from alignlib.network import MLP
from alignlib.plasticity import Plasticity
from alignlib.progress import progress
from alignlib.rules import RULES, Rule
from alignlib.training import Step, train


def streams(seed: int) -> dict[str, Rng]:
    """Return independent generators for everything random in a run; each is the same whatever the others do."""
    # new names go to the end: the children before them stay the same
    names = ("data", "weights", "feedback", "order", "label noise", "dropout input", "dropout hidden")
    children = np.random.SeedSequence(seed).spawn(len(names))
    return {name: np.random.default_rng(child) for name, child in zip(names, children, strict=True)}


def prepare(experiment: Experiment, arrays: str = "numpy") -> tuple[Dataset, MLP, Rule]:
    """Return the data, the untrained network and the rule of an experiment, as :func:`run` starts from them.

    ``arrays`` says where network and rule are; the data stay in this machine's memory.
    """
    rng = streams(experiment.seed)
    data = datasets.load(experiment.dataset, rng=rng["data"], dtype=experiment.dtype)
    if experiment.evaluate == "validation":
        data = data.split_validation()
    if experiment.train_size is not None:
        data = data.take(experiment.train_size)
    if experiment.label_noise:
        data = datasets.shuffle_labels(data, experiment.label_noise, rng["label noise"])
    network = _network(experiment, data, rng["weights"], arrays)
    rule = RULES[experiment.rule](
        network,
        rng=rng["feedback"],
        feedback=experiment.feedback,
        feedback_scale=experiment.feedback_scale,
        shared=experiment.feedback_shared,
        density=experiment.feedback_density,
        rank=experiment.feedback_rank,
    )
    return data, network, rule


def _network(experiment: Experiment, data: Dataset, rng: Rng, arrays: str) -> MLP:
    widths = [*experiment.hidden, data.n_out]
    options: dict[str, Any] = {
        "hidden": experiment.activation,
        "output": _suited(experiment.output, data),
        "init": initial_weights(experiment),
        "init_scale": experiment.init_scale,
        "rng": rng,
        "dtype": experiment.dtype,
        "frozen": experiment.frozen,
        "arrays": arrays,
    }
    if not experiment.convolutions:
        return MLP([data.n_in, *widths], **options)
    if data.image_shape is None:
        raise InvalidValue(f"dataset {data.name!r} is not made of images: it takes no convolutions.")
    return ConvNet((1, *data.image_shape), experiment.convolutions, widths, **options)


def initial_weights(experiment: Experiment) -> str:
    """Return the kind of initial weights; "published" is resolved as Nøkland (2016) did."""
    if experiment.init != PUBLISHED:
        return experiment.init
    saturating = experiment.activation in ("tanh", "logistic")
    return "zero" if experiment.rule in ("fa", "dfa") and saturating else "fan-in"


def _suited(output: str, data: Dataset) -> str:
    if data.task == "regression" and output != "linear":
        raise InvalidValue(f"dataset {data.name!r} is a regression: it needs output 'linear', not {output!r}.")
    return output


def run(experiment: Experiment, *, show_progress: bool = True, arrays: str | None = None) -> Result:
    """Train as the experiment says and return what came out: a pure function of the experiment and the data.

    Parameters
    ----------
    show_progress
        Show a progress bar where standard error is a terminal.
    arrays
        Where to compute, "numpy" or "cupy" (a graphics card); by default what ALIGNLIB_ARRAYS says, or "numpy".
        It changes rounding and time, not what is computed, and so it is no field of the experiment.

    Raises
    ------
    AlignlibError
        If the experiment does not suit its data, or CuPy is asked for and is not there.
    """
    going = Run(experiment, arrays)
    going.finish(show_progress=show_progress)
    return going.result()


class Run:
    """A run under way: between two epochs it can be put aside, see :mod:`alignlib.experiments.checkpoint`."""

    def __init__(self, experiment: Experiment, arrays: str | None = None):
        self.arrays = where.chosen(arrays)
        self.training = Training(experiment, *prepare(experiment, self.arrays))
        self.recorder = Recorder(self.training.network, self.training.rule, self.training.data, experiment.probe)
        self.stopwatch = Stopwatch()

    def finish(self, *, show_progress: bool = True, after_epoch: Callable[[], None] = lambda: None) -> None:
        """Train until the stop is reached or the epochs are used up; ``after_epoch`` is called in between."""
        training, experiment = self.training, self.training.experiment
        stop = EarlyStop(experiment.stop_at_train_error, Answers(training.network.loss, training.data.task))
        if not self.recorder.rows:
            self.recorder.record(0.0, 0, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges ends in NaN, which is its answer
            for step in self._steps(show_progress):
                self.recorder.seen.add(step)
                if step.number % experiment.record_every == 0 if experiment.record_every else step.ends_epoch:
                    epoch = step.number / training.steps_an_epoch
                    self.recorder.record(epoch, step.number, self.stopwatch.seconds)
                if stop.reached(step):
                    return
                if step.ends_epoch:
                    after_epoch()

    def _steps(self, show_progress: bool) -> Iterator[Step]:
        training, experiment = self.training, self.training.experiment
        steps = self.stopwatch.time(training.updates())
        if not show_progress:
            return steps
        what = f"{training.rule.label} on {experiment.dataset}, seed {experiment.seed}"
        total = experiment.epochs * training.steps_an_epoch
        return progress(steps, total=total, what=what, unit="step", done=training.done)

    def result(self) -> Result:
        """Return what came out so far."""
        data, parameters = self.training.data, self.training.network.parameters.size
        made_with = versions() | where.versions_of(self.arrays)
        curves = self.recorder.curves()
        return Result(self.training.experiment, curves, data.checksum, self.stopwatch.seconds, parameters, made_with)


class Training:
    """The updates of an experiment, with everything that they change or draw from.

    Attributes
    ----------
    network, rule, optimizer, plasticity, rng
        What changes from update to update; ``rng`` are the streams that are drawn from on the way.
    done
        Number of updates made.
    """

    def __init__(self, experiment: Experiment, data: Dataset, network: MLP, rule: Rule):
        self.experiment, self.data, self.network, self.rule = experiment, data, network, rule
        self.rng = streams(experiment.seed)
        self.optimizer = optimizers.make(
            experiment.optimizer,
            network.parameters,
            experiment.learning_rate,
            momentum=experiment.momentum,
            nesterov=experiment.nesterov,
        )
        learns = rule.learns_feedback
        self.plasticity = Plasticity(self.optimizer, experiment.weight_decay) if learns else None
        self.steps_an_epoch = -(-len(data.x_train) // experiment.batch_size)
        self.done = 0

    def updates(self) -> Iterator[Step]:
        """Return the updates that are left, each made when it is asked for, in place."""
        experiment = self.experiment
        steps = train(
            self.network,
            self.rule,
            self.optimizer,
            self.data.x_train,
            self.data.y_train,
            epochs=experiment.epochs - self.done // max(self.steps_an_epoch, 1),
            batch_size=experiment.batch_size,
            rng=self.rng["order"],
            weight_decay=experiment.weight_decay,
            dropout=_dropout(experiment, self.network, self.rng),
            adversary=Adversary(self.network, experiment.adversarial) if experiment.adversarial else None,
            plasticity=self.plasticity,
            done=self.done,
        )
        for step in steps:
            self.done = step.number
            yield step


def _dropout(experiment: Experiment, network: MLP, rng: dict[str, Rng]) -> Dropout | None:
    shares = {"input": experiment.dropout_input, "hidden": experiment.dropout_hidden}
    return Dropout(network, (rng["dropout input"], rng["dropout hidden"]), **shares) if any(shares.values()) else None


class Stopwatch:
    """Adds up the time that an iterator takes to produce its items; what is done with them does not count."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, items: Iterable[Step]) -> Iterator[Step]:
        """Yield ``items``, counting the time spent in producing each."""
        iterator, nothing = iter(items), object()
        while True:
            start = time.perf_counter()
            item = next(iterator, nothing)
            self.seconds += time.perf_counter() - start
            if not isinstance(item, Step):
                return
            yield item
