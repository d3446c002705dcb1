"""The printed code's slips beside the repaired line: what stops it, what changes learning, and which test sees it."""

import ast
import inspect

import numpy as np
import pytest

import alignlib as al
from alignlib.article import checks, code
from alignlib.article.checks import ALL_EQUAL, CHECKS, DIFFERENT, HIDDEN_EQUAL, after, case, seen_by
from alignlib.article.code import ALL_SLIPS, REPAIRED, SLIPS, step, train, twelve_lines
from alignlib.article.stops import STOPS, python_says
from alignlib.training import descend

SIZES = (6, 5, 4, 3)


def dfa(sizes=SIZES, seed=0):
    """A network of the package without biases, its rule, and the same weights as the article lays them out."""
    rng = np.random.default_rng(seed)
    network = al.MLP(sizes, "logistic", "logistic", rng=rng)
    rule = al.rules.DirectFeedbackAlignment(network, rng=rng)
    return network, rule, [W.T.copy() for W in network.weights], list(rule.feedback)


def batch(sizes=SIZES, n=12, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, sizes[0])), np.eye(sizes[-1])[rng.integers(sizes[-1], size=n)]


def held_at_zero(network, steps):
    for _ in steps:
        for bias in network.biases:
            bias[...] = 0.0


def test_twelve_lines_are_twelve_and_are_dfa():
    function = ast.parse(inspect.getsource(twelve_lines)).body[0]
    function.body.pop(0)  # the text
    assert len(ast.unparse(function).splitlines()) == 12
    network, rule, weights, feedback = dfa()
    x, y = batch()
    held_at_zero(network, descend(network, rule, x, y, learning_rate=0.5, steps=40))
    twelve_lines(weights, feedback, x, y, 0.5, 40, len(x))
    for ours, theirs in zip(network.weights, weights, strict=True):
        np.testing.assert_allclose(theirs.T, ours, rtol=0, atol=1e-12)


def test_the_repaired_pieces_are_the_twelve_lines():
    *_, weights, feedback = dfa()
    x, y = batch()
    pieces = [W.copy() for W in weights]
    for start in (0, 5, 10):
        step(REPAIRED, pieces, feedback, x[start : start + 5], y[start : start + 5], 0.3)
    twelve_lines(weights, feedback, x, y, 0.3, 1, 5)
    for one, other in zip(pieces, weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


def test_training_visits_every_row_once_an_epoch():
    *_, weights, feedback = dfa()
    x, y = batch()
    once = [W.copy() for W in weights]
    train(REPAIRED, once, feedback, x, y, rate=0.3, epochs=2, batch=len(x), rng=np.random.default_rng(0))
    twelve_lines(weights, feedback, x, y, 0.3, 2, len(x))
    for one, other in zip(once, weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


# ---------------------------------------------------------------- each slip against the repaired line


def moved(parts, sizes=HIDDEN_EQUAL):
    given = case(sizes)
    return [now - before for before, now in zip(given.weights, after(parts, given), strict=True)]


def test_without_its_minus_sign_the_step_goes_up():
    for up, down in zip(moved(SLIPS["minus sign lost"]), moved(REPAIRED), strict=True):
        np.testing.assert_allclose(up, -down, rtol=0, atol=1e-15)


def test_without_its_transpose_the_step_is_turned_where_it_fits_and_stopped_where_not():
    wrong, right = moved(SLIPS["transpose lost"], ALL_EQUAL), moved(REPAIRED, ALL_EQUAL)
    for turned, straight in zip(wrong, right, strict=True):
        np.testing.assert_allclose(turned, straight.T, rtol=0, atol=1e-15)
        assert not np.allclose(turned, straight)
    with pytest.raises(ValueError, match="broadcast"):
        after(SLIPS["transpose lost"], case(DIFFERENT))
    half = moved(SLIPS["transpose lost where it fits"])
    right = moved(REPAIRED)
    np.testing.assert_allclose(half[1], right[1].T, rtol=0, atol=1e-15)
    for layer in (0, 2):
        np.testing.assert_array_equal(half[layer], right[layer])


def test_one_layer_too_low_is_what_was_printed():
    """By hand, for three hidden layers: the loop runs down from the top and pairs the error with h_2, not h_3."""
    given = case((6, 5, 5, 5, 3))
    h = code.activities(given.weights, given.x)
    error = code.answers(REPAIRED, given.weights, given.x) - given.y
    deltas = [error @ B.T * a * (1 - a) for B, a in zip(given.feedback, h[1:], strict=True)]
    pairs = [(h[0], deltas[0]), (h[1], deltas[1]), (h[1], deltas[2]), (h[2], error)]
    now = after(SLIPS["activity one layer too low"], given)
    for (below, delta), before, W in zip(pairs, given.weights, now, strict=True):
        np.testing.assert_allclose(W, before - 0.1 * below.T @ delta / len(error), rtol=0, atol=1e-15)


def test_the_first_layer_stays_as_it_was_drawn():
    first, *rest = moved(SLIPS["first layer left out"])
    assert not np.any(first)
    for with_slip, without in zip(rest, moved(REPAIRED)[1:], strict=True):
        np.testing.assert_array_equal(with_slip, without)


def test_a_sum_makes_the_step_as_many_times_as_large_as_there_are_examples():
    for total, mean in zip(moved(SLIPS["sum instead of mean"]), moved(REPAIRED), strict=True):
        np.testing.assert_allclose(total, 8 * mean, rtol=0, atol=1e-14)


def test_a_linear_output_descends_the_squared_error():
    given = case(HIDDEN_EQUAL)
    linear = SLIPS["linear output"]

    def loss(W):
        return 0.5 * np.mean(np.sum((code.answers(linear, [*given.weights[:-1], W], given.x) - given.y) ** 2, axis=1))

    W, size = given.weights[-1], 1e-5
    numeric = np.empty_like(W)
    for place in np.ndindex(W.shape):
        above, below = W.copy(), W.copy()
        above[place] += size
        below[place] -= size
        numeric[place] = (loss(above) - loss(below)) / (2 * size)
    np.testing.assert_allclose(moved(linear)[-1], -0.1 * numeric, rtol=0, atol=1e-9)


# ---------------------------------------------------------------- would a test have seen it?


def test_every_check_passes_the_repaired_step_and_some_check_sees_every_slip():
    assert not any(seen_by(REPAIRED).values())
    for parts in (*SLIPS.values(), ALL_SLIPS):
        assert any(seen_by(parts).values())


def test_equal_widths_hide_two_slips_that_different_widths_show():
    hidden = [
        name
        for name, parts in SLIPS.items()
        if seen_by(parts)["it runs, no two widths equal"] and not seen_by(parts)["it runs, all widths equal"]
    ]
    assert hidden == ["transpose lost", "activity one layer too low"]


def test_half_a_repair_is_seen_by_one_check_only():
    seen = seen_by(SLIPS["transpose lost where it fits"])
    assert [name for name, noticed in seen.items() if noticed] == ["last hidden layer, B = W"]


def test_the_checks_leave_the_case_as_it_was():
    given = case(HIDDEN_EQUAL)
    kept = [W.copy() for W in given.weights]
    for check, _ in CHECKS.values():
        check(REPAIRED, given)
    for W, before in zip(given.weights, kept, strict=True):
        np.testing.assert_array_equal(W, before)


def test_the_differences_agree_with_the_package():
    network, _, weights, feedback = dfa()
    x, y = batch()
    given = checks.Case(weights, feedback, x, y)
    theirs = al.rules.Backprop(network).gradients(network, x, y)
    for layer, (dW, _) in enumerate(theirs):
        np.testing.assert_allclose(checks.gradient(REPAIRED, given, layer), dW.T, rtol=0, atol=1e-8)
    assert checks.log_loss(REPAIRED, weights, x, y) == pytest.approx(network.mean_loss(x, y))


def test_the_log_loss_of_what_is_no_probability_is_nothing():
    given = case(HIDDEN_EQUAL)
    assert np.isnan(checks.log_loss(SLIPS["linear output"], given.weights, given.x, given.y))


# ---------------------------------------------------------------- what stops it

EXPECTED = [
    "SyntaxError",
    "IndentationError",
    "SyntaxError",
    "AttributeError",
    "NameError",
    "IndexError",
    "ValueError",
    "AttributeError",
    "TypeError",
    "NameError",
    "UnboundLocalError",
    "IndexError",
    "ValueError",
]


@pytest.mark.parametrize(("stop", "expected"), list(zip(STOPS, EXPECTED, strict=True)), ids=lambda each: str(each)[:40])
def test_python_says_what_is_wrong(stop, expected):
    assert type(python_says(stop.program)).__name__ == expected


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.slip)
def test_the_repaired_pattern_runs(stop):
    assert stop.program.count(stop.repair[0]) == 1
    assert python_says(stop.repaired) is None


def test_what_is_mended_is_shown_line_by_line():
    stop = next(stop for stop in STOPS if stop.slip == "a comma that makes a tuple of the error")
    assert stop.mended() == "- error = np.zeros((4, 3)) - 1,\n+ error = np.zeros((4, 3)) - 1"
