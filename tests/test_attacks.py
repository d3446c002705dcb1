"""The attacks: gradients against finite differences, the ball that is never left, and a classifier solved by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alignlib as al
from alignlib import attacks
from alignlib.experiments.bench import Bench

HIDDEN = ("tanh", "logistic", "relu", "linear")
OUTPUTS = tuple(al.losses.LOSSES)


def make(sizes=(6, 7, 5, 4), seed=0, **options):
    return al.MLP(sizes, rng=np.random.default_rng(seed), **options)


def batch(net, n=9, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(n, net.sizes[0]))
    return x, np.eye(net.sizes[-1])[rng.integers(net.sizes[-1], size=n)]


def differences(values, x, step=1e-6):
    """The gradient of each example's value by central differences, pixel by pixel."""
    gradient = np.empty_like(x)
    for pixel in range(x.shape[1]):
        push = np.zeros(x.shape[1])
        push[pixel] = step
        gradient[:, pixel] = (values(x + push) - values(x - push)) / (2 * step)
    return gradient


@pytest.fixture(scope="module")
def trained():
    bench = Bench(al.Experiment(hidden=(24, 16), epochs=12, learning_rate=3e-3))
    for _ in bench.updates():
        pass
    return bench.network, bench.data.x_test[:120], bench.data.y_test[:120]


def by_hand():
    """Two pixels, two classes: a = (x_1 − 3 x_2 + 1, 0); at (½, ¼) the margin is ¾ and the slopes are 1 and −3."""
    net = make([2, 2], init="zero")
    net.weights[0] = [[1.0, -3.0], [0.0, 0.0]]
    net.biases[0] = [1.0, 0.0]
    return net, np.array([[0.5, 0.25]]), np.array([[1.0, 0.0]])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_the_true_gradient_is_that_of_each_examples_loss(hidden, output):
    net = make(hidden=hidden, output=output)
    x, y = batch(net)
    expected = differences(lambda moved: net.loss.values(net.trace(moved).pre_activations[-1], y), x)
    np.testing.assert_allclose(attacks.true_gradient(net)(x, y), expected, rtol=1e-6, atol=1e-8)


def test_the_gradients_go_back_through_convolutions():
    net = al.ConvNet((1, 6, 6), [(2, 3, 2)], [5, 3], rng=np.random.default_rng(0))
    x, y = batch(net, n=4)
    losses = differences(lambda moved: net.loss.values(net.trace(moved).pre_activations[-1], y), x)
    np.testing.assert_allclose(attacks.true_gradient(net)(x, y), losses, rtol=1e-5, atol=1e-8)
    margins = differences(lambda moved: -attacks.margins(net, moved, y), x)
    np.testing.assert_allclose(attacks.margin_gradient(net)(x, y), margins, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("sizes", [(6, 4), (6, 5, 4), (6, 7, 5, 4)])
def test_the_margin_gradient_is_that_of_the_margin(sizes):
    net = make(sizes)
    x, y = batch(net)
    expected = differences(lambda moved: -attacks.margins(net, moved, y), x)
    np.testing.assert_allclose(attacks.margin_gradient(net)(x, y), expected, rtol=1e-6, atol=1e-8)


def test_a_rules_own_signal_goes_the_rules_own_way():
    net = make()
    x, y = batch(net)
    trace = net.trace(x)
    rule = al.rules.DirectFeedbackAlignment(net, rng=np.random.default_rng(2))
    first = (net.error(trace, y) @ rule.feedback[0].T) * (1 - trace.inputs[1] ** 2)
    np.testing.assert_allclose(attacks.feedback_gradient(net, rule)(x, y), first @ net.weights[0])
    last = np.random.default_rng(3).standard_normal((6, 7))
    np.testing.assert_allclose(attacks.feedback_gradient(net, rule, last)(x, y), first @ last.T)


def test_what_cannot_lead_to_the_input_is_refused():
    net = make()
    x, y = batch(net)
    with pytest.raises(al.InvalidValue, match="shallow"):
        attacks.feedback_gradient(net, al.rules.Shallow(net))(x, y)
    with pytest.raises(al.InvalidValue, match=r"\(6, 7\)"):
        attacks.feedback_gradient(net, al.rules.Backprop(net), np.zeros((7, 6)))
    for radius in (-0.1, np.nan, np.inf):
        with pytest.raises(al.InvalidValue, match="radius"):
            attacks.fgsm(attacks.true_gradient(net), x, y, radius)


def test_a_linear_classifier_is_lost_exactly_at_its_radius():
    net, x, y = by_hand()
    assert attacks.margins(net, x, y) == pytest.approx(0.75)
    assert attacks.linear_radius(net, x, y) == pytest.approx(0.75 / 4)
    gradient = attacks.true_gradient(net)
    np.testing.assert_allclose(attacks.fgsm(gradient, x, y, 0.1), [[0.4, 0.35]])
    for radius, lost in ((0.1874, False), (0.1876, True)):
        tries = [
            attacks.fgsm(gradient, x, y, radius),
            attacks.pgd(gradient, x, y, radius),
            attacks.pgd(attacks.margin_gradient(net), x, y, radius),
            attacks.random_search(net, x, y, radius, 50, np.random.default_rng(0)),
        ]
        assert [bool(attacks.fooled(net, each, y)[0]) for each in tries] == [lost] * 4
        assert not attacks.fooled(net, x, y)[0]


def test_linear_radius_looks_at_the_nearest_of_several_classes():
    net = make([2, 3], init="zero")
    net.weights[0] = [[1.0, 0.0], [0.0, 1.0], [-4.0, 0.0]]
    x, y = np.array([[0.6, 0.4]]), np.array([[1.0, 0.0, 0.0]])
    # to the second class 0.2 / 2, to the third 3.0 / 5
    assert attacks.linear_radius(net, x, y) == pytest.approx(0.1)
    assert attacks.linear_radius(net, x, np.array([[0.0, 1.0, 0.0]])) == pytest.approx(-0.1)


@given(radius=st.floats(0, 1.5), steps=st.integers(1, 6), step=st.none() | st.floats(0, 3), seed=st.none() | st.just(7))
def test_no_attack_leaves_the_ball_or_the_range_of_pixels(radius, steps, step, seed):
    net = make()
    x, y = batch(net, n=4)
    before, rng = x.copy(), np.random.default_rng(0)
    start = None if seed is None else np.random.default_rng(seed)
    gradient = attacks.true_gradient(net)
    for changed in (
        attacks.fgsm(gradient, x, y, radius),
        attacks.pgd(gradient, x, y, radius, steps=steps, step=step, rng=start),
        attacks.random_signs(x, radius, rng),
        attacks.random_search(net, x, y, radius, steps, rng),
    ):
        assert np.max(np.abs(changed - x)) <= radius + 1e-12
        assert changed.min() >= 0
        assert changed.max() <= 1
    np.testing.assert_array_equal(x, before)


def test_one_long_step_of_pgd_is_fgsm():
    net = make()
    x, y = batch(net)
    gradient = attacks.true_gradient(net)
    one = attacks.pgd(gradient, x, y, 0.1, steps=1, step=0.1)
    np.testing.assert_array_equal(one, attacks.fgsm(gradient, x, y, 0.1))
    np.testing.assert_array_equal(attacks.fgsm(gradient, x, y, 0.0), x)


def test_single_precision_stays_single():
    net = make(dtype="float32")
    x, y = (part.astype("float32") for part in batch(net))
    rng = np.random.default_rng(0)
    gradient = attacks.margin_gradient(net)
    assert gradient(x, y).dtype == np.float32
    for changed in (
        attacks.pgd(gradient, x, y, 0.1, rng=rng),
        attacks.random_search(net, x, y, 0.1, 5, rng),
        attacks.random_signs(x, 0.1, rng),
    ):
        assert changed.dtype == np.float32


def test_a_larger_ball_and_a_longer_search_lose_more(trained):
    net, x, y = trained
    gradient = attacks.true_gradient(net)

    def lost(changed):
        return attacks.fooled(net, changed, y).mean()

    radii = (0.0, 0.03, 0.06, 0.12, 0.25)
    by_radius = {
        "fgsm": [lost(attacks.fgsm(gradient, x, y, r)) for r in radii],
        "pgd": [lost(attacks.pgd(gradient, x, y, r)) for r in radii],
        "search": [lost(attacks.random_search(net, x, y, r, 100, np.random.default_rng(0))) for r in radii],
    }
    for name, errors in by_radius.items():
        assert np.all(np.diff(errors) >= 0), name
        assert errors[-1] > errors[0] + 0.3, name
    rng = np.random.default_rng
    searches = [lost(attacks.random_search(net, x, y, 0.1, queries, rng(0))) for queries in (1, 10, 100, 400)]
    assert np.all(np.diff(searches) >= 0)
    assert searches[-1] > searches[0]
    assert lost(attacks.pgd(gradient, x, y, 0.1)) >= lost(attacks.fgsm(gradient, x, y, 0.1))
    assert lost(attacks.fgsm(gradient, x, y, 0.1)) > lost(attacks.random_signs(x, 0.1, rng(0)))


def test_a_search_never_ends_worse_than_it_began(trained):
    net, x, y = trained
    first, later = (attacks.random_search(net, x, y, 0.1, n, np.random.default_rng(4)) for n in (1, 60))
    assert np.all(attacks.margins(net, later, y) <= attacks.margins(net, first, y))


def test_a_saturated_output_hides_the_loss_but_not_the_margin(trained):
    net, x, y = trained
    sharp = make(net.sizes)
    sharp.parameters[...] = net.parameters
    sharp.weights[-1] = 1000 * net.weights[-1]
    sharp.biases[-1] = 1000 * net.biases[-1]
    right = ~attacks.fooled(net, x, y)
    np.testing.assert_array_equal(right, ~attacks.fooled(sharp, x, y))
    a = net.trace(x).pre_activations[-1]
    sure = np.all(np.where(y > 0, a, -a) > 0.05, axis=1)
    assert sure.sum() > 30
    assert not attacks.true_gradient(sharp)(x, y)[sure].any()
    assert attacks.true_gradient(net)(x, y)[sure].any(axis=1).all()
    assert np.all(np.any(attacks.margin_gradient(sharp)(x, y) != 0, axis=1))
    np.testing.assert_allclose(attacks.linear_radius(sharp, x, y), attacks.linear_radius(net, x, y))


def test_shaken_weights_have_the_noise_that_was_asked_for_and_come_back():
    net = make([300, 200, 4])
    before = [W.copy() for W in net.weights]
    net.biases[0].fill(1.0)
    with attacks.shaken(net, 0.3, np.random.default_rng(0)):
        moved = np.linalg.norm(net.weights[0] - before[0]) / np.linalg.norm(before[0])
        assert moved == pytest.approx(0.3, rel=0.02)
        assert np.all(net.biases[0] == 1.0)
    for W, same in zip(net.weights, before, strict=True):
        np.testing.assert_array_equal(W, same)


def test_blocks_are_squares_of_the_image_or_runs_of_the_line():
    rng = np.random.default_rng(0)
    for shape, share, rows, columns in (((8, 8), 0.25, 4, 4), ((8, 8), 1 / 64, 1, 1), ((1, 12), 0.25, 1, 3)):
        blocks = attacks._blocks(900, shape, share, rng).reshape(900, *shape)
        assert np.all(blocks.any(axis=2).sum(axis=1) == rows)
        assert np.all(blocks.any(axis=1).sum(axis=1) == columns)
        assert np.all(blocks.sum(axis=(1, 2)) == rows * columns)
        assert np.all(blocks.any(axis=0))
