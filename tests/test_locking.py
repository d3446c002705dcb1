import numpy as np
import pytest

import alignlib as al
from alignlib.locking import clocked, locking, ready_at

SIZES = [5, 7, 6, 4, 3]  # four layers, three of them hidden


def of(name, sizes=SIZES, **options):
    network = al.MLP(sizes, rng=np.random.default_rng(0), **options)
    return locking(al.rules.RULES[name](network, rng=np.random.default_rng(1)), network)


@pytest.mark.parametrize(
    ("name", "learns"),
    [
        ("bp", (7, 6, 5, 4)),  # four products up, then one down for each layer above
        ("fa", (7, 6, 5, 4)),
        ("dfa", (5, 5, 5, 4)),  # one jump from the output
        ("sdfa", (5, 5, 5, 4)),
        ("ifa", (5, 6, 7, 4)),  # one jump, then up again
        ("drtp", (1, 2, 3, 4)),  # with the forward pass
        ("pepita", (6, 7, 8, 9)),  # up, one jump, up again
        ("shallow", (None, None, None, 4)),
        *((name, (7, 6, 5, 4)) for name in ("usf", "brsf", "frsf", "kp", "wm")),
        ("dkp", (5, 5, 5, 4)),
    ],
)
@pytest.mark.parametrize("output", al.losses.LOSSES)
def test_when_each_layer_may_learn(name, learns, output):
    found = of(name, output=output)
    assert found.learns == learns
    assert found.forward == (1, 2, 3, 4)
    assert found.waits == tuple(None if t is None else t - i for i, t in enumerate(learns, start=1))


def test_drtp_locks_no_layer_at_any_depth():
    assert of("drtp", [5] + [4] * 20 + [3]).longest_wait == 0
    assert of("bp", [5] + [4] * 20 + [3]).longest_wait == 40


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("bp", 5 + 7 + 6 + 4),
        ("dfa", 5 + 7 + 6 + 4),
        ("ifa", 5 + 7 + 6 + 4),
        ("drtp", 7 + 6),  # two neighbours at a time
        ("shallow", 7 + 6),
        ("pepita", 5 + 7 + 6 + 4 + 7),  # while layer 1 learns: all of the first pass (x too), x^err and h1^err less x
    ],
)
def test_how_much_activity_is_kept_at_a_time(name, peak):
    assert of(name).peak == peak


def test_a_clock_ticks_at_products_and_waits_for_the_latest():
    a, b = clocked(np.ones((2, 2)), 3), clocked(np.ones((2, 2)), 5)
    assert ready_at(np.matmul(a, b)) == 6
    assert ready_at(a @ np.ones((2, 2))) == 4
    assert ready_at(a + b) == 5
    assert ready_at(np.tanh(a)) == 3
    assert ready_at(a[:1].T) == 3
    assert ready_at(a.max(axis=1, keepdims=True)) == 3
    a += b
    assert ready_at(a) == 5
    assert ready_at(np.ones(2)) == 0


def test_the_network_and_the_rule_stay_as_they_are():
    network = al.MLP(SIZES, rng=np.random.default_rng(0))
    rule = al.rules.RULES["pepita"](network, rng=np.random.default_rng(1))
    before = [a.copy() for a in (network.parameters, *rule.feedback)]
    locking(rule, network)
    for now, then in zip((network.parameters, *rule.feedback), before, strict=True):
        np.testing.assert_array_equal(now, then)
