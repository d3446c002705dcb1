"""What is written down at each record of a run."""

from __future__ import annotations

import numpy as np

from alignlib import metrics
from alignlib._typing import Array
from alignlib.arrays import to_host
from alignlib.datasets import Dataset
from alignlib.losses import Loss
from alignlib.network import MLP
from alignlib.rules import Backprop, Rule
from alignlib.training import Step

_CHUNK = 2000  # examples evaluated at once: bounds memory at paper scale


class Answers:
    """What the network answered while training, kept until it is judged: judging each step would cost more."""

    def __init__(self, loss: Loss, task: str):
        self._loss, self._task = loss, task
        self._answers: list[Array] = []
        self._targets: list[Array] = []

    def add(self, step: Step) -> None:
        """Keep the answers to a mini-batch."""
        self._answers.append(step.trace.pre_activations[-1].copy())
        self._targets.append(step.y.copy())

    def pending(self) -> tuple[Array, Array] | None:
        """Return the answers and targets that are not judged yet; None if there are none."""
        if not self._answers:
            return None
        answers, targets = (to_host(np.concatenate(each)) for each in (self._answers, self._targets))
        return answers, targets

    def put_back(self, answers: Array, targets: Array) -> None:
        """Keep what another called pending."""
        self._answers, self._targets = [answers], [targets]

    def take(self) -> tuple[float, float]:
        """Return (mean loss, error) of all examples since the last call; NaN if there were none."""
        pending = self.pending()
        self._answers, self._targets = [], []
        return judge(self._loss, self._task, *pending) if pending else (float("nan"), float("nan"))


class EarlyStop:
    """Says when the training error of an epoch, as seen while training, is at most ``error``; never if that is None."""

    def __init__(self, error: float | None, answers: Answers):
        self._error, self._answers = error, answers

    def reached(self, step: Step) -> bool:
        """Take note of a step; true at the end of the epoch that got there."""
        if self._error is None:
            return False
        self._answers.add(step)
        return step.ends_epoch and self._answers.take()[1] <= self._error


class Recorder:
    """Collects the curves of one run."""

    def __init__(self, network: MLP, rule: Rule, data: Dataset, probe: int):
        self.network, self.rule, self.data, self.probe = network, rule, data, probe
        self.seen = Answers(network.loss, data.task)
        self.rows: list[dict[str, float]] = []

    def record(self, epoch: float, step: int, seconds: float) -> None:
        """Measure everything now and append it to the curves."""
        row = {"epoch": epoch, "step": float(step), "seconds": seconds}
        row["train_loss"], row["train_error"] = self.seen.take()
        row["test_loss"], row["test_error"] = evaluate(self.network, self.data)
        row |= numbered("weight_norm", [float(np.linalg.norm(to_host(W))) for W in self.network.weights])
        if self.probe:
            row |= probe(self.network, self.rule, self.data.x_train[: self.probe], self.data.y_train[: self.probe])
        self.rows.append(row)

    def curves(self) -> dict[str, Array]:
        """Return one array a quantity."""
        return {name: np.array([row[name] for row in self.rows], np.float64) for name in self.rows[0]}


def judge(loss: Loss, task: str, answers: Array, targets: Array) -> tuple[float, float]:
    """Return (mean loss, error) of pre-activations at the output: the error in percent, or normalised and squared."""
    error = metrics.error_rate if task == "classification" else metrics.normalised_squared_error
    return float(np.mean(loss.values(answers, targets))), error(answers, targets)


def evaluate(network: MLP, data: Dataset) -> tuple[float, float]:
    """Return (mean loss, error) on the part of the data that was not trained on."""
    starts = range(0, len(data.x_test), _CHUNK)
    answers = [to_host(network.trace(data.x_test[start : start + _CHUNK]).pre_activations[-1]) for start in starts]
    return judge(network.loss, data.task, np.concatenate(answers), data.y_test)


def probe(network: MLP, rule: Rule, x: Array, y: Array) -> dict[str, float]:
    """Return the angles of the rule to backprop, and its signals' norms, at the present weights."""
    trace = network.trace(x, target=y)
    e = network.error(trace, y)
    row: dict[str, float] = {}
    inputs, signals = rule.lesson(network, trace, e)
    theirs = Backprop(network).hidden_signals(network, trace, e)
    for layer, h, delta, true in zip(network.hidden, inputs, signals, theirs, strict=False):
        if delta is None:
            continue
        number = layer.index + 1
        taught, told = layer.outer(delta, h), layer.outer(true, trace.inputs[layer.index])
        delta = to_host(delta)
        row[f"delta_angle/{number}"] = metrics.mean_angle(delta, to_host(true))
        row[f"gradient_angle/{number}"] = metrics.angle(to_host(taught), to_host(told))
        row[f"delta_norm/{number}"] = float(np.sqrt(np.mean(np.sum(np.square(delta, dtype=np.float64), axis=1))))
    row |= numbered(
        "weight_angle",
        [metrics.angle(to_host(B), to_host(W)) for B, W in rule.pairs(network)],
    )
    return row


def numbered(name: str, values: list[float]) -> dict[str, float]:
    """Return {"name/1": first, "name/2": second, …}."""
    return {f"{name}/{i}": value for i, value in enumerate(values, start=1)}
