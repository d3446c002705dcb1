"""Slopes that stand in for f′, and units that have none."""

import numpy as np
import pytest

import alignlib as al
from alignlib import slopes
from alignlib.activations import ACTIVATIONS

A = np.array([[-2.0, -0.5, 0.0], [0.5, 1.0, 3.0]])


@pytest.mark.parametrize(
    ("slope", "expected"),
    [
        (slopes.absent, np.ones_like(A)),
        (slopes.flat, np.zeros_like(A)),
        (slopes.box, np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])),
        (slopes.opposite, np.tanh(A) ** 2),
    ],
)
def test_each_slope_is_what_it_says_in_a_new_array_and_in_a_given_one(slope, expected):
    h, out = np.tanh(A), np.full_like(A, 7.0)
    np.testing.assert_array_equal(slope(A, h), expected)
    assert slope(A, h, out) is out
    np.testing.assert_array_equal(out, expected)


def test_the_opposite_slope_is_what_the_right_one_lacks():
    h = np.tanh(A)
    np.testing.assert_allclose(slopes.opposite(A, h) + ACTIVATIONS["tanh"].derivative(A, h), np.ones_like(A))


def network(units=None):
    net = al.MLP([4, 6, 5, 3], rng=np.random.default_rng(0))
    if units:
        slopes.give(net, units)
    return net


def batch():
    rng = np.random.default_rng(1)
    return rng.standard_normal((7, 4)), np.eye(3)[rng.integers(3, size=7)]


def test_units_that_step_answer_with_signs_and_keep_the_weights():
    stepping, before = network(slopes.STEP), network()
    for W, kept in zip(stepping.weights, before.weights, strict=True):
        np.testing.assert_array_equal(W, kept)
    hidden = stepping.trace(batch()[0]).inputs[1:]
    assert all(set(np.unique(h)) <= {-1.0, 0.0, 1.0} for h in hidden)
    assert stepping.layers[-1].activation.name == "linear"  # the output is not hidden


@pytest.mark.parametrize("rule", [al.rules.Backprop, al.rules.DirectFeedbackAlignment])
def test_by_its_own_slope_no_rule_moves_a_step(rule):
    net = network(slopes.STEP)
    (dW1, _), (dW2, _), (dW3, _) = rule(net, rng=np.random.default_rng(2)).gradients(net, *batch())
    assert not np.any(dW1)
    assert not np.any(dW2)
    assert np.any(dW3)


def test_with_an_absent_slope_dfa_sends_the_bare_message():
    net = network(slopes.with_slope(ACTIVATIONS["tanh"], slopes.absent))
    x, y = batch()
    rule = al.rules.DirectFeedbackAlignment(net, rng=np.random.default_rng(2))
    trace = net.trace(x)
    error = net.error(trace, y)
    for B, delta in zip(rule.feedback, rule.hidden_signals(net, trace, error), strict=True):
        np.testing.assert_allclose(delta, error @ B.T)


def test_the_forward_pass_does_not_know_of_the_slope():
    x, _ = batch()
    np.testing.assert_array_equal(
        network(slopes.with_slope(ACTIVATIONS["tanh"], slopes.opposite)).predict(x), network().predict(x)
    )
