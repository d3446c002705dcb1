"""Records are checked by their first steps: what is right is green, a sign that is flipped in a rule is red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alignlib as al
from alignlib import cli
from alignlib.book import recording
from alignlib.book.plan import read_plan
from alignlib.errors import AlignlibError, InvalidValue
from alignlib.experiments import checkpoint, records
from alignlib.experiments.records import Record
from alignlib.experiments.verify import DIFFERS, OK, SKIPPED, TOLERANCES, Verdict, first_losses, sample, verify
from alignlib.rules import RULES

TINY = al.Experiment(hidden=(9, 8), epochs=3, train_size=640, probe=0)
PLAN = """\
tiny:
  label: "{hidden} units, {rule}, seed {seed}"
  base: {epochs: 2, train_size: 640, probe: 0}
  runs:
    two: {hidden: 2x8, rule: [bp, dfa], seed: [0, 1]}
    one: {hidden: 9, rule: ifa, label: "one layer of {hidden}"}
small:
  label: small
  many: true
  base: {epochs: 1, train_size: 64, probe: 0, hidden: 4+5}
  runs:
    rates: {learning_rate: [1e-3, 0.01], rule: [bp, ifa]}
"""


def recorded(experiment: al.Experiment = TINY, id: str = "tiny/one") -> Record:
    result = al.run(experiment, show_progress=False)
    return records.record(id, "a small run", result, first_losses(experiment), "2026-11-24")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty book with a plan, and we are in it."""
    for folder in ("chapters", "profiles", "records"):
        (tmp_path / folder).mkdir()
    (tmp_path / "records" / "plan.yml").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- first steps


def test_the_first_losses_are_those_of_the_run() -> None:
    every_step = replace(TINY, record_every=1, epochs=1)
    losses = al.run(every_step, show_progress=False).curves["train_loss"][1:]
    np.testing.assert_allclose(first_losses(every_step, 5), losses[:5], rtol=1e-12)
    assert len(first_losses(every_step)) == 10  # it has no more


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_agrees_with_itself(rule: str, dtype: str) -> None:
    verdict = verify(recorded(replace(TINY, rule=rule, dtype=dtype)))
    assert (verdict.outcome, verdict.steps, verdict.worst) == (OK, 30, 0.0)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("rule", ["bp", "fa", "dfa", "ifa", "usf", "kp"])
def test_a_flipped_sign_in_a_rule_is_red(rule: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = recorded(replace(TINY, rule=rule, dtype=dtype))
    signals = RULES[rule].hidden_signals

    def flipped(self: Any, *args: Any) -> Sequence[Any]:
        return [-delta for delta in signals(self, *args)]

    monkeypatch.setattr(RULES[rule], "hidden_signals", flipped)
    verdict = verify(record)
    assert verdict.outcome == DIFFERS
    assert verdict.worst > 10 * verdict.tolerance
    assert 2 <= verdict.where <= 10  # the first loss is that of the initial weights


def test_from_zero_weights_the_sign_of_fixed_feedback_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minus B is feedback as good as B: with odd units and zero weights every hidden activity only changes sign."""
    record = recorded(replace(TINY, rule="dfa", init="published"))
    signals = RULES["dfa"].hidden_signals
    monkeypatch.setattr(RULES["dfa"], "hidden_signals", lambda self, *args: [-d for d in signals(self, *args)])
    assert verify(record).worst < 1e-12


@pytest.mark.parametrize("factor", [1.01, 0.5])
def test_a_wrong_learning_rate_is_red(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    record = recorded()
    step = al.optimizers.RMSprop.step

    def other(self: Any, parameters: Any, gradient: Any) -> None:
        self.learning_rate = TINY.learning_rate * factor
        step(self, parameters, gradient)

    monkeypatch.setattr(al.optimizers.RMSprop, "step", other)
    assert verify(record).outcome == DIFFERS


def test_losses_within_the_tolerance_agree() -> None:
    for dtype, tolerance in TOLERANCES.items():
        record = recorded(replace(TINY, dtype=dtype))
        near, far = (tuple(loss * (1 + share * tolerance) for loss in record.first_losses) for share in (0.9, 1.1))
        assert verify(replace(record, first_losses=near)).outcome == OK
        verdict = verify(replace(record, first_losses=far))
        assert (verdict.outcome, verdict.where) == (DIFFERS, 1)


def test_a_run_that_diverged_agrees_with_itself() -> None:
    wild = replace(TINY, output="linear", activation="relu", optimizer="sgd", learning_rate=1e60)
    record = recorded(wild)
    assert not np.isfinite(record.first_losses[-1])
    assert verify(record).outcome == OK
    assert verify(replace(record, first_losses=(1.0,) * 30)).outcome == DIFFERS


def test_other_data_are_red() -> None:
    record = recorded()
    verdict = verify(replace(record, result=replace(record.result, data_checksum="0" * 64)))
    assert (verdict.outcome, verdict.note) == (DIFFERS, "the data of 'digits' are others")


def test_data_that_are_not_here_are_skipped_and_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path))
    monkeypatch.setenv("ALIGNLIB_CACHE", str(tmp_path))
    record = recorded()
    elsewhere = replace(record, result=replace(record.result, experiment=replace(TINY, dataset="mnist")))
    verdict = verify(elsewhere)
    assert verdict.outcome == SKIPPED
    assert "the data of 'mnist' are not on this machine" in verdict.note


def test_a_sample_is_drawn_by_its_seed_alone() -> None:
    made = [recorded()] * 3 + [recorded(id=f"tiny/{i}") for i in range(20)]
    first, again, other = (sample(made, 6, seed) for seed in (1, 1, 2))
    assert [r.id for r in first] == [r.id for r in again] != [r.id for r in other]
    assert sample(made, None, 0) == sample(made, 99, 0) == made


# ---------------------------------------------------------------- the commands


def test_the_plan_is_recorded_and_verified(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["record", "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "0 of 9 records are there." in said
    assert "[9/9] small/rates/0.01-ifa: test error" in said
    found = {record.id: record for record in records.read(book / "records")}
    assert sorted(found) == [
        *("small/rates/0.001-bp", "small/rates/0.001-ifa", "small/rates/0.01-bp", "small/rates/0.01-ifa"),
        *("tiny/one", "tiny/two-bp-0", "tiny/two-bp-1", "tiny/two-dfa-0", "tiny/two-dfa-1"),
    ]
    assert found["tiny/one"].label == "one layer of 9"
    assert found["tiny/two-dfa-1"].label == "2×8 units, DFA, seed 1"
    assert list((book / "_build" / "checkpoints").iterdir()) == []
    assert cli.run(["record"]) == 0
    assert "9 of 9 records are there." in capsys.readouterr().out
    assert cli.run(["verify", "--workers", "1"]) == 0
    assert "9 agree, 0 differ, 0 skipped." in capsys.readouterr().out
    assert cli.run(["verify", "--sample", "2", "--seed", "7", "--workers", "1"]) == 0
    assert "2 of 9 records; the same ones again: --sample 2 --seed 7" in capsys.readouterr().out
    assert cli.run(["verify", "--full", "tiny/two-dfa-1"]) == 0
    assert cli.run(["verify", "--full", "small/rates/0.01-ifa"]) == 0


def test_the_runs_of_one_file_share_a_row_unless_they_differ() -> None:
    good = [Verdict(recorded(id=f"tiny/many/{i}"), OK, 10, i * 1e-12) for i in range(3)]
    bad = Verdict(recorded(id="tiny/many/9"), DIFFERS, 10, 0.5, where=2)
    first, second = recording.rows([*good, bad])
    assert first[:6] == ["tiny/many: 3 runs", "float64", "10", "2.0e-12", "1e-08", "agrees"]
    assert (second[0], second[5]) == ("tiny/many/9", "differs from step 2")


def test_a_wrong_record_ends_with_an_error(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = recorded()
    records.write(book / "records", record)
    records.write(book / "records", replace(record, id="tiny/bad", first_losses=(9.0, *record.first_losses[1:])))
    assert cli.run(["verify", "--workers", "1", "--mark"]) == cli.FAILED
    said = capsys.readouterr()
    assert "tiny/bad  float64  30       6" in said.out or "differs from step 1" in said.out
    assert "1 agree, 1 differ, 0 skipped." in said.out
    assert "does not agree with: tiny/bad." in said.err
    marks = {each.id: each.verified for each in records.read(book / "records")}
    assert marks["tiny/bad"] is None
    assert marks["tiny/one"] is not None


def test_a_mark_ends_the_doubt_and_nothing_changes_without_it(book: Path) -> None:
    old = replace(recorded(), code={"alignlib/rules/direct.py": "0" * 16})
    path = records.write(book / "records", old)
    before = path.read_bytes()
    assert cli.run(["verify", "--workers", "1"]) == 0
    assert path.read_bytes() == before
    assert cli.run(["verify", "--workers", "1", "--mark"]) == 0
    [marked] = records.read(book / "records")
    assert old.doubt
    assert marked.doubt == ""
    assert marked.verified
    assert (marked.verified.steps, marked.verified.whole) == (30, False)
    assert marked.code == old.code


def test_a_whole_run_that_differs_is_red(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = recorded()
    curves = {**record.curves, "test_error": record.curves["test_error"] + 5.0}
    records.write(book / "records", replace(record, result=replace(record.result, curves=curves)))
    assert cli.run(["verify", "--full", "tiny/one"]) == cli.FAILED
    assert "5.0e+00" in capsys.readouterr().out


def test_a_recording_that_was_stopped_goes_on(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [planned] = read_plan(book / "records" / "plan.yml", "tiny/one")
    save = checkpoint.save
    saved: list[Path] = []

    def save_and_stop(path: Path, going: Any) -> None:
        save(path, going)
        saved.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", save_and_stop)
        assert cli.run(["record", "tiny/one"]) == cli.INTERRUPTED
    assert saved[0].is_file()
    assert cli.run(["record", "tiny/one"]) == 0
    assert not saved[0].exists()
    [record] = records.read(book / "records")
    whole = al.run(planned.experiment, show_progress=False)
    np.testing.assert_array_equal(record.curves["test_loss"], whole.curves["test_loss"])


def test_a_failed_recording_is_listed(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resumable = recording.run_resumable

    def fails(experiment: al.Experiment, *args: Any, **options: Any) -> al.Result:
        if experiment.seed == 1:
            raise AlignlibError("the disk is full")
        return resumable(experiment, *args, **options)

    monkeypatch.setattr(recording, "run_resumable", fails)
    assert cli.run(["record", "tiny/two-*", "--workers", "1"]) == cli.FAILED
    assert "2 failed:\n  tiny/two-bp-1: the disk is full\n  tiny/two-dfa-1" in capsys.readouterr().err
    assert [record.id for record in records.read(book / "records")] == ["tiny/two-bp-0", "tiny/two-dfa-0"]


def test_a_record_of_another_experiment_than_planned_is_a_contradiction(book: Path) -> None:
    [planned] = read_plan(book / "records" / "plan.yml", "tiny/one")
    records.write(book / "records", recorded(replace(planned.experiment, seed=5)))
    with pytest.raises(AlignlibError, match="tiny/one: the plan says seed 0, the record was made with 5"):
        recording.missing(book / "records", [planned])


def test_the_list_says_what_is_missing(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["record", "tiny/two-bp-*", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "tiny/two-bp-0: 2×8 units, BP, seed 0",
        "tiny/two-bp-1: 2×8 units, BP, seed 1",
    ]
    assert not list((book / "records").glob("*/*"))


# ---------------------------------------------------------------- the plan


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tiny: {label: x, run: {}}", "unknown entry of study 'tiny' in plan.yml 'run'; did you mean 'runs'?"),
        ("tiny: {label: x}", "`runs` must name at least one run"),
        ("tiny: {label: x, runs: {a: bp}}", "write what differs from the base"),
        ("tiny: {label: x, runs: {a: {ruel: bp}}}", "plan.yml, tiny/a: an experiment has no field 'ruel'"),
        ("tiny: {label: x, runs: {a: {rule: [bp, dfaa]}}}", "tiny/a: unknown rule 'dfaa'; did you mean 'dfa'?"),
        ("tiny: {runs: {a: {rule: bp}}}", "every run needs a `label`"),
        ("tiny: {label: '{ruel}', runs: {a: {rule: bp}}}", "unknown setting in a label 'ruel'"),
        ("tiny: {label: x, runs: {a: [{rule: bp}, {rule: bp}]}}", "two runs are called 'tiny/a'"),
        ("tiny: {label: x, runs: {a: {seed: 1:10}}}", "tiny/a: seed must be a whole number"),
        ("- 1", "write `study:"),
        ("a: [", "plan.yml: not YAML"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "plan.yml").write_text(text)
    with pytest.raises(InvalidValue) as caught:
        read_plan(tmp_path / "plan.yml")
    assert complaint in str(caught.value)


def test_a_pattern_that_fits_no_run_names_the_nearest(book: Path) -> None:
    with pytest.raises(InvalidValue, match="did you mean 'tiny/two-bp-0'"):
        read_plan(book / "records" / "plan.yml", "tiny/two-pb-0")


# ---------------------------------------------------------------- the records of this book

RECORDS = Path(__file__).resolve().parents[1] / "records"


def test_the_books_records_can_be_trusted_and_are_planned() -> None:
    made = {r.id: r for path in records.files(RECORDS) for r in records.read_file(path, RECORDS)}
    planned = {run.id: run for run in read_plan(RECORDS / "plan.yml")}
    for id in made.keys() & planned.keys():
        assert made[id].experiment == planned[id].experiment, id
        assert made[id].label == planned[id].label, id
    studies = {id.split("/")[0] for id in planned}
    assert [id for id in made if id.split("/")[0] in studies and id not in planned] == []


def test_a_reduced_record_says_so() -> None:
    """Nøkland trained for up to 300 epochs, with dropout as validation data told: fewer are said in the label."""
    for record in records.read(RECORDS, "nokland"):
        if record.experiment.epochs < 300:
            assert "300" in record.label or record.experiment.dropout_hidden, record.id
            assert f"{record.experiment.epochs} epochs" in record.label, record.id
            assert "published" in record.label, record.id


def test_the_records_fit_into_a_repository() -> None:
    sizes = {path.name: path.stat().st_size for path in records.files(RECORDS)}
    assert max(sizes.values()) < 2_000_000
