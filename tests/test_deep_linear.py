"""The alignment matrices of deep linear networks, against the rule itself on real networks."""

import numpy as np
import pytest

from alignlib import InvalidValue, deep_linear
from alignlib.metrics import angle
from alignlib.optimizers import SGD
from alignlib.rules import Backprop
from alignlib.rules.base import transported
from alignlib.training import train

STEPS = {"learning_rate": 0.005, "steps": 1600, "every": 160}
TAU = np.array([2.0, 1.5, 1.0])


def trained(net, rule, x, y, learning_rate, steps):
    """A trained network and the alignment matrices after as many steps."""
    matrices = deep_linear.AlignmentMatrices(rule.feedback, x, y)
    optimizer = SGD(net.parameters, learning_rate)
    for _ in train(net, rule, optimizer, x, y, epochs=steps, batch_size=len(x), rng=np.random.default_rng(0)):
        matrices.step(learning_rate)
    return matrices


@pytest.mark.parametrize("sizes", [[8, 6, 3], [8, 7, 5, 3], [9, 4, 10, 2, 3]])
@pytest.mark.parametrize("feedback", ["orthogonal", "uniform"])
def test_a_trained_network_is_made_of_the_alignment_matrices(sizes, feedback):
    rng = np.random.default_rng(1)
    x, y = deep_linear.task(TAU, sizes[0], rng, input_scales=np.linspace(0.5, 1.5, sizes[0]))
    net, rule = deep_linear.network(sizes, rng, feedback=feedback)
    matrices = trained(net, rule, x, y, 0.005, 600)

    for ours, theirs in zip(matrices.weights(), net.weights, strict=True):
        assert np.linalg.norm(theirs) > 0.05
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    for layer, (B, M) in enumerate(zip(rule.feedback, matrices.ways_back(), strict=True)):
        np.testing.assert_allclose(B @ M, transported(net, layer), rtol=0, atol=1e-10)


def test_random_initial_weights_are_not_made_of_them():
    rng = np.random.default_rng(1)
    x, y = deep_linear.task(TAU, 8, rng)
    net, rule = deep_linear.network([8, 6, 3], rng)
    net.weights[0] = 0.1 * rng.standard_normal((6, 8))
    matrices = trained(net, rule, x, y, 0.005, 600)
    assert np.abs(matrices.weights()[0] - net.weights[0]).max() > 0.01


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_a_trained_network_follows_the_solution(layers):
    rng = np.random.default_rng(2)
    x, y = deep_linear.task(TAU, 8, rng)
    net, rule = deep_linear.network([8, *[6] * (layers - 1), 3], rng)
    course = deep_linear.follow(net, rule, x, y, **STEPS)
    modes = deep_linear.solve(TAU, course.times, layers)

    assert modes.error[0] == pytest.approx(1.0)
    assert modes.error[-1] < 1e-3
    np.testing.assert_allclose(course.error, modes.error, atol=2e-2)
    for layer in range(1, layers):
        assert np.isnan(course.angles[0, layer - 1])
        np.testing.assert_allclose(course.angles[1:, layer - 1], modes.angle(layer)[1:], atol=0.5)
        assert modes.angle(layer)[-1] == pytest.approx(deep_linear.last_angle(TAU, layers, layer), abs=0.1)
        assert np.all(course.gradient_angles[1:-3] < 90)


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_the_closed_form_of_the_strengths_solves_each_layer_s_own_equation(layers):
    """dA_l/dt = (τ − product) times the product of the strengths below, in the coordinates of one mode."""
    times = np.linspace(0.0, 3.0, 3001)
    modes = deep_linear.solve(np.array([1.3]), times, layers, substeps=4)
    residual = 1.3 - deep_linear.product(modes.alpha, layers)[:, 0]
    below = np.ones_like(times)
    for layer in range(1, layers + 1):
        strength = modes.strength(layer)[:, 0]
        np.testing.assert_allclose(np.gradient(strength, times)[1:-1], (residual * below)[1:-1], atol=1e-4)
        below = below * strength
    np.testing.assert_allclose(below, deep_linear.product(modes.alpha, layers)[:, 0], rtol=1e-12)


def test_the_angle_at_the_start_is_that_of_the_first_steps():
    modes = deep_linear.solve(TAU, np.array([0.0, 1e-3]), 3)
    for layer in (1, 2):
        assert modes.angle(layer)[1] == pytest.approx(deep_linear.first_angle(TAU, 3, layer), abs=1e-3)
    assert deep_linear.last_angle(np.full(4, 1.7), 3, 1) == pytest.approx(0.0, abs=1e-6)
    # by hand: L = 2, one hidden layer, the way back goes as τ^(2/3) at the end
    assert deep_linear.last_angle(np.array([1.0, 8.0]), 2, 1) == pytest.approx(
        np.degrees(np.arccos(5 / np.sqrt(2 * 17))), abs=1e-9
    )


def test_gradient_angles_are_those_of_the_rules_gradients():
    rng = np.random.default_rng(3)
    x, y = deep_linear.task(TAU, 8, rng)
    net, rule = deep_linear.network([8, 6, 5, 3], rng, feedback="uniform")
    course = deep_linear.follow(net, rule, x, y, learning_rate=0.01, steps=100, every=50)
    ours, theirs = rule.gradients(net, x, y), Backprop(net).gradients(net, x, y)
    for layer in (0, 1):
        assert course.gradient_angles[-1, layer] == pytest.approx(angle(ours[layer][0], theirs[layer][0]), abs=1e-6)


def test_the_inputs_are_white_or_as_stretched_as_asked():
    x, y = deep_linear.task(TAU, 5, np.random.default_rng(4), input_scales=np.arange(1.0, 6.0))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.T @ x / len(x), np.diag(np.arange(1.0, 6.0) ** 2), atol=1e-10)
    T = np.linalg.lstsq(x, y, rcond=None)[0].T
    np.testing.assert_allclose(np.linalg.svd(T, compute_uv=False), TAU, rtol=1e-10)


def test_a_network_without_hidden_layers_is_refused():
    with pytest.raises(InvalidValue, match="at least 2"):
        deep_linear.solve(TAU, np.array([0.0, 1.0]), 1)
