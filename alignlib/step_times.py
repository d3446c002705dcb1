"""Where the time of a training step goes: measured on real steps, with a stopwatch on what they call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.experiments import Experiment, prepare
from alignlib.experiments.run import Training
from alignlib.layers import Dense
from alignlib.network import Trace
from alignlib.timing import interleaved

FORWARD, ERROR_PASS, SLOPES, GRADIENTS, OPTIMISER = "forward pass", "error pass", "f′", "gradients", "optimiser"

#: What a step consists of, in order. "error pass" brings the error to the hidden layers, its products with f′ left
#: out; "f′" is those: the slopes of all hidden layers, and multiplying with them. Feedback that learns does so in
#: "gradients".
PARTS = (FORWARD, ERROR_PASS, SLOPES, GRADIENTS, OPTIMISER)


@dataclass(frozen=True)
class StepTimes:
    """Wall time of one training step of an experiment.

    ``parts`` maps each of :data:`PARTS` to seconds a step, shape (rounds,).
    """

    experiment: Experiment
    parts: dict[str, Array]

    @property
    def total(self) -> Array:
        """Seconds of a whole step, shape (rounds,)."""
        total: Array = np.sum(list(self.parts.values()), axis=0)
        return total

    @property
    def shares(self) -> dict[str, float]:
        """Each part as a share of the step: medians over the rounds, as a share of their sum."""
        medians = {name: float(np.median(seconds)) for name, seconds in self.parts.items()}
        return {name: median / sum(medians.values()) for name, median in medians.items()}

    def ratio_to(self, other: StepTimes) -> Array:
        """Return this step's time divided by the other's in the same round, shape (rounds,)."""
        ratio: Array = self.total / other.total
        return ratio


def step_times(experiments: Sequence[Experiment], rounds: int = 100, steps: int = 4) -> list[StepTimes]:
    """Time training steps of several experiments in turn; every round gives each of them ``steps`` steps.

    Each experiment starts from its own initial weights and repeats one mini-batch.
    Many short rounds are better than few long ones: what interrupts the machine then spoils few of them.

    Raises
    ------
    InvalidValue
        If ``rounds`` or ``steps`` is below 1, or there is no experiment.
    """
    benches = [_Bench(experiment) for experiment in experiments]
    interleaved({str(number): bench.step for number, bench in enumerate(benches)}, rounds, calls=steps)
    return [StepTimes(bench.experiment, bench.parts(steps)) for bench in benches]


class _Bench:
    """One experiment set up for steps, with a stopwatch on what the step calls."""

    def __init__(self, experiment: Experiment):
        data, network, rule = prepare(experiment)
        self.experiment, self.network, self.rule = experiment, network, rule
        self.x, self.y = (part[: experiment.batch_size].copy() for part in (data.x_train, data.y_train))
        self.flat = np.zeros_like(network.parameters)
        self.gradients, self.buffers = network.views(self.flat), network.buffers(len(self.x))
        training = Training(experiment, data, network, rule)
        self.optimizer, self.plasticity = training.optimizer, training.plasticity
        self.spent: dict[str, float] = {}
        self.taken: list[list[float]] = []
        # setattr: the step itself stays the package's own, only these two calls of it pass a stopwatch
        setattr(network, "trace", self._clocked(FORWARD, self._with_slopes_clocked(network.trace)))  # noqa: B010
        setattr(rule, "hidden_signals", self._clocked(ERROR_PASS, rule.hidden_signals))  # noqa: B010

    def step(self) -> None:
        """Make one step and note the seconds of its parts."""
        self.spent = dict.fromkeys((FORWARD, ERROR_PASS, SLOPES), 0.0)
        decay, start = self.experiment.weight_decay, perf_counter()
        self.rule.learn(self.network, self.x, self.y, self.gradients, decay, self.buffers, self.plasticity)
        learned = perf_counter()
        self.optimizer.step(self.network.parameters, self.flat)
        stepping = perf_counter() - learned
        forward, error_pass, slopes = self.spent.values()
        self.taken.append([forward, error_pass - slopes, slopes, learned - start - forward - error_pass, stepping])

    def parts(self, steps: int) -> dict[str, Array]:
        """Return each part's seconds a step, shape (rounds,), for rounds of ``steps`` steps; the first warms up."""
        rounds = np.reshape(self.taken, (-1, steps, len(PARTS))).mean(axis=1)[1:]
        return {name: rounds[:, i].copy() for i, name in enumerate(PARTS)}

    def _clocked(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = perf_counter()
            result = call(*arguments)
            self.spent[part] += perf_counter() - start
            return result

        return timed

    def _with_slopes_clocked(self, trace: Callable[..., Trace]) -> Callable[..., Trace]:
        def traced(*arguments: Any) -> Trace:
            return _ClockedTrace(**vars(trace(*arguments)), spent=self.spent)

        return traced


@dataclass(frozen=True)
class _ClockedTrace(Trace):
    spent: dict[str, float] = field(default_factory=dict)

    def through(self, layer: Dense, signal: Array) -> Array:
        start = perf_counter()
        result = super().through(layer, signal)
        self.spent[SLOPES] += perf_counter() - start
        return result
