"""Sign symmetry, Kolen–Pollack, weight mirror, direct Kolen–Pollack: each against what it promises."""

import itertools

import numpy as np
import pytest

import alignlib as al
from alignlib import metrics, optimizers
from alignlib.plasticity import Plasticity
from alignlib.rules import RULES, Backprop, FeedbackAlignment, KolenPollack, WeightMirror
from alignlib.training import train

SIZES = [5, 7, 6, 4, 3]
SIGNS = ("usf", "brsf", "frsf")
CHANGING = {"brsf", "kp", "wm", "dkp"}
OPTIMIZERS = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {},
    "adam": {},
}


def kind_of(optimizer):
    return optimizer if optimizer in optimizers.OPTIMIZERS else "sgd"


def make(sizes=SIZES, seed=0, **options):
    return al.MLP(sizes, rng=np.random.default_rng(seed), **options)


def batch(net, n=8, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, net.sizes[0])), np.eye(net.sizes[-1])[rng.integers(net.sizes[-1], size=n)]


def rule_for(name, net, seed=2, **options):
    rule = RULES[name] if isinstance(name, str) else name
    return rule(net, rng=np.random.default_rng(seed), **options)


def updates(net, rule, optimizer="sgd", rate=0.1, weight_decay=0.0, epochs=10):
    """Train on random numbers, three updates an epoch."""
    steps = optimizers.make(kind_of(optimizer), net.parameters, rate, **OPTIMIZERS[optimizer])
    x, y = batch(net, 24)
    order = np.random.default_rng(3)
    return train(net, rule, steps, x, y, epochs=epochs, batch_size=8, rng=order, weight_decay=weight_decay)


def apart(net, rule):
    """B − what backprop would use in its place, each as an array."""
    return [B - W for B, W in zip(rule.feedback, rule.counterparts(net), strict=True)]


def assert_same_gradients(ours, theirs, **tolerance):
    for mine, other in zip(itertools.chain(*ours), itertools.chain(*theirs), strict=True):
        np.testing.assert_allclose(mine, other, **({"rtol": 1e-12, "atol": 1e-15} | tolerance))


@pytest.mark.parametrize("name", RULES)
def test_training_changes_the_feedback_of_those_rules_only_that_say_so(name):
    net = make()
    rule = rule_for(name, net)
    before = [B.copy() for B in rule.feedback]
    for _ in updates(net, rule, epochs=1):
        pass
    assert rule.learns_feedback == (name in CHANGING)
    for B, then in zip(rule.feedback, before, strict=True):
        assert np.array_equal(B, then) != rule.learns_feedback
        assert np.all(np.isfinite(B))


@pytest.mark.parametrize("name", sorted(CHANGING))
def test_gradients_can_be_asked_for_without_teaching_the_feedback(name):
    net = make()
    rule = rule_for(name, net)
    first = rule.gradients(net, *batch(net))
    assert_same_gradients(rule.gradients(net, *batch(net)), first, rtol=0, atol=0)


@pytest.mark.parametrize("name", sorted(CHANGING))
def test_matrices_that_go_their_own_ways_cannot_be_shared(name):
    with pytest.raises(al.InvalidValue, match=f"rule '{name}' changes each of its matrices"):
        rule_for(name, make(), shared=True)


def test_fixed_feedback_does_not_learn():
    net = make()
    fa = rule_for("fa", net)
    with pytest.raises(al.InvalidValue, match="feedback of rule 'fa' is fixed"):
        fa.learn_feedback(net, net.trace(batch(net)[0]), [], Plasticity(optimizers.SGD(net.parameters, 0.1)))


class TestSignSymmetry:
    @pytest.mark.parametrize("name", ["frsf", "brsf"])
    def test_with_the_sizes_of_the_weights_it_is_backprop(self, name):
        net = make()
        rule = rule_for(name, net)
        for M, W in zip(rule.feedback, net.weights[1:], strict=True):
            M[...] = np.abs(W.T)
        assert_same_gradients(rule.gradients(net, *batch(net)), Backprop(net).gradients(net, *batch(net)))

    def test_with_one_magnitude_it_is_backprop_for_weights_of_that_size(self):
        net = make()
        usf = rule_for("usf", net)
        for m, W in zip(usf.feedback, net.weights[1:], strict=True):
            W[...] = m[0, 0] * np.sign(W)
        assert_same_gradients(usf.gradients(net, *batch(net)), Backprop(net).gradients(net, *batch(net)))

    @pytest.mark.parametrize("name", SIGNS)
    def test_only_the_signs_of_the_weights_matter(self, name):
        net = make()
        x, y = batch(net)
        rule, trace = rule_for(name, net), net.trace(x)
        before = [d.copy() for d in rule.hidden_signals(net, trace, trace.output - y)]
        for W in net.weights:
            W *= np.random.default_rng(4).uniform(0.1, 9.0, W.shape)
        for now, then in zip(rule.hidden_signals(net, trace, trace.output - y), before, strict=True):
            np.testing.assert_array_equal(now, then)

    @pytest.mark.parametrize("name", ["frsf", "brsf"])
    @pytest.mark.parametrize("feedback", ["fan-out", "gaussian"])
    def test_magnitudes_are_those_that_fa_draws(self, name, feedback):
        net = make()
        signs, fa = rule_for(name, net, feedback=feedback), rule_for("fa", net, feedback=feedback)
        for M, B in zip(signs.feedback, fa.feedback, strict=True):
            np.testing.assert_array_equal(M, np.abs(B))

    def test_the_one_magnitude_is_the_root_mean_square_of_what_fa_draws(self):
        net = make()
        usf, fa = rule_for("usf", net, feedback_scale=3.0), rule_for("fa", net)
        for m, B in zip(usf.feedback, fa.feedback, strict=True):
            assert m.item() == pytest.approx(3 * np.sqrt(np.mean(B**2)), rel=1e-12)

    def test_magnitudes_are_drawn_again_after_every_update(self):
        net = make([5, 60, 50, 3])
        brsf = rule_for("brsf", net)
        first = [M.copy() for M in brsf.feedback]
        before = first
        for _ in itertools.islice(updates(net, brsf), 3):
            for M, then, drawn in zip(brsf.feedback, before, first, strict=True):
                assert np.isin(M, drawn).all()
                assert np.mean(then == M) < 0.1
            assert brsf.feedback[0].mean() == pytest.approx(first[0].mean(), rel=0.05)
            before = [M.copy() for M in brsf.feedback]

    def test_the_first_update_is_that_of_fixed_magnitudes(self):
        nets = {name: make() for name in ("brsf", "frsf")}
        for name, net in nets.items():
            next(updates(net, rule_for(name, net)))
        np.testing.assert_array_equal(nets["brsf"].parameters, nets["frsf"].parameters)

    def test_the_angle_is_that_of_the_matrix_that_carries_the_signal(self):
        net = make([5, 500, 400, 3])
        x, y = batch(net)
        seen = {name: al.experiments.measure.probe(net, rule_for(name, net), x, y)["weight_angle/1"] for name in SIGNS}
        # both uniform: cos = ⟨|w|⟩ / √⟨w²⟩ = √3/2 for each side that is random
        assert seen["usf"] == pytest.approx(30.0, abs=0.3)
        assert seen["frsf"] == seen["brsf"] == pytest.approx(np.degrees(np.arccos(3 / 4)), abs=0.3)
        magnitudes = rule_for("frsf", net).feedback[0]
        assert metrics.angle(magnitudes, net.weights[1].T) == pytest.approx(90.0, abs=1.0)  # not what is used

    @pytest.mark.parametrize("name", SIGNS)
    def test_without_magnitudes_only_the_output_layer_learns(self, name):
        net = make()
        ours, shallow = rule_for(name, net, feedback="zero"), rule_for("shallow", net)
        assert_same_gradients(ours.gradients(net, *batch(net)), shallow.gradients(net, *batch(net)), rtol=0, atol=0)


class TestKolenPollack:
    def test_with_sgd_the_difference_to_the_transpose_shrinks_by_a_known_factor(self):
        net = make()
        kp = rule_for("kp", net)
        before = apart(net, kp)
        for step in updates(net, kp, rate=0.1, weight_decay=0.2):
            for now, then in zip(apart(net, kp), before, strict=True):
                np.testing.assert_allclose(now, (1 - 0.1 * 0.2) ** step.number * then, rtol=1e-9, atol=1e-14)
        assert step.number == 30

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_without_decay_the_difference_stays_whatever_the_optimiser(self, optimizer):
        net = make()
        kp = rule_for("kp", net)
        before, start = apart(net, kp), net.parameters.copy()
        for _ in updates(net, kp, optimizer, rate=0.01):
            pass
        assert np.abs(net.parameters - start).max() > 0.01
        for now, then in zip(apart(net, kp), before, strict=True):
            np.testing.assert_allclose(now, then, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_decay_brings_the_feedback_to_the_transpose_whatever_the_optimiser(self, optimizer):
        net = make()
        kp = rule_for("kp", net)
        before = [np.linalg.norm(D) for D in apart(net, kp)]
        rate = 0.1 if kind_of(optimizer) == "sgd" else 0.01
        for _ in updates(net, kp, optimizer, rate=rate, weight_decay=0.05, epochs=200):
            pass
        for D, then in zip(apart(net, kp), before, strict=True):
            assert np.linalg.norm(D) < 0.1 * then

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_from_the_transpose_it_is_backprop(self, optimizer):
        nets = [make(), make()]
        kp = rule_for("kp", nets[0])
        for B, W in zip(kp.feedback, nets[0].weights[1:], strict=True):
            B[...] = W.T
        for net, rule in zip(nets, (kp, Backprop(nets[1])), strict=True):
            for _ in updates(net, rule, optimizer, rate=0.01, weight_decay=0.05, epochs=3):
                pass
        np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-7, atol=1e-9)

    def test_one_step_on_paper(self):
        net = make([2, 1, 1], output="linear")
        net.weights[0][...], net.weights[1][...] = [[0.5, 0.0]], [[2.0]]
        kp = rule_for("kp", net)
        kp.feedback[0][...] = -1.0
        plasticity = Plasticity(optimizers.SGD(net.parameters, 0.1), 0.3)
        x, y = np.array([[1.0, 0.0], [2.0, 0.0]]), np.zeros((2, 1))
        kp.learn(net, x, y, net.views(np.empty_like(net.parameters)), 0.3, plasticity=plasticity)
        h = np.tanh([0.5, 1.0])  # and e = 2h
        assert kp.feedback[0].item() == pytest.approx(-1.0 - 0.1 * (np.mean(h * 2 * h) + 0.3 * -1.0), rel=1e-12)


class TestWeightMirror:
    def test_the_mean_over_noise_is_the_transpose(self):
        class Once(WeightMirror):
            """Forgets all at once, and averages over a lot of noise."""

            rate, decay, examples = 0.5, 1.0, 200_000

        net = make()
        wm = rule_for(Once, net)
        next(updates(net, wm, rate=1e-12))
        for B, W in zip(wm.feedback, net.weights[1:], strict=True):
            error = 5 * np.linalg.norm(W, axis=1).max() / np.sqrt(Once.examples)
            np.testing.assert_allclose(B, 0.5 * W.T, atol=error)
            assert error < 0.2 * np.abs(W).max()

    def test_feedback_turns_to_the_transpose_and_gets_its_size(self):
        net = make()
        wm = rule_for("wm", net)
        sizes = []
        for _ in updates(net, wm, rate=1e-12, epochs=200):
            sizes.append([np.linalg.norm(B) / np.linalg.norm(W) for B, W in wm.pairs(net)])
        assert all(metrics.angle(B, W) < 15 for B, W in wm.pairs(net))
        np.testing.assert_allclose(np.mean(sizes[200:], axis=0), 1.0, atol=0.05)

    def test_noise_has_a_generator_of_its_own(self):
        class Deaf(WeightMirror):
            rate = decay = 0.0

        nets = [make(), make()]
        for net, rule in zip(nets, (rule_for(Deaf, nets[0]), rule_for("fa", nets[1])), strict=True):
            for _ in updates(net, rule):
                pass
        np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)

    def test_noise_differs_between_seeds_and_not_between_equal_ones(self):
        learned = []
        for seed in (2, 2, 5):
            net = make()
            wm = rule_for("wm", net, seed=seed)
            for B in wm.feedback:
                B[...] = 0.0
            next(updates(net, wm))
            learned.append(wm.feedback[0])
        assert np.array_equal(learned[0], learned[1])
        assert not np.array_equal(learned[0], learned[2])

    def test_noise_asks_for_a_generator(self):
        net = make()
        with pytest.raises(al.InvalidValue, match="rng="):
            next(updates(net, WeightMirror(net, feedback="zero")))


class TestDirectKolenPollack:
    def test_with_one_hidden_layer_it_is_kolen_pollack(self):
        nets = [make([5, 7, 3]), make([5, 7, 3])]
        for net, name in zip(nets, ("dkp", "kp"), strict=True):
            for _ in updates(net, rule_for(name, net), "rmsprop", rate=0.01, weight_decay=0.1):
                pass
        np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)

    def test_the_matrix_of_the_last_hidden_layer_goes_to_the_transpose(self):
        net = make()
        dkp = rule_for("dkp", net)
        before = apart(net, dkp)[-1]
        for step in updates(net, dkp, weight_decay=0.2):
            np.testing.assert_allclose(apart(net, dkp)[-1], 0.98**step.number * before, rtol=1e-9, atol=1e-14)

    def test_every_matrix_steps_against_the_activity_times_the_error(self):
        net = make()
        x, y = batch(net)
        dkp, trace = rule_for("dkp", net), net.trace(x)
        e = net.error(trace, y)
        expected = [B - 0.1 * (h.T @ e / len(e) + 0.3 * B) for B, h in zip(dkp.feedback, trace.inputs[1:], strict=True)]
        plasticity = Plasticity(optimizers.SGD(net.parameters, 0.1), 0.3)
        dkp.learn(net, x, y, net.views(np.empty_like(net.parameters)), 0.3, plasticity=plasticity)
        for B, then in zip(dkp.feedback, expected, strict=True):
            np.testing.assert_allclose(B, then, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_another_optimiser_like_it_steps_alike(optimizer):
    kind = kind_of(optimizer)
    first = optimizers.make(kind, np.zeros(3), 0.03, **OPTIMIZERS[optimizer])
    first.step(np.zeros(3), np.ones(3))  # leaves a state that the other one must not have
    ours, theirs = np.zeros(2), np.zeros(2)
    other, expected = first.like(ours), optimizers.make(kind, theirs, 0.03, **OPTIMIZERS[optimizer])
    for g in ([1.0, -2.0], [0.5, 0.0]):
        other.step(ours, np.array(g))
        expected.step(theirs, np.array(g))
    np.testing.assert_array_equal(ours, theirs)


def test_kernels_do_not_learn_feedback():
    net = al.ConvNet((1, 6, 6), [(3, 3, 2), (4, 3, 1)], [5, 3], rng=np.random.default_rng(0))
    with pytest.raises(al.InvalidValue, match="between dense layers only"):
        next(updates(net, rule_for("kp", net)))


def test_a_run_on_real_data_turns_the_feedback():
    base = al.Experiment(hidden=(32, 32), epochs=15, learning_rate=5e-3, weight_decay=1e-2, probe=64)
    fa, kp, wm, dkp = (al.run(e, show_progress=False) for e in al.grid(base, rule=["fa", "kp", "wm", "dkp"]))
    for result in (kp, wm, dkp):
        assert result.final("weight_angle/2") < fa.final("weight_angle/2")
        assert result.final("delta_angle/2") < fa.final("delta_angle/2")


def test_rules_of_ones_own_may_learn_less():
    class WithoutDecay(KolenPollack):
        def learn_feedback(self, network, trace, signals, plasticity):
            plasticity.weight_decay = 0.0
            super().learn_feedback(network, trace, signals, plasticity)

    net = make()
    rule = rule_for(WithoutDecay, net)
    assert rule.learns_feedback
    assert not rule_for(FeedbackAlignment, net).learns_feedback
    before = np.linalg.norm(apart(net, rule)[0])
    for _ in updates(net, rule, weight_decay=0.2):
        pass
    assert np.linalg.norm(apart(net, rule)[0]) != pytest.approx(before, rel=1e-3)
