"""Forward-forward: every layer has a goal of its own, so that nothing has to be sent to it   (Hinton 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from alignlib import optimizers
from alignlib._typing import Array, Rng
from alignlib.activations import ACTIVATIONS, logistic
from alignlib.costs import Cost, tallied
from alignlib.initializers import WEIGHTS, draw
from alignlib.layers import Dense
from alignlib.locking import Locking, clocked, timetable

_TINY = 1e-8


class ForwardForward:
    """Layers of rectified units that learn to tell an input with its label from one with a wrong label.

    The goodness of a layer is the mean square of its activity, g = ‖h‖² / n. Each layer lowers its own loss,
    log(1 + exp(θ − g)) where the label is right and log(1 + exp(g − θ)) where it is wrong; h is scaled to mean
    square 1 before it goes on, so that the next layer cannot read g off it. Hence, with the activity that came in
    taken for given,

        δ_l = ∓ (2 / n_l) σ(±(θ − g_l)) h_l,

    upper signs for right labels. What the layers above do with h_l does not count: no error comes back.

    Parameters
    ----------
    n_in, n_classes
        The label is one-hot and stands beside the input.
    hidden
        Widths of the layers; there is no output layer.
    rng
        Source of the initial weights.
    threshold
        θ, the same for all layers.
    dtype
        "float32" or "float64".
    """

    def __init__(
        self,
        n_in: int,
        n_classes: int,
        hidden: Sequence[int],
        *,
        rng: Rng,
        threshold: float = 1.0,
        dtype: str = "float64",
    ):
        self.n_classes, self.threshold = n_classes, threshold
        shapes = [(n, m) for m, n in zip([n_in + n_classes, *hidden], hidden, strict=False)]
        self.parameters: Array = np.zeros(sum(n * (m + 1) for n, m in shapes), dtype)
        self.layers = [Dense(i, W, b, ACTIVATIONS["relu"]) for i, (W, b) in enumerate(_views(self.parameters, shapes))]
        for layer, shape in zip(self.layers, shapes, strict=True):
            layer.weight[...] = draw(WEIGHTS, "he", shape, rng, dtype=dtype)

    def lesson(self, x: Array, labels: Array, wrong: Array) -> tuple[list[Array], list[Array]]:
        """Return the inputs and the δ of all layers for x (batch, n_in) with right and with wrong labels (batch, n).

        The rows are those of the right labels, then those of the wrong ones: each has shape (2 batch, …).
        """
        return self._lesson(np.block([[x, labels], [x, wrong]]))

    def _lesson(self, h: Array) -> tuple[list[Array], list[Array]]:
        sign = np.repeat(np.array([-1.0, 1.0], h.dtype), len(h) // 2)[:, np.newaxis]
        inputs, signals = [], []
        for layer in self.layers:
            inputs.append(h)
            activity = layer.activation.function(layer.pre_activation(h))
            good = _goodness(activity)
            # σ(±(θ − g)) is what is missing to certainty
            signals.append(2.0 / layer.width * sign * logistic(sign * (good - self.threshold)) * activity)
            h = activity / np.sqrt(good + _TINY)
        return inputs, signals

    def loss(self, x: Array, labels: Array, wrong: Array) -> Array:
        """Return the loss of every layer, mean over right and wrong labels: what :meth:`lesson` lowers."""
        inputs, _ = self.lesson(x, labels, wrong)
        sign = np.repeat([-1.0, 1.0], len(x))[:, np.newaxis]
        good = [_goodness(f.activation.function(f.pre_activation(h))) for f, h in zip(self.layers, inputs, strict=True)]
        return np.array([np.mean(np.logaddexp(0.0, sign * (g - self.threshold))) for g in good])

    def train(
        self, x: Array, y: Array, *, epochs: int, batch_size: int, learning_rate: float, rng: Rng
    ) -> Iterator[int]:
        """Train in place with RMSprop on x (n, n_in), one-hot y (n, n_classes); yield the number of epochs done.

        Wrong labels are drawn anew for every mini-batch, each other class as likely as the next.
        """
        flat = np.zeros_like(self.parameters)
        gradients = _views(flat, [layer.weight.shape for layer in self.layers])
        optimizer = optimizers.make("rmsprop", self.parameters, learning_rate)
        for epoch in range(1, epochs + 1):
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = order[start : start + batch_size]
                inputs, signals = self.lesson(x[batch], y[batch], wrong_labels(y[batch], rng))
                for layer, h, delta, (dW, db) in zip(self.layers, inputs, signals, gradients, strict=True):
                    layer.gradient(delta, h, dW, db)
                optimizer.step(self.parameters, flat)
            yield epoch

    def predict(self, x: Array) -> Array:
        """Return the goodness of each label for x (n, n_in), summed over the layers, shape (n, n_classes)."""
        scores = np.zeros((len(x), self.n_classes))
        for label, one_hot in enumerate(np.eye(self.n_classes, dtype=x.dtype)):
            h = np.concatenate([x, np.broadcast_to(one_hot, (len(x), self.n_classes))], axis=1)
            for layer in self.layers:
                activity = layer.activation.function(layer.pre_activation(h))
                good = _goodness(activity)
                scores[:, label] += good[:, 0]
                h = activity / np.sqrt(good + _TINY)
        return scores

    def locking(self) -> Locking:
        """Return when each layer may learn; the activities of the right and of the wrong label are both counted."""
        inputs, signals = self._lesson(clocked(self._one_example()))
        return timetable(inputs, [i + 1 for i in range(len(self.layers))], inputs, signals)

    def cost(self) -> Cost:
        """Return the multiply-adds of one step with one example: two forward passes, and their gradients."""
        forward = [0]
        inputs, _ = self._lesson(self._one_example())
        for layer, h in zip(self.layers, inputs, strict=True):
            layer.pre_activation(tallied(h, forward))
        return Cost(forward[0], 0, forward[0], 0, 0)

    def _one_example(self) -> Array:
        """An input with the right label, and again with a wrong one."""
        return np.zeros((2, self.layers[0].weight.shape[1]), self.parameters.dtype)


def wrong_labels(y: Array, rng: Rng) -> Array:
    """Return for each row of the one-hot y (n, classes) another class, one-hot, all others equally likely."""
    n, classes = y.shape
    turned = (np.argmax(y, axis=1) + rng.integers(1, classes, n)) % classes
    other: Array = np.eye(classes, dtype=y.dtype)[turned]
    return other


def _goodness(h: Array) -> Array:
    good: Array = np.sum(h * h, axis=1, keepdims=True) / h.shape[1]
    return good


def _views(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[tuple[Array, Array]]:
    views, start = [], 0
    for n, m in shapes:
        middle, end = start + n * m, start + n * (m + 1)
        views.append((flat[start:middle].reshape(n, m), flat[middle:end]))
        start = end
    return views
