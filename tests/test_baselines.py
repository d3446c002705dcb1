"""The learners without error transport, each against something whose answer is known."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from alignlib import MLP, Experiment, InvalidValue, datasets, metrics
from alignlib.baselines import (
    CompetitiveLayer,
    EvolutionStrategy,
    ExtremeLearningMachine,
    SpatialPooler,
    evolution,
    hebbian,
    least_squares,
    selection,
)
from alignlib.baselines.extreme_learning import receptive_fields
from alignlib.baselines.spatial_pooler import binary, mean_overlap, recognised
from alignlib.experiments.bench import Bench
from alignlib.optimizers import SGD
from alignlib.rules import Backprop
from alignlib.training import train


def case(seed=0, examples=50, features=12, outputs=3):
    rng = np.random.default_rng(seed)
    h = rng.standard_normal((examples, features)) + 2.0
    return h, h @ rng.standard_normal((features, outputs)) + rng.standard_normal((examples, outputs)), rng


# ---------------------------------------------------------------- least squares


@pytest.mark.parametrize("features", [12, 80], ids=["fewer features than examples", "more"])
@pytest.mark.parametrize("ridge", [0.01, 1.0, 300.0])
def test_the_ridge_readout_is_that_of_scikit_learn(features, ridge):
    h, y, rng = case(features=features)
    ours, theirs = least_squares.fit(h, y, ridge), Ridge(alpha=ridge, solver="svd").fit(h, y)
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=1e-10)
    np.testing.assert_allclose(ours.bias, theirs.intercept_, atol=1e-10)
    new = rng.standard_normal((7, features))
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), atol=1e-9)


def test_without_ridge_it_is_ordinary_least_squares():
    h, y, _ = case()
    theirs = LinearRegression().fit(h, y)
    np.testing.assert_allclose(least_squares.fit(h, y).weights, theirs.coef_, atol=1e-10)


def test_with_more_features_than_examples_it_interpolates_with_the_smallest_weights():
    h, y, _ = case(features=80)
    ours = least_squares.fit(h, y)
    np.testing.assert_allclose(ours.predict(h), y, atol=1e-9)
    centred = h - h.mean(axis=0)
    np.testing.assert_allclose(ours.weights, (np.linalg.pinv(centred, rcond=1e-12) @ (y - y.mean(axis=0))).T, atol=1e-9)
    small_ridge = least_squares.fit(h, y, 1e-7)
    np.testing.assert_allclose(ours.weights, small_ridge.weights, atol=1e-7)


def test_several_ridges_at_once_are_the_same_as_one_by_one():
    h, y, _ = case()
    ridges = [0.0, 0.1, 10.0]
    for readout, ridge in zip(least_squares.fit_each(h, y, ridges), ridges, strict=True):
        np.testing.assert_array_equal(readout.weights, least_squares.fit(h, y, ridge).weights)


def test_many_rows_are_summed_in_chunks(monkeypatch):
    h, y, _ = case()
    whole = least_squares.fit(h, y, 0.5).weights
    monkeypatch.setattr(least_squares, "_CHUNK", 7)
    np.testing.assert_allclose(least_squares.fit(h, y, 0.5).weights, whole, atol=1e-12)


def test_single_precision_is_solved_in_double():
    h, y, _ = case()
    single, double = h.astype(np.float32), least_squares.fit(h.astype(np.float32).astype(np.float64), y, 1.0)
    readout = least_squares.fit(single, y.astype(np.float32), 1.0)
    assert readout.weights.dtype == readout.predict(single).dtype == np.float32
    np.testing.assert_allclose(readout.weights, double.weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ridge", [-1.0, np.nan, np.inf])
def test_an_impossible_ridge_is_refused(ridge):
    h, y, _ = case()
    with pytest.raises(InvalidValue, match="ridge"):
        least_squares.fit(h, y, ridge)


def test_shapes_that_do_not_fit_are_refused():
    h, y, _ = case()
    with pytest.raises(InvalidValue, match="equally many rows"):
        least_squares.fit(h, y[:-1])


# ---------------------------------------------------------------- extreme learning machine


def test_the_hidden_layer_is_random_and_stays_so():
    x, y, rng = case()
    machine = ExtremeLearningMachine(12, 30, rng, scale=0.5)
    before = machine.W.copy()
    machine.fit(x, y, 0.1)
    np.testing.assert_array_equal(machine.W, before)
    np.testing.assert_allclose(machine.features(x), np.tanh(x @ before.T + machine.b))
    assert np.abs(before).max() <= 0.5 / np.sqrt(12)
    ridge = Ridge(alpha=0.1, solver="svd").fit(machine.features(x), y)
    np.testing.assert_allclose(machine.predict(x), ridge.predict(machine.features(x)), atol=1e-9)


def test_with_as_many_units_as_examples_it_learns_them_by_heart():
    x, y, rng = case()
    machine = ExtremeLearningMachine(12, 60, rng, scale=2.0).fit(x, y)
    np.testing.assert_allclose(machine.predict(x), y, atol=1e-6)


def test_linear_units_add_nothing():
    x, y, rng = case()
    machine = ExtremeLearningMachine(12, 40, rng, nonlinearity="linear").fit(x, y)
    np.testing.assert_allclose(machine.predict(x), LinearRegression().fit(x, y).predict(x), atol=1e-9)


def test_receptive_fields_are_rectangles_of_all_sizes():
    masks = receptive_fields((4, 6), 300, np.random.default_rng(0)).reshape(300, 4, 6)
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert mask.sum() == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    areas = masks.sum(axis=(1, 2))
    assert (areas.min(), areas.max()) == (1, 24)
    # two even draws from k places span (k² − 1) / 3k + 1 of them on average
    assert areas.mean() == pytest.approx((15 / 12 + 1) * (35 / 18 + 1), rel=0.1)


# ---------------------------------------------------------------- evolution strategies


def test_on_a_linear_loss_a_pair_gives_the_slope_along_its_own_direction():
    slope, theta = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    guess = evolution.antithetic(lambda p: float(slope @ p) + 7.0, theta, np.random.default_rng(3), 0.1)
    noise = np.random.default_rng(3).standard_normal(3)
    np.testing.assert_allclose(guess, (slope @ noise) * noise, rtol=1e-9)


def test_curvature_cancels_between_a_step_and_its_opposite():
    guess = evolution.antithetic(lambda p: float(p @ p), np.zeros(5), np.random.default_rng(0), 0.3)
    np.testing.assert_array_equal(guess, 0.0)


def test_the_mean_of_many_pairs_is_the_gradient():
    slope, rng = np.array([1.0, -2.0, 0.5, 3.0]), np.random.default_rng(1)
    guesses = [evolution.antithetic(lambda p: float(slope @ p), np.zeros(4), rng, 0.1) for _ in range(20000)]
    np.testing.assert_allclose(np.mean(guesses, axis=0), slope, atol=0.1)


@pytest.mark.parametrize(("pairs", "parameters"), [(5, 40), (40, 40), (400, 40)])
def test_the_expected_cosine_is_met(pairs, parameters):
    slope, rng = np.ones(parameters), np.random.default_rng(pairs)
    noise = rng.standard_normal((300, pairs, parameters))
    guesses = np.einsum("tpd,tp->td", noise, noise @ slope) / pairs
    cosines = guesses @ slope / np.linalg.norm(guesses, axis=1) / np.linalg.norm(slope)
    assert np.mean(cosines) == pytest.approx(evolution.expected_cosine(pairs, parameters), abs=0.02)


def test_as_many_pairs_as_parameters_give_45_degrees():
    assert evolution.pairs_for_angle(45.0, 99) == pytest.approx(100.0)
    assert evolution.expected_cosine(100, 99) == pytest.approx(np.cos(np.radians(45.0)))


def gradients_of(teacher, network, x, y, **options):
    flat = np.empty_like(network.parameters)
    teacher.learn(network, x, y, network.views(flat), **options)
    return flat


def test_with_many_pairs_it_finds_the_gradient_of_a_deep_network():
    x, _, rng = case(features=3)
    y = np.eye(2)[rng.integers(2, size=len(x))]
    network = MLP([3, 4, 3, 2], rng=rng)
    before = network.parameters.copy()
    guess = gradients_of(EvolutionStrategy(rng, pairs=4000), network, x, y, weight_decay=0.1)
    np.testing.assert_array_equal(network.parameters, before)
    exact = gradients_of(Backprop(network), network, x, y, weight_decay=0.1)
    expected = np.degrees(np.arccos(evolution.expected_cosine(4000, network.parameters.size)))
    assert metrics.angle(guess, exact) < 2 * expected < 15


def test_the_angle_to_the_gradient_falls_as_expected():
    x, _, rng = case(features=3)
    y = np.eye(2)[rng.integers(2, size=len(x))]
    network = MLP([3, 6, 2], rng=rng)
    before, counts = network.parameters.copy(), [1, 38, 380]
    angles = [evolution.angles_by_pairs(network, x, y, rng, counts) for _ in range(20)]
    np.testing.assert_array_equal(network.parameters, before)
    expected = [evolution.expected_cosine(n, network.parameters.size) for n in counts]
    # a single pair is as likely to point a little more this way or that
    np.testing.assert_allclose(np.mean(angles, axis=0)[1:], np.degrees(np.arccos(expected))[1:], atol=3)
    assert np.all(np.array(angles) < 90)


def test_it_trains_in_the_place_of_a_rule():
    x, _, rng = case(features=3)
    y = np.eye(2)[(x[:, 0] > 2).astype(int)]
    network = MLP([3, 5, 4, 2], rng=rng)
    before = network.mean_loss(x, y)
    optimizer = SGD(network.parameters, 0.1)
    steps = train(network, EvolutionStrategy(rng, pairs=20), optimizer, x, y, epochs=20, batch_size=10, rng=rng)
    assert sum(1 for _ in steps) == 100
    assert network.mean_loss(x, y) < 0.7 * before


def test_a_network_is_whole_again_when_a_trial_fails():
    network = MLP([3, 4, 2], rng=np.random.default_rng(0))
    before = network.parameters.copy()
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        EvolutionStrategy(np.random.default_rng(1), pairs=1).learn(network, np.ones((5, 3)), np.ones((4, 2)), [])
    np.testing.assert_array_equal(network.parameters, before)


def test_frozen_layers_stay_as_they_are():
    x, _, rng = case(features=3)
    y = np.eye(2)[rng.integers(2, size=len(x))]
    network = MLP([3, 4, 2], rng=rng, frozen=1)
    (dW, db), (output, _) = network.views(
        gradients_of(EvolutionStrategy(rng, pairs=3), network, x, y, weight_decay=0.1)
    )
    assert not dW.any()
    assert not db.any()
    assert output.all()


def test_it_runs_on_a_bench_and_in_single_precision():
    bench = Bench(Experiment(hidden=(4, 4), train_size=64, dtype="float32", probe=0))
    bench.rule = EvolutionStrategy(np.random.default_rng(0), pairs=3)
    before = bench.network.parameters.copy()
    next(bench.updates())
    assert bench.network.parameters.dtype == np.float32
    assert np.all(np.isfinite(bench.network.parameters))
    assert np.any(bench.network.parameters != before)


@pytest.mark.parametrize("options", [{"pairs": 0}, {"pairs": 3, "sigma": 0.0}])
def test_impossible_strategies_are_refused(options):
    with pytest.raises(InvalidValue, match="pair"):
        EvolutionStrategy(np.random.default_rng(0), **options)


# ---------------------------------------------------------------- Hebbian learning


def stretched(rng, examples=400):
    """Inputs with variances 9, 4, 1, … along directions of their own."""
    axes = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    return rng.standard_normal((examples, 6)) * [3.0, 2.0, 1.0, 0.3, 0.2, 0.1] @ axes.T + 5.0


@pytest.mark.parametrize("units", [1, 3], ids=["Oja", "Sanger"])
def test_the_units_find_the_principal_components(units):
    rng = np.random.default_rng(4)
    x = stretched(rng)
    directions = PCA(units).fit(x).components_
    *_, W = hebbian.components(x, units, rng, rate=2.0, epochs=400, batch_size=len(x))
    assert hebbian.angles_to(directions, W).max() < 0.1
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), 1.0, atol=1e-5)


def test_principal_components_are_those_of_the_singular_value_decomposition():
    x = stretched(np.random.default_rng(5))
    ours = hebbian.principal_components(x, 4)
    directions = np.linalg.svd(x - x.mean(axis=0))[2][:4]
    np.testing.assert_allclose(np.abs(ours @ directions.T), np.eye(4), atol=1e-9)
    assert hebbian.angles_to(directions, ours).max() < 1e-6


def test_one_unit_of_sangers_rule_is_ojas_rule():
    rng = np.random.default_rng(6)
    w, x = rng.standard_normal(4), rng.standard_normal((9, 4))
    by_hand = np.mean([(w @ row) * (row - (w @ row) * w) for row in x], axis=0)
    np.testing.assert_allclose(hebbian.sanger(w[np.newaxis], x)[0], by_hand)


def test_nothing_changes_at_the_principal_components():
    x = stretched(np.random.default_rng(7))
    centred = x - x.mean(axis=0)
    change = hebbian.sanger(hebbian.principal_components(x, 3), centred)
    np.testing.assert_allclose(change, 0.0, atol=1e-10)


def test_angles_to_a_line_do_not_see_the_sign():
    lines = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    W = np.array([[-2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    np.testing.assert_allclose(hebbian.angles_to(lines, W), [0.0, 90.0, 45.0])


def test_the_winner_moves_to_the_input_and_the_runner_up_away():
    layer = CompetitiveLayer(2, 3, np.random.default_rng(0), push=0.4)
    layer.W = np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 0.1]])
    change = layer.change(np.array([[2.0, 1.0]]))
    # the answers are 2, 1 and 0.1
    np.testing.assert_allclose(change, [[2.0 - 2.0, 1.0], [-0.4 * (2.0 - 0.5), -0.4], [0.0, 0.0]])


def test_units_find_the_clusters_and_take_unit_length():
    rng = np.random.default_rng(8)
    centres = np.linalg.qr(rng.standard_normal((8, 8)))[0][:3]
    x = np.repeat(centres, 60, axis=0) + 0.02 * rng.standard_normal((180, 8))
    layer = CompetitiveLayer(8, 3, rng, push=0.0)
    layer.W = 0.5 * centres + 0.1 * rng.standard_normal((3, 8))  # so that nobody wins two clusters
    layer.fit(x, rate=0.05, epochs=60)
    found = layer.W @ centres.T
    np.testing.assert_allclose(np.sort(found.max(axis=0)), 1.0, atol=0.05)
    assert set(found.argmax(axis=1)) == {0, 1, 2}


def test_competitive_features_are_rectified_cosines():
    layer = CompetitiveLayer(2, 2, np.random.default_rng(0), power=2.0)
    layer.W = np.array([[3.0, 0.0], [-1.0, -1.0]])
    np.testing.assert_allclose(layer.features(np.array([[1.0, 1.0], [0.0, 0.0]])), [[0.5, 0.0], [0.0, 0.0]])


def test_a_rank_beyond_the_units_is_refused():
    with pytest.raises(InvalidValue, match="rank"):
        CompetitiveLayer(4, 3, np.random.default_rng(0), rank=4)


# ---------------------------------------------------------------- spatial pooler


def pooler(**options):
    return SpatialPooler(20, 50, 4, np.random.default_rng(0), **options)


def pictures(n=200):
    return (np.random.default_rng(1).random((n, 20)) < 0.3).astype(float)


def test_every_code_has_exactly_as_many_ones_as_asked():
    fitted = pooler(boost=20.0).fit(pictures())
    codes = fitted.codes(pictures())
    assert set(np.unique(codes)) == {0.0, 1.0}
    np.testing.assert_array_equal(codes.sum(axis=1), 4)


def test_overlaps_count_connected_synapses_on_active_inputs():
    made = SpatialPooler(3, 2, 1, np.random.default_rng(0), potential=1.0)
    made._connected = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).T
    np.testing.assert_array_equal(made.overlaps(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])), [[2, 1], [0, 1]])
    np.testing.assert_array_equal(made.codes(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])), [[1, 0], [0, 1]])


def test_only_winners_learn_and_only_at_potential_synapses():
    made = SpatialPooler(3, 2, 1, np.random.default_rng(0), up=0.1, down=0.05)
    made.potential = np.array([[True, True, False], [True, True, True]])
    made.permanence = np.array([[0.6, 0.52, 0.0], [0.4, 0.4, 0.4]])
    made._connected = (made.permanence >= 0.5).T.astype(float)
    winners = made.step(np.array([1.0, 0.0, 1.0]))
    assert winners.tolist() == [0]
    np.testing.assert_allclose(made.permanence, [[0.7, 0.47, 0.0], [0.4, 0.4, 0.4]])
    np.testing.assert_array_equal(made._connected.T, [[1, 0, 0], [0, 0, 0]])


def test_permanences_stay_between_0_and_1():
    fitted = pooler(up=0.4, down=0.4).fit(pictures(), epochs=2)
    assert fitted.permanence.min() == 0.0
    assert fitted.permanence.max() == 1.0
    assert np.all(fitted.permanence[~fitted.potential] == 0.0)
    np.testing.assert_array_equal(fitted._connected.T, fitted.permanence >= 0.5)


def test_boosting_lets_more_columns_take_part():
    x = pictures()
    used = {boost: (pooler(boost=boost, period=100).fit(x, epochs=4).codes(x).mean(axis=0)) for boost in (0.0, 20.0)}
    assert np.std(used[20.0]) < 0.7 * np.std(used[0.0])


def test_duty_cycles_average_to_the_share_of_active_columns():
    fitted = pooler(period=50).fit(pictures())
    assert fitted.duty.mean() == pytest.approx(4 / 50)


def test_codes_do_not_change_the_pooler():
    made = pooler()
    np.testing.assert_array_equal(made.codes(pictures()), made.codes(pictures()))
    np.testing.assert_array_equal(made.codes(pictures()), pooler().codes(pictures()))


def test_a_code_is_recognised_if_its_own_is_the_most_like_it():
    known = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1.0]])
    assert recognised(known, known) == 1.0
    assert recognised(known, np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1.0]])) == pytest.approx(2 / 3)
    assert recognised(known, np.array([[0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1.0]])) == pytest.approx(2 / 3)  # a tie


def test_overlap_of_codes_is_the_share_they_have_in_common():
    a, b = np.array([[1, 1, 0, 0], [1, 1, 0, 0.0]]), np.array([[1, 1, 0, 0], [0, 1, 1, 0.0]])
    assert mean_overlap(a, b) == pytest.approx(0.75)


def test_binary_inputs():
    np.testing.assert_array_equal(binary(np.array([0.0, 0.49, 0.5, 1.0])), [0.0, 0.0, 1.0, 1.0])


@pytest.mark.parametrize("options", [{"potential": 0.0}, {"period": 0}])
def test_impossible_poolers_are_refused(options):
    with pytest.raises(InvalidValue, match="period"):
        pooler(**options)


# ---------------------------------------------------------------- choosing


def features(x, rng, scale=1.0, columns=64):
    """Features that get worse as the scale falls: all inputs but the first few are lost."""
    return lambda rows: scale * rows[:, :columns]


def test_the_choice_is_made_on_validation_data_alone():
    data = datasets.load("digits")
    settings, ridges = [{"columns": 8}, {"columns": 64}], [1e4, 1.0]
    choice = selection.choose(features, settings, ridges, data, [0])
    split = data.split_validation()
    best = Ridge(1.0, solver="svd").fit(split.x_train, split.y_train)
    assert (choice.setting, choice.ridge) == ({"columns": 64}, 1.0)
    loss = metrics.normalised_squared_error(best.predict(split.x_test), split.y_test)
    assert choice.loss == pytest.approx(loss)


def test_test_errors_are_made_with_the_choice_on_all_training_data():
    data = datasets.load("digits")
    choice = selection.Choice({"columns": 64}, 1.0, 0.0)
    fitted = Ridge(1.0, solver="svd").fit(data.x_train, data.y_train)
    wanted = metrics.error_rate(fitted.predict(data.x_test), data.y_test)
    assert selection.errors_on_test(features, choice, data, [0, 1]) == [wanted, wanted]


def test_a_choice_needs_something_to_choose_from():
    with pytest.raises(InvalidValue, match="at least one"):
        selection.choose(features, [], [1.0], datasets.load("digits"), [0])
