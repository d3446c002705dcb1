import math

import numpy as np
import pytest

import alignlib as al
from alignlib import paired

TABLE = [(0.975, 1, 12.7062047), (0.975, 2, 4.3026527), (0.975, 4, 2.7764451), (0.95, 9, 1.8331129)]


@pytest.mark.parametrize(("probability", "freedom", "t"), TABLE)
def test_quantiles_are_those_of_the_printed_tables(probability, freedom, t):
    assert paired.student_quantile(probability, freedom) == pytest.approx(t, rel=1e-7)
    assert paired.student_quantile(1 - probability, freedom) == pytest.approx(-t, rel=1e-7)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 199, 200, 201, 202, 1000, 99_999])
def test_quantiles_agree_with_scipy(freedom):
    stats = pytest.importorskip("scipy.stats")
    for probability in (0.6, 0.9, 0.975, 0.995):
        assert paired.student_quantile(probability, freedom) == pytest.approx(
            stats.t.ppf(probability, freedom), rel=1e-4 if freedom > 200 else 1e-8
        )


def test_a_difference_is_paired():
    noise = np.array([10.0, -3.0, 0.5, 7.0])
    found = paired.difference(noise + np.array([1.0, 1.2, 0.8, 1.0]), noise)
    assert found.mean == pytest.approx(1.0)
    half = 3.182446 * found.std / 2
    assert (found.low, found.high) == pytest.approx((1 - half, 1 + half), rel=1e-6)
    assert found.excludes_zero
    assert str(found) == "+1.00 [+0.74, +1.26]"


def test_one_pair_says_nothing_about_its_own_spread():
    found = paired.difference([1.0], [3.0])
    assert (found.mean, found.n, found.excludes_zero) == (-2.0, 1, False)
    assert math.isinf(found.high)
    assert str(found) == "-2.00 (n=1)"


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1]), ([], []), ([1, math.nan], [1, 2]), ([[1]], [[2]])])
def test_what_is_not_paired_is_refused(a, b):
    with pytest.raises(al.InvalidValue, match="equal length"):
        paired.difference(a, b)


@pytest.mark.parametrize(("mean", "std"), [(1.0, 1.0), (-0.1, 0.3), (5.0, 0.1)])
def test_pairs_needed_is_the_first_number_that_is_enough(mean, std):
    n = paired.pairs_needed(mean, std)
    assert paired.half_width(std, n) < abs(mean)
    assert n == 2 or paired.half_width(std, n - 1) >= abs(mean)


def test_no_number_of_pairs_tells_equals_apart():
    assert paired.pairs_needed(0.0, 1.0) is None
    assert paired.pairs_needed(0.2, 0.0) == 2


@pytest.mark.parametrize(("probability", "freedom"), [(0.0, 3), (1.0, 3), (0.9, 0)])
def test_impossible_quantiles_are_refused(probability, freedom):
    with pytest.raises(al.InvalidValue, match="probability"):
        paired.student_quantile(probability, freedom)
