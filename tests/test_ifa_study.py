"""The plan of the study: equal chances for every rule, nothing chosen by the test data, a verdict as written down."""

import re
from dataclasses import asdict, replace

import numpy as np
import pytest

from alignlib import InvalidValue, ifa_study
from alignlib.experiments import Experiment, Result, run
from alignlib.experiments.records import read
from alignlib.paired import difference

CONDITIONS = ifa_study.conditions()


def fake(experiment: Experiment, error: float) -> Result:
    return Result(experiment, {"test_error": np.array([90.0, error])}, "", 0.0, 1, {})


def tuned(best=1e-2):
    """Every rule does best at one learning rate, whatever the condition; gradient descent at its middle one."""
    return [fake(e, abs(np.log(e.learning_rate / best))) for e in ifa_study.tuning_runs().values()]


def test_names_are_identifiers_and_no_condition_comes_twice():
    names = [each.name for each in CONDITIONS]
    assert len(set(names)) == len(names) == len({each.experiment for each in CONDITIONS})
    assert CONDITIONS[0].experiment == ifa_study.BASE
    for name in (*ifa_study.tuning_runs(), *ifa_study.reported_runs(tuned())):
        assert re.fullmatch(r"[a-z0-9][a-z0-9\-_.=,+]*", name)


@pytest.mark.parametrize("each", CONDITIONS, ids=lambda c: c.name)
def test_every_rule_is_tuned_alike(each):
    rates = {rule: [e.learning_rate for e in each.tuning(rule)] for rule in ifa_study.RULES}
    assert all(tried == rates["ifa"] for tried in rates.values())
    for rule in ifa_study.RULES:
        for e in each.tuning(rule):
            assert e.evaluate == "validation"
            assert e.seed not in ifa_study.SEEDS
        for e in each.reported(rule, 0.01):
            assert (e.evaluate, e.train_size) == ("test", each.tuning(rule)[0].train_size)


@pytest.mark.parametrize("each", CONDITIONS[1:], ids=lambda c: c.name)
def test_a_condition_changes_one_factor_of_the_base(each):
    base = asdict(ifa_study.BASE)
    changed = {name for name, value in asdict(each.experiment).items() if value != base[name]}
    together = [
        {"hidden"},
        {"init", "feedback"},
        {"hidden", "init", "feedback"},  # depth and start, crossed
        {"activation"},
        {"activation", "init", "feedback"},  # ReLU from the weights made for it
        {"feedback_scale"},
        {"optimizer", "momentum"},
        {"optimizer", "momentum", "feedback_scale"},  # the scale matters where nothing divides it out
        {"optimizer"},
        {"dataset", "train_size", "record_every"},
    ]
    assert changed in together


def test_runs_that_cannot_differ_are_run_once():
    reported = ifa_study.reported_runs(tuned())
    assert len(set(reported.values())) == len(reported)
    assert "scale-10,ifa,0" in reported
    assert "scale-10,bp,0" not in reported  # no feedback to be scaled: the run of the base
    assert ifa_study.condition("scale-10").of("bp") == ifa_study.condition("base").of("bp")


def test_the_reported_runs_take_the_rate_that_validation_chose():
    rates = {e.learning_rate for e in ifa_study.reported_runs(tuned(best=3e-3)).values() if e.optimizer == "adam"}
    assert rates == {3e-3}
    early = ifa_study.snapshot_runs(tuned(best=3e-3))
    assert {e.epochs for e in early.values()} == {ifa_study.SNAPSHOT}
    assert {e.rule for e in early.values()} == set(ifa_study.ANGLED)
    assert set(early) < set(ifa_study.reported_runs(tuned(best=3e-3)))


def test_a_missing_run_is_named():
    base = ifa_study.condition("base")
    found = [result for result in tuned() if result.experiment != base.tuning("ifa")[-1]]
    with pytest.raises(InvalidValue, match="base, ifa: tuning: 1 of 8 runs are missing"):
        ifa_study.choices(base, found)
    with pytest.raises(InvalidValue, match="depth-8-glorot"):
        ifa_study.condition("depth-8-gloro")


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([2.0, 2.1, 1.9, 2.2], "worse"),
        ([-2.0, -2.1, -1.9, -2.2], "better"),
        ([0.3, 0.31, 0.29, 0.3], "equal"),  # surely above zero, but too small to matter
        ([0.1, -0.1, 0.05, 0.0], "equal"),
        ([3.0, -3.0, 2.0, -1.0], "undecided"),
        ([0.6, 0.61, 0.59, 0.6], "worse"),
    ],
)
def test_verdicts(differences, said):
    assert ifa_study.verdict(difference(differences, np.zeros(4), ifa_study.CONFIDENCE)) == said


def test_the_study_finds_its_runs():
    results = tuned(best=3e-3)
    base = ifa_study.condition("base")
    for rule in ifa_study.RULES:
        for e in base.reported(rule, 3e-3):
            results.append(fake(e, 5.0 + e.seed + (rule == "ifa")))
    for e in base.snapshots("ifa", 3e-3):
        curves = {f"delta_angle/{n}": np.array([90.0, 10.0 * n + e.seed]) for n in (1, 2, 3, 4)}
        results.append(Result(e, curves, "", 0.0, 1, {}))
    study = ifa_study.Study(results)
    assert {choice.value for choice in study.choices(base).values()} == {3e-3}
    np.testing.assert_array_equal(study.errors(base, "ifa"), 6.0 + np.arange(10))
    assert study.difference(base, "dfa").mean == pytest.approx(1.0)
    np.testing.assert_array_equal(study.by_layer(base, "ifa", "delta_angle")[2], [12.0, 22.0, 32.0, 42.0])
    with pytest.raises(InvalidValue, match="sgd, bp: reported: 10 of 10 runs are missing"):
        study.errors(ifa_study.condition("sgd"), "bp")


def test_a_study_is_written_and_read_again(tmp_path, monkeypatch):
    """The whole way, with one small condition in the place of all."""
    small = replace(ifa_study.BASE, hidden=(8, 8), epochs=2, train_size=64, probe=16, record_every=0)
    only = ifa_study.Condition("base", "base", "small", small)
    monkeypatch.setattr(ifa_study, "conditions", lambda: (only,))
    monkeypatch.setattr(ifa_study, "SNAPSHOT", 1)
    monkeypatch.setattr(ifa_study, "SEEDS", (0, 1))
    monkeypatch.setattr(ifa_study, "TUNING_SEEDS", (100,))
    monkeypatch.delenv("ALIGNLIB_STORE", raising=False)
    paths = ifa_study.make(tmp_path, date="2026-11-24", workers=1)
    assert [path.name for path in paths] == ["tuning.jsonl", "reported.jsonl", "snapshots.jsonl"]

    records = read(tmp_path, "ifa-study/*")
    assert all(not each.doubt and len(each.first_losses) > 0 for each in records)
    study = ifa_study.Study([each.result for each in records])
    assert study.finished() == (only,)
    assert study.errors(only, "ifa").shape == (2,)
    assert study.by_layer(only, "dfa", "delta_norm").shape == (2, 2)
    rate = study.choices(only)["ifa"].value
    again = run(replace(only.reported("ifa", rate)[1]), show_progress=False)
    assert study.errors(only, "ifa")[1] == pytest.approx(again.final("test_error"))


def test_first_losses_are_those_of_the_run():
    one_update = replace(ifa_study.BASE, epochs=1, train_size=64, record_every=1, learning_rate=0.01)
    (first,) = ifa_study.first_losses(one_update)
    assert first == pytest.approx(run(one_update, show_progress=False).curves["train_loss"][1])


def test_rank_correlation():
    assert ifa_study.rank_correlation([1, 2, 3], [10, 20, 1000]) == pytest.approx(1.0)
    assert ifa_study.rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    # by hand: ranks 0, 1.5, 1.5, 3 and 0, 1, 2, 3
    assert ifa_study.rank_correlation([1, 5, 5, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
