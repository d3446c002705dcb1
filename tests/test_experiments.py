import dataclasses
import json
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import alignlib as al
from alignlib.experiments import many, prepare, run, store

QUICK = al.Experiment(hidden=(16, 12), epochs=2, train_size=200, probe=32)


def same(ours, theirs):
    """Equal in everything but the clock."""
    assert ours.curves.keys() == theirs.curves.keys()
    for name in ours.curves.keys() - {"seconds"}:
        np.testing.assert_array_equal(ours.curves[name], theirs.curves[name], err_msg=name)


class TestDescription:
    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("epoch", 5, "no field 'epoch'; did you mean 'epochs'"),
            ("epochs", 5.0, "epochs must be a whole number, at least 0; received 5.0"),
            ("epochs", "5", "whole number"),
            ("epochs", True, "whole number"),
            ("epochs", -1, "at least 0"),
            ("batch_size", 0, "at least 1"),
            ("seed", -1, "at least 0"),
            ("learning_rate", 0, "greater than 0"),
            ("learning_rate", -0.1, "not below 0"),
            ("learning_rate", float("nan"), "finite"),
            ("learning_rate", "fast", "finite number"),
            ("hidden", 128, "sequence of widths"),
            ("hidden", "128", "sequence of widths"),
            ("hidden", (128, 0), "at least 1"),
            ("dataset", "minst", "did you mean 'mnist'"),
            ("rule", "dfaa", "did you mean 'dfa'"),
            ("optimizer", "rmsporp", "did you mean 'rmsprop'"),
            ("init", "publish", "did you mean 'published'"),
            ("evaluate", "train", "Accepted: test, validation"),
            ("momentum", 0.9, "belong to optimizer 'sgd'"),
            ("nesterov", 1, "True or False"),
            ("dtype", "float16", "float32, float64"),
            ("train_size", 0, "at least 1"),
        ],
    )
    def test_what_cannot_be_run_is_refused_in_words(self, field, value, message):
        with pytest.raises(al.InvalidValue, match=message):
            al.Experiment(**{field: value})

    def test_it_is_hashable_frozen_and_one_line_of_json(self):
        assert hash(QUICK) == hash(dataclasses.replace(QUICK))
        with pytest.raises(dataclasses.FrozenInstanceError):
            QUICK.seed = 1
        assert "\n" not in QUICK.to_json()
        assert al.Experiment.from_json(QUICK.to_json()) == QUICK
        assert pickle.loads(pickle.dumps(QUICK)) == QUICK

    def test_lists_and_numpy_numbers_become_plain_values(self):
        e = al.Experiment(hidden=[np.int64(8)], seed=np.int64(3), learning_rate=np.float64(0.1), weight_decay=0)
        assert e.hidden == (8,)
        assert json.loads(e.to_json())["seed"] == 3
        assert type(e.weight_decay) is float

    def test_grid_is_every_combination_in_order(self):
        made = al.grid(QUICK, rule=["bp", "dfa"], seed=range(3))
        assert [(e.rule, e.seed) for e in made] == [(r, s) for r in ("bp", "dfa") for s in range(3)]
        with pytest.raises(al.InvalidValue, match="did you mean 'seed'"):
            al.grid(QUICK, seeds=[1])


class TestRun:
    def test_equal_experiments_give_equal_results(self):
        same(run(QUICK), run(QUICK))

    def test_another_seed_gives_another_result(self):
        ours, other = run(QUICK), run(dataclasses.replace(QUICK, seed=1))
        assert not np.array_equal(ours.curves["test_loss"], other.curves["test_loss"])

    def test_changing_the_rule_changes_neither_data_nor_weights_nor_order(self):
        starts = [prepare(dataclasses.replace(QUICK, rule=rule)) for rule in al.rules.RULES]
        for data, network, _ in starts[1:]:
            np.testing.assert_array_equal(network.parameters, starts[0][1].parameters)
            np.testing.assert_array_equal(data.x_train, starts[0][0].x_train)
        # the first mini-batch is met with equal weights, so an equal first loss means an equal order
        first = [
            run(dataclasses.replace(QUICK, rule=rule, epochs=1, record_every=1)).curves["train_loss"][1]
            for rule in al.rules.RULES
        ]
        assert len(set(first)) == 1

    def test_changing_the_feedback_scale_keeps_the_draw(self):
        _, _, one = prepare(dataclasses.replace(QUICK, rule="dfa"))
        _, _, two = prepare(dataclasses.replace(QUICK, rule="dfa", feedback_scale=2.0))
        np.testing.assert_array_equal(2 * one.feedback[0], two.feedback[0])

    @pytest.mark.parametrize(
        ("rule", "activation", "kind"),
        [("fa", "tanh", "zero"), ("dfa", "logistic", "zero"), ("dfa", "relu", "fan-in"), ("bp", "tanh", "fan-in"),
         ("ifa", "tanh", "fan-in")],
    )  # fmt: skip
    def test_published_initial_weights(self, rule, activation, kind):
        _, network, _ = prepare(dataclasses.replace(QUICK, init="published", rule=rule, activation=activation))
        assert np.any(network.parameters) == (kind != "zero")

    def test_curves_are_complete_and_of_one_length(self):
        curves = run(dataclasses.replace(QUICK, rule="dfa")).curves
        assert {len(c) for c in curves.values()} == {3}
        np.testing.assert_array_equal(curves["epoch"], [0, 1, 2])
        assert np.isnan(curves["train_error"][0])
        assert np.all(np.isfinite(curves["test_error"]))
        assert {
            "delta_angle/1",
            "delta_angle/2",
            "gradient_angle/1",
            "weight_angle/2",
            "weight_norm/3",
        } <= curves.keys()
        assert np.all(np.diff(curves["seconds"]) > 0)

    def test_backprop_is_at_no_angle_to_itself(self):
        curves = run(QUICK).curves
        for name in ("delta_angle/1", "delta_angle/2", "gradient_angle/1", "gradient_angle/2"):
            np.testing.assert_allclose(curves[name], 0, atol=1e-4)
        assert not any(name.startswith("weight_angle") for name in curves)

    def test_train_error_is_the_mean_over_the_epochs_minibatches(self):
        e = dataclasses.replace(QUICK, batch_size=64)  # 200 = 64 + 64 + 64 + 8: unequal batches
        fine, coarse = run(dataclasses.replace(e, record_every=1)), run(e)
        weights = np.array([64, 64, 64, 8])
        by_hand = np.average(fine.curves["train_error"][1:5], weights=weights)
        assert coarse.curves["train_error"][1] == pytest.approx(by_hand, rel=1e-12)

    def test_records_between_epochs(self):
        curves = run(dataclasses.replace(QUICK, record_every=3)).curves
        np.testing.assert_array_equal(curves["step"], [0, 3, 6])
        np.testing.assert_allclose(curves["epoch"], [0, 0.75, 1.5])

    def test_no_probe_means_no_angles(self):
        assert not any("angle" in name for name in run(dataclasses.replace(QUICK, probe=0)).curves)

    def test_training_stops_at_the_training_error_asked_for(self):
        result = run(dataclasses.replace(QUICK, epochs=100, learning_rate=1e-2, stop_at_train_error=5.0))
        assert result.curves["train_error"][-1] <= 5.0 < result.curves["train_error"][-2]
        assert len(result.curves["epoch"]) < 101

    def test_validation_never_sees_the_test_set(self):
        data, _, _ = prepare(dataclasses.replace(QUICK, evaluate="validation", train_size=None))
        whole, _, _ = prepare(dataclasses.replace(QUICK, train_size=None))
        rows = {row.tobytes() for row in whole.x_test}
        assert not rows & {row.tobytes() for row in data.x_test}
        assert len(data.x_train) + len(data.x_test) == len(whole.x_train)

    def test_regression_reports_the_normalised_squared_error(self):
        teacher = al.Experiment(
            dataset="linear-teacher", hidden=(20,), activation="linear", output="linear", optimizer="sgd",
            learning_rate=0.01, batch_size=10, epochs=2, probe=16,
        )  # fmt: skip
        curve = run(teacher).curves["test_error"]
        assert curve[0] == pytest.approx(1, abs=0.5)
        assert curve[-1] < 0.05

    def test_a_regression_needs_a_linear_output(self):
        with pytest.raises(al.InvalidValue, match="needs output 'linear'"):
            run(al.Experiment(dataset="linear-teacher"))

    def test_diverging_runs_end_with_their_numbers_and_without_a_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = run(dataclasses.replace(QUICK, activation="relu", optimizer="sgd", learning_rate=1e6))
        assert len(result.curves["epoch"]) == 3

    def test_the_loop_learns(self):
        """Shallow is worst; DFA comes close to backprop: the oldest result of the field, on digits."""
        final = {
            rule: np.mean(
                [r.final("test_error") for r in al.run_many(al.grid(al.Experiment(rule=rule), seed=range(3)))]
            )
            for rule in ("bp", "dfa", "shallow")
        }
        assert final["bp"] < 4
        assert abs(final["dfa"] - final["bp"]) < 2.5
        assert final["shallow"] > 2 * final["dfa"]


class TestResult:
    def test_json_keeps_every_number(self):
        result = run(dataclasses.replace(QUICK, rule="dfa", init="zero"))
        back = al.Result.from_json(json.loads(json.dumps(result.to_json())))
        same(result, back)
        assert back.experiment == result.experiment
        assert np.isnan(back.curves["delta_angle/1"][0])  # no weights, no angle: NaN survives


class TestStore:
    @pytest.fixture
    def folder(self, tmp_path):
        return al.Store(tmp_path / "store")

    def test_what_is_done_is_read_back(self, folder, monkeypatch):
        first = al.run_many([QUICK], store=folder, workers=1)
        monkeypatch.setattr(many, "run", lambda *a, **k: pytest.fail("ran again"))
        same(first[0], al.run_many([QUICK], store=folder, workers=1)[0])

    def test_it_is_found_through_the_environment(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ALIGNLIB_STORE", str(tmp_path))
        al.run_many([QUICK], workers=1)
        assert [path.suffix for path in tmp_path.iterdir()] == [".json"]

    def test_it_says_why_something_runs_again(self, folder, caplog, monkeypatch):
        al.run_many([QUICK], store=folder, workers=1)
        digests = store.code_digests() | {"alignlib/rules/direct.py": "another"}
        monkeypatch.setattr(store, "code_digests", lambda: digests)
        with caplog.at_level("INFO", "alignlib"):
            al.run_many([QUICK, dataclasses.replace(QUICK, seed=1)], store=folder, workers=1)
        assert "running 1 of 2: alignlib/rules/direct.py changed" in caplog.text
        assert "running 1 of 2: not run before" in caplog.text

    def test_other_data_or_another_numpy_count_as_not_done(self, folder, monkeypatch):
        folder.put(run(QUICK))
        assert folder.get(QUICK, "0" * 64) == (None, "the data of 'digits' changed")
        monkeypatch.setattr(np, "__version__", "9.9")
        assert "became 9.9" in folder.get(QUICK)[1]

    def test_a_damaged_file_is_run_again_and_replaced(self, folder):
        al.run_many([QUICK], store=folder, workers=1)
        path = folder.path(QUICK)
        path.write_text(path.read_text()[:100])
        assert "cannot be read" in folder.get(QUICK)[1]
        al.run_many([QUICK], store=folder, workers=1)
        assert folder.get(QUICK)[0] is not None

    def test_only_what_the_code_does_counts(self, tmp_path):
        def digest(text):
            path = tmp_path / "module.py"
            path.write_text(text)
            return store._digest(path)

        assert digest('def f():\n    """Old."""\n    return 1\n') == digest(
            'def f():\n    """New."""\n    return  1  # one\n'
        )
        assert digest("def f():\n    return 1\n") != digest("def f():\n    return -1\n")

    def test_the_digest_covers_the_lower_floor_alone(self):
        files = store.code_digests()
        assert {"alignlib/rules/direct.py", "alignlib/metrics.py", "alignlib/datasets/__init__.py"} <= files.keys()
        assert not any("book" in file or "cli" in file for file in files)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_folder_is_reported(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(al.AlignlibError, match="ALIGNLIB_STORE"):
            al.Store(tmp_path / "store").put(run(QUICK))

    def test_a_folder_that_cannot_be_made_is_reported(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(al.AlignlibError, match="could not be stored"):
            al.Store(tmp_path / "file" / "store").put(run(QUICK))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in ("ALIGNLIB_STORE", "ALIGNLIB_WORKERS"):
        monkeypatch.delenv(name, raising=False)


class TestMany:
    def test_results_come_in_the_order_asked_for_and_equal_ones_run_once(self):
        other = dataclasses.replace(QUICK, seed=1)
        results = al.run_many([QUICK, other, QUICK], workers=1)
        assert [r.experiment for r in results] == [QUICK, other, QUICK]
        assert results[0] is results[2]

    def test_processes_threads_and_this_process_agree(self):
        experiments = al.grid(QUICK, rule=["bp", "dfa"], seed=[0, 1])
        here = al.run_many(experiments, workers=1)
        with ThreadPoolExecutor(2) as threads:
            for ours, theirs in zip(here, al.run_many(experiments, threads), strict=True):
                same(ours, theirs)
        for ours, theirs in zip(here, al.run_many(experiments, workers=2), strict=True):
            same(ours, theirs)

    def test_a_failing_run_names_its_experiment(self, monkeypatch):
        monkeypatch.setattr(many, "run", lambda *a, **k: 1 / 0)
        with pytest.raises(al.AlignlibError, match=r"ZeroDivisionError: .*hidden=\(16, 12\)"):
            al.run_many([QUICK], workers=1)

    def test_a_failing_run_in_another_process_is_reported_and_the_rest_kept(self, tmp_path):
        wrong = al.Experiment(dataset="linear-teacher", epochs=1)
        folder = al.Store(tmp_path)
        with pytest.raises(al.AlignlibError, match="needs output 'linear'"):
            al.run_many([QUICK, wrong], store=folder, workers=2)

    def test_a_script_without_a_main_guard_is_told_what_to_do(self, tmp_path):
        script = tmp_path / "script.py"
        script.write_text(
            "import alignlib as al\n"
            "al.run_many(al.grid(al.Experiment(hidden=(4,), epochs=1, train_size=50), seed=[0, 1]), workers=2)\n"
        )
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "if __name__ == '__main__':" in done.stderr

    def test_the_number_of_workers_must_make_sense(self, monkeypatch):
        monkeypatch.setenv("ALIGNLIB_WORKERS", "many")
        with pytest.raises(al.InvalidValue, match="ALIGNLIB_WORKERS"):
            al.run_many([QUICK])

    def test_nothing_to_do_gives_nothing(self):
        assert al.run_many([]) == []


class TestLabelNoise:
    def test_it_changes_training_labels_and_nothing_else(self):
        clean, net, _ = prepare(QUICK)
        noisy, other_net, _ = prepare(dataclasses.replace(QUICK, label_noise=0.5))
        assert 0.3 < np.mean(np.any(noisy.y_train != clean.y_train, axis=1)) < 0.6
        for field in ("x_train", "x_test", "y_test"):
            np.testing.assert_array_equal(getattr(noisy, field), getattr(clean, field))
        np.testing.assert_array_equal(net.parameters, other_net.parameters)

    def test_validation_labels_stay_right(self):
        held_out = dataclasses.replace(QUICK, evaluate="validation")
        noisy = dataclasses.replace(held_out, label_noise=1.0)
        np.testing.assert_array_equal(prepare(held_out)[0].y_test, prepare(noisy)[0].y_test)

    def test_rules_meet_the_same_noise(self):
        ours, theirs = (prepare(dataclasses.replace(QUICK, label_noise=0.5, rule=rule))[0] for rule in ("bp", "dfa"))
        np.testing.assert_array_equal(ours.y_train, theirs.y_train)

    def test_a_share_above_one_is_refused(self):
        with pytest.raises(al.InvalidValue, match="from 0 to 1"):
            al.Experiment(label_noise=1.5)
