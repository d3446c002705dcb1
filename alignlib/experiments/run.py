"""From an experiment to its result: a pure function, and many of them on any executor."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
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
from alignlib.progress import progress
from alignlib.rules import RULES, Rule
from alignlib.training import Step, Teacher, train


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
    arrays = where.chosen(arrays)
    data, network, rule = prepare(experiment, arrays)
    recorder, stopwatch = Recorder(network, rule, data, experiment.probe), Stopwatch()
    steps_an_epoch = -(-len(data.x_train) // experiment.batch_size)
    stop = EarlyStop(experiment.stop_at_train_error, Answers(network.loss, data.task))
    steps = stopwatch.time(training(experiment, data, network, rule))
    if show_progress:
        what = f"{rule.label} on {experiment.dataset}, seed {experiment.seed}"
        steps = progress(steps, total=experiment.epochs * steps_an_epoch, what=what, unit="step")
    recorder.record(0.0, 0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges ends in NaN, which is its answer
        for step in steps:
            recorder.seen.add(step)
            if step.number % experiment.record_every == 0 if experiment.record_every else step.ends_epoch:
                recorder.record(step.number / steps_an_epoch, step.number, stopwatch.seconds)
            if stop.reached(step):
                break
    made_with = versions() | where.versions_of(arrays)
    return Result(experiment, recorder.curves(), data.checksum, stopwatch.seconds, network.parameters.size, made_with)


def training(experiment: Experiment, data: Dataset, network: MLP, rule: Teacher) -> Iterator[Step]:
    """Return the updates of an experiment, each made when it is asked for, in place."""
    optimizer = optimizers.make(
        experiment.optimizer,
        network.parameters,
        experiment.learning_rate,
        momentum=experiment.momentum,
        nesterov=experiment.nesterov,
    )
    rng = streams(experiment.seed)
    return train(
        network,
        rule,
        optimizer,
        data.x_train,
        data.y_train,
        epochs=experiment.epochs,
        batch_size=experiment.batch_size,
        rng=rng["order"],
        weight_decay=experiment.weight_decay,
        dropout=_dropout(experiment, network, rng),
        adversary=Adversary(network, experiment.adversarial) if experiment.adversarial else None,
    )


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
