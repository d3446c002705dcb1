"""Wide two-layer nets: one step against the equations, and the ridge against its solution."""

import numpy as np
import pytest

from alignlib import InvalidValue, wide
from alignlib.metrics import angle


def start(width, n_in):
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape) for shape in ((width, n_in), width, width)]


@pytest.mark.parametrize("rule", wide.RULES)
def test_one_step_is_that_of_the_equations(rule):
    x, y = wide.task(5, 4, np.random.default_rng(0))
    W, beta, b = start(7, 4)
    course = wide.follow(
        x, y, width=7, rng=np.random.default_rng(1), rule=rule, ridge=0.3, ridge_steps=1, learning_rate=0.5, steps=1,
        every=1,
    )  # fmt: skip
    signal = {"bp": beta, "fa": b, "shallow": 0 * b}[rule]
    answers = [beta @ np.tanh(W @ one) / np.sqrt(7) for one in x]
    dW = sum(
        (answer - t) * np.outer(signal * (1 - np.tanh(W @ one) ** 2), one)
        for one, t, answer in zip(x, y, answers, strict=True)
    )
    dbeta = sum((answer - t) * np.tanh(W @ one) for one, t, answer in zip(x, y, answers, strict=True))
    W_after = W - 0.5 * dW / 5 / np.sqrt(7)
    beta_after = beta - 0.5 * (dbeta / 5 / np.sqrt(7) + 0.3 * beta)
    e = np.tanh(x @ W_after.T) @ beta_after / np.sqrt(7) - y
    assert course.loss[1] == pytest.approx(np.mean(e**2) / np.mean(y**2), rel=1e-12)
    assert course.angle[1] == pytest.approx(angle(beta_after, b), rel=1e-12)
    assert course.angle[0] == pytest.approx(angle(beta, b), rel=1e-12)


def test_with_the_hidden_layer_fixed_the_ridge_ends_at_ridge_regression():
    x, y = wide.task(5, 4, np.random.default_rng(0))
    W, _, b = start(30, 4)
    course = wide.follow(
        x, y, width=30, rng=np.random.default_rng(1), rule="shallow", ridge=0.05, ridge_steps=10_000, steps=4000,
        every=4000,
    )  # fmt: skip
    H = np.tanh(x @ W.T) / np.sqrt(30)
    beta = np.linalg.solve(H.T @ H / 5 + 0.05 * np.eye(30), H.T @ y / 5)
    assert course.loss[-1] == pytest.approx(np.mean((H @ beta - y) ** 2) / np.mean(y**2), rel=1e-9)
    assert course.angle[-1] == pytest.approx(angle(beta, b), rel=1e-9)


def test_the_ridge_ends_when_it_is_told_to():
    x, y = wide.task(5, 4, np.random.default_rng(0))
    runs = [
        wide.follow(x, y, width=20, rng=np.random.default_rng(1), ridge=0.1, ridge_steps=n, steps=60, every=20)
        for n in (0, 20, 60)
    ]
    assert runs[1].loss[1] == runs[2].loss[1] != runs[0].loss[1]
    assert runs[1].loss[3] < runs[2].loss[3]


def test_what_cannot_be_run_is_refused():
    x, y = wide.task(5, 4, np.random.default_rng(0))
    with pytest.raises(InvalidValue, match="rule"):
        wide.follow(x, y, width=5, rng=np.random.default_rng(1), rule="dfaa")
    with pytest.raises(InvalidValue, match="negative"):
        wide.follow(x, y, width=5, rng=np.random.default_rng(1), ridge=-1.0)
