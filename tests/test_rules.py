"""The load-bearing tests: every rule against finite differences, hand-computed networks and its limit identities."""

import numpy as np
import pytest

import alignlib as al
from alignlib.gradient_check import finite_differences, flat
from alignlib.rules import RULES, Backprop, DirectFeedbackAlignment, FeedbackAlignment, IndirectFeedbackAlignment

SIZES = [5, 7, 6, 4, 3]
HIDDEN = ("tanh", "logistic", "relu", "linear")
OUTPUTS = tuple(al.losses.LOSSES)


def make(sizes=SIZES, hidden="tanh", output="logistic", seed=0, **options):
    return al.MLP(sizes, hidden=hidden, output=output, rng=np.random.default_rng(seed), **options)


def batch(net, n=8, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, net.sizes[0]))
    y = np.eye(net.sizes[-1])[rng.integers(net.sizes[-1], size=n)]
    return x, y


def rule_for(name, net, seed=2, **options):
    return RULES[name](net, rng=np.random.default_rng(seed), **options)


def assert_same_gradients(ours, theirs, **tolerance):
    for (dW, db), (dW2, db2) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(dW, dW2, **({"rtol": 1e-12, "atol": 1e-15} | tolerance))
        np.testing.assert_allclose(db, db2, **({"rtol": 1e-12, "atol": 1e-15} | tolerance))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_backprop_is_the_gradient(hidden, output):
    net = make(hidden=hidden, output=output)
    x, y = batch(net)
    gradient = flat(Backprop(net).gradients(net, x, y))
    np.testing.assert_allclose(gradient, finite_differences(net, x, y, step=1e-6), rtol=1e-6, atol=1e-8)


def hand_computed():
    """A 1-1-1-1 net whose numbers can be followed on paper: all biases 0, x = 1, y = 0, linear output."""
    net = make([1, 1, 1, 1], hidden="tanh", output="linear")
    for weight, value in zip(net.weights, (0.5, -0.8, 1.5), strict=True):
        weight[...] = value
    h1 = np.tanh(0.5)
    h2 = np.tanh(-0.8 * h1)
    return net, h1, h2, 1.5 * h2  # the error is ŷ − 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # δ2 and δ1 without their factors f′ = 1 − h²; B of the rule is 0.3 and, where there are two, 0.3 and −0.7
        ("bp", lambda e, s1, s2: (-0.8 * (1.5 * e * s2) * s1, 1.5 * e * s2)),
        ("fa", lambda e, s1, s2: (0.3 * (-0.7 * e * s2) * s1, -0.7 * e * s2)),
        ("dfa", lambda e, s1, s2: (0.3 * e * s1, -0.7 * e * s2)),
        ("ifa", lambda e, s1, s2: (0.3 * e * s1, -0.8 * (0.3 * e * s1) * s2)),
        ("shallow", lambda e, s1, s2: (0.0, 0.0)),
        ("sdfa", lambda e, s1, s2: (-0.3 * s1, 0.7 * s2)),  # e is negative
        ("drtp", lambda e, s1, s2: (0.0, 0.0)),  # the target is 0
    ],
)
def test_each_rule_on_a_hand_computed_net(name, expected):
    net, h1, h2, e = hand_computed()
    rule = rule_for(name, net)
    for B, value in zip(rule.feedback, (0.3, -0.7), strict=False):
        B[...] = value
    delta1, delta2 = expected(e, 1 - h1**2, 1 - h2**2)
    gradients = rule.gradients(net, np.ones((1, 1)), np.zeros((1, 1)))
    assert_same_gradients(
        gradients,
        [([[delta1]], [delta1]), ([[delta2 * h1]], [delta2]), ([[e * h2]], [e])],
    )


def test_drtp_on_a_hand_computed_net_with_a_target():
    net, h1, h2, output = hand_computed()
    rule = rule_for("drtp", net)
    for B, value in zip(rule.feedback, (0.3, -0.7), strict=True):
        B[...] = value
    delta1, delta2, e = 0.3 * 2.0 * (1 - h1**2), -0.7 * 2.0 * (1 - h2**2), output - 2.0
    assert_same_gradients(
        rule.gradients(net, np.ones((1, 1)), np.full((1, 1), 2.0)),
        [([[delta1]], [delta1]), ([[delta2 * h1]], [delta2]), ([[e * h2]], [e])],
    )


def test_pepita_on_a_hand_computed_net():
    net, h1, h2, e = hand_computed()
    rule = rule_for("pepita", net)
    rule.feedback[0][...] = 0.3
    x_err = 1 + 0.3 * e
    h1_err = np.tanh(0.5 * x_err)
    h2_err = np.tanh(-0.8 * h1_err)
    signals, activities = (h1 - h1_err, h2 - h2_err, 1.5 * h2_err), (x_err, h1_err, h2_err)
    expected = [([[delta * h]], [delta]) for delta, h in zip(signals, activities, strict=True)]
    assert_same_gradients(rule.gradients(net, np.ones((1, 1)), np.zeros((1, 1))), expected)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_drtp_is_dfa_with_the_target_in_place_of_the_error(hidden):
    net = make(hidden=hidden)
    x, y = batch(net)
    drtp, dfa, trace = rule_for("drtp", net), rule_for("dfa", net), net.trace(x, target=y)
    ours, theirs = drtp.hidden_signals(net, trace, net.error(trace, y)), dfa.hidden_signals(net, trace, y)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_drtp_does_not_look_at_the_output():
    net = make()
    x, y = batch(net)
    before = rule_for("drtp", net).gradients(net, x, y)
    net.weights[-1] *= -3.0
    net.biases[-1] += 1.0
    after = rule_for("drtp", net).gradients(net, x, y)
    assert_same_gradients(before[:-1], after[:-1], rtol=0, atol=0)
    assert not np.allclose(before[-1][0], after[-1][0])


def test_drtp_and_pepita_ask_for_the_target():
    net = make()
    trace = net.trace(batch(net)[0])
    for name, method in (("drtp", "hidden_signals"), ("pepita", "lesson")):
        with pytest.raises(al.InvalidValue, match="target=y"):
            getattr(rule_for(name, net), method)(net, trace, trace.output)


def test_sdfa_is_dfa_of_the_signs_and_follows_from_the_target_for_logistic_outputs():
    net = make(output="logistic")
    x, y = batch(net)
    trace = net.trace(x, target=y)
    e = net.error(trace, y)
    ours = rule_for("sdfa", net).hidden_signals(net, trace, e)
    for known in (np.sign(e), 1.0 - 2.0 * y):  # 0 < ŷ < 1
        for one, other in zip(ours, rule_for("dfa", net).hidden_signals(net, trace, known), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("hidden", ["tanh", "logistic", "linear"])
def test_pepita_becomes_ifa_as_its_disturbance_becomes_small(hidden):
    net = make(hidden=hidden)
    x, y = batch(net)
    pepita, ifa, trace = rule_for("pepita", net), rule_for("ifa", net), net.trace(x)
    e, scale = net.error(trace, y), 1e-6
    ifa.feedback[0][...] = -net.weights[0] @ pepita.feedback[0]
    pepita.feedback[0] *= scale
    ours, theirs = pepita.hidden_signals(net, trace, e), ifa.hidden_signals(net, trace, e)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one / scale, other, rtol=1e-4, atol=1e-8)


def test_pepita_lowers_the_loss_if_its_feedback_is_its_counterpart():
    net = make()
    x, y = batch(net)
    pepita = rule_for("pepita", net)
    pepita.feedback[0][...] = 1e-3 * pepita.counterparts(net)[0]
    for (dW, _), (true, _) in zip(pepita.gradients(net, x, y), Backprop(net).gradients(net, x, y), strict=True):
        assert np.sum(dW * true) > 0


@pytest.mark.parametrize("hidden", HIDDEN)
def test_fa_through_the_transposed_weights_is_backprop(hidden):
    net = make(hidden=hidden)
    x, y = batch(net)
    fa = rule_for("fa", net)
    for B, W in zip(fa.feedback, net.weights[1:], strict=True):
        B[...] = W.T
    assert_same_gradients(fa.gradients(net, x, y), Backprop(net).gradients(net, x, y))


@pytest.mark.parametrize("name", ["fa", "dfa", "ifa"])
def test_with_one_hidden_layer_the_three_are_one_rule(name):
    net = make([5, 7, 3])
    x, y = batch(net)
    first, other = rule_for("dfa", net), rule_for(name, net, seed=9)
    other.feedback[0][...] = first.feedback[0]
    assert_same_gradients(other.gradients(net, x, y), first.gradients(net, x, y), rtol=0, atol=0)


def test_dfa_in_a_linear_net_with_the_product_of_transposes_is_backprop():
    net = make(hidden="linear")
    x, y = batch(net)
    dfa = rule_for("dfa", net)
    for i, B in enumerate(dfa.feedback):
        above = np.eye(net.sizes[-1])
        for W in net.weights[:i:-1]:
            above = W.T @ above
        B[...] = above
    assert_same_gradients(dfa.gradients(net, x, y), Backprop(net).gradients(net, x, y))


def test_ifa_relays_forward_through_the_weights_as_they_are_now():
    net = make(hidden="linear")
    x, y = batch(net)
    ifa = rule_for("ifa", net)
    before = ifa.gradients(net, x, y)
    net.weights[1] *= 2.0  # W_2 carries δ_1 to layer 2
    trace = net.trace(x)
    e = net.error(trace, y)
    delta1, delta2, delta3 = ifa.hidden_signals(net, trace, e)
    np.testing.assert_allclose(delta1, e @ ifa.feedback[0].T)
    np.testing.assert_allclose(delta2, delta1 @ net.weights[1].T)
    np.testing.assert_allclose(delta3, delta2 @ net.weights[2].T)
    assert not np.allclose(before[1][0], ifa.gradients(net, x, y)[1][0])


@pytest.mark.parametrize("name", ["fa", "dfa", "ifa", "sdfa", "drtp", "pepita"])
def test_zero_feedback_teaches_the_output_layer_only(name):
    net = make()
    x, y = batch(net)
    rule = rule_for(name, net, feedback="zero")
    assert_same_gradients(rule.gradients(net, x, y), rule_for("shallow", net).gradients(net, x, y), rtol=0, atol=0)


def test_zero_weights_leave_ifa_without_any_signal_above_the_first_layer():
    net = make(init="zero")
    x, y = batch(net)
    (dW1, _), (dW2, _), (dW3, _), (dW4, _) = rule_for("ifa", net).gradients(net, x, y)
    assert np.any(dW1)
    assert not np.any(dW2)
    assert not np.any(dW3)
    assert not np.any(dW4)  # its input is tanh(0)


NOT_LINEAR = {
    "sdfa": "only the signs of the error count",
    "drtp": "the error does not count",
    "pepita": "the disturbance passes through the nonlinearities",
}


@pytest.mark.parametrize("name", RULES)
class TestContract:
    """What holds for every rule, however it carries the error."""

    def test_shapes_dtype_and_finiteness(self, name):
        for dtype in ("float32", "float64"):
            net = make(dtype=dtype)
            rule = rule_for(name, net)
            for (dW, db), W, b in zip(rule.gradients(net, *batch(net)), net.weights, net.biases, strict=True):
                assert dW.shape == W.shape
                assert db.shape == b.shape
                assert dW.dtype == db.dtype == np.dtype(dtype)
                assert np.all(np.isfinite(dW))
            for B, (_, shape) in zip(rule.feedback, rule.feedback_shapes(net).items(), strict=True):
                assert B.shape == shape
                assert B.dtype == np.dtype(dtype)

    def test_arguments_are_not_changed(self, name):
        net = make()
        x, y = batch(net)
        rule = rule_for(name, net)
        before = [a.copy() for a in (x, y, net.parameters, *rule.feedback)]
        rule.gradients(net, x, y)
        for now, then in zip((x, y, net.parameters, *rule.feedback), before, strict=True):
            np.testing.assert_array_equal(now, then)

    def test_equal_seeds_give_equal_rules(self, name):
        net = make()
        x, y = batch(net)
        ours, same = rule_for(name, net, seed=5), rule_for(name, net, seed=5)
        assert_same_gradients(ours.gradients(net, x, y), same.gradients(net, x, y), rtol=0, atol=0)

    def test_gradients_are_means_over_the_batch(self, name):
        net = make()
        x, y = batch(net, n=6)
        rule = rule_for(name, net)
        single = [rule.gradients(net, x[i : i + 1], y[i : i + 1]) for i in range(6)]
        means = [(np.mean([s[i][0] for s in single], 0), np.mean([s[i][1] for s in single], 0)) for i in range(4)]
        assert_same_gradients(rule.gradients(net, x, y), means, atol=1e-14)

    def test_the_output_layer_follows_its_own_error(self, name):
        if name == "pepita":
            pytest.skip("its output layer learns in the second pass")
        net = make()
        x, y = batch(net)
        ours, true = rule_for(name, net).gradients(net, x, y), Backprop(net).gradients(net, x, y)
        assert_same_gradients(ours[-1:], true[-1:], rtol=0, atol=0)

    def test_the_signal_is_linear_in_the_error(self, name):
        if name in NOT_LINEAR:
            pytest.skip(NOT_LINEAR[name])
        net = make()
        x, y = batch(net)
        rule, trace = rule_for(name, net), net.trace(x)
        e = net.error(trace, y)
        for one, two in zip(rule.hidden_signals(net, trace, e), rule.hidden_signals(net, trace, 2 * e), strict=True):
            assert (one is None) == (two is None)
            if one is not None:
                np.testing.assert_allclose(2 * one, two, rtol=1e-12)

    def test_a_net_without_hidden_layers_is_taught_like_any_other(self, name):
        if name == "pepita":
            pytest.skip("it disturbs the input all the same")
        net = make([5, 3])
        x, y = batch(net)
        assert_same_gradients(
            rule_for(name, net).gradients(net, x, y), Backprop(net).gradients(net, x, y), rtol=0, atol=0
        )

    def test_weight_decay_reaches_only_the_weights_of_layers_that_learn(self, name):
        net = make()
        net.biases[0][...] = 1.0
        x, y = batch(net)
        rule = rule_for(name, net)
        plain, decayed = rule.gradients(net, x, y), net.views(np.empty_like(net.parameters))
        rule.learn(net, x, y, decayed, weight_decay=0.1)
        for i, ((dW, db), (dW2, db2)) in enumerate(zip(plain, decayed, strict=True)):
            taught = name != "shallow" or i == 3
            np.testing.assert_allclose(dW2 - dW, 0.1 * net.weights[i] if taught else 0 * dW, atol=1e-15)
            np.testing.assert_array_equal(db, db2)

    def test_it_carries_the_names_that_figures_use(self, name):
        rule = RULES[name]
        assert rule.name == name
        assert rule.label
        assert rule.title
        assert rule.__doc__


def test_published_feedback_is_uniform_within_one_over_root_fan_out():
    net = make([5, 400, 300, 10])
    for rule_class in (DirectFeedbackAlignment, FeedbackAlignment, IndirectFeedbackAlignment):
        for B in rule_class(net, rng=np.random.default_rng(0)).feedback:
            limit = 1 / np.sqrt(B.shape[0])
            assert 0.95 * limit < np.abs(B).max() <= limit
            assert abs(B.std() / (limit / np.sqrt(3)) - 1) < 0.05


def test_feedback_scale_multiplies_the_same_draw():
    net = make()
    one, three = rule_for("dfa", net), rule_for("dfa", net, feedback_scale=3.0)
    for B, C in zip(one.feedback, three.feedback, strict=True):
        np.testing.assert_allclose(3 * B, C)


@pytest.mark.parametrize("name", ["fa", "dfa", "ifa", "sdfa", "drtp", "pepita"])
@pytest.mark.parametrize("options", [{"density": 0.3}, {"rank": 2}])
def test_every_rule_takes_sparse_and_low_rank_feedback(name, options):
    net = make()
    dense, reduced = rule_for(name, net), rule_for(name, net, **options)
    for B, C in zip(dense.feedback, reduced.feedback, strict=True):
        kept = C != 0
        if "rank" in options:
            assert np.linalg.matrix_rank(C) == 2
        else:
            assert kept.sum() == max(1, round(0.3 * B.size))
            np.testing.assert_allclose(C[kept], B[kept] * np.sqrt(B.size / kept.sum()))


def test_shared_feedback_is_one_matrix_for_equal_widths():
    net = make([5, 6, 6, 4, 3])
    first, second, third = rule_for("dfa", net, shared=True).feedback
    assert first is second
    assert third.shape == (4, 3)


def test_feedback_may_be_replaced_as_well_as_written_into():
    net = make()
    x, y = batch(net)
    fa = rule_for("fa", net)
    for i, W in enumerate(net.weights[1:]):
        fa.feedback[i] = W.T  # a view: stays equal to the weights as they learn
    assert_same_gradients(fa.gradients(net, x, y), Backprop(net).gradients(net, x, y))


def test_counterparts_have_the_shapes_of_the_feedback():
    net = make()
    for name in RULES:
        rule = rule_for(name, net)
        assert [B.shape for B in rule.feedback] == [W.shape for W in rule.counterparts(net)]


def test_random_feedback_asks_for_a_generator():
    with pytest.raises(al.InvalidValue, match="rng="):
        DirectFeedbackAlignment(make())


def test_unknown_rule_names_the_nearest():
    with pytest.raises(al.InvalidValue, match=r"unknown rule 'dfaa'; did you mean 'dfa'\?"):
        al.rules.rule("dfaa")


def test_backprop_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    net = make(output="softmax")
    x, y = batch(net)
    h = torch.tensor(x)
    parameters = [
        (torch.tensor(W.copy(), requires_grad=True), torch.tensor(b.copy(), requires_grad=True))
        for W, b in zip(net.weights, net.biases, strict=True)
    ]
    for i, (W, b) in enumerate(parameters):
        h = h @ W.T + b
        h = torch.tanh(h) if i < len(parameters) - 1 else h
    torch.nn.functional.cross_entropy(h, torch.tensor(y.argmax(1))).backward()
    theirs = [(W.grad.numpy(), b.grad.numpy()) for W, b in parameters]
    assert_same_gradients(Backprop(net).gradients(net, x, y), theirs, rtol=1e-9, atol=1e-12)
