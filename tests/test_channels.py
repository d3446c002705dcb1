"""Imperfect channels: what a perfect one leaves alone, and hand-computed noise and rounding."""

import numpy as np
import pytest

import alignlib as al
from alignlib.channels import Channel, quantise, through
from alignlib.rules import RULES


def net_and_batch(seed=0, sizes=(5, 7, 6, 3)):
    rng = np.random.default_rng(seed)
    net = al.MLP(sizes, rng=rng)
    x, y = rng.standard_normal((8, sizes[0])), np.eye(sizes[-1])[rng.integers(sizes[-1], size=8)]
    return net, net.trace(x, target=y), y


def signals(rule, channel, net, trace, y, seed=2):
    made = through(RULES[rule], channel)(net, rng=np.random.default_rng(seed))
    return made, made.hidden_signals(net, trace, net.error(trace, y))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_perfect_channel_changes_nothing(rule):
    net, trace, y = net_and_batch()
    made, ours = signals(rule, Channel(), net, trace, y)
    plain = RULES[rule](net, rng=np.random.default_rng(2))
    for B, same in zip(made.feedback, plain.feedback, strict=True):
        np.testing.assert_array_equal(B, same)
    for delta, same in zip(ours, plain.hidden_signals(net, trace, net.error(trace, y)), strict=True):
        np.testing.assert_array_equal(delta, same)


@pytest.mark.parametrize("rule", ["bp", "fa", "dfa", "ifa"])
def test_noise_is_fresh_unbiased_and_touches_no_matrix(rule):
    net, trace, y = net_and_batch()
    plain = RULES[rule](net, rng=np.random.default_rng(2))
    made = through(RULES[rule], Channel(noise=0.5))(net, rng=np.random.default_rng(2))
    weights, error = net.parameters.copy(), net.error(trace, y)
    drawn = np.array([np.concatenate(made.hidden_signals(net, trace, error), axis=1) for _ in range(4000)])
    exact = np.concatenate(plain.hidden_signals(net, trace, error), axis=1)
    assert np.all(drawn[0] != drawn[1])
    wrong = np.abs(drawn.mean(axis=0) - exact) / (drawn.std(axis=0) / np.sqrt(len(drawn)))
    assert wrong.max() < 5
    np.testing.assert_array_equal(net.parameters, weights)
    for B, same in zip(made.feedback, plain.feedback, strict=True):
        np.testing.assert_array_equal(B, same)


def test_the_level_of_noise_is_relative_to_the_entries():
    matrix = 7.0 * np.sign(np.random.default_rng(0).standard_normal((300, 200)))
    noise = Channel(noise=0.25).matrix(matrix, np.random.default_rng(1)) - matrix
    assert noise.std() == pytest.approx(0.25 * 7.0, rel=0.01)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (2, [-4.0, -4.0, 0.0, 4.0, 4.0]),
        (3, [-4.0, 0.0, 0.0, 0.0, 4.0]),
        (5, [-4.0, -2.0, 0.0, 2.0, 4.0]),
        (4, [-4.0, -4 / 3, 0.0, 4 / 3, 4.0]),
    ],
)
def test_levels_by_hand(levels, expected):
    signal = np.array([-4.0, -1.9, 0.0, 1.1, 3.2])
    np.testing.assert_allclose(quantise(signal, levels), expected)


@pytest.mark.parametrize("levels", [2, 3, 4, 8, 16])
def test_rounding_is_near_and_idempotent_and_dither_is_right_on_average(levels):
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((30, 4))
    size, gap = np.abs(signal).max(), 2 * np.abs(signal).max() / (levels - 1)
    once = quantise(signal, levels)
    assert len(np.unique(np.round(once / size, 9))) <= levels
    assert np.max(np.abs(once - signal)) <= gap / 2 + 1e-12
    np.testing.assert_allclose(quantise(once, levels), once)
    many = np.array([quantise(signal, levels, rng) for _ in range(4000)])
    assert np.max(np.abs(many - signal)) <= gap + 1e-12
    assert np.max(np.abs(many.mean(axis=0) - signal)) < 5 * gap / 2 / np.sqrt(4000)


def test_silence_stays_silent_and_precision_is_kept():
    assert not quantise(np.zeros((2, 3)), 2).any()
    assert quantise(np.ones((2, 3), "float32"), 4).dtype == np.float32


def test_a_chain_rounds_at_every_hop_and_a_fan_only_the_error():
    net, trace, y = net_and_batch()
    e = net.error(trace, y)
    slopes = [1 - h**2 for h in trace.inputs[1:]]
    chain, (first, second) = signals("fa", Channel(levels=3), net, trace, y)
    expected = (quantise(e, 3) @ chain.feedback[1].T) * slopes[1]
    np.testing.assert_allclose(second, expected)
    np.testing.assert_allclose(first, (quantise(expected, 3) @ chain.feedback[0].T) * slopes[0])
    fan, delivered = signals("dfa", Channel(levels=3), net, trace, y)
    for delta, B, slope in zip(delivered, fan.feedback, slopes, strict=True):
        np.testing.assert_allclose(delta, (quantise(e, 3) @ B.T) * slope)


def test_it_learns_in_the_training_loop_and_again_the_same():
    from alignlib.experiments.bench import Bench

    experiment = al.Experiment(hidden=(16, 12), rule="dfa", epochs=2, train_size=200)
    rule = through(al.rules.DirectFeedbackAlignment, Channel(noise=0.3, levels=4, dither=True))
    ends = []
    for _ in range(2):
        bench = Bench(experiment, rule=rule)
        for _ in bench.updates():
            pass
        ends.append(bench.network.parameters.copy())
    np.testing.assert_array_equal(*ends)
    assert not np.array_equal(ends[0], Bench(experiment).network.parameters)


def test_what_cannot_be_is_refused():
    net, *_ = net_and_batch()
    for wrong in ({"noise": -1.0}, {"levels": 1}, {"dither": True}):
        with pytest.raises(al.InvalidValue, match=next(iter(wrong))):
            Channel(**wrong)
    with pytest.raises(al.InvalidValue, match="levels"):
        quantise(np.ones(3), 1)
    with pytest.raises(al.InvalidValue, match="rng"):
        through(al.rules.Backprop, Channel(noise=1.0))(net)
