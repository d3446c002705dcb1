import numpy as np
import pytest

import alignlib as al
from alignlib.baselines.forward_forward import ForwardForward, wrong_labels


def make(hidden=(6, 5), n_in=4, n_classes=3, seed=0):
    return ForwardForward(n_in, n_classes, hidden, rng=np.random.default_rng(seed))


def batch(n=7, n_in=4, n_classes=3):
    rng = np.random.default_rng(1)
    y = np.eye(n_classes)[rng.integers(n_classes, size=n)]
    return rng.standard_normal((n, n_in)), y, wrong_labels(y, rng)


def test_each_signal_is_the_gradient_of_its_own_layers_loss():
    net, data, step = make(), batch(), 1e-6
    inputs, signals = net.lesson(*data)
    for layer, h, delta in zip(net.layers, inputs, signals, strict=True):
        dW, db = np.empty_like(layer.weight), np.empty_like(layer.bias)
        layer.gradient(delta, h, dW, db)
        for parameter, gradient in ((layer.weight, dW), (layer.bias, db)):
            for place in np.ndindex(parameter.shape):
                kept = parameter[place]
                parameter[place] = kept + step
                above = net.loss(*data)[layer.index]
                parameter[place] = kept - step
                below = net.loss(*data)[layer.index]
                parameter[place] = kept
                assert gradient[place] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-9)


def test_a_hand_computed_layer():
    net = make(hidden=(1,), n_in=1, n_classes=2)
    net.layers[0].weight[...] = [[2.0, 0.5, -1.0]]
    inputs, (delta,) = net.lesson(np.ones((1, 1)), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    np.testing.assert_array_equal(inputs[0], [[1, 1, 0], [1, 0, 1]])
    right, wrong = 2.5, 1.0  # activities; goodness is their square, the threshold 1
    expected = [-2 * right / (1 + np.exp(right**2 - 1)), 2 * wrong / (1 + np.exp(1 - wrong**2))]
    np.testing.assert_allclose(delta[:, 0], expected)


def test_what_goes_on_says_nothing_of_the_goodness():
    inputs, _ = make().lesson(*batch())
    np.testing.assert_allclose(np.mean(inputs[1] ** 2, axis=1), 1.0, rtol=1e-6)


def test_layers_above_do_not_matter_to_the_layer_below():
    net, data = make(), batch()
    before = net.lesson(*data)[1][0]
    net.layers[1].weight[...] *= -3.0
    np.testing.assert_array_equal(net.lesson(*data)[1][0], before)


def test_a_wrong_label_is_never_the_right_one_and_each_other_turns_up():
    y = np.eye(4)[np.zeros(400, int)]
    wrong = wrong_labels(y, np.random.default_rng(0))
    assert np.all(wrong.sum(axis=1) == 1)
    assert wrong.sum(axis=0)[0] == 0
    assert np.all(wrong.sum(axis=0)[1:] > 100)


def test_it_learns_the_digits_and_repeats_itself():
    data = al.datasets.load("digits").take(600)

    def error():
        net = ForwardForward(data.n_in, data.n_out, (64, 64), rng=np.random.default_rng(0))
        before = net.predict(data.x_test)
        for _ in net.train(
            data.x_train, data.y_train, epochs=20, batch_size=32, learning_rate=3e-3, rng=np.random.default_rng(1)
        ):
            pass
        after = net.predict(data.x_test)
        return [al.metrics.error_rate(scores, data.y_test) for scores in (before, after)]

    first, last = error()
    assert first > 60
    assert last < first / 3
    assert error() == [first, last]


def test_no_layer_waits_and_two_neighbours_are_kept_for_both_labels():
    net = make(hidden=(6, 5, 4))
    assert net.locking().learns == (1, 2, 3)
    assert net.locking().longest_wait == 0
    assert net.locking().peak == 2 * (7 + 6)
    weights = 7 * 6 + 6 * 5 + 5 * 4
    assert (net.cost().forward, net.cost().error_pass, net.cost().gradients) == (2 * weights, 0, 2 * weights)
