"""A two-layer student that learns from a two-layer teacher, by backprop or by feedback alignment, many at once.

Inputs x are standard normal, the teacher says y = Σ_m v*_m g(w*_m · x), the student ŷ = Σ_k v_k g(w_k · x), both layers
learn from e = ŷ − y:

    ẇ_k = −F_k ⟨e g′(w_k · x) x⟩,    v̇_k = −⟨e g(w_k · x)⟩,

with F_k = v_k for backprop and F_k fixed for (direct) feedback alignment; with one hidden layer that is the same rule.
g is erf(a/√2) or ReLU. The means over x are known in closed form: by Stein's lemma ⟨g′(u) g(v) x⟩ is a sum of w_u and
w_v with coefficients that are derivatives of ⟨g(u) g(v)⟩. So learning from unlimited data can be followed without
drawing any (:func:`follow`), and the same with drawn examples, each seen once (:func:`follow_examples`).

Sources: the setting is that of Saad & Solla (1995) and, for feedback alignment, of Refinetti et al. (2021); the mean of
products of erf is Williams's (1998), that of ReLU Cho & Saul's (2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from alignlib import metrics
from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue, choose

_erf_of_numbers = np.frompyfunc(math.erf, 1, 1)


def erf(a: Array) -> Array:
    """Return the error function, elementwise, as exactly as :func:`math.erf`."""
    values: Array = np.asarray(_erf_of_numbers(a), np.float64)
    return values


@dataclass(frozen=True)
class Unit:
    """A hidden unit and what it does to Gaussian inputs.

    ``function`` and ``derivative`` are g and g′. The other two take the variances ``a`` of u and ``b`` of v and their
    covariance ``c``: ``mean_product`` gives ⟨g(u) g(v)⟩, and ``mean_gradient`` the pair (p, q) in
    ⟨g′(u) g(v) x⟩ = p w_u + q w_v.
    """

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    mean_product: Callable[[Array, Array, Array], Array]
    mean_gradient: Callable[[Array, Array, Array], tuple[Array, Array]]


def _erf_product(a: Array, b: Array, c: Array) -> Array:
    mean: Array = 2 / np.pi * np.arcsin(c / np.sqrt((1 + a) * (1 + b)))
    return mean


def _erf_gradient(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    q = 2 / np.pi / np.sqrt((1 + a) * (1 + b) - c * c)
    return -q * c / (1 + a), q


def _relu_angle(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """The product of the lengths of w_u and w_v, and the angle between them in radians.

    Near 0 and π a covariance leaves it uncertain by 1e-8. What is made of it is not: the two means below change there
    with the square of that.
    """
    lengths = np.sqrt(a * b)
    return lengths, np.arccos(np.clip(c / lengths, -1.0, 1.0))


def _relu_product(a: Array, b: Array, c: Array) -> Array:
    lengths, theta = _relu_angle(a, b, c)
    mean: Array = lengths * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi)
    return mean


def _relu_gradient(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    _, theta = _relu_angle(a, b, c)
    return np.sqrt(b / a) * np.sin(theta) / (2 * np.pi), (np.pi - theta) / (2 * np.pi)


UNITS = {
    "erf": Unit(
        lambda a: erf(a / math.sqrt(2)),
        lambda a: math.sqrt(2 / np.pi) * np.exp(-a * a / 2),
        _erf_product,
        _erf_gradient,
    ),
    "relu": Unit(lambda a: np.maximum(a, 0.0), lambda a: (a > 0).astype(np.float64), _relu_product, _relu_gradient),
}


@dataclass(frozen=True)
class Pairs:
    """Many pairs of a student and its teacher.

    ``w`` (pairs, K, n_in) and ``v`` (pairs, K) are the students, ``teacher_w`` (pairs, M, n_in) and ``teacher_v``
    (pairs, M) the teachers, ``feedback`` (pairs, K) is F, or None for backprop, ``unit`` is "erf" or "relu".
    """

    w: Array
    v: Array
    teacher_w: Array
    teacher_v: Array
    feedback: Array | None
    unit: str

    def __post_init__(self) -> None:
        choose("unit", self.unit, UNITS)
        pairs, units, n_in = self.w.shape
        teachers = self.teacher_v.shape
        shapes = [self.v.shape, self.teacher_w.shape, teachers[:1]]
        fits = shapes == [(pairs, units), (*teachers, n_in), (pairs,)]
        if not fits or (self.feedback is not None and self.feedback.shape != self.v.shape):
            fed = None if self.feedback is None else self.feedback.shape
            raise InvalidValue(
                f"students, teachers and feedback do not fit each other: w {self.w.shape}, v {self.v.shape}, "
                f"teacher_w {self.teacher_w.shape}, teacher_v {teachers}, feedback {fed}."
            )

    def error(self) -> Array:
        """Return ⟨e²⟩ / ⟨y²⟩, shape (pairs,): 1 is what always answering zero gives."""
        products, signs, split = self._products(), self._signs(), self.v.shape[1]
        taught = products[:, split:, split:]
        squared = np.einsum("si,sij,sj->s", signs, products, signs)
        share: Array = squared / np.einsum("si,sij,sj->s", self.teacher_v, taught, self.teacher_v)
        return share

    def mean_step(self, rate: float) -> Pairs:
        """Return the pairs after a step of this size along the means over all x."""
        w, v = self._mean_gradients()
        return replace(self, w=self.w - rate * w, v=self.v - rate * v)

    def example_step(self, rate: float, x: Array) -> Pairs:
        """Return the pairs after a step along the mean over the examples x (batch, n_in)."""
        w, v = self._gradients(x)
        return replace(self, w=self.w - rate * w, v=self.v - rate * v)

    def _all_weights(self) -> Array:
        """Student and teacher units in one array (pairs, K + M, n_in)."""
        return np.concatenate([self.w, self.teacher_w], axis=1)

    def _signs(self) -> Array:
        """Their weights in e, shape (pairs, K + M)."""
        return np.concatenate([self.v, -self.teacher_v], axis=1)

    def _products(self) -> Array:
        weights = self._all_weights()
        c = weights @ np.swapaxes(weights, 1, 2)
        variances = np.diagonal(c, axis1=1, axis2=2)
        return UNITS[self.unit].mean_product(variances[:, :, np.newaxis], variances[:, np.newaxis, :], c)

    def _signal(self) -> Array:
        return self.v if self.feedback is None else self.feedback

    def _mean_gradients(self) -> tuple[Array, Array]:
        weights, signs, unit = self._all_weights(), self._signs(), UNITS[self.unit]
        c = self.w @ np.swapaxes(weights, 1, 2)
        b = np.sum(weights * weights, axis=2)[:, np.newaxis, :]
        a = np.swapaxes(b[:, :, : self.w.shape[1]], 1, 2)
        own, other = unit.mean_gradient(a, b, c)
        along_own = np.sum(own * signs[:, np.newaxis, :], axis=2)
        w = along_own[:, :, np.newaxis] * self.w + (other * signs[:, np.newaxis, :]) @ weights
        v = np.sum(unit.mean_product(a, b, c) * signs[:, np.newaxis, :], axis=2)
        return self._signal()[:, :, np.newaxis] * w, v

    def _gradients(self, x: Array) -> tuple[Array, Array]:
        unit, n = UNITS[self.unit], len(x)
        arriving = self.w @ x.T  # (pairs, K, batch)
        activity = unit.function(arriving)
        answers = np.einsum("sk,skn->sn", self.v, activity)
        e = answers - np.einsum("sm,smn->sn", self.teacher_v, unit.function(self.teacher_w @ x.T))
        signal = self._signal()[:, :, np.newaxis] * unit.derivative(arriving) * e[:, np.newaxis, :]
        return signal @ x / n, np.einsum("sn,skn->sk", e, activity) / n


@dataclass(frozen=True)
class Course:
    """What was seen on the way: ``error`` (times, pairs) as in Pairs, ``output`` (times, pairs, K) the weights v."""

    times: Array
    error: Array
    output: Array

    def angles(self, feedback: Array) -> Array:
        """Return degrees between the students' output weights and ``feedback`` (pairs, K), shape (times, pairs)."""
        return np.array([metrics.angles(v, feedback) for v in self.output])


def follow(pairs: Pairs, times: Array, rate: float) -> Course:
    """Return what unlimited data make of ``pairs``, in steps of ``rate`` and seen at ``times``, multiples of it."""
    return _followed(times, rate, pairs, lambda before: before.mean_step(rate))


def follow_examples(pairs: Pairs, times: Array, rate: float, *, batch: int, rng: Rng) -> Course:
    """Return the same with ``batch`` fresh examples a step; all pairs see the same inputs."""
    n_in = pairs.w.shape[2]
    return _followed(times, rate, pairs, lambda before: before.example_step(rate, rng.standard_normal((batch, n_in))))


def _followed(times: Array, rate: float, pairs: Pairs, step: Callable[[Pairs], Pairs]) -> Course:
    def seen(pairs: Pairs) -> Iterator[tuple[Array, Array]]:
        done = 0
        for time in times:
            for _ in range(round(time / rate) - done):
                pairs = step(pairs)
            done = round(time / rate)
            yield pairs.error(), pairs.v

    error, output = (np.array(each) for each in zip(*seen(pairs), strict=True))
    return Course(np.asarray(times), error, output)


def draw(seeds: list[int], unit: str, *, n_in: int, units: int, teachers: int, scale: float) -> tuple[Pairs, Array]:
    """Return pairs that learn by backprop, one a seed, and feedback F (pairs, K) to give them.

    The teachers' first-layer weights are orthonormal and their second-layer weights one; the students' entries are
    normal, ``scale``/√n_in in the first layer and ``scale`` in the second; those of F have random signs and sizes
    uniform in [0.5, 1.5]. What is drawn for a seed does not depend on the other seeds.
    """
    drawn = [_drawn(seed, n_in, units, teachers, scale) for seed in seeds]
    w, v, teacher_w, feedback = (np.stack(each) for each in zip(*drawn, strict=True))
    return Pairs(w, v, teacher_w, np.ones(teacher_w.shape[:2]), None, unit), feedback


def _drawn(seed: int, n_in: int, units: int, teachers: int, scale: float) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(seed)
    teacher_w = np.linalg.qr(rng.standard_normal((n_in, teachers)))[0].T
    w = scale / math.sqrt(n_in) * rng.standard_normal((units, n_in))
    v = scale * rng.standard_normal(units)
    return w, v, teacher_w, rng.choice([-1.0, 1.0], units) * rng.uniform(0.5, 1.5, units)
