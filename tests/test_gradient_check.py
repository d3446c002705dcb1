"""The check that all rules lean on: central differences, tried on gradients that are known otherwise."""

import numpy as np
import pytest

import alignlib as al
from alignlib.gradient_check import at_output, deviation, finite_differences, flat, relative_deviation


def make(sizes=(4, 5, 3), output="logistic", dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    net = al.MLP(sizes, output=output, rng=rng, dtype=dtype)
    x = rng.standard_normal((6, sizes[0]))
    y = np.eye(sizes[-1])[rng.integers(sizes[-1], size=6)]
    return net, x, y


def test_of_a_linear_model_it_is_the_normal_equations_residual():
    net, x, y = make((4, 3), output="linear")
    residual = x @ net.weights[0].T + net.biases[0] - y
    expected = np.concatenate([(residual.T @ x / len(x)).ravel(), residual.mean(axis=0)])
    # the loss is quadratic: central differences are exact at any step, however large
    np.testing.assert_allclose(finite_differences(net, x, y, 0.5), expected, atol=1e-13)


def test_it_follows_the_order_of_the_parameters():
    net, x, y = make()
    gradient = finite_differences(net, x, y)
    for (dW, db), (dW2, db2) in zip(net.views(gradient), al.rules.Backprop(net).gradients(net, x, y), strict=True):
        np.testing.assert_allclose(dW, dW2, atol=1e-9)
        np.testing.assert_allclose(db, db2, atol=1e-9)


def test_the_truncation_error_falls_with_the_square_of_the_step():
    net, x, y = make()
    far, near = (deviation(al.rules.Backprop(net), net, x, y, step) for step in (1e-2, 1e-3))
    assert far / near == pytest.approx(100, rel=0.02)


def test_it_leaves_the_network_as_it_was():
    for dtype in ("float32", "float64"):
        net, x, y = make(dtype=dtype)
        before = net.parameters.copy()
        gradient = finite_differences(net, x, y)
        np.testing.assert_array_equal(net.parameters, before)
        assert gradient.dtype == np.float64


def test_it_restores_the_parameters_when_the_loss_cannot_be_computed():
    net, x, y = make()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="broadcast"):
        finite_differences(net, x, y[:4])
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("step", [0.0, -1e-5, float("nan")])
def test_a_step_that_is_none_is_refused(step):
    with pytest.raises(al.InvalidValue, match="step must be above 0"):
        finite_differences(*make(), step)


def test_flat_is_the_inverse_of_views():
    net, _, _ = make()
    numbers = np.arange(net.parameters.size, dtype=np.float64)
    np.testing.assert_array_equal(flat(net.views(numbers)), numbers)


def test_relative_deviation_of_known_vectors():
    v = np.array([3.0, 4.0])
    assert relative_deviation(v, v) == 0.0
    assert relative_deviation(v, 0 * v) == relative_deviation(0 * v, v) == 1.0
    assert relative_deviation(v, -v) == 2.0
    assert relative_deviation(v, 0.9 * v) == pytest.approx(0.1)
    assert relative_deviation(0 * v, 0 * v) == 0.0
    with pytest.raises(al.InvalidValue, match="equal shapes"):
        relative_deviation(v, [1.0])


def test_backprop_is_the_gradient_and_shallow_is_not():
    net, x, y = make()
    assert deviation(al.rules.Backprop(net), net, x, y) < 1e-8
    assert deviation(al.rules.Shallow(net), net, x, y) > 0.1


@pytest.mark.parametrize("name", [loss.name for loss in al.losses.LOSSES.values() if loss.matched])
def test_at_the_output_the_differences_of_a_matched_loss_are_the_error(name):
    rng = np.random.default_rng(3)
    a, y = rng.standard_normal((5, 4)), np.eye(4)[[0, 1, 2, 3, 0]]
    loss = al.losses.LOSSES[name]
    np.testing.assert_allclose(at_output(loss.values, a, y), loss.predict(a.copy()) - y, rtol=0, atol=1e-9)


def test_at_the_output_of_an_unmatched_loss_a_slope_is_left_over():
    rng = np.random.default_rng(3)
    a, y = rng.standard_normal((5, 4)), np.eye(4)[[0, 1, 2, 3, 0]]
    p = 1 / (1 + np.exp(-a))
    squared = at_output(lambda a, y: 0.5 * np.sum((1 / (1 + np.exp(-a)) - y) ** 2, axis=1), a, y)
    np.testing.assert_allclose(squared, (p - y) * p * (1 - p), rtol=0, atol=1e-9)
