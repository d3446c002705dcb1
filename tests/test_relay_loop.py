"""The statements on the forward relay, against finite differences, the rules themselves, and wide random networks."""

import numpy as np
import pytest

from alignlib import MLP, Experiment, InvalidValue, metrics, relay_loop, run
from alignlib.experiments.bench import Bench
from alignlib.rules import Backprop, DirectFeedbackAlignment, FeedbackAlignment, IndirectFeedbackAlignment, Shallow
from alignlib.rules.base import transported
from alignlib.signal_propagation import effective_rank, forward, gaussian_mean

SMOOTH = ("tanh", "logistic", "linear")
UNITS = (*SMOOTH, "relu")


def example(hidden="tanh", sizes=(6, 9, 8, 7, 4), init="glorot", seed=0, output="softmax"):
    rng = np.random.default_rng(seed)
    net = MLP(sizes, hidden=hidden, output=output, init=init, rng=rng)
    rule = IndirectFeedbackAlignment(net, rng=rng)
    x = rng.normal(size=(5, sizes[0]))
    return net, rule, x, np.eye(sizes[-1])[rng.integers(0, sizes[-1], 5)]


def signals(rule, net, x, y):
    trace = net.trace(x)
    return rule.hidden_signals(net, trace, net.error(trace, y))


@pytest.mark.parametrize("units", UNITS)
def test_the_relay_is_the_derivative_of_the_activities(units):
    net, rule, x, y = example(units)
    e = net.error(net.trace(x), y)
    changes = relay_loop.activity_changes(net, x, e @ rule.feedback[0].T)
    for change, delta in zip(changes, signals(rule, net, x, y), strict=True):
        np.testing.assert_allclose(delta, change, atol=1e-8)


@pytest.mark.parametrize("units", UNITS)
def test_every_layer_has_the_same_product_with_the_derivative_of_the_loss(units):
    net, rule, x, y = example(units)
    rates = relay_loop.loss_rates(rule, net, x, y)
    assert np.all(np.abs(rates) > 1e-6)
    for row in relay_loop.products(rule, net, x, y, slopes=False):
        np.testing.assert_allclose(row, rates, rtol=1e-9)


def test_that_product_is_the_rate_at_which_the_loss_changes():
    net, rule, x, y = example()
    displacement = net.error(net.trace(x), y) @ rule.feedback[0].T
    changes = relay_loop.activity_changes(net, x, displacement)[-1]
    last = net.layers[-1]
    step = 1e-6

    def losses(sign):
        a = last.pre_activation(net.trace(x).inputs[-1] + sign * step * changes)
        return net.loss.values(a, y)

    numeric = (losses(1) - losses(-1)) / (2 * step)
    np.testing.assert_allclose(relay_loop.loss_rates(rule, net, x, y), numeric, rtol=1e-5)


@pytest.mark.parametrize("units", ["relu", "linear"])
def test_relu_and_linear_units_are_taught_one_way_in_all_layers(units):
    net, rule, x, y = example(units)
    rows = relay_loop.products(rule, net, x, y)
    np.testing.assert_allclose(rows, np.tile(rows[0], (len(rows), 1)), rtol=1e-9)


@pytest.mark.parametrize("rule_class", [DirectFeedbackAlignment, FeedbackAlignment])
def test_other_rules_have_no_such_number(rule_class):
    net, _, x, y = example("relu")
    rows = relay_loop.products(rule_class(net, rng=np.random.default_rng(1)), net, x, y)
    assert np.max(np.abs(rows[0] - rows[-1])) > 1e-3


def test_a_layer_without_a_signal_is_a_gap():
    net, _, x, y = example()
    assert np.all(np.isnan(relay_loop.products(Shallow(net), net, x, y)))
    with pytest.raises(InvalidValue, match="no signal to the last hidden layer"):
        relay_loop.loss_rates(Shallow(net), net, x, y)


def test_in_a_linear_net_the_loop_gives_the_product_of_the_gradients_of_every_layer():
    net, rule, x, y = example("linear", output="linear")
    trace = net.trace(x)
    e, M = net.error(trace, y), relay_loop.loop(net, rule)
    ours, theirs = rule.gradients(net, x, y), Backprop(net).gradients(net, x, y)
    for layer in net.hidden:
        E = e.T @ trace.inputs[layer.index] / len(x)
        product = np.sum(ours[layer.index][0] * theirs[layer.index][0])
        assert product == pytest.approx(np.trace(M @ E @ E.T), rel=1e-9)


def test_a_matched_entry_makes_the_loop_positive_and_an_opposed_one_negative():
    net, rule, x, y = example("linear")
    relay_loop.match(net, rule)
    assert relay_loop.least_agreement(relay_loop.loop(net, rule)) > 0
    assert np.all(relay_loop.loss_rates(rule, net, x, y) > 0)
    relay_loop.match(net, rule, -1.0)
    assert np.all(relay_loop.loss_rates(rule, net, x, y) < 0)
    assert relay_loop.least_agreement(relay_loop.loop(net, rule)) == pytest.approx(-1.0)
    assert relay_loop.least_agreement(np.array([[0.0, 1.0], [-1.0, 0.0]])) == pytest.approx(0.0)


def test_in_an_orthogonal_linear_net_one_matched_matrix_makes_ifa_backprop():
    net, rule, x, y = example("linear", sizes=(6, 8, 8, 8, 4), init="orthogonal")
    rule.feedback[0][...] = transported(net, 0)
    for ours, theirs in zip(rule.gradients(net, x, y), Backprop(net).gradients(net, x, y), strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-12)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("init", ["glorot", "orthogonal", "fan-in"])
def test_the_best_angles_are_predicted_in_wide_random_nets(units, init):
    net, _, x, y = example(units, sizes=(50, *[200] * 6, 10), init=init)
    measured, predicted = relay_loop.best_angles(net, x, y), relay_loop.predicted_best_angles(net, x)
    assert measured[0] < 1e-6
    np.testing.assert_allclose(predicted, measured, atol=5.0)
    if init == "orthogonal" and units == "linear":
        np.testing.assert_allclose(measured, 0.0, atol=1e-5)
    elif units == "linear":
        by_root = np.degrees(np.arccos(1 / np.sqrt(np.arange(1, 7))))
        np.testing.assert_allclose(predicted, by_root, atol=1.5)  # ranks of finite matrices differ a little


def predicted_by_cosine(net, x):
    """The formula as it stands in the module, by the arccos: right where no angle is small."""
    f = net.hidden_activation

    def moment(power, q):
        return gaussian_mean(lambda a: f.derivative(a, f.function(a)) ** power, q)

    first, *more = ([moment(power, q) for power in (1, 2, 3, 4)] for q in forward(net, x))
    kappa, angles = first[1] / first[0] ** 2, [0.0]
    for layer, (_, second, third, fourth) in zip(net.hidden[1:], more, strict=True):
        kappa = kappa + layer.width / effective_rank(layer.weight) - 1 + fourth / second**2 - 1
        angles.append(np.mean(np.degrees(np.arccos(np.sqrt(third**2 / second**3 / kappa)))))
    return angles


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("init", ["glorot", "orthogonal"])
def test_the_prediction_is_the_formula(units, init):
    net, _, x, _ = example(units, sizes=(20, *[30] * 5, 10), init=init)
    predicted = relay_loop.predicted_best_angles(net, x)
    if (units, init) == ("linear", "orthogonal"):
        np.testing.assert_allclose(predicted, 0.0, atol=1e-12)
    else:
        np.testing.assert_allclose(predicted, predicted_by_cosine(net, x), rtol=1e-12)


@pytest.mark.parametrize("off", [1e-3, 1e-6, 1e-9])
def test_small_angles_are_predicted_to_their_last_digits(off):
    """One singular value in two is larger by 2 · off: their squares are 1 and 1 + 4 off, so that tan θ_2 is 2 off."""
    net = MLP([4, 6, 6, 3], hidden="linear", init="orthogonal", rng=np.random.default_rng(0))
    net.weights[1][...] = net.weights[1] * np.tile([1.0, 1.0 + 2 * off], 3)
    square = (1 + 2 * off) ** 2
    tangent = 2 * off * (1 + off) / ((1 + square) / 2)
    predicted = relay_loop.predicted_best_angles(net, np.ones((1, 4)))
    assert predicted[1] == pytest.approx(np.degrees(np.arctan(tangent)), rel=1e-6)


@pytest.mark.parametrize(
    ("entry", "best", "arrives"),
    [
        (0.0, 0.0, 0.0),
        (1e-9, 0.0, 1e-9),
        (3e-9, 4e-9, 5e-9),
        (0.0, 1e-9, 1e-9),
        (45.0, 45.0, np.degrees(np.arctan(np.sqrt(2)))),
        (90.0, 30.0, 90.0),
        (120.0, 0.0, 120.0),
        (135.0, 45.0, 180 - np.degrees(np.arctan(np.sqrt(2)))),
        (180.0, 1e-6, 180 - 1e-6),
    ],
)
def test_entry_and_relay_are_combined_exactly_also_at_the_ends(entry, best, arrives):
    found = float(relay_loop.combined_angles(entry, best))
    assert found == pytest.approx(arrives, rel=1e-12, abs=1e-20)


def test_the_prediction_asks_for_equal_widths():
    net, _, x, _ = example()
    with pytest.raises(InvalidValue, match="equal width"):
        relay_loop.predicted_best_angles(net, x)


@pytest.mark.parametrize("init", ["glorot", "orthogonal"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8, -0.3])
def test_what_entry_and_relay_lose_adds_up(init, share):
    """A linear net whose δ_1 is BP's to a known part and random for the rest."""
    net, _, x, y = example("linear", sizes=(50, *[300] * 4, 10), init=init)
    trace = net.trace(x)
    theirs = Backprop(net).hidden_signals(net, trace, net.error(trace, y))
    noise = np.random.default_rng(3).normal(size=theirs[0].shape)
    noise -= theirs[0] * (np.sum(noise * theirs[0], axis=1) / np.sum(theirs[0] ** 2, axis=1))[:, np.newaxis]
    lengths = np.linalg.norm(theirs[0], axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    delta = share * theirs[0] + np.sqrt(1 - share**2) * lengths * noise
    entry = metrics.mean_angle(delta, theirs[0])
    assert entry == pytest.approx(np.degrees(np.arccos(share)))
    for layer, best in zip(net.hidden[1:], relay_loop.best_angles(net, x, y)[1:], strict=True):
        delta = layer.push(layer.weight, delta)
        assert metrics.mean_angle(delta, theirs[layer.index]) == pytest.approx(
            float(relay_loop.combined_angles(entry, best)), abs=3.0
        )


def test_a_followed_run_is_the_run_itself():
    experiment = Experiment(hidden=(12, 12, 12), rule="ifa", epochs=3, train_size=128, probe=0)
    bench = Bench(experiment)
    before = [W.copy() for W in bench.network.weights[1:-1]]
    course = relay_loop.follow(bench)
    assert [len(each) for each in (course.wrong, course.error, course.relay_turn, course.weight_turn)] == [4, 4, 3, 3]
    np.testing.assert_array_equal(course.error, run(experiment, show_progress=False).curves["test_error"])
    assert np.all((course.wrong >= 0) & (course.wrong <= 1))
    once = Bench(Experiment(hidden=(12, 12, 12), rule="ifa", epochs=1, train_size=128, probe=0))
    relay_loop.follow(once)
    turned = np.mean([metrics.angle(*pair) for pair in zip(before, once.network.weights[1:-1], strict=True)])
    assert course.weight_turn[0] == pytest.approx(turned)


@pytest.mark.parametrize("changes", [{"rule": "dfa"}, {"hidden": (12,)}])
def test_only_a_relay_can_be_followed(changes):
    settings = {"hidden": (12, 12), "rule": "ifa", "epochs": 1, "train_size": 64} | changes
    with pytest.raises(InvalidValue, match="needed: IFA and at least 2 hidden layers"):
        relay_loop.follow(Bench(Experiment(**settings)))
