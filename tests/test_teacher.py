"""Students and teachers: the closed forms against drawn examples, finite differences and each other."""

import math
from dataclasses import replace

import numpy as np
import pytest

from alignlib import InvalidValue, teacher

UNITS = ["erf", "relu"]


def pairs(unit, seeds=(0, 1), **sizes):
    return teacher.draw(list(seeds), unit, **{"n_in": 6, "units": 3, "teachers": 2, "scale": 0.7, **sizes})


def test_erf_is_that_of_the_standard_library():
    a = np.linspace(-4, 4, 41).reshape(1, 41)
    np.testing.assert_array_equal(teacher.erf(a), [[math.erf(value) for value in a[0]]])


@pytest.mark.parametrize("unit", UNITS)
def test_derivatives_agree_with_finite_differences(unit):
    a = np.array([-2.3, -0.4, 0.3, 1.7])
    f = teacher.UNITS[unit].function
    slopes = (f(a + 1e-6) - f(a - 1e-6)) / 2e-6
    np.testing.assert_allclose(teacher.UNITS[unit].derivative(a), slopes, atol=1e-8)


@pytest.mark.parametrize("unit", UNITS)
def test_means_over_inputs_agree_with_drawn_inputs(unit):
    rng = np.random.default_rng(0)
    u, v = np.array([0.6, -0.9, 0.2]), np.array([1.1, 0.3, -0.5])
    x = rng.standard_normal((400_000, 3))
    g = teacher.UNITS[unit]
    gu, gv = g.function(x @ u), g.function(x @ v)
    a, b, c = (np.array(value) for value in (u @ u, v @ v, u @ v))
    assert g.mean_product(a, b, c) == pytest.approx(np.mean(gu * gv), abs=5e-3)
    p, q = g.mean_gradient(a, b, c)
    np.testing.assert_allclose(p * u + q * v, (g.derivative(x @ u) * gv) @ x / len(x), atol=5e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_means_over_inputs_are_exact_for_nearly_parallel_and_opposite_weights(sign):
    """The angle between the two is uncertain there by 1e-8, and what is made of it must not show that."""
    for size in (0.3, 0.7, 1.1):
        u = np.array([size, 1e-10, 0.2])
        v = sign * 1.7 * np.array([size, 0.0, 0.2])
        a, b, c = (np.array(value) for value in (u @ u, v @ v, u @ v))
        aligned = (1 + sign) / 2  # of opposite weights, one unit is off where the other is on
        assert teacher.UNITS["relu"].mean_product(a, b, c) == pytest.approx(aligned * c / 2, abs=1e-14)
        p, q = teacher.UNITS["relu"].mean_gradient(a, b, c)
        np.testing.assert_allclose((p * u + q * v)[[0, 2]], aligned * v[[0, 2]] / 2, atol=1e-14)


@pytest.mark.parametrize("unit", UNITS)
def test_backprop_goes_down_the_gradient_of_the_mean_error(unit):
    before, _ = pairs(unit)
    zero = replace(before, v=np.zeros_like(before.v), w=np.ones_like(before.w))
    assert zero.error() == pytest.approx(1.0)

    def half_error(w, v):
        """⟨e²⟩/2 of the first pair, with ⟨y²⟩ from a student that copies its teacher's error of one."""
        changed = replace(before, w=np.stack([w, before.w[1]]), v=np.stack([v, before.v[1]]))
        return 0.5 * changed.error()[0] * taught

    g = teacher.UNITS[unit]
    t = before.teacher_w[0]
    taught = sum(float(g.mean_product(s @ s, r @ r, s @ r)) for s in t for r in t)
    after = before.mean_step(1.0)
    w, v = before.w[0], before.v[0]
    for array, moved, loss in (
        (w, before.w[0] - after.w[0], lambda changed: half_error(changed, v)),
        (v, before.v[0] - after.v[0], lambda changed: half_error(w, changed)),
    ):
        for index in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[index] = 1e-5
            slope = (loss(array + step) - loss(array - step)) / 2e-5
            assert moved[index] == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("unit", UNITS)
def test_feedback_takes_the_place_of_the_output_weights_and_nothing_else(unit):
    before, feedback = pairs(unit)
    bp, fa = before.mean_step(1.0), replace(before, feedback=feedback).mean_step(1.0)
    ratio = (feedback / before.v)[:, :, np.newaxis]
    np.testing.assert_allclose(fa.w - before.w, ratio * (bp.w - before.w), rtol=1e-10)
    np.testing.assert_array_equal(fa.v, bp.v)
    same = replace(before, feedback=before.v).mean_step(1.0)
    np.testing.assert_array_equal(same.w, bp.w)


@pytest.mark.parametrize("unit", UNITS)
def test_a_step_on_one_example_is_that_of_the_equations(unit):
    before, feedback = pairs(unit)
    before = replace(before, feedback=feedback)
    x, g = np.random.default_rng(3).standard_normal((1, 6)), teacher.UNITS[unit]
    after = before.example_step(0.1, x)
    for i in range(2):
        a = before.w[i] @ x[0]
        e = before.v[i] @ g.function(a) - before.teacher_v[i] @ g.function(before.teacher_w[i] @ x[0])
        signal = feedback[i] * e * g.derivative(a)
        np.testing.assert_allclose(after.w[i], before.w[i] - 0.1 * np.outer(signal, x[0]), rtol=1e-12)
        np.testing.assert_allclose(after.v[i], before.v[i] - 0.1 * e * g.function(a), rtol=1e-12)


@pytest.mark.parametrize("unit", UNITS)
def test_many_examples_make_the_mean_step(unit):
    before, feedback = pairs(unit)
    before = replace(before, feedback=feedback)
    x = np.random.default_rng(4).standard_normal((60_000, 6))
    ours, theirs = before.mean_step(1.0), before.example_step(1.0, x)
    np.testing.assert_allclose(ours.w, theirs.w, atol=0.03)
    np.testing.assert_allclose(ours.v, theirs.v, atol=0.03)


def test_the_course_is_seen_at_the_times_asked_for():
    start, feedback = pairs("erf")
    course = teacher.follow(start, np.array([0.0, 0.5, 2.0]), 0.25)
    by_hand = start
    for _ in range(8):
        by_hand = by_hand.mean_step(0.25)
    np.testing.assert_array_equal(course.output[0], start.v)
    np.testing.assert_array_equal(course.output[2], by_hand.v)
    np.testing.assert_array_equal(course.error[2], by_hand.error())
    assert course.angles(feedback).shape == (3, 2)
    np.testing.assert_allclose(course.angles(start.v)[0], 0.0, atol=1e-5)


def test_a_copy_of_the_teacher_makes_no_error_and_does_not_move():
    start, _ = pairs("erf", units=2)
    copy = replace(start, w=start.teacher_w, v=start.teacher_v)
    assert copy.error() == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(copy.mean_step(1.0).w, copy.w, atol=1e-12)


def test_what_is_drawn_for_a_seed_does_not_depend_on_its_company():
    alone, feedback = pairs("erf", seeds=(7,))
    together, feedbacks = pairs("erf", seeds=(1, 7))
    np.testing.assert_array_equal(alone.w[0], together.w[1])
    np.testing.assert_array_equal(feedback[0], feedbacks[1])


def test_what_does_not_fit_is_refused():
    start, feedback = pairs("erf")
    with pytest.raises(InvalidValue, match="did you mean 'relu'"):
        replace(start, unit="rleu")
    with pytest.raises(InvalidValue, match="do not fit"):
        replace(start, feedback=feedback[:, :2])
