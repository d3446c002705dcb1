"""The one-shot learners: against cases done by hand, against the Extreme Learning Machine, and against each other."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from alignlib import MLP, InvalidValue, datasets, one_shot
from alignlib.activations import ACTIVATIONS, activation
from alignlib.baselines import ExtremeLearningMachine, back_projection, label_projection, least_squares, shifted_target
from alignlib.baselines.least_squares import LinearReadout
from alignlib.baselines.solved import Layers, Solved, fit_readout
from alignlib.rules import DirectFeedbackAlignment, IndirectFeedbackAlignment


def case(seed=0, examples=60, n_in=6, n_out=3):
    """Inputs of full rank and one-hot targets."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_out), rng.integers(0, n_out, examples - n_out)])
    return rng.standard_normal((examples, n_in)), np.eye(n_out)[labels]


def drawn(hidden=(12,), n_in=6, n_out=3, seed=1, **options):
    return one_shot.draws(n_in, hidden, n_out, seed, **options)


def same(one, other, x, tolerance=1e-8):
    np.testing.assert_allclose(one.predict(x), other.predict(x), atol=tolerance)


def everything(network):
    return [*network.layers.weights, *network.layers.biases, network.readout.weights, network.readout.bias]


# ---------------------------------------------------------------- least squares without a bias


@pytest.mark.parametrize("features", [5, 80])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_without_bias_the_fit_is_the_pseudo_inverse_of_the_raw_features(features, ridge):
    h = np.random.default_rng(0).standard_normal((40, features)) + 1.0
    _, y = case(examples=40)
    solved = least_squares.fit(h, y, ridge, bias=False)
    wanted = (
        np.linalg.pinv(h) @ y if ridge == 0 else Ridge(alpha=ridge, fit_intercept=False, solver="svd").fit(h, y).coef_.T
    )
    np.testing.assert_allclose(solved.weights.T, wanted, atol=1e-9)
    np.testing.assert_array_equal(solved.bias, np.zeros(3))


def test_what_lstsq_gives_has_the_four_properties_of_a_pseudo_inverse():
    H = np.random.default_rng(0).standard_normal((9, 4)) @ np.random.default_rng(1).standard_normal((4, 7))  # rank 4
    P = least_squares.fit(H, np.eye(9), bias=False).weights.T
    for left, right in ((H @ P @ H, H), (P @ H @ P, P), ((H @ P).T, H @ P), ((P @ H).T, P @ H)):
        np.testing.assert_allclose(left, right, atol=1e-10)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_the_inverse_fits_many_targets_as_fit_does_one_by_one(shape, bias, ridge):
    rng = np.random.default_rng(0)
    h = rng.standard_normal(shape) + 1.0
    inverse = least_squares.inverse(h, ridge, bias=bias)
    for _ in range(2):
        y = rng.standard_normal((len(h), 3))
        ours, wanted = inverse.fit(y), least_squares.fit(h, y, ridge, bias=bias)
        np.testing.assert_allclose(ours.weights, wanted.weights, atol=1e-10)
        np.testing.assert_allclose(ours.bias, wanted.bias, atol=1e-10)


def test_the_inverse_refuses_what_the_fit_refuses():
    with pytest.raises(InvalidValue, match="ridge"):
        least_squares.inverse(np.eye(3), -1.0)
    with pytest.raises(InvalidValue, match="rows"):
        least_squares.inverse(np.zeros((0, 3)))


# ---------------------------------------------------------------- layers


def test_one_random_layer_with_a_readout_is_the_extreme_learning_machine():
    x, y = case()
    layers = Layers.draw(6, [12], np.random.default_rng(3), scale=0.7)
    machine = ExtremeLearningMachine(6, 12, np.random.default_rng(3), scale=0.7)
    np.testing.assert_array_equal(layers.features(x), machine.features(x))
    np.testing.assert_array_equal(fit_readout(layers, x, y, 0.1).predict(x), machine.fit(x, y, 0.1).predict(x))


def test_more_layers_leave_the_first_ones_as_they_are():
    one, three = (Layers.draw(6, [12] * n, np.random.default_rng(3)) for n in (1, 3))
    np.testing.assert_array_equal(one.weights[0], three.weights[0])
    np.testing.assert_array_equal(one.biases[0], three.biases[0])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_layers_answer_as_the_network_of_the_book_does(name):
    x, _ = case()
    network = MLP([6, 12, 9, 3], hidden=name, output="linear", rng=np.random.default_rng(0))
    for layer in network.hidden:
        layer.bias[...] = np.random.default_rng(1).standard_normal(layer.bias.shape)
    layers = Layers(
        tuple(layer.weight.copy() for layer in network.hidden),
        tuple(layer.bias.copy() for layer in network.hidden),
        name,
    )
    solved = Solved(layers, LinearReadout(network.weights[-1].copy(), np.zeros(3)))
    np.testing.assert_allclose(solved.predict(x), network.predict(x), atol=1e-12)
    np.testing.assert_allclose(layers.pre_activations(x, 2), network.trace(x).pre_activations[1], atol=1e-12)
    np.testing.assert_array_equal(layers.below(2).features(x), activation(name).function(layers.pre_activations(x, 1)))


# ---------------------------------------------------------------- the shifted target (2021)


def test_the_shifted_target_by_hand():
    """One input, one linear unit, one output, no bias: every number can be followed on paper."""
    x, y = np.array([[1.0], [2.0]]), np.array([[1.0], [0.0]])
    layers = Layers((np.array([[2.0]]),), (np.zeros(1),), "linear", biased=False)
    start = Solved(layers, LinearReadout(np.array([[0.5]]), np.zeros(1)))
    B = np.array([[3.0]])
    # a = 2, 4; ŷ = 1, 2; e = 0, 2; δ = 3 e f′ = 0, 6; X⁺ δ = (1·0 + 2·6) / (1 + 4) = 12/5
    np.testing.assert_allclose(shifted_target.delta(start, B, x, y), [[0.0], [6.0]])
    solved = shifted_target.refit(start, B, x, y)
    np.testing.assert_allclose(solved.layers.weights[0], [[2.0 - 12 / 5]])
    # h = −2/5, −4/5; V = Σ h y / Σ h² = (−2/5) / (4/25 + 16/25) = −1/2
    np.testing.assert_allclose(solved.readout.weights, [[-0.5]])
    # with the pre-activation as a factor: δ = 0, 24
    by_a = shifted_target.refit(start, B, x, y, factor="pre-activation")
    np.testing.assert_allclose(by_a.layers.weights[0], [[2.0 - 48 / 5]])


@pytest.mark.parametrize("hidden", [(12,), (12, 9)])
@pytest.mark.parametrize("rule", [IndirectFeedbackAlignment, DirectFeedbackAlignment])
def test_the_shift_is_the_signal_of_ifa_and_dfa_to_the_first_layer(hidden, rule):
    x, y = case()
    one = drawn(hidden, biased=False)
    network = MLP([6, *hidden, 3], hidden="tanh", output="linear", init="zero")
    for matrix, W in zip(network.weights, [*one.start.layers.weights, one.start.readout.weights], strict=True):
        matrix[...] = W
    teacher = rule(network, rng=np.random.default_rng(0))
    teacher.feedback[0][...] = one.feedback
    trace = network.trace(x)
    first = next(iter(teacher.hidden_signals(network, trace, trace.output - y)))
    np.testing.assert_allclose(shifted_target.delta(one.start, one.feedback, x, y), first, atol=1e-12)


@pytest.mark.parametrize("factor", shifted_target.FACTORS)
def test_fitting_the_shifted_target_is_one_step_preconditioned_by_the_inputs(factor):
    x, y = case()
    one = drawn(biased=False)
    W, delta = one.start.layers.weights[0], shifted_target.delta(one.start, one.feedback, x, y, factor)
    solved = shifted_target.refit(one.start, one.feedback, x, y, step=2.5, factor=factor)
    as_published = np.linalg.pinv(x) @ (x @ W.T - 2.5 * delta)
    as_a_step = W - 2.5 * delta.T @ x @ np.linalg.inv(x.T @ x)
    np.testing.assert_allclose(solved.layers.weights[0], as_published.T, atol=1e-10)
    np.testing.assert_allclose(solved.layers.weights[0], as_a_step, atol=1e-10)


def test_where_the_inputs_do_not_span_all_the_two_forms_agree_on_what_they_span():
    x, y = case()
    x[:, 4:] = 0.0
    one = drawn(biased=False)
    W, delta = one.start.layers.weights[0], shifted_target.delta(one.start, one.feedback, x, y)
    solved = shifted_target.refit(one.start, one.feedback, x, y)
    published = (np.linalg.pinv(x) @ (x @ W.T - delta)).T
    np.testing.assert_allclose(x @ solved.layers.weights[0].T, x @ published.T, atol=1e-10)
    np.testing.assert_array_equal(solved.layers.weights[0][:, 4:], W[:, 4:])
    np.testing.assert_allclose(published[:, 4:], 0.0, atol=1e-12)


def test_a_large_ridge_at_the_input_makes_it_a_gradient_step():
    x, y = case()
    one = drawn(biased=False)
    delta = shifted_target.delta(one.start, one.feedback, x, y)
    solved = shifted_target.refit(
        one.start, one.feedback, x, y, inverse=least_squares.inverse(x, 1e9, bias=False), step=1e9 * 0.01
    )
    np.testing.assert_allclose(solved.layers.weights[0], one.start.layers.weights[0] - 0.01 * delta.T @ x, atol=1e-7)


@pytest.mark.parametrize("hidden", [(12,), (12, 9)])
@pytest.mark.parametrize("changes", [{"step": 0.0}, {"B": np.zeros((12, 3))}])
def test_without_feedback_or_without_a_step_it_is_the_extreme_learning_machine(hidden, changes):
    x, y = case()
    one = drawn(hidden)
    options = {"B": one.feedback, "step": 1.0, "inverse": least_squares.inverse(x, 0.5), **changes}
    B = options.pop("B")
    solved = shifted_target.refit(one.start, B, x, y, 0.1, **options)
    same(solved, fit_readout(one.start.layers, x, y, 0.1), x, 1e-12)


def test_nothing_moves_where_there_is_no_error():
    x, y = case(examples=20)
    one = drawn((60,))
    perfect = fit_readout(one.start.layers, x, y)
    np.testing.assert_allclose(perfect.predict(x), y, atol=1e-8)
    solved = shifted_target.refit(perfect, one.feedback, x, y)
    np.testing.assert_allclose(solved.layers.weights[0], perfect.layers.weights[0], atol=1e-6)


def test_linear_units_gain_nothing_by_it():
    x, y = case()
    one = drawn(nonlinearity="linear")
    solved = shifted_target.refit(one.start, one.feedback, x, y)
    np.testing.assert_allclose(solved.predict(x), LinearRegression().fit(x, y).predict(x), atol=1e-8)


def test_the_sign_of_the_feedback_is_a_matter_of_taste_when_the_readout_is_random():
    """Turning B is the same as turning the error; the author's e = y − ŷ is ours with −B."""
    x, y = case()
    one = drawn()
    plus, minus = (shifted_target.delta(one.start, sign * one.feedback, x, y) for sign in (1, -1))
    np.testing.assert_array_equal(plus, -minus)


@pytest.mark.parametrize("hidden", [(12,), (12, 9), (12, 9, 8)])
def test_through_the_weights_one_layer_gets_the_true_gradient(hidden):
    """With B None the signal is that of backpropagation for one hidden layer, and the linear product above it."""
    x, y = case()
    start = fit_readout(drawn(hidden).start.layers, x, y, 0.1)
    product = start.readout.weights
    for W in start.layers.weights[:0:-1]:
        product = product @ W
    network = next(shifted_target.iterate(start, None, x, y, 0.1, step=0.3))
    same(network, shifted_target.refit(start, product.T, x, y, 0.1, step=0.3), x, 1e-12)


def test_iterating_is_fitting_again_and_again():
    x, y = case()
    one = drawn()
    by_hand = one.start
    for network in itertools.islice(
        shifted_target.iterate(one.start, one.feedback, x, y, 0.1, inverse=least_squares.inverse(x, 1.0)), 3
    ):
        by_hand = shifted_target.refit(by_hand, one.feedback, x, y, 0.1, inverse=least_squares.inverse(x, 1.0))
        same(network, by_hand, x, 0)


def test_linear_units_are_at_rest_once_the_readout_is_solved():
    """Their error is orthogonal to the inputs then, and a fit on the inputs finds nothing in it."""
    x, y = case()
    one = drawn(nonlinearity="linear")
    start = fit_readout(one.start.layers, x, y)
    network = next(shifted_target.iterate(start, one.feedback, x, y))
    np.testing.assert_allclose(network.layers.weights[0], start.layers.weights[0], atol=1e-10)


def test_what_does_not_fit_is_refused():
    x, y = case()
    one = drawn()
    with pytest.raises(InvalidValue, match="did you mean 'slope'"):
        shifted_target.refit(one.start, one.feedback, x, y, factor="slop")
    with pytest.raises(InvalidValue, match="shape"):
        shifted_target.refit(one.start, one.feedback.T, x, y)
    with pytest.raises(InvalidValue, match="at least 1 hidden layer"):
        shifted_target.refit(Solved(one.start.layers.below(1), one.start.readout), one.feedback, x, y)


# ---------------------------------------------------------------- label projection (2024)


def test_label_projection_by_hand():
    """Linear units, all matrices the identity: every layer repeats the prediction of one layer."""
    x, y = case()
    layers = Layers((np.eye(6), np.eye(3)), (np.zeros(6), np.zeros(3)), "linear", biased=False)
    solved = label_projection.fit(layers, [np.eye(3)], x, y)
    V = np.linalg.pinv(x) @ y
    np.testing.assert_allclose(solved.layers.features(x), x @ V, atol=1e-10)
    np.testing.assert_allclose(solved.predict(x), x @ V, atol=1e-9)


def test_label_projection_with_one_layer_is_the_extreme_learning_machine():
    x, y = case()
    one = drawn()
    same(label_projection.fit(one.start.layers, [], x, y, 0.1), fit_readout(one.start.layers, x, y, 0.1), x, 0)


def test_label_projection_layer_by_layer_as_the_authors_code_writes_it():
    """The published recipe in its own convention, rows times matrices, against ours."""
    x, y = case()
    S = 0.4 * np.random.default_rng(7).uniform(-1, 1, (9, 9))
    widths, answer = [6, 9, 5], x
    logistic = activation("logistic").function
    for n, following in itertools.pairwise(widths):
        H = logistic(answer @ S[:n, :n])
        answer = H @ (np.linalg.pinv(H) @ (y @ S[:3, :following]))
    H = logistic(answer @ S[:5, :5])
    layers, projections = label_projection.draw_shared(6, [9, 5], 3, np.random.default_rng(7), scale=0.4)
    solved = label_projection.fit(layers, projections, x, y)
    # the last features have rank 3 plus what the curvature adds, so compare them, not what pinv makes of noise
    np.testing.assert_allclose(solved.layers.features(x), H, atol=1e-8)


def test_missing_or_wrong_projections_are_refused():
    x, y = case()
    one = drawn((12, 9))
    for projections in ([], [one.projections[0].T], [*one.projections, one.projections[0]]):
        with pytest.raises(InvalidValue, match="label projections need the shapes"):
            label_projection.fit(one.start.layers, projections, x, y)


# ---------------------------------------------------------------- back-projection (2024)


def test_back_projection_by_hand():
    """One linear unit between: t = y / V, W = X⁺ t, and the readout undoes the factor."""
    x, y = np.array([[1.0], [2.0]]), np.array([[1.0], [0.0]])
    start = Solved(
        Layers((np.array([[9.0]]),), (np.zeros(1),), "linear", biased=False),
        LinearReadout(np.array([[4.0]]), np.zeros(1)),
    )
    np.testing.assert_allclose(back_projection.target(start, y, 1), [[0.25], [0.0]])
    solved = back_projection.refit(start, x, y)
    np.testing.assert_allclose(solved.layers.weights[0], [[0.05]])  # (1·0.25 + 2·0) / 5
    np.testing.assert_allclose(solved.predict(x), [[0.2], [0.4]])


@pytest.mark.parametrize("name", back_projection.INVERSES)
def test_targets_that_can_be_reached_give_the_labels_above(name):
    """Widening layers: a target of the first layer that the layers above map exactly onto y (in the range of f)."""
    _, y = case()
    one = drawn((9, 6), nonlinearity=name, scale=0.5)
    small = 0.05 * y + 0.5 if name == "logistic" else 0.05 * y
    t = back_projection.target(one.start, small, 1)
    above = Layers(one.start.layers.weights[1:], one.start.layers.biases[1:], name)
    if name == "relu":  # has no inverse: the identity stands in for it, and the labels are met by identity layers only
        above = Layers(above.weights, above.biases, "linear")
    if name != "logistic":  # whose targets of the second layer may lie outside (0, 1), where they are clipped
        np.testing.assert_allclose(Solved(above, one.start.readout).predict(t), small, atol=1e-8)


def test_the_target_is_the_pseudo_inverse_of_what_is_above_applied():
    _, y = case()
    one = drawn((9, 12), nonlinearity="linear", biased=False)
    W, V = one.start.layers.weights[1], one.start.readout.weights
    wanted = y @ np.linalg.pinv(V).T @ np.linalg.pinv(W).T
    np.testing.assert_allclose(back_projection.target(one.start, y, 1), wanted, atol=1e-10)


@pytest.mark.parametrize("name", ["tanh", "logistic"])
def test_inverses_undo_their_functions_inside_and_stay_finite_outside(name):
    a = np.linspace(-2, 2, 9)
    f, inverse = activation(name).function, back_projection.INVERSES[name]
    np.testing.assert_allclose(inverse(f(a)), a, atol=1e-12)
    assert np.isfinite(inverse(np.array([-5.0, 0.0, 1.0, 5.0]))).all()


def test_back_projection_as_the_authors_code_writes_it():
    x, y = case()
    one = drawn((9, 5), nonlinearity="relu", biased=False)
    Ws = [W.T.copy() for W in (*one.start.layers.weights, one.start.readout.weights)]
    for i in range(3):
        wanted, h = y, x
        for W in Ws[:i:-1]:
            wanted = wanted @ np.linalg.pinv(W)
        for W in Ws[:i]:
            h = np.maximum(h @ W, 0)
        Ws[i] = np.linalg.pinv(h) @ wanted
    solved = back_projection.refit(one.start, x, y, inverted=False)
    for ours, theirs in zip([*solved.layers.weights, solved.readout.weights], Ws, strict=True):
        np.testing.assert_allclose(ours.T, theirs, atol=1e-8)


def test_inverting_matters_exactly_where_there_is_an_inverse():
    x, y = case()
    for name, equal in (("relu", True), ("linear", True), ("tanh", False)):
        one = drawn((9,), nonlinearity=name)
        with_, without = (back_projection.refit(one.start, x, y, 0.1, inverted=i) for i in (True, False))
        assert np.allclose(with_.layers.weights[0], without.layers.weights[0], atol=1e-12) == equal


# ---------------------------------------------------------------- what they have in common


@pytest.mark.parametrize("ridge", [0.0, 0.5])
@pytest.mark.parametrize("learner", ["label", "back"])
def test_a_layer_fitted_to_the_labels_hands_on_what_a_readout_would_say(learner, ridge):
    """Theorem of chapter 14: its pre-activations are an affine image of the least-squares prediction of y."""
    x, y = case(n_out=3)
    one = drawn((12, 9, 8))
    solved = one_shot.learn(learner, one, one_shot.Examples(x, y), one_shot.Setting(ridge))
    for layer in range(2 if learner == "label" else 1, 4):
        below = solved.layers.below(layer)
        said = least_squares.fit(below.features(x), y, ridge).predict(below.features(x))
        a = solved.layers.pre_activations(x, layer)
        np.testing.assert_allclose(least_squares.fit(said, a).predict(said), a, atol=1e-6 * np.abs(a).max())
        assert np.linalg.matrix_rank(a - a.mean(axis=0), tol=1e-6 * np.abs(a).max()) <= 2  # one-hot: 3 outputs, sum 1


def test_a_shifted_target_leaves_a_layer_its_rank():
    x, y = case(examples=200)
    one = drawn()
    a = one_shot.learn("shifted", one, one_shot.Examples(x, y), one_shot.Setting(0.1)).layers.pre_activations(x, 1)
    assert np.linalg.matrix_rank(a - a.mean(axis=0)) == 6


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("learner", one_shot.LEARNERS)
def test_learners_repeat_themselves_and_change_nothing_that_they_were_given(learner, depth):
    x, y = case()
    one, again = drawn((12,) * depth), drawn((12,) * depth)
    given = (x.copy(), y.copy())
    setting = one_shot.Setting(0.1, 0.5, 2.0)
    first, second = (one_shot.learn(learner, one, one_shot.Examples(x, y), setting) for _ in range(2))
    np.testing.assert_array_equal(first.predict(x), second.predict(x))
    for ours, theirs in zip(
        [*everything(one.start), one.feedback], [*everything(again.start), again.feedback], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(x, given[0])
    np.testing.assert_array_equal(y, given[1])
    assert first.predict(x).shape == y.shape
    assert first.predict(x).dtype == np.float64
    assert [W.shape for W in first.layers.weights] == [W.shape for W in one.start.layers.weights]


# ---------------------------------------------------------------- the comparison


def test_all_learners_start_from_the_same_layers_and_other_seeds_from_others():
    one, same_seed, other = drawn(seed=1), drawn(seed=1), drawn(seed=2)
    np.testing.assert_array_equal(one.start.layers.weights[0], same_seed.start.layers.weights[0])
    assert not np.array_equal(one.start.layers.weights[0], other.start.layers.weights[0])
    assert not np.array_equal(one.feedback, other.feedback)


def test_the_setting_is_chosen_on_validation_data_alone():
    """Spoiling the test part changes nothing in the choice; spoiling the training part does."""
    data = datasets.load("digits").take(300)
    drawn_here = [one_shot.draws(data.n_in, [20], data.n_out, seed) for seed in (0, 1)]
    tried = one_shot.settings("elm", [1e-3, 1.0, 1e3], [0.0], [1.0])
    chosen = one_shot.Comparison(data).choose("elm", tried, drawn_here)
    spoiled = type(data)(
        **{**vars(data), "x_test": np.zeros_like(data.x_test), "y_test": np.roll(data.y_test, 1, axis=1)}
    )
    assert one_shot.Comparison(spoiled).choose("elm", tried, drawn_here) == chosen
    losses = [
        np.mean(
            [
                np.mean((fit_readout(d.start.layers, s.x_train, s.y_train, t.ridge).predict(s.x_test) - s.y_test) ** 2)
                for d in drawn_here
                for s in [data.split_validation()]
            ]
        )
        for t in tried
    ]
    assert chosen == tried[int(np.argmin(losses))]


def test_learners_with_a_shifted_target_take_over_the_ridge_of_the_plain_machine():
    here = one_shot.Comparison(datasets.load("digits").take(300))
    drawn_here = [one_shot.draws(64, [20, 20], 10, 0)]
    chosen = here.choose_all(drawn_here, [1e-3, 0.1, 10.0], [1.0, 100.0], [1.0, 10.0])
    assert list(chosen) == list(one_shot.LEARNERS)
    assert chosen["shifted"] == one_shot.Setting(chosen["elm"].ridge)
    assert chosen["repaired"].ridge == chosen["elm"].ridge
    assert chosen["repaired"].input_ridge > 0
    for name in ("elm", "label", "back"):
        losses = {r: here.validation_loss(name, drawn_here, one_shot.Setting(r)) for r in (1e-3, 0.1, 10.0)}
        assert chosen[name].ridge == min(losses, key=losses.get)


def test_only_the_repaired_learner_tries_steps():
    assert len(one_shot.settings("repaired", [1, 2], [3, 4], [5, 6, 7])) == 12
    assert one_shot.settings("shifted", [1, 2], [3, 4], [5]) == [one_shot.Setting(1), one_shot.Setting(2)]
    with pytest.raises(InvalidValue, match="did you mean 'label'"):
        one_shot.settings("labels", [1], [1], [1])


def test_nothing_to_choose_from_is_refused():
    data = datasets.load("digits")
    with pytest.raises(InvalidValue, match="at least one setting"):
        one_shot.Comparison(data).choose("elm", [], [one_shot.draws(64, [5], 10, 0)])


def test_the_test_error_is_that_of_a_fit_to_the_whole_training_part():
    data, setting = datasets.load("digits"), one_shot.Setting(0.1)
    one = one_shot.draws(data.n_in, [20], data.n_out, 0)
    by_hand = fit_readout(one.start.layers, data.x_train, data.y_train, 0.1).predict(data.x_test)
    wrong = 100 * np.mean(by_hand.argmax(axis=1) != data.y_test.argmax(axis=1))
    assert one_shot.Comparison(data).test_error("elm", one, setting) == pytest.approx(wrong)


def test_published_draws_are_those_of_the_authors_code():
    one = one_shot.published_draws(64, [500], 10, 3)
    layers = one.start.layers
    assert (layers.nonlinearity, layers.biased) == ("logistic", False)
    for matrix, shape in (
        (layers.weights[0], (500, 64)),
        (one.start.readout.weights, (10, 500)),
        (one.feedback, (500, 10)),
    ):
        assert matrix.shape == shape
        assert 0.099 < np.abs(matrix).max() <= 0.1
        assert np.std(matrix) == pytest.approx(0.1 / np.sqrt(3), rel=0.05)
    np.testing.assert_array_equal(layers.biases[0], 0.0)


def test_the_shifted_target_as_the_authors_code_writes_it():
    """The published recipe in its own convention, rows times matrices and e = y − ŷ, against ours."""
    x, y = case(examples=80)
    one = one_shot.published_draws(6, [12, 12], 3, 0)
    W1, W2, V = (W.T for W in (*one.start.layers.weights, one.start.readout.weights))
    logistic = activation("logistic").function
    a = x @ W1
    e = y - logistic(logistic(a) @ W2) @ V
    W1 = np.linalg.pinv(x) @ (a - a * (one.feedback @ e.T).T)
    h = logistic(logistic(x @ W1) @ W2)
    V = np.linalg.pinv(h) @ y
    theirs = replace(one, feedback=-one.feedback)  # e = ŷ − y here
    solved = one_shot.learn("shifted", theirs, one_shot.Examples(x, y), one_shot.Setting())
    np.testing.assert_allclose(solved.predict(x), h @ V, atol=1e-6)
