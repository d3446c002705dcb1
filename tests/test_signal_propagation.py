"""The mean-field prediction, against integrals known in closed form, Monte Carlo, and real wide networks."""

import numpy as np
import pytest

from alignlib import MLP, InvalidValue, linear_relay, signal_propagation
from alignlib.activations import ACTIVATIONS
from alignlib.rules import RULES

SPREADS = np.array([1e-8, 0.1, 1.0, 4.0])
SIGNALLING = ("bp", "fa", "dfa", "ifa")


def test_moments_of_linear_and_rectified_units_are_known_in_closed_form():
    linear, relu = ACTIVATIONS["linear"], ACTIVATIONS["relu"]
    np.testing.assert_allclose(signal_propagation.activity(linear, SPREADS), SPREADS)
    np.testing.assert_allclose(signal_propagation.slope(linear, SPREADS), 1.0)
    np.testing.assert_allclose(signal_propagation.activity(relu, SPREADS), SPREADS / 2)
    np.testing.assert_allclose(signal_propagation.slope(relu, SPREADS), 0.5)


def test_tanh_is_nearly_linear_for_small_spreads():
    # tanh² a = a² − 2a⁴/3 + …, (1 − tanh² a)² = 1 − 2a² + …, and ⟨a²⟩ = q, ⟨a⁴⟩ = 3q²
    q, tanh = 1e-3, ACTIVATIONS["tanh"]
    assert signal_propagation.activity(tanh, q) == pytest.approx(q - 2 * q**2, abs=20 * q**3)
    assert signal_propagation.slope(tanh, q) == pytest.approx(1 - 2 * q, abs=20 * q**2)


@pytest.mark.parametrize("name", ["tanh", "logistic"])
def test_moments_against_monte_carlo(name):
    f, z = ACTIVATIONS[name], np.random.default_rng(0).standard_normal(400_000)
    for q in SPREADS[1:]:
        a = np.sqrt(q) * z
        sampled = f.function(a)
        assert signal_propagation.activity(f, q) == pytest.approx(np.mean(sampled**2), rel=0.01)
        assert signal_propagation.slope(f, q) == pytest.approx(np.mean(f.derivative(a, sampled) ** 2), rel=0.01)


@pytest.mark.parametrize("name", ["tanh", "logistic"])
@pytest.mark.parametrize(("q", "digits"), [(0.01, 1e-12), (0.3, 1e-8), (2.0, 1e-6)])
def test_the_plain_sum_agrees_with_gauss_hermite_where_that_converges(name, q, digits):
    f, (z, weights) = ACTIVATIONS[name], np.polynomial.hermite_e.hermegauss(150)
    a, density = np.sqrt(q) * z, weights / np.sqrt(2 * np.pi)
    assert signal_propagation.activity(f, q) == pytest.approx(f.function(a) ** 2 @ density, rel=digits)
    slopes = f.derivative(a, f.function(a))
    assert signal_propagation.slope(f, q) == pytest.approx(slopes**2 @ density, rel=digits)


@pytest.mark.parametrize("q", [2.0, 10.0])
def test_the_plain_sum_agrees_with_a_finer_one(q):
    z = 0.003 * (np.arange(-4000, 4000) + 0.5)
    density = 0.003 * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    h = np.tanh(np.sqrt(q) * z)
    assert signal_propagation.activity(ACTIVATIONS["tanh"], q) == pytest.approx(h**2 @ density, rel=1e-6)
    assert signal_propagation.slope(ACTIVATIONS["tanh"], q) == pytest.approx((1 - h**2) ** 2 @ density, rel=1e-6)


def test_the_gain_of_each_kind_of_initial_weights():
    rng = np.random.default_rng(1)
    expected = {"zero": 0.0, "fan-in": 1 / np.sqrt(3), "glorot": 1.0, "he": np.sqrt(2), "orthogonal": 1.0}
    for init, sigma in expected.items():
        weight = MLP([300, 300], init=init, rng=rng).weights[0]
        assert signal_propagation.gain(weight) == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("init", ["orthogonal", "glorot"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("name", SIGNALLING)
def test_a_wide_network_is_as_predicted(init, activation, name):
    widths, rng = [300, 200, 400, 250], np.random.default_rng(2)
    x, y = rng.standard_normal((30, 80)), np.eye(20)[rng.integers(20, size=30)]
    pairs = []  # (predicted, measured) in several networks: a single one is off by chance
    for _ in range(8):
        network = MLP([80, *widths, 20], activation, init=init, init_scale=1.4, rng=rng)
        rule = RULES[name](network, rng=rng, feedback="gaussian", feedback_scale=0.8)
        sizes = [of(rule, network, x, y) for of in (signal_propagation.predicted, signal_propagation.measured)]
        pairs.append([(each.activity, each.signal) for each in sizes])
    predicted, measured = np.mean(pairs, axis=0)
    np.testing.assert_allclose(measured, predicted, rtol=0.1)


def test_measured_sizes_of_a_net_made_by_hand():
    network = MLP([2, 2, 1], "linear", "linear", init="zero")
    network.weights[0][...] = [[3.0, 0.0], [0.0, 1.0]]
    network.weights[1][...] = [[2.0, -1.0]]
    # x = (1, 1): a_1 = (3, 1), ŷ = 5, e = 5 and δ_1 = (10, −5)
    sizes = signal_propagation.measured(RULES["bp"](network), network, np.ones((1, 2)), np.zeros((1, 1)))
    np.testing.assert_allclose(sizes.activity, [np.sqrt(5.0)])
    np.testing.assert_allclose(sizes.signal, [np.sqrt(62.5)])


def test_a_rule_without_signals_cannot_be_predicted():
    network = MLP([3, 4, 2], init="zero")
    rule = RULES["shallow"](network)
    with pytest.raises(InvalidValue, match="no signal to 1 layers"):
        signal_propagation.signals(rule, network, np.ones((1, 3)), np.ones((1, 2)))


@pytest.mark.parametrize("sigma", [1.1, 1.5, 3.0])
def test_the_fixed_point_maps_to_itself_and_attracts(sigma):
    tanh = ACTIVATIONS["tanh"]
    q = signal_propagation.fixed_point(tanh, sigma)
    assert sigma**2 * signal_propagation.activity(tanh, q) == pytest.approx(q)
    for start in (1e-3, 5.0):
        reached = np.array(start)
        for _ in range(400):
            reached = sigma**2 * signal_propagation.activity(tanh, reached)
        assert reached == pytest.approx(q, rel=1e-6)


def test_the_edge_of_chaos_of_tanh_is_at_gain_one():
    tanh = ACTIVATIONS["tanh"]
    assert signal_propagation.fixed_point(tanh, 0.9) == 0.0
    assert signal_propagation.chi(tanh, 0.9) == pytest.approx(0.81)
    assert signal_propagation.chi(tanh, 1.0) == pytest.approx(1.0, abs=1e-6)
    assert 1.0 < signal_propagation.chi(tanh, 1.2) < signal_propagation.chi(tanh, 2.0)


@pytest.mark.parametrize(("name", "sigma"), [("relu", 1.0), ("linear", 1.0), ("tanh", 0.0), ("tanh", -1.0)])
def test_what_has_no_fixed_point_is_refused(name, sigma):
    with pytest.raises(InvalidValue):
        signal_propagation.fixed_point(ACTIVATIONS[name], sigma)


def test_the_effective_rank_counts_directions():
    assert signal_propagation.effective_rank(np.eye(7) * 1e-200) == pytest.approx(7.0)
    assert signal_propagation.effective_rank(np.outer(np.arange(1, 4), np.ones(5))) == pytest.approx(1.0)
    assert signal_propagation.effective_rank(np.diag([2.0, 1.0])) == pytest.approx(25 / 17)
    assert np.isnan(signal_propagation.effective_rank(np.zeros((2, 3))))


def test_orthogonal_weights_give_the_relay_one_angle_in_all_layers():
    rng = np.random.default_rng(3)
    network = MLP([8, *[12] * 6, 4], init="orthogonal", rng=rng)
    rule = RULES["ifa"](network, rng=rng)
    angles = linear_relay.relay_angles(network, rule)
    np.testing.assert_allclose(angles, angles[0], rtol=1e-12)
    ranks = [signal_propagation.effective_rank(each) for each in linear_relay.relayed_feedback(network, rule)]
    np.testing.assert_allclose(ranks, ranks[0], rtol=1e-12)
