import numpy as np
import pytest

import alignlib as al
from alignlib.activations import ACTIVATIONS
from alignlib.initializers import FEEDBACK, WEIGHTS, draw
from alignlib.losses import LOSSES


def rng(seed=0):
    return np.random.default_rng(seed)


def test_forward_pass_by_hand():
    net = al.MLP([2, 2, 1], hidden="relu", output="linear", rng=rng())
    net.weights[0] = [[1.0, -1.0], [2.0, 0.5]]
    net.biases[0] = [0.0, -1.0]
    net.weights[1] = [[3.0, -2.0]]
    net.biases[1] = [0.25]
    # a1 = (1 − 2, 2 + 1 − 1) = (−1, 2); h1 = (0, 2); ŷ = −4 + 0.25
    np.testing.assert_allclose(net.predict([[1.0, 2.0]]), [[-3.75]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_agree_with_central_differences(name):
    f = ACTIVATIONS[name]
    a = np.linspace(-3, 3, 13) + 0.01
    difference = (f.function(a + 1e-6) - f.function(a - 1e-6)) / 2e-6
    np.testing.assert_allclose(f.derivative(a, f.function(a)), difference, atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_the_error_is_the_gradient_of_the_loss(name):
    loss, a, y = LOSSES[name], rng().standard_normal((4, 3)), np.eye(3)[[0, 2, 1, 1]]
    for j in range(3):
        up, down = a.copy(), a.copy()
        up[:, j] += 1e-6
        down[:, j] -= 1e-6
        slope = (loss.values(up, y) - loss.values(down, y)) / 2e-6
        np.testing.assert_allclose(loss.error(loss.predict(a), y)[:, j], slope, atol=1e-8)


@pytest.mark.parametrize("name", ["logistic", "softmax"])
def test_saturated_outputs_stay_finite(name):
    loss, a = LOSSES[name], np.array([[800.0, -800.0], [-800.0, 800.0]])
    values = loss.values(a, np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert np.all(np.isfinite(values))
    assert values[0] == pytest.approx(0)
    assert values[1] >= 800
    assert np.all(np.isfinite(loss.predict(a)))


def test_parameters_are_views_of_one_flat_array():
    net = al.MLP([3, 4, 2], rng=rng())
    assert net.parameters.size == 3 * 4 + 4 + 4 * 2 + 2
    net.parameters[...] = 7.0
    assert all(np.all(W == 7) for W in net.weights)
    assert all(np.all(b == 7) for b in net.biases)


def test_weights_may_be_written_into_and_assigned():
    net = al.MLP([3, 4, 2], rng=rng())
    net.weights[1][...] = 1.0
    net.weights[0] = np.full((4, 3), 2.0)
    assert np.all(net.parameters[: 4 * 3] == 2.0)
    with pytest.raises(al.InvalidValue, match=r"shape \(4, 3\); received shape \(3, 4\)"):
        net.weights[0] = np.ones((3, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32])
def test_everything_is_of_the_dtype_asked_for(dtype):
    net = al.MLP([3, 4, 2], rng=rng(), dtype=dtype)
    trace = net.trace(rng().standard_normal((5, 3)))
    for array in (net.parameters, *trace.inputs, *trace.pre_activations, trace.output):
        assert array.dtype == np.dtype(dtype)


def test_float32_starts_from_the_same_numbers():
    double, single = al.MLP([3, 4, 2], rng=rng()), al.MLP([3, 4, 2], rng=rng(), dtype="float32")
    np.testing.assert_array_equal(double.parameters.astype("float32"), single.parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": [3]}, "at least two"),
        ({"sizes": [3, 0, 2]}, "positive whole"),
        ({"sizes": [3, 2.5, 2]}, "positive whole"),
        ({"sizes": [3, True, 2]}, "positive whole"),
        ({"sizes": [3, 2], "hidden": "tan"}, "did you mean 'tanh'"),
        ({"sizes": [3, 2], "output": "sofmax"}, "did you mean 'softmax'"),
        ({"sizes": [3, 2], "init": "glorrot"}, "did you mean 'glorot'"),
        ({"sizes": [3, 2], "dtype": "float16"}, "float32, float64"),
        ({"sizes": [3, 2], "rng": None}, "rng="),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments, message):
    with pytest.raises(al.InvalidValue, match=message):
        al.MLP(**{"rng": rng(), **arguments})


def test_wrong_batches_are_refused_in_words():
    net = al.MLP([3, 4, 2], rng=rng())
    with pytest.raises(al.InvalidValue, match=r"x has shape \(5, 2\); this network takes \(batch, 3\)"):
        net.predict(np.ones((5, 2)))
    with pytest.raises(al.InvalidValue, match=r"y has shape \(5,\)"):
        al.rules.Backprop(net).gradients(net, np.ones((5, 3)), np.ones(5))


@pytest.mark.parametrize(
    ("kind", "deviation", "largest"),
    [
        ("fan-in", 1 / np.sqrt(3 * 200), 1 / np.sqrt(200)),
        ("glorot", np.sqrt(2 / 500), np.sqrt(6 / 500)),
        ("he", np.sqrt(2 / 200), np.inf),
        ("uniform", 1 / np.sqrt(3), 1),
        ("gaussian", 1, np.inf),
        ("zero", 0, 0),
    ],
)
def test_initial_weights_have_the_spread_of_their_name(kind, deviation, largest):
    W = draw(WEIGHTS, kind, (300, 200), rng())
    assert W.std() == pytest.approx(deviation, rel=0.02)
    assert np.abs(W).max() <= largest


@pytest.mark.parametrize("shape", [(6, 6), (6, 4), (4, 6)])
def test_orthogonal_matrices_are_orthogonal(shape):
    Q = draw(WEIGHTS, "orthogonal", shape, rng())
    gram = Q.T @ Q if shape[0] >= shape[1] else Q @ Q.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-12)


@pytest.mark.parametrize("kind", FEEDBACK)
def test_scale_multiplies_the_draw(kind):
    one, three = draw(FEEDBACK, kind, (6, 4), rng()), draw(FEEDBACK, kind, (6, 4), rng(), scale=3.0)
    np.testing.assert_allclose(three, 3 * one)
