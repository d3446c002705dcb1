"""The plan of the study of indirect feedback alignment: written down before the first run, computed from nowhere else.

Question: where does IFA learn as well as DFA, FA and backpropagation do, where does it fail, and why?

Design. One base condition, one factor changed at a time, and depth crossed with initial weights. Five rules in each
condition: BP, FA, DFA, IFA, and *shallow*, where only the output layer learns.

Tuning. In each condition each rule tries the same learning rates, with seeds of their own, on validation data cut out
of the training data, and takes the one of smallest mean error (the smaller one if two are equal). The test data choose
nothing. Tuning and reporting train on equally many examples for equally many updates.

Reporting. Ten seeds; a seed fixes the split of the data, initial weights, order of the examples and feedback, so two
rules are compared in pairs. What counts is the difference of test errors, with its 99 % interval (Student's t):

- *worse* or *better*: the interval excludes zero and the mean is at least half a point;
- *equal*: the whole interval lies within one point of zero;
- *undecided*: neither.

The level is 99 % and not 95 % because there are nearly eighty such comparisons.

Expected, and to be tested: (1) with two hidden layers IFA equals DFA, with sixteen it is worse than DFA and BP from
every start; (2) orthogonal weights carry IFA deeper than fan-in; (3) with ReLU IFA is worse than DFA; (4) the scale of
B moves IFA less under RMSprop than under gradient descent with momentum; (5) over the conditions, the larger the angle
of IFA's signal to backpropagation's in the last hidden layer, the larger IFA's excess error over DFA. The angles are
those after ten passes, while there is still something to learn: when all examples are learned, the errors that are
left point anywhere. A run that is stopped there goes through the same updates as the long one until then.

The first form of this plan had three seeds and five learning rates for the tuning, and two more conditions (128 units a
layer; a softmax at the output). It was cut to what is here when the time of the first two conditions was known, before
any result was looked at: the machine would not have finished in time.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from alignlib._typing import Array
from alignlib.errors import InvalidValue, choose
from alignlib.experiments import Experiment, Result, grid, run_many
from alignlib.experiments.bench import Bench
from alignlib.experiments.records import FEW_LOSSES, record, write_many
from alignlib.paired import Difference, difference
from alignlib.tuning import Choice, choose_for_each_rule

RULES = ("bp", "fa", "dfa", "ifa", "shallow")
#: Rules without random matrices: how these are scaled changes nothing for them.
WITHOUT_FEEDBACK = ("bp", "shallow")

SEEDS = tuple(range(10))
#: Rules whose angles to backpropagation are of interest, and the number of passes after which they are taken.
ANGLED, SNAPSHOT = ("fa", "dfa", "ifa"), 10
TUNING_SEEDS = (100, 101)
RATES: Mapping[str, tuple[float, ...]] = {
    "rmsprop": (3e-4, 1e-3, 3e-3, 1e-2),
    "adam": (3e-4, 1e-3, 3e-3, 1e-2),
    "sgd": (1e-2, 3e-2, 1e-1, 3e-1),
}

CONFIDENCE = 0.99
LEAST = 0.5  #: percentage points: a smaller mean difference is not called worse or better
CLOSE = 1.0  #: percentage points: an interval within this is called equal

#: Feedback in the manner of the weights, so that signals which travel through it keep their size as well or as badly.
FEEDBACK = {"fan-in": "fan-out", "glorot": "gaussian", "orthogonal": "orthogonal", "he": "gaussian"}

DEPTHS = (2, 4, 8, 16)
INITS = ("fan-in", "glorot", "orthogonal")
WIDTH, DEPTH = 64, 4

#: 1152 examples are 18 mini-batches, and what a validation set leaves of the bundled digits is enough for them.
BASE = Experiment(
    dataset="digits",
    hidden=(WIDTH,) * DEPTH,
    activation="tanh",
    output="logistic",
    init="fan-in",
    feedback=FEEDBACK["fan-in"],
    optimizer="rmsprop",
    epochs=40,
    batch_size=64,
    train_size=1152,
    probe=128,
    record_every=180,
    rule="ifa",
)


@dataclass(frozen=True)
class Condition:
    """One row of the study: what differs from the base, and the experiment of IFA in it.

    ``factor`` and ``level`` are for people; ``name`` is an identifier.
    """

    name: str
    factor: str
    level: str
    experiment: Experiment

    def of(self, rule: str) -> Experiment:
        """Return the experiment of ``rule``; what a rule does not use is as in the base, so equal runs are run once."""
        own = replace(self.experiment, rule=choose("rule", rule, RULES))
        if rule in WITHOUT_FEEDBACK:
            return replace(own, feedback=BASE.feedback, feedback_scale=BASE.feedback_scale)
        return own

    def tuning(self, rule: str) -> list[Experiment]:
        """Return the runs from which ``rule`` takes its learning rate: judged on validation data, without angles."""
        asked = replace(self.of(rule), evaluate="validation", probe=0, record_every=self._updates)
        return grid(asked, learning_rate=RATES[asked.optimizer], seed=TUNING_SEEDS)

    def reported(self, rule: str, learning_rate: float) -> list[Experiment]:
        """Return the runs of ``rule`` that are reported: one a seed, judged on the test data."""
        return grid(self.of(rule), learning_rate=[learning_rate], seed=SEEDS)

    def snapshots(self, rule: str, learning_rate: float) -> list[Experiment]:
        """Return the same runs, stopped after ``SNAPSHOT`` passes: their last angles are those of that moment."""
        return [replace(e, epochs=SNAPSHOT) for e in self.reported(rule, learning_rate)]

    @property
    def _updates(self) -> int:
        e = self.experiment
        return e.epochs * -(-(e.train_size or 0) // e.batch_size)


def conditions() -> tuple[Condition, ...]:
    """Return all conditions, the base first."""
    return tuple(_conditions())


def _conditions() -> Iterator[Condition]:
    yield Condition("base", "base", f"{DEPTH}×{WIDTH}, tanh, fan-in, RMSprop, digits", BASE)
    for depth in DEPTHS:
        for init in INITS:
            changed = replace(BASE, hidden=(WIDTH,) * depth, init=init, feedback=FEEDBACK[init])
            if changed != BASE:
                yield Condition(f"depth-{depth}-{init}", "depth and start", f"{depth} layers, {init}", changed)
    for width in (32, 256):
        yield Condition(f"width-{width}", "width", f"{width} units", replace(BASE, hidden=(width,) * DEPTH))
    for units in ("logistic", "relu", "linear"):
        yield Condition(f"units-{units}", "units", units, replace(BASE, activation=units))
    he = replace(BASE, activation="relu", init="he", feedback=FEEDBACK["he"])
    yield Condition("units-relu-he", "units", "relu, from He's weights", he)
    for scale in (0.1, 10.0):
        yield Condition(f"scale-{scale:g}", "scale of B", f"{scale:g}", replace(BASE, feedback_scale=scale))
    sgd = replace(BASE, optimizer="sgd", momentum=0.9)
    yield Condition("sgd", "optimiser", "gradient descent with momentum", sgd)
    for scale in (0.1, 10.0):
        changed = replace(sgd, feedback_scale=scale)
        yield Condition(f"sgd-scale-{scale:g}", "scale of B", f"{scale:g}, gradient descent", changed)
    yield Condition("adam", "optimiser", "Adam", replace(BASE, optimizer="adam"))
    for name in ("mnist", "fashion-mnist"):
        # 32 mini-batches a pass; few records, since the test set is five times the training set
        reduced = replace(BASE, dataset=name, train_size=2048, record_every=320)
        yield Condition(name, "data", f"{name}, 2,048 training examples", reduced)


def condition(name: str) -> Condition:
    """Return the condition called ``name``; InvalidValue gives the nearest name."""
    by_name = {each.name: each for each in conditions()}
    return by_name[choose("condition", name, by_name)]


def tuning_runs() -> dict[str, Experiment]:
    """Return all runs that choose learning rates, by an identifier "condition,rule,rate,seed", each once."""
    runs = {
        f"{each.name},{rule},{e.learning_rate:g},{e.seed}": e
        for each in conditions()
        for rule in RULES
        for e in each.tuning(rule)
    }
    return _each_once(runs)


def reported_runs(tuned: Sequence[Result]) -> dict[str, Experiment]:
    """Return all runs that are reported, by an identifier "condition,rule,seed", given the results of the tuning."""
    return _at_chosen_rates(tuned, Condition.reported)


def snapshot_runs(tuned: Sequence[Result]) -> dict[str, Experiment]:
    """Return all runs that are stopped early for their angles, named as :func:`reported_runs` names them."""
    return _at_chosen_rates(tuned, lambda each, rule, rate: each.snapshots(rule, rate) if rule in ANGLED else [])


def _at_chosen_rates(
    tuned: Sequence[Result], runs: Callable[[Condition, str, float], Sequence[Experiment]]
) -> dict[str, Experiment]:
    made = {
        f"{each.name},{rule},{e.seed}": e
        for each in conditions()
        for rule, choice in choices(each, tuned).items()
        for e in runs(each, rule, choice.value)
    }
    return _each_once(made)


def _each_once(runs: Mapping[str, Experiment]) -> dict[str, Experiment]:
    first: dict[Experiment, str] = {}
    for name, experiment in runs.items():
        first.setdefault(experiment, name)
    return {name: experiment for experiment, name in first.items()}


def choices(condition: Condition, tuned: Sequence[Result]) -> dict[str, Choice]:
    """Return what each rule chose in a condition; its ``value`` is the learning rate that was used.

    Raises
    ------
    InvalidValue
        If a run of the tuning is missing.
    """
    by_experiment = {result.experiment: result for result in tuned}
    found: dict[str, Choice] = {}
    for rule in RULES:
        asked = _found(by_experiment, condition.tuning(rule), f"{condition.name}, {rule}: tuning")
        found |= choose_for_each_rule(asked, margin=0.0)
    return found


def _found(results: Mapping[Experiment, Result], asked: Sequence[Experiment], what: str) -> list[Result]:
    missing = sum(e not in results for e in asked)
    if missing:
        raise InvalidValue(
            f"{what}: {missing} of {len(asked)} runs are missing. Run them: `python -m alignlib.ifa_study records`."
        )
    return [results[e] for e in asked]


class Study:
    """The finished runs, found by condition and rule; InvalidValue where some are missing."""

    def __init__(self, results: Sequence[Result]):
        self._results = {result.experiment: result for result in results}
        self._rates: dict[str, dict[str, Choice]] = {}

    def finished(self) -> tuple[Condition, ...]:
        """Return the conditions of the plan of which all runs are there, in its order."""
        return tuple(each for each in conditions() if self._is_finished(each))

    def _is_finished(self, condition: Condition) -> bool:
        try:
            for rule in RULES:
                self.reported(condition, rule)
            for rule in ANGLED:
                self.snapshots(condition, rule)
        except InvalidValue:
            return False
        return True

    def choices(self, condition: Condition) -> dict[str, Choice]:
        """Return what each rule chose in a condition on validation data."""
        if condition.name not in self._rates:
            self._rates[condition.name] = choices(condition, self._tuned(condition))
        return self._rates[condition.name]

    def _tuned(self, condition: Condition) -> list[Result]:
        asked = [e for rule in RULES for e in condition.tuning(rule)]
        return [self._results[e] for e in asked if e in self._results]

    def reported(self, condition: Condition, rule: str) -> list[Result]:
        """Return the runs of a rule on the test data, one a seed of ``SEEDS``, in their order."""
        asked = condition.reported(rule, self.choices(condition)[rule].value)
        return _found(self._results, asked, f"{condition.name}, {rule}: reported")

    def snapshots(self, condition: Condition, rule: str) -> list[Result]:
        """Return the same runs, stopped after ``SNAPSHOT`` passes."""
        asked = condition.snapshots(rule, self.choices(condition)[rule].value)
        return _found(self._results, asked, f"{condition.name}, {rule}: snapshot")

    def errors(self, condition: Condition, rule: str) -> Array:
        """Return the test errors in percent, shape (seeds,)."""
        return np.array([result.final("test_error") for result in self.reported(condition, rule)])

    def difference(self, condition: Condition, rule: str) -> Difference:
        """Return IFA's test error minus that of ``rule``, same seeds, with its interval at ``CONFIDENCE``."""
        return difference(self.errors(condition, "ifa"), self.errors(condition, rule), CONFIDENCE)

    def by_layer(self, condition: Condition, rule: str, curve: str) -> Array:
        """Return "delta_angle", "gradient_angle" or "delta_norm" after ``SNAPSHOT`` passes, shape (seeds, layers)."""
        layers = range(1, len(condition.experiment.hidden) + 1)
        runs = self.snapshots(condition, rule)
        return np.array([[run.final(f"{curve}/{layer}") for layer in layers] for run in runs])


def rank_correlation(u: npt.ArrayLike, v: npt.ArrayLike) -> float:
    """Return Spearman's correlation of two rows of equal length, from −1 to 1; equal values share their mean rank."""
    ranks = [_ranks(np.asarray(each, np.float64)) for each in (u, v)]
    return float(np.corrcoef(np.array(ranks))[0, 1])


def _ranks(values: Array) -> Array:
    below = np.sum(values[:, np.newaxis] > values, axis=1)
    equal = np.sum(values[:, np.newaxis] == values, axis=1)
    ranks: Array = below + (equal - 1) / 2
    return ranks


def verdict(difference: Difference) -> str:
    """Return "worse", "better", "equal" or "undecided" for a difference of errors in points, IFA minus another rule."""
    if difference.excludes_zero and abs(difference.mean) >= LEAST:
        return "worse" if difference.mean > 0 else "better"
    return "equal" if max(-difference.low, difference.high) <= CLOSE else "undecided"


#: What each file of records holds: which runs, and which curves are kept besides those of loss and error.
LABELS = {
    "tuning": "Study of IFA, reduced scale: choice of the learning rates, on validation data",
    "reported": "Study of IFA, reduced scale: the runs on test data at the chosen learning rates",
    "snapshots": f"Study of IFA, reduced scale: the same runs stopped after {SNAPSHOT} passes, with their angles",
}
_KEPT = {"tuning": (), "reported": (), "snapshots": ("delta_angle", "gradient_angle", "delta_norm")}
_ALWAYS = ("epoch", "step", "train_loss", "train_error", "test_loss", "test_error")


def make(folder: str | os.PathLike[str], *, date: str, workers: int | None = None) -> list[Path]:
    """Run the whole plan and write its records below ``folder``; return their paths. Hours on a small machine.

    Runs that ALIGNLIB_STORE holds are not repeated. ``date`` is that of the records, "2026-11-24".
    """
    tuning = tuning_runs()
    tuned = run_many(list(tuning.values()), workers=workers)
    written = [write(folder, "tuning", dict(zip(tuning, tuned, strict=True)), date)]
    for name, runs in (("reported", reported_runs(tuned)), ("snapshots", snapshot_runs(tuned))):
        results = run_many(list(runs.values()), workers=workers)
        written.append(write(folder, name, dict(zip(runs, results, strict=True)), date))
    return written


def write(
    folder: str | os.PathLike[str],
    file: str,
    results: Mapping[str, Result],
    date: str,
    code: Mapping[str, str] | None = None,
) -> Path:
    """Write the results of one part of the study, by identifier, to ``<folder>/ifa-study/<file>.jsonl``.

    ``code`` is given if another lower floor than the present one made them.
    """
    label = LABELS[choose("file", file, LABELS)]
    made = [
        record(f"ifa-study/{file}/{name}", label, _kept(result, file), first_losses(result.experiment), date)
        for name, result in results.items()
    ]
    return write_many(folder, f"ifa-study/{file}", label, [replace(each, code=code or each.code) for each in made])


def _kept(result: Result, file: str) -> Result:
    names = (*_ALWAYS, *_KEPT[file])
    return replace(result, curves={name: y for name, y in result.curves.items() if name.split("/")[0] in names})


def first_losses(experiment: Experiment, updates: int = FEW_LOSSES) -> list[float]:
    """Return the mean loss on the mini-batch of each of the first updates, just before it, in nats."""
    bench = Bench(experiment)
    loss = bench.network.loss
    steps = itertools.islice(bench.updates(), updates)
    return [float(np.mean(loss.values(step.trace.pre_activations[-1], step.y))) for step in steps]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("python -m alignlib.ifa_study FOLDER: run the study and write its records below FOLDER.")
    for path in make(sys.argv[1], date=time.strftime("%Y-%m-%d")):
        print(path)
