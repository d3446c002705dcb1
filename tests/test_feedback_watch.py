import numpy as np
import pytest

import alignlib as al
from alignlib.experiments.bench import Bench
from alignlib.feedback_watch import watch

BASE = al.Experiment(hidden=(8, 6), rule="kp", optimizer="sgd", learning_rate=0.1, weight_decay=0.5, train_size=100)


def test_the_distance_is_that_of_kolen_and_pollack():
    seen = watch(BASE, 5)
    np.testing.assert_array_equal(seen.update, range(6))
    np.testing.assert_allclose(seen.distance, 0.95 ** np.arange(6), rtol=1e-10)
    assert seen.apart.shape == seen.angle.shape == seen.size.shape == (6, 2)


def test_what_is_seen_is_what_a_bench_has():
    seen, bench = watch(BASE, 4, every=2), Bench(BASE)
    steps = bench.updates()
    for _ in range(4):
        next(steps)
    np.testing.assert_array_equal(seen.update, [0, 2, 4])
    assert seen.angle[-1, 1] == bench.probe()["weight_angle/2"]
    assert seen.test_error[-1] == bench.test_error()
    B, W = bench.rule.feedback[0], bench.network.weights[1]
    assert seen.size[-1, 0] == pytest.approx(np.linalg.norm(B) / np.linalg.norm(W), rel=1e-12)


def test_fixed_feedback_and_rules_of_ones_own_can_be_watched():
    seen = watch(BASE, 3, rule=al.rules.FeedbackAlignment)
    assert np.all(np.diff(seen.apart, axis=0) != 0)


@pytest.mark.parametrize("options", [{"updates": 0}, {"updates": 3, "every": 0}])
def test_nothing_cannot_be_watched(options):
    with pytest.raises(al.InvalidValue, match="at least 1"):
        watch(BASE, **options)
