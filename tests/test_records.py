"""Records: what is written is what is read, nothing is trusted that was edited, and every complaint names its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alignlib as al
from alignlib.errors import InvalidValue
from alignlib.experiments import floor, records
from alignlib.experiments.fields import RecordError
from alignlib.experiments.records import Record, Verified

TINY = al.Experiment(hidden=(6, 5), epochs=2, train_size=64, probe=8)


@pytest.fixture(scope="module")
def made() -> list[Record]:
    """Four runs, and their records of the study "tiny"."""
    experiments = al.grid(TINY, rule=["bp", "dfa"], seed=[0, 1])
    return [
        records.record(f"tiny/two-{e.rule}-{e.seed}", "two small layers", al.run(e), [2.0, 1.5, 1.25], "2026-11-24")
        for e in experiments
    ]


def assert_same(read: Record, written: Record) -> None:
    for name in ("id", "label", "first_losses", "ended", "code", "machine", "date", "verified"):
        assert getattr(read, name) == getattr(written, name), name
    assert json.dumps(read.result.to_json()) == json.dumps(written.result.to_json())
    assert read.experiment == written.experiment


def refreshed(path: Path, change: Any) -> None:
    """Change the content of a record of one run and give it a checksum that fits."""
    content = json.loads(path.read_text())
    change(content)
    content["checksum"] = records.checksum(content)
    path.write_text(json.dumps(content))


# ---------------------------------------------------------------- there and back


def test_a_long_run_is_read_as_it_was_written(made: list[Record], tmp_path: Path) -> None:
    verified = replace(made[0], verified=Verified("0123456789ab", "2026-11-25", 50, 1.5e-9))
    path = records.write(tmp_path, verified)
    assert path == tmp_path / "tiny" / "two-bp-0.json"
    [read] = records.read(tmp_path, "tiny/two-bp-0")
    assert_same(read, verified)


def test_many_runs_keep_their_last_numbers(made: list[Record], tmp_path: Path) -> None:
    runs = [replace(record, id=f"tiny/many/{record.id.removeprefix('tiny/')}") for record in made]
    path = records.write_many(tmp_path, "tiny/many", "two small layers", runs)
    lines = path.read_text().splitlines()
    assert len(lines) == 1 + len(runs)
    assert [json.loads(line)["changes"] for line in lines[1:]] == [
        {},
        {"seed": 1},
        {"rule": "dfa"},
        {"rule": "dfa", "seed": 1},
    ]
    for read, run in zip(records.read(tmp_path, "tiny/many"), runs, strict=True):
        assert read.experiment == run.experiment
        assert read.curves.keys() == run.curves.keys()
        assert read.final("test_error") == pytest.approx(run.final("test_error"), rel=1e-7)
        assert read.final("epoch") == run.final("epoch")
        assert len(read.first_losses) == len(run.first_losses[: records.FEW_LOSSES])


def test_what_is_not_finite_becomes_nan(made: list[Record], tmp_path: Path) -> None:
    curves = {name: values.copy() for name, values in made[0].curves.items()}
    curves["test_loss"][:] = [np.inf, np.nan, 1.0]
    record = replace(made[0], result=replace(made[0].result, curves=curves), first_losses=(1.0, float("inf")))
    records.write(tmp_path, record)
    [read] = records.read(tmp_path)
    np.testing.assert_array_equal(read.curves["test_loss"], [np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(read.first_losses, [1.0, np.nan])


def test_a_record_is_readable_line_by_line(made: list[Record], tmp_path: Path) -> None:
    text = records.write(tmp_path, made[0]).read_text()
    assert ' "label": "two small layers",\n' in text
    assert text.count("\n") == 19 + len(made[0].curves)


def test_a_folder_holds_no_half_written_file(made: list[Record], tmp_path: Path) -> None:
    records.write(tmp_path, made[0])
    records.write(tmp_path, made[0])
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["two-bp-0.json"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ["a/many/x", "a/many/y", "a/one", "b/one"]),
        ("a", ["a/many/x", "a/many/y", "a/one"]),
        ("a/*", ["a/many/x", "a/many/y", "a/one"]),
        ("a/many", ["a/many/x", "a/many/y"]),
        ("a/many/*", ["a/many/x", "a/many/y"]),
        ("a/many/y", ["a/many/y"]),
        ("*/one", ["a/one", "b/one"]),
        ("a/m*/y", ["a/many/y"]),
        ("[b]/o?e", ["b/one"]),
    ],
)
def test_patterns(made: list[Record], tmp_path: Path, pattern: str, names: list[str]) -> None:
    for id in ("a/one", "b/one"):
        records.write(tmp_path, replace(made[0], id=id))
    records.write_many(tmp_path, "a/many", "both", [replace(made[0], id=f"a/many/{name}") for name in "xy"])
    assert [record.id for record in records.read(tmp_path, pattern)] == names


def test_a_pattern_that_fits_nothing_names_what_is_near(made: list[Record], tmp_path: Path) -> None:
    records.write(tmp_path, made[0])
    with pytest.raises(InvalidValue, match=r"no record fits 'tiny/two-pb-0'; did you mean 'tiny/two-bp-0'\?"):
        records.read(tmp_path, "tiny/two-pb-0")
    with pytest.raises(InvalidValue, match="nothing"):
        records.read(tmp_path / "empty")


def test_rewriting_leaves_the_others_alone(made: list[Record], tmp_path: Path) -> None:
    other = records.write(tmp_path, replace(made[0], id="b/one"))
    before = other.read_bytes(), other.stat().st_mtime_ns
    records.write(tmp_path, replace(made[0], id="a/one"))
    records.write_many(tmp_path, "a/many", "both", [replace(made[0], id=f"a/many/{name}") for name in "xy"])
    mark = Verified("0123456789ab", "2026-11-25", 3, 0.0)
    kept = records.read(tmp_path, "a/many/x")[0]
    records.rewrite(
        tmp_path, [replace(r, verified=mark) for r in records.read(tmp_path) if r.id in ("a/one", "a/many/y")]
    )
    marks = {record.id: record.verified for record in records.read(tmp_path)}
    assert marks == {"a/one": mark, "a/many/x": None, "a/many/y": mark, "b/one": None}
    assert (other.read_bytes(), other.stat().st_mtime_ns) == before
    assert_same(records.read(tmp_path, "a/many/x")[0], kept)


# ---------------------------------------------------------------- trust


def test_an_edited_number_is_noticed(made: list[Record], tmp_path: Path) -> None:
    path = records.write(tmp_path, made[0])
    path.write_text(path.read_text().replace('"n_parameters": ', '"n_parameters": 1'))
    with pytest.raises(
        RecordError, match=r"tiny/two-bp-0\.json: the content does not fit its checksum.*alignlib record"
    ):
        records.read(tmp_path)


@pytest.mark.parametrize("edit", ["line lost", "lines exchanged", "number"])
def test_an_edited_file_of_many_is_noticed(made: list[Record], tmp_path: Path, edit: str) -> None:
    path = records.write_many(tmp_path, "a/b", "both", [replace(r, id=f"a/b/{i}") for i, r in enumerate(made)])
    head, *lines = path.read_text().splitlines()
    changed = {
        "line lost": lines[:-1],
        "lines exchanged": lines[::-1],
        "number": [line.replace('"made": 0', '"made": 1') for line in lines],
    }[edit]
    path.write_text("\n".join([head, *changed]))
    with pytest.raises(RecordError, match=r"a/b\.jsonl: the content does not fit its checksum"):
        records.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c.pop("label"), "field 'label' is missing"),
        (lambda c: c.update(labels="x"), "unknown field 'labels'; did you mean 'label'?"),
        (lambda c: c.update(seconds="long"), "field 'seconds' must be a number, at least 0; received \"long\""),
        (lambda c: c.update(seconds=None), "field 'seconds' must be a number"),
        (lambda c: c.update(n_parameters=1.5), "field 'n_parameters' must be a whole number"),
        (lambda c: c.update(label=" "), "field 'label' must be a text"),
        (lambda c: c.update(format=99), "field 'format' must be 1"),
        (lambda c: c.update(id="tiny/other"), "field 'id': 'tiny/other', but a record of this name has the id"),
        (lambda c: c.update(ended="crashed"), "field 'ended': 'crashed'; accepted: stop reached, epochs used up"),
        (lambda c: c["experiment"].update(rule="dfaa"), "the experiment: unknown rule 'dfaa'; did you mean 'dfa'?"),
        (lambda c: c["experiment"].update(ruel="dfa"), "the experiment: an experiment has no field 'ruel'"),
        (lambda c: c["curves"].update(epoch=[0]), "field 'curves': the curves must be equally long"),
        (lambda c: c["curves"].pop("epoch"), "one of them 'epoch'"),
        (lambda c: c["curves"].update(epoch="0,1"), "field 'curves' must be an object of lists of numbers"),
        (lambda c: c.update(first_losses=[1, "two"]), "field 'first_losses' must be a list of numbers"),
        (lambda c: c.update(machine={"cpu": [1]}), "field 'machine' must be an object of texts and whole numbers"),
        (lambda c: c.update(code={"a": 1}), "field 'code' must be an object of texts"),
        (lambda c: c.update(verified={"floor": "x"}), "'verified': field 'date' is missing"),
        (lambda c: c.update(verified=True), "field 'verified' must be an object or null"),
    ],
)
def test_a_complaint_names_file_and_field(made: list[Record], tmp_path: Path, change: Any, complaint: str) -> None:
    refreshed(records.write(tmp_path, made[0]), change)
    with pytest.raises(RecordError) as caught:
        records.read(tmp_path)
    assert f"{tmp_path.name}/tiny/two-bp-0.json" in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[]", "a record is a JSON object"),
        ('{"seconds": NaN}', "NaN is not a number"),
        ("{}", "field 'checksum' is missing"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json").write_text(text)
    with pytest.raises(RecordError, match=complaint):
        records.read(tmp_path)


def test_an_empty_file_of_many_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jsonl").write_text("")
    with pytest.raises(RecordError, match="empty"):
        records.read(tmp_path)


@pytest.mark.parametrize("id", ["one", "a/b/c", "a/", "/b", "A/b", "a/.b", "a/../b", "a/b c", "../b"])
def test_an_id_says_where_the_file_is(made: list[Record], tmp_path: Path, id: str) -> None:
    with pytest.raises(InvalidValue, match="study/name"):
        records.write(tmp_path, replace(made[0], id=id))
    assert list(tmp_path.iterdir()) == []


def test_runs_of_one_file_have_names_of_their_own(made: list[Record], tmp_path: Path) -> None:
    for runs in ([], made, [replace(made[0], id="a/b/x")] * 2):
        with pytest.raises(InvalidValue, match="ids of their own"):
            records.write_many(tmp_path, "a/b", "both", runs)


# ---------------------------------------------------------------- which lower floor


def test_a_record_of_the_present_floor_is_not_in_doubt(made: list[Record]) -> None:
    assert made[0].doubt == ""
    assert made[0].floor == floor.floor_digest(floor.run_code())


def test_a_record_of_an_older_floor_is_in_doubt_until_verified(made: list[Record]) -> None:
    old = replace(made[0], code={**made[0].code, "alignlib/rules/direct.py": "0" * 16})
    assert old.doubt == "alignlib/rules/direct.py changed since"
    assert replace(old, verified=Verified("0" * 12, "2026-11-24", 50, 0.0)).doubt
    assert replace(old, verified=Verified(made[0].floor, "2026-11-24", 50, 0.0)).doubt == ""


def test_the_floor_is_what_a_run_executes() -> None:
    files = floor.run_code()
    rules = {f"alignlib/rules/{path.name}" for path in (Path(al.__file__).parent / "rules").glob("*.py")}
    assert rules <= files.keys()
    assert {"alignlib/training.py", "alignlib/optimizers.py", "alignlib/experiments/run.py"} <= files.keys()
    others = ("book", "baselines", "experiments/many", "experiments/store", "__init__", "wiring")
    assert not any(file.removeprefix("alignlib/").startswith(others) for file in files)


def test_how_a_run_ended() -> None:
    assert records.how_it_ended(al.run(TINY)) == "epochs used up"
    assert records.how_it_ended(al.run(replace(TINY, epochs=9, stop_at_train_error=100.0))) == "stop reached"


def test_a_machine_is_described_without_its_name(made: list[Record]) -> None:
    about = made[0].machine
    assert set(about) == {"cpu", "cores", "system", "blas", "blas_threads"}
    assert not any("/" in str(value) for value in about.values())


def test_a_summary_says_where_numbers_come_from(made: list[Record], tmp_path: Path) -> None:
    records.write_many(tmp_path, "a/b", "both", [replace(r, id=f"a/b/{i}") for i, r in enumerate(made)])
    records.write(tmp_path, made[0])
    first, second = records.summary(records.read(tmp_path))
    assert (first["id"], first["runs"], first["verified"], first["dates"]) == ("a/b", 4, 4, ["2026-11-24"])
    assert (second["id"], second["runs"], second["label"]) == ("tiny/two-bp-0", 1, "two small layers")
    assert second["machines"] == [made[0].machine["cpu"]]
