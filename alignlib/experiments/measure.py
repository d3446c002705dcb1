"""What is written down at each record of a run."""

from __future__ import annotations

import numpy as np

from alignlib import metrics
from alignlib._typing import Array
from alignlib.datasets import Dataset
from alignlib.network import MLP
from alignlib.rules import Backprop, Rule
from alignlib.training import Step

_CHUNK = 2000  # examples evaluated at once: bounds memory at paper scale


class Mean:
    """A running mean that is emptied when it is read; NaN when nothing was added."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, value: float, weight: int) -> None:
        """Count ``value`` ``weight`` times."""
        self._sum += weight * value
        self._weight += weight

    def take(self) -> float:
        """Return the mean of what was added since the last call."""
        mean = self._sum / self._weight if self._weight else float("nan")
        self._sum = self._weight = 0.0
        return mean


class Recorder:
    """Collects the curves of one run."""

    def __init__(self, network: MLP, rule: Rule, data: Dataset, probe: int):
        self.network, self.rule, self.data, self.probe = network, rule, data, probe
        self.loss, self.error, self.epoch_error = Mean(), Mean(), Mean()
        self._rows: list[dict[str, float]] = []

    def see(self, step: Step) -> None:
        """Take note of a mini-batch's loss and error."""
        answer = step.trace.pre_activations[-1]
        self.loss.add(float(np.mean(self.network.loss.values(answer, step.y))), len(step.y))
        wrong = error(self.data.task, answer, step.y)
        self.error.add(wrong, len(step.y))
        self.epoch_error.add(wrong, len(step.y))

    def record(self, epoch: float, step: int, seconds: float) -> None:
        """Measure everything now and append it to the curves."""
        row = {"epoch": epoch, "step": float(step), "seconds": seconds}
        row["train_loss"], row["train_error"] = self.loss.take(), self.error.take()
        row["test_loss"], row["test_error"] = evaluate(self.network, self.data)
        row |= numbered("weight_norm", [float(np.linalg.norm(W)) for W in self.network.weights])
        if self.probe:
            row |= probe(self.network, self.rule, self.data.x_train[: self.probe], self.data.y_train[: self.probe])
        self._rows.append(row)

    def curves(self) -> dict[str, Array]:
        """Return one array a quantity."""
        return {name: np.array([row[name] for row in self._rows], np.float64) for name in self._rows[0]}


def error(task: str, answer: Array, y: Array) -> float:
    """Return percent misclassified, or for regression the normalised squared error (NaN for a single example)."""
    if task == "classification":
        return metrics.error_rate(answer, y)
    return metrics.normalised_squared_error(answer, y) if len(y) > 1 else float("nan")


def evaluate(network: MLP, data: Dataset) -> tuple[float, float]:
    """Return (mean loss, error) on the part of the data that was not trained on."""
    answers = [
        network.trace(data.x_test[i : i + _CHUNK]).pre_activations[-1] for i in range(0, len(data.x_test), _CHUNK)
    ]
    answer = np.concatenate(answers)
    return float(np.mean(network.loss.values(answer, data.y_test))), error(data.task, answer, data.y_test)


def probe(network: MLP, rule: Rule, x: Array, y: Array) -> dict[str, float]:
    """Return the angles of the rule to backprop, and its signals' norms, at the present weights."""
    trace = network.trace(x)
    e = network.error(trace, y)
    row: dict[str, float] = {}
    ours, theirs = rule.hidden_signals(network, trace, e), Backprop(network).hidden_signals(network, trace, e)
    for layer, delta, true in zip(network.hidden, ours, theirs, strict=True):
        if delta is None:
            continue
        h, number = trace.inputs[layer.index], layer.index + 1
        row[f"delta_angle/{number}"] = metrics.mean_angle(delta, true)
        row[f"gradient_angle/{number}"] = metrics.angle(delta.T @ h, true.T @ h)
        row[f"delta_norm/{number}"] = float(np.sqrt(np.mean(np.sum(np.square(delta, dtype=np.float64), axis=1))))
    row |= numbered(
        "weight_angle",
        [metrics.angle(B, W) for B, W in zip(rule.feedback, rule.counterparts(network), strict=True)],
    )
    return row


def numbered(name: str, values: list[float]) -> dict[str, float]:
    """Return {"name/1": first, "name/2": second, …}."""
    return {f"{name}/{i}": value for i, value in enumerate(values, start=1)}
