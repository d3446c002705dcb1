"""The solved case of indirect feedback alignment, against the rule itself on real networks."""

import numpy as np
import pytest

from alignlib import MLP, InvalidValue, linear_relay
from alignlib.metrics import angle
from alignlib.rules import IndirectFeedbackAlignment

STEPS = {"learning_rate": 0.002, "steps": 2500, "every": 250}


@pytest.mark.parametrize(("sizes", "c", "s"), [([12, 20, 20, 5], 1.0, 1.0), ([12, 16, 24, 24, 5], 0.5, 1.5)])
def test_a_trained_network_follows_the_solution(sizes, c, s):
    rng = np.random.default_rng(1)
    x, y, tau = linear_relay.white_task(sizes[0], sizes[-1], rng)
    net, rule = linear_relay.network(sizes, rng, c=c, s=s)
    course = linear_relay.follow(net, rule, x, y, **STEPS)
    modes = linear_relay.solve(tau, course.times, hidden=len(sizes) - 2, c=c, s=s)

    assert modes.error[0] == pytest.approx(1.0)
    assert modes.error[-1] < 0.05
    np.testing.assert_allclose(course.error, modes.error, atol=2e-3)
    for layer in range(1, len(sizes) - 1):
        assert np.isnan(modes.angle(layer)[0])
        assert np.isnan(course.angles[0, layer - 1])
        np.testing.assert_allclose(course.angles[1:, layer - 1], modes.angle(layer)[1:], atol=0.3)
        np.testing.assert_allclose(course.lengths[:, layer - 1], modes.length(layer), rtol=2e-3)


def test_the_relay_reaches_a_direction_with_the_gain_of_the_solution():
    rng = np.random.default_rng(2)
    x, y, tau = linear_relay.white_task(10, 4, rng)
    net, rule = linear_relay.network([10, 15, 15, 4], rng, c=2.0)
    course = linear_relay.follow(net, rule, x, y, **STEPS)
    modes = linear_relay.solve(tau, course.times, c=2.0)
    gains = np.linalg.svd(linear_relay.relayed_feedback(net, rule)[1], compute_uv=False)
    np.testing.assert_allclose(gains, modes.relayed(2)[-1], rtol=1e-3)


def test_modes_of_equal_strength_end_up_in_the_same_direction():
    modes = linear_relay.solve(np.full(4, 0.7), np.linspace(0, 5, 6), hidden=3)
    for layer in (1, 2, 3):
        np.testing.assert_allclose(modes.angle(layer)[1:], 0.0, atol=1e-5)


def test_the_error_of_every_mode_falls_all_the_time_and_every_angle_is_acute():
    modes = linear_relay.solve(np.array([0.2, 0.9, 1.7]), np.linspace(0, 40, 200), hidden=4, c=0.3, s=0.6)
    assert np.all(np.diff(modes.error) <= 1e-12)
    assert modes.error[-1] < 1e-4
    for layer in (1, 2, 3, 4):
        assert np.all(modes.angle(layer)[1:] < 90)


def test_with_zero_weights_between_the_first_layer_moves_for_ever_and_the_output_never():
    times = np.linspace(0, 3, 4)
    modes = linear_relay.solve(np.array([0.5, 1.0]), times, s=0.0)
    np.testing.assert_allclose(modes.alpha, times[:, None] * modes.tau)
    np.testing.assert_array_equal(modes.error, 1.0)


def test_the_inputs_of_the_task_are_white_and_its_modes_are_those_of_the_least_squares_map():
    x, y, tau = linear_relay.white_task(6, 3, np.random.default_rng(3), examples=50)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(6), atol=1e-12)
    mapping = np.linalg.lstsq(x, y, rcond=None)[0].T
    np.testing.assert_allclose(np.linalg.svd(mapping, compute_uv=False), tau)


def test_the_network_starts_as_the_solution_assumes():
    net, rule = linear_relay.network([6, 8, 8, 3], np.random.default_rng(4), c=4.0, s=0.25)
    assert not net.weights[0].any()
    assert not net.weights[-1].any()
    np.testing.assert_allclose(net.weights[1].T @ net.weights[1], 0.25 * np.eye(8), atol=1e-12)
    np.testing.assert_allclose(rule.feedback[0].T @ rule.feedback[0], 4.0 * np.eye(3), atol=1e-12)


def test_the_angles_of_a_net_made_by_hand():
    net = MLP([2, 2, 2, 1], init="zero")
    rule = IndirectFeedbackAlignment(net, feedback="zero")
    rule.feedback[0][...] = [[1.0], [0.0]]
    net.weights[1][...] = [[1.0, 0.0], [1.0, 1.0]]  # relays (1, 0) as (1, 1)
    net.weights[2][...] = [[0.0, 2.0]]  # W_3ᵀ is (0, 2), and W_2ᵀ W_3ᵀ is (2, 2)
    np.testing.assert_allclose(linear_relay.relay_angles(net, rule), [45.0, 45.0])
    assert linear_relay.relay_angles(net, rule)[0] == pytest.approx(angle(rule.feedback[0], rule.counterparts(net)[0]))


def test_one_hidden_layer_has_no_relay():
    with pytest.raises(InvalidValue, match="at least 2 hidden layers; received 1"):
        linear_relay.solve(np.ones(2), np.linspace(0, 1, 2), hidden=1)
