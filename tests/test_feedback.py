"""Sparse and low-rank feedback."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alignlib as al
from alignlib.experiments import prepare
from alignlib.initializers import FEEDBACK, compressed, draw_feedback, thinned


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", FEEDBACK)
def test_dense_equals_sparse_at_full_density(kind):
    dense = draw_feedback(kind, (7, 3), rng())
    np.testing.assert_array_equal(thinned(dense, 1.0, rng(1)), dense)
    np.testing.assert_allclose(compressed(dense, 3, rng(1)), dense, atol=1e-14)


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.01, 1.0))
def test_a_thinned_matrix_keeps_its_share_spread_evenly(rows, columns, density):
    full = rng().uniform(0.5, 1.0, (rows, columns))
    thin = thinned(full, density, rng(1))
    kept = thin != 0
    assert kept.sum() == max(1, round(density * full.size))
    assert np.ptp(kept.sum(axis=1)) <= 1
    np.testing.assert_allclose(thin[kept], full[kept] * np.sqrt(full.size / kept.sum()))


def test_smaller_densities_and_ranks_keep_parts_of_larger_ones():
    full = rng().standard_normal((8, 6))
    masks = [thinned(full, density, rng(1)) != 0 for density in (0.1, 0.4, 0.7, 1.0)]
    for less, more in itertools.pairwise(masks):
        assert np.all(more | ~less)
    one, two = (compressed(full, rank, rng(1)) for rank in (1, 2))
    space = np.linalg.svd(two)[2][:2]
    np.testing.assert_allclose(one @ space.T @ space, one, atol=1e-12)


def test_signals_keep_their_mean_square():
    full, signal = rng().standard_normal((400, 10)), rng(2).standard_normal((500, 10))
    size = np.mean(np.square(signal @ full.T))
    for reduced in (thinned(full, 0.1, rng(1)), thinned(full, 0.5, rng(1)), compressed(full, 3, rng(1))):
        assert 0.8 < np.mean(np.square(signal @ reduced.T)) / size < 1.25


def test_a_low_rank_matrix_has_that_rank():
    for rank in (1, 2, 5):
        assert np.linalg.matrix_rank(draw_feedback("gaussian", (30, 5), rng(), rank=rank)) == rank


def test_thinning_leaves_the_next_draw_as_it_is():
    net = al.MLP([4, 9, 9, 3], rng=rng())
    dense, sparse = (al.rules.DirectFeedbackAlignment(net, rng=rng(1), density=d) for d in (1.0, 0.5))
    for B, C in zip(dense.feedback, sparse.feedback, strict=True):
        kept = C != 0
        np.testing.assert_allclose(C[kept] / B[kept], np.sqrt(B.size / kept.sum()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"feedback_density": 0.0}, "above 0"),
        ({"feedback_density": 1.5}, "at most 1"),
        ({"feedback_density": -0.5}, "not below 0"),
        ({"feedback_rank": 0}, "at least 1"),
        ({"feedback_rank": 2.5}, "whole number"),
    ],
)
def test_an_experiment_says_what_it_accepts(values, message):
    with pytest.raises(al.InvalidValue, match=message):
        al.Experiment(**values)


def test_a_rank_too_high_and_both_at_once_are_refused():
    with pytest.raises(al.InvalidValue, match="from 1 to 10; received 11"):
        prepare(al.Experiment(rule="dfa", feedback_rank=11))
    with pytest.raises(al.InvalidValue, match="not both"):
        prepare(al.Experiment(rule="dfa", feedback_rank=2, feedback_density=0.5))
    with pytest.raises(al.InvalidValue, match="above 0"):
        thinned(np.ones((2, 2)), 0.0, rng())


def test_an_experiment_hands_them_to_the_rule():
    base = al.Experiment(rule="dfa", hidden=(20, 20), train_size=100)
    _, _, rule = prepare(dataclasses.replace(base, feedback_density=0.1))
    assert [np.count_nonzero(B) for B in rule.feedback] == [20, 20]
    _, _, rule = prepare(dataclasses.replace(base, feedback_rank=1, dtype="float32"))
    assert [np.linalg.matrix_rank(B) for B in rule.feedback] == [1, 1]
    assert {B.dtype.name for B in rule.feedback} == {"float32"}
