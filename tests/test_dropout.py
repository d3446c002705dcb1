"""Dropout and adversarial training: gradients by finite differences, and what every rule must do with a mask."""

import numpy as np
import pytest

import alignlib as al
from alignlib import attacks
from alignlib.adversarial import Adversary
from alignlib.dropout import Dropout
from alignlib.experiments.bench import Bench
from alignlib.experiments.run import streams
from alignlib.gradient_check import finite_differences, flat
from alignlib.optimizers import SGD
from alignlib.rules import RULES, Backprop
from alignlib.training import train

SIZES = (5, 8, 7, 4)
QUICK = al.Experiment(hidden=(16, 12), epochs=2, train_size=200, probe=32)


def make(sizes=SIZES, seed=0, **options):
    return al.MLP(sizes, rng=np.random.default_rng(seed), **options)


def make_convnet(**options):
    return al.ConvNet((1, 6, 6), [(2, 3, 2)], [5, 3], rng=np.random.default_rng(0), **options)


def batch(net, n=9, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.2, 0.8, size=(n, net.sizes[0]))
    return x, np.eye(net.sizes[-1])[rng.integers(net.sizes[-1], size=n)]


def dropout(net, seed=3, **shares):
    return Dropout(net, (np.random.default_rng(seed), np.random.default_rng(seed + 1)), **shares)


def rule_for(name, net, seed=2):
    return RULES[name](net, rng=np.random.default_rng(seed))


class TestGradient:
    @pytest.mark.parametrize("output", al.losses.LOSSES)
    @pytest.mark.parametrize("hidden", ["tanh", "logistic", "relu", "linear"])
    def test_backprop_under_a_fixed_mask_is_the_gradient(self, hidden, output):
        net = make(hidden=hidden, output=output)
        x, y = batch(net)
        masks = dropout(net, input=0.2, hidden=0.5).masks(len(x))
        gradient = flat(Backprop(net).gradients(net, x, y, masks))
        assert not np.allclose(gradient, flat(Backprop(net).gradients(net, x, y)))
        np.testing.assert_allclose(gradient, finite_differences(net, x, y, 1e-6, masks), rtol=1e-6, atol=1e-8)

    def test_so_it_is_through_convolutions(self):
        net = make_convnet(output="softmax")
        x, y = batch(net)
        masks = dropout(net, input=0.2, hidden=0.5).masks(len(x))
        gradient = flat(Backprop(net).gradients(net, x, y, masks))
        np.testing.assert_allclose(gradient, finite_differences(net, x, y, 1e-6, masks), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", RULES)
class TestEveryRule:
    def test_is_the_same_rule_in_the_network_of_the_units_that_remain(self, name):
        """Drop the same input and unit of each layer for all examples: as if they had never been there."""
        net, gone = make(), (1, 3, 2)
        small = make([n - 1 for n in SIZES[:3]] + [SIZES[3]])
        x, y = batch(net)
        masks = [np.ones((len(x), n)) for n in SIZES[:-1]]
        for mask, unit in zip(masks, gone, strict=True):
            mask[:, unit] = 0.0
        without = dict(zip(SIZES, gone, strict=False))

        def cut(array):
            for axis, n in enumerate(array.shape):
                array = np.delete(array, without[n], axis) if n in without else array
            return array

        for part, whole in zip((*small.weights, *small.biases), (*net.weights, *net.biases), strict=True):
            part[...] = cut(whole)
        rule, other = rule_for(name, net), rule_for(name, small)
        for B, whole in zip(other.feedback, rule.feedback, strict=True):
            B[...] = cut(whole)
        full, expected = rule.gradients(net, x, y, masks), other.gradients(small, cut(x.T).T, y)
        for (dW, db), (dW2, db2) in zip(full, expected, strict=True):
            np.testing.assert_allclose(cut(dW), dW2, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(cut(db), db2, rtol=1e-12, atol=1e-15)
        for layer, (dW, db) in enumerate(full[:-1]):
            assert not dW[gone[layer + 1]].any()
            assert not dW[:, gone[layer]].any()
            assert not db[gone[layer + 1]].any()

    def test_a_mask_of_ones_changes_no_bit(self, name):
        net = make()
        x, y = batch(net)
        plain = rule_for(name, net).gradients(net, x, y)
        masked = rule_for(name, net).gradients(net, x, y, [np.ones((len(x), n)) for n in SIZES[:-1]])
        np.testing.assert_array_equal(flat(plain), flat(masked))

    @pytest.mark.parametrize("hidden", ["tanh", "linear"])
    def test_working_in_place_changes_nothing_but_rounding(self, name, hidden):
        net = make(hidden=hidden)
        x, y = batch(net)
        masks = dropout(net, input=0.2, hidden=0.5).masks(len(x))
        buffers, row = net.buffers(len(x)), np.full_like(net.parameters, np.nan)
        for _ in range(2):
            rule_for(name, net).learn(net, x, y, net.views(row), buffers=buffers, masks=masks)
            expected = flat(rule_for(name, net).gradients(net, x, y, masks))
            np.testing.assert_allclose(flat(net.views(row)), expected, rtol=1e-12, atol=1e-15)

    def test_shares_and_epsilon_of_zero_change_no_bit(self, name):
        def trained(**options):
            net = make()
            steps = train(
                net, rule_for(name, net), SGD(net.parameters, 0.1), *batch(net),
                epochs=3, batch_size=4, rng=np.random.default_rng(5), **{k: f(net) for k, f in options.items()},
            )  # fmt: skip
            assert len(list(steps)) == 9
            return net.parameters

        idle = trained(dropout=dropout, adversary=lambda net: Adversary(net, 0.0))
        np.testing.assert_array_equal(idle, trained())
        assert not np.array_equal(idle, trained(dropout=lambda net: dropout(net, hidden=0.5)))
        assert not np.array_equal(idle, trained(dropout=lambda net: dropout(net, input=0.5)))
        assert not np.array_equal(idle, trained(adversary=lambda net: Adversary(net, 0.1)))

    def test_it_learns_with_both_and_its_choices_disturb_no_other(self, name):
        experiment = al.Experiment(
            hidden=(16, 12), epochs=1, train_size=200, probe=0, rule=name, record_every=1, dropout_input=0.1,
            dropout_hidden=0.5, adversarial=0.08,
        )  # fmt: skip
        curves, bp = (al.run(e, show_progress=False).curves for e in al.grid(experiment, rule=[name, "bp"]))
        assert np.all(np.isfinite(curves["train_loss"][1:]))
        # the first mini-batch meets equal weights: an equal loss means equal order, masks and changed examples
        assert curves["train_loss"][1] == bp["train_loss"][1]
        assert curves["test_loss"][0] == bp["test_loss"][0]


class TestMasks:
    def test_they_keep_the_mean_and_drop_the_share(self):
        net = make([300, 400, 200, 3])
        first, second, third = dropout(net, input=0.1, hidden=0.5).masks(250)
        assert [np.shape(mask) for mask in (first, second, third)] == [(250, 300), (250, 400), (250, 200)]
        for mask, share in ((first, 0.1), (second, 0.5), (third, 0.5)):
            np.testing.assert_array_equal(np.unique(mask), [0.0, 1.0 / (1.0 - share)])
            assert np.mean(mask == 0) == pytest.approx(share, abs=0.01)
            assert np.mean(mask) == pytest.approx(1.0, abs=0.01)
        columns = np.corrcoef(second[:, :50], rowvar=False)
        assert np.abs(columns - np.eye(50)).max() < 0.35  # each unit for itself

    def test_they_are_drawn_again_each_time(self):
        net = make()
        drop = dropout(net, hidden=0.5)
        assert drop.masks(9)[0] is None
        before = drop.masks(9)[1].copy()
        assert not np.array_equal(before, drop.masks(9)[1])

    def test_neither_share_changes_the_draws_of_the_other(self):
        net = make()
        alone, both = dropout(net, hidden=0.5).masks(9), dropout(net, input=0.3, hidden=0.5).masks(9)
        np.testing.assert_array_equal(alone[1], both[1])
        np.testing.assert_array_equal(
            dropout(net, input=0.3).masks(9)[0], dropout(net, input=0.3, hidden=0.9).masks(9)[0]
        )

    def test_both_precisions_drop_the_same(self):
        single, double = (dropout(make(dtype=dtype), hidden=0.5).masks(9)[1] for dtype in ("float32", "float64"))
        assert single.dtype == np.float32
        np.testing.assert_array_equal(single, double)

    @pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
    def test_other_shares_are_refused(self, share):
        with pytest.raises(al.InvalidValue, match="less than 1"):
            dropout(make(), hidden=share)

    def test_evaluation_drops_nothing(self):
        plain, dropped = (al.run(e, show_progress=False) for e in al.grid(QUICK, dropout_hidden=[0.0, 0.5]))
        for name in ("test_loss", "test_error", "weight_norm/1", "gradient_angle/1"):
            assert plain.curves[name][0] == dropped.curves[name][0]
        assert plain.final("test_loss") != dropped.final("test_loss")


class TestStreams:
    def test_those_that_were_there_before_are_the_same(self):
        before = np.random.SeedSequence(7).spawn(5)
        for name, child in zip(("data", "weights", "feedback", "order", "label noise"), before, strict=True):
            np.testing.assert_array_equal(streams(7)[name].random(3), np.random.default_rng(child).random(3))

    def test_all_are_different(self):
        first = [rng.random() for rng in streams(7).values()]
        assert len(set(first)) == len(first) == 7


class TestAdversary:
    @pytest.mark.parametrize("build", [make, make_convnet])
    def test_it_makes_fast_gradient_sign_examples(self, build):
        net = build()
        x, y = batch(net)
        gradient = attacks.true_gradient(net)
        changed = Adversary(net, 0.08).change(x, y, net.buffers(len(x)))
        np.testing.assert_array_equal(changed, x + 0.08 * np.sign(gradient(x, y)))
        np.testing.assert_array_equal(changed, attacks.fgsm(gradient, x, y, 0.08))  # no pixel near 0 or 1
        assert net.mean_loss(changed, y) > net.mean_loss(x, y)

    def test_it_does_not_clip(self):
        net = make()
        x, y = np.ones((3, 5)), np.eye(4)[:3]
        assert Adversary(net, 0.3).change(x, y).max() == pytest.approx(1.3)

    @pytest.mark.parametrize("name", RULES)
    def test_the_update_is_the_rules_own_at_examples_against_the_true_gradient(self, name):
        net = make()
        x, y = batch(net, n=6)
        before, changed = net.parameters.copy(), attacks.fgsm(attacks.true_gradient(net), x, y, 0.1)
        expected = flat(rule_for(name, net).gradients(net, changed, y))
        steps = train(
            net, rule_for(name, net), SGD(net.parameters, 0.1), x, y,
            epochs=1, batch_size=6, rng=np.random.default_rng(0), adversary=Adversary(net, 0.1),
        )  # fmt: skip
        step = next(steps)
        np.testing.assert_allclose(net.parameters, before - 0.1 * expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(np.sort(step.trace.activities[0], axis=0), np.sort(changed, axis=0))

    def test_under_dropout_it_is_against_the_network_that_is_left(self):
        net, step = make(), 1e-6
        x, y = batch(net)
        masks = dropout(net, input=0.4, hidden=0.5).masks(len(x))
        moved = Adversary(net, 0.1).change(x, y, None, masks) - x
        for example in range(len(x)):
            only = [mask[example : example + 1] for mask in masks]
            for pixel in range(x.shape[1]):
                push = np.zeros((1, x.shape[1]))
                push[0, pixel] = step
                one, own = x[example : example + 1], y[example : example + 1]
                slope = (net.mean_loss(one + push, own, only) - net.mean_loss(one - push, own, only)) / (2 * step)
                assert moved[example, pixel] == pytest.approx(0.1 * np.sign(slope) if masks[0][example, pixel] else 0)

    def test_a_network_trained_so_withstands_more(self):
        base = al.Experiment(hidden=(32,), epochs=15, learning_rate=3e-3)
        lost = []
        for experiment in al.grid(base, adversarial=[0.0, 0.15]):
            bench = Bench(experiment)
            for _ in bench.updates():
                pass
            net, x, y = bench.network, bench.data.x_test, bench.data.y_test
            lost.append(attacks.fooled(net, attacks.fgsm(attacks.true_gradient(net), x, y, 0.15), y).mean())
        assert lost[1] < lost[0] - 0.1

    @pytest.mark.parametrize("epsilon", [-0.1, float("nan"), float("inf")])
    def test_other_sizes_are_refused(self, epsilon):
        with pytest.raises(al.InvalidValue, match="epsilon"):
            Adversary(make(), epsilon)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dropout_input", 1.0, "dropout_input is a share, at least 0 and less than 1; received 1.0"),
        ("dropout_hidden", 1.5, "less than 1; received 1.5"),
        ("dropout_hidden", -0.5, "not below 0"),
        ("adversarial", -0.08, "not below 0"),
        ("adversarial", "0.08", "finite number"),
        ("dropout", 0.5, "did you mean 'dropout_"),
        ("adversary", 0.08, "did you mean 'adversarial'"),
    ],
)
def test_an_experiment_refuses_what_cannot_be(field, value, message):
    with pytest.raises(al.InvalidValue, match=message):
        al.Experiment(**{field: value})
