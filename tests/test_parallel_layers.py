"""The layers of DFA really are independent, and the stopwatch on them compares like with like."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import alignlib as al
from alignlib.parallel_layers import DirectLayers, parallel_times

BASE = al.Experiment(hidden=(16, 12, 8), batch_size=32)


def test_in_any_order_and_on_threads_the_layers_learn_what_the_rule_says():
    layers = DirectLayers(BASE)
    data, network, rule = al.experiments.prepare(al.Experiment(rule="dfa", hidden=BASE.hidden))
    expected = rule.gradients(network, data.x_train[:32], data.y_train[:32])[:-1]
    with ThreadPoolExecutor(2) as pool:
        for run in (map, pool.map):
            for dW, db in layers.gradients:
                dW.fill(np.nan)
                db.fill(np.nan)
            list(run(layers.learn, reversed(layers.network.hidden)))
            for (dW, db), (dW2, db2) in zip(layers.gradients, expected, strict=True):
                np.testing.assert_allclose(dW, dW2, rtol=1e-12, atol=1e-15)
                np.testing.assert_allclose(db, db2, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("gradients", [False, True])
def test_times_are_positive_and_one_a_round(gradients):
    times = parallel_times(BASE, gradients=gradients, rounds=4)
    assert times.alone.shape == times.shared.shape == times.speedup.shape == (4,)
    assert np.all(times.alone > 0)
    np.testing.assert_allclose(times.speedup, times.alone / times.shared)


def test_what_cannot_be_timed_is_refused():
    with pytest.raises(al.errors.InvalidValue, match="hidden layer"):
        parallel_times(al.Experiment(hidden=()))
    with pytest.raises(al.errors.InvalidValue, match="threads"):
        parallel_times(BASE, threads=0)
