"""Timing is tested with a clock that the test turns: no wall time is asserted."""

import numpy as np
import pytest

import alignlib as al
from alignlib.timing import interleaved


class Clock:
    """Stands still but for what the functions under test let pass."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def __call__(self):
        return self.now

    def task(self, name, *durations):
        """Return a function that takes the durations in turn, the last one for ever after."""
        left = list(durations)

        def run():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


def test_it_gives_each_functions_seconds_without_the_first_round():
    clock = Clock()
    seconds = interleaved({"a": clock.task("a", 50.0, 1.0, 2.0), "b": clock.task("b", 3.0)}, 2, clock=clock)
    assert list(seconds) == ["a", "b"]
    np.testing.assert_array_equal(seconds["a"], [1.0, 2.0])
    np.testing.assert_array_equal(seconds["b"], [3.0, 3.0])


def test_the_order_turns_round_from_repeat_to_repeat():
    clock = Clock()
    interleaved({name: clock.task(name, 1.0) for name in "abc"}, 3, clock=clock)
    assert "".join(clock.calls) == "abc" + "abc" + "cba" + "abc"


def test_several_calls_are_averaged():
    clock = Clock()
    seconds = interleaved({"a": clock.task("a", 9.0, 9.0, 1.0, 3.0)}, 1, calls=2, clock=clock)
    np.testing.assert_array_equal(seconds["a"], [2.0])


@pytest.mark.parametrize(("names", "repeats", "calls"), [("", 1, 1), ("a", 0, 1), ("a", 1, 0)])
def test_nothing_to_time_is_refused(names, repeats, calls):
    with pytest.raises(al.InvalidValue, match="timing needs"):
        interleaved(dict.fromkeys(names, lambda: None), repeats, calls=calls)


def test_with_the_real_clock_times_are_finite_and_not_negative():
    (seconds,) = interleaved({"nothing": lambda: None}, 3).values()
    assert seconds.shape == (3,)
    assert np.all(seconds >= 0)
