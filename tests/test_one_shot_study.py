"""The study behind chapter 14: it can be interrupted, and what is on record can be computed again."""

import json
import os
import random
from pathlib import Path

import pytest

from alignlib import InvalidValue, datasets, one_shot, one_shot_study
from alignlib.one_shot_study import Outcome

FILE = Path(__file__).resolve().parents[1] / "records" / "one-shot-mnist.jsonl"


@pytest.fixture
def small(monkeypatch):
    """The same study on digits, with little of everything."""
    small = {
        "DATASET": "digits",
        "TRAIN_SIZE": 200,
        "SEEDS": (0, 1),
        "TUNING_SEEDS": (100,),
        "SHAPES": ((8,), (6, 6)),
        "RIDGES": (0.01, 1.0),
        "INPUT_RIDGES": (1.0,),
        "STEPS": (1.0, 10.0),
    }
    for name, value in small.items():
        monkeypatch.setattr(one_shot_study, name, value)


def without_time(outcomes):
    return {(o.learner, o.hidden, o.seed): (o.setting, o.test_error) for o in outcomes}


def test_an_outcome_is_one_line():
    outcome = Outcome("back", (5, 4), 3, one_shot.Setting(0.1, 2.0, 3.0), 12.5, 0.25)
    assert Outcome.from_json(outcome.to_json()) == outcome
    with pytest.raises(InvalidValue, match="not an outcome"):
        Outcome.from_json('{"learner": "elm", "setting": {}}')
    with pytest.raises(InvalidValue, match="not an outcome"):
        Outcome.from_json(json.dumps({**json.loads(outcome.to_json()), "colour": "red"}))


@pytest.mark.usefixtures("small")
def test_the_study_goes_on_where_it_was_interrupted(monkeypatch, tmp_path):
    whole = list(one_shot_study.outcomes([]))
    assert len(without_time(whole)) == len(whole) == 2 * 4 + 2 * 5  # with one layer, label projection is the elm
    done, computed = whole[:5], []
    again = one_shot_study.again
    monkeypatch.setattr(one_shot_study, "again", lambda o, here: computed.append(o) or again(o, here))
    assert without_time(one_shot_study.outcomes(done)) == without_time(whole)
    assert len(computed) == len(whole) - 5
    file = tmp_path / "study.jsonl"
    one_shot_study.main(str(file))
    head, read = one_shot_study.read(file)
    assert without_time(read) == without_time(whole)
    assert head["data_checksum"] == datasets.checksum("digits")
    computed.clear()
    one_shot_study.main(str(file))
    assert not computed
    assert [path.name for path in tmp_path.iterdir()] == ["study.jsonl"]


@pytest.mark.usefixtures("small")
def test_doing_a_fit_again_gives_the_same_error():
    first = next(iter(one_shot_study.outcomes([])))
    assert one_shot_study.again(first, one_shot_study.comparison()).test_error == first.test_error


def test_the_record_pairs_all_learners_of_a_shape_and_has_one_setting_for_each():
    head, outcomes = one_shot_study.read(FILE)
    assert "10 000" in head["label"]
    assert head["data_checksum"] == datasets.checksum("mnist")
    assert {o.hidden for o in outcomes} >= {(500,)}
    for hidden in {o.hidden for o in outcomes}:
        seeds = {}
        for learner in one_shot.LEARNERS if len(hidden) > 1 else set(one_shot.LEARNERS) - {"label"}:
            runs = [o for o in outcomes if (o.learner, o.hidden) == (learner, hidden)]
            assert len({o.setting for o in runs}) == 1
            assert runs[0].setting.ridge in head["tried"]["ridges"]
            seeds[learner] = sorted(o.seed for o in runs)
        assert len({tuple(each) for each in seeds.values()}) == 1
        assert seeds["elm"] == list(one_shot_study.SEEDS[: len(seeds["elm"])])
        assert len(seeds["elm"]) >= 10


def test_a_line_of_the_record_can_be_computed_again():
    outcome = random.Random(os.environ.get("SAMPLE_SEED", "0")).choice(one_shot_study.read(FILE)[1])
    try:
        here = one_shot_study.comparison()
    except datasets.DataError:
        pytest.skip("MNIST is not at hand")
    # another BLAS rounds otherwise, and ten test examples in 10 000 are 0.1
    assert one_shot_study.again(outcome, here).test_error == pytest.approx(outcome.test_error, abs=0.1)
