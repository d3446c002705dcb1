import numpy as np
import pytest

import alignlib as al
from alignlib.experiments import prepare
from alignlib.step_times import PARTS, _Bench, step_times

BASE = al.Experiment(hidden=(6, 5), batch_size=8)


def measured(names=("bp", "dfa", "shallow"), **options):
    options = {"rounds": 3, "steps": 2, **options}
    return step_times(al.grid(BASE, rule=names), **options)


def test_each_experiment_gets_every_part_of_every_round_in_its_order():
    times = measured()
    assert [t.experiment.rule for t in times] == ["bp", "dfa", "shallow"]
    for t in times:
        assert tuple(t.parts) == PARTS
        assert all(seconds.shape == (3,) for seconds in t.parts.values())
        np.testing.assert_allclose(t.total, sum(t.parts.values()))
        assert sum(t.shares.values()) == pytest.approx(1.0)


def test_a_part_that_a_rule_does_not_have_takes_no_time():
    bp, _, shallow = measured()
    assert np.all(shallow.parts["f′"] == 0.0)
    assert all(np.all(seconds > 0) for seconds in bp.parts.values())


def test_a_step_is_as_long_as_itself():
    bp = measured()[0]
    np.testing.assert_array_equal(bp.ratio_to(bp), np.ones(3))


def test_the_stopwatch_changes_nothing_of_the_step():
    bench = _Bench(BASE)
    for _ in range(3):
        bench.step()
    data, network, rule = prepare(BASE)
    flat = np.zeros_like(network.parameters)
    optimizer = al.optimizers.make("rmsprop", network.parameters, BASE.learning_rate)
    for _ in range(3):
        rule.learn(network, data.x_train[:8], data.y_train[:8], network.views(flat), buffers=network.buffers(8))
        optimizer.step(network.parameters, flat)
    np.testing.assert_array_equal(bench.network.parameters, network.parameters)


@pytest.mark.parametrize("options", [{"rounds": 0}, {"steps": 0}])
def test_nothing_cannot_be_timed(options):
    with pytest.raises(al.InvalidValue):
        measured(**options)
