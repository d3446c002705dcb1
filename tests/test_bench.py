import numpy as np
import pytest

import alignlib as al
from alignlib.experiments.bench import Bench

QUICK = al.Experiment(hidden=(16, 12), rule="dfa", epochs=2, train_size=200, probe=32)


class Halved(al.rules.DirectFeedbackAlignment):
    """A rule that no list names."""

    def hidden_signals(self, network, trace, error):
        return [0.5 * delta for delta in super().hidden_signals(network, trace, error)]


def trained(bench):
    for _ in bench.updates():
        pass
    return bench


@pytest.mark.parametrize("rule", sorted(al.rules.RULES))
def test_left_alone_it_does_what_run_does(rule):
    experiment = al.grid(QUICK, rule=[rule])[0]
    bench, result = trained(Bench(experiment)), al.run(experiment)
    measured = bench.probe() | {"test_error": bench.test_error()}
    assert measured.keys() == result.curves.keys() - {
        "epoch", "step", "seconds", "train_loss", "train_error", "test_loss",
    }  # fmt: skip
    for name, value in measured.items():
        np.testing.assert_array_equal(value, result.curves[name][-1], err_msg=name)


def test_another_rule_meets_the_same_numbers():
    ours, theirs = Bench(QUICK, rule=Halved), Bench(QUICK)
    assert isinstance(ours.rule, Halved)
    np.testing.assert_array_equal(ours.network.parameters, theirs.network.parameters)
    for mine, other in zip(ours.rule.feedback, theirs.rule.feedback, strict=True):
        np.testing.assert_array_equal(mine, other)
    first_of_ours, first_of_theirs = next(ours.updates()), next(theirs.updates())
    np.testing.assert_array_equal(first_of_ours.y, first_of_theirs.y)


def test_another_rule_shares_and_scales_its_feedback_as_the_experiment_says():
    experiment = al.grid(QUICK, hidden=[(12, 12)], feedback_shared=[True], feedback_scale=[3.0])[0]
    bench = Bench(experiment, rule=Halved)
    assert bench.rule.feedback[0] is bench.rule.feedback[1]
    np.testing.assert_array_equal(bench.rule.feedback[0], Bench(experiment).rule.feedback[0])


def test_what_is_written_between_two_updates_counts():
    bench = Bench(QUICK)
    for step in bench.updates():
        assert step.trace.pre_activations[0].shape == (len(step.y), 16)
        for bias in bench.network.biases:
            bias.fill(0.0)
    assert all(not bias.any() for bias in bench.network.biases)
    assert bench.probe() != trained(Bench(QUICK)).probe()


def test_from_zero_the_angles_are_undefined_and_the_norms_are_zero():
    probe = Bench(al.grid(QUICK, init=["published"])[0]).probe()
    assert [probe[f"weight_norm/{layer}"] for layer in (1, 2, 3)] == [0.0, 0.0, 0.0]
    assert np.isnan([probe["delta_angle/1"], probe["delta_angle/2"]]).all()
