import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alignlib import metrics

VECTORS = hnp.arrays(np.float64, 4, elements=st.floats(-1e6, 1e6)).filter(lambda v: np.abs(v).max() > 1e-6)


@pytest.mark.parametrize(
    ("u", "v", "degrees"),
    [
        ([1, 0], [2, 0], 0),
        ([1, 0], [0, 3], 90),
        ([1, 0], [-1, 0], 180),  # signed: opposite is not the same
        ([1, 0], [1, 1], 45),
        ([1, 0], [-1, np.sqrt(3)], 120),
        ([[1, 0], [0, 1]], [[1, 0], [0, -1]], 90),  # matrices count as vectors
    ],
)
def test_angles_of_known_vectors(u, v, degrees):
    assert metrics.angle(u, v) == pytest.approx(degrees, abs=1e-6)


@pytest.mark.parametrize("tiny", [1e-3, 1e-9, 1e-12])
def test_tiny_angles_keep_their_digits(tiny):
    assert metrics.angle([1, 0], [1, tiny]) == pytest.approx(np.degrees(np.arctan(tiny)), rel=1e-6)
    assert metrics.angle([1, 0], [-1, tiny]) == pytest.approx(180 - np.degrees(np.arctan(tiny)), rel=1e-12)
    assert metrics.angle([1, 2, 3], [1, 2, 3]) == 0


def test_the_zero_vector_has_no_angle():
    assert np.isnan(metrics.angle([0, 0], [1, 0]))
    assert np.isnan(metrics.angle([0, 0], [0, 0]))


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200])
def test_tiny_and_huge_vectors_keep_their_angle(scale):
    assert metrics.angle([scale, 0], [scale, scale]) == pytest.approx(45)


def test_float32_signals_are_measured_in_float64():
    u = np.ones(100_000, np.float32)
    assert metrics.angle(u, u) == pytest.approx(0, abs=1e-5)


@given(VECTORS, VECTORS, st.floats(1e-3, 1e3))
def test_angles_are_symmetric_and_blind_to_length(u, v, scale):
    assert 0 <= metrics.angle(u, v) <= 180
    assert metrics.angle(u, v) == pytest.approx(metrics.angle(v, u), abs=1e-5)
    assert metrics.angle(scale * u, v) == pytest.approx(metrics.angle(u, v), abs=1e-4)
    assert metrics.angle(-u, v) == pytest.approx(180 - metrics.angle(u, v), abs=1e-4)


def test_rows_are_measured_one_by_one_and_undefined_rows_are_left_out_of_the_mean():
    u = np.array([[1.0, 0], [1, 0], [0, 0]])
    v = np.array([[0.0, 1], [1, 0], [1, 0]])
    np.testing.assert_allclose(metrics.angles(u, v), [90, 0, np.nan], atol=1e-6)
    assert metrics.mean_angle(u, v) == pytest.approx(45)
    assert np.isnan(metrics.mean_angle(0 * u, v))


def test_angles_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 2\) and \(3, 2\)"):
        metrics.angles(np.ones((2, 2)), np.ones((3, 2)))


def test_error_rate_is_in_percent():
    y = np.eye(3)[[0, 1, 2, 2]]
    answer = np.array([[9.0, 1, 1], [0, 1, 2], [0, 0, 0.1], [-1, -2, -0.5]])
    assert metrics.error_rate(answer, y) == 25.0


def test_normalised_squared_error_of_perfect_and_of_constant_answers():
    y = np.random.default_rng(0).standard_normal((50, 3)) + 5
    assert metrics.normalised_squared_error(y, y) == 0
    assert metrics.normalised_squared_error(np.broadcast_to(y.mean(0), y.shape), y) == pytest.approx(1)
