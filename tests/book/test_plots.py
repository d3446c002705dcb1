"""From results to panels: grouping, names, colours, gaps and what is not compared."""

import numpy as np
import pytest
from fake_results import fake, fakes

from alignlib import book
from alignlib.book import Guide
from alignlib.errors import InvalidValue


def test_curves_put_the_seeds_of_a_rule_side_by_side():
    panel = book.curves(fakes(), "test_error", title="t", guides=[Guide("y", 1.0)])
    bp, dfa = panel.series
    assert (bp.name, bp.rule, dfa.name, dfa.rule) == ("BP", "bp", "DFA", "dfa")
    assert dfa.x == (0.0, 1.0, 2.0, 3.0)
    assert dfa.seeds == (0, 1, 2)
    np.testing.assert_array_equal(dfa.y[:, -1], [20.0, 21.0, 22.0])
    assert (panel.kind, panel.x_label, panel.y_label, panel.title) == ("lines", "epoch", "test error (%)", "t")
    assert panel.guides == (Guide("y", 1.0),)


def test_seeds_are_in_order_whatever_the_order_of_the_runs():
    assert book.curves(fakes()[::-1], "test_error").series[0].seeds == (0, 1, 2)


def test_a_run_that_stopped_early_ends_in_a_gap():
    panel = book.curves([fake(epochs=3, seed=0), fake(epochs=1, seed=1)], "test_error")
    np.testing.assert_array_equal(panel.series[0].y[1], [2.0, 1.0, np.nan, np.nan])


def test_runs_recorded_at_different_epochs_do_not_share_a_line():
    one, other = fakes(("bp",), seeds=2)
    other.curves["epoch"] = other.curves["epoch"] * 2
    with pytest.raises(InvalidValue, match="recorded at different values of 'epoch'"):
        book.curves([one, other], "test_error")


def test_panels_know_their_data():
    assert book.curves(fakes(), "test_error").data == {"digits": "c0ffee"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_are_compared_in_every_precision(dtype):
    runs = fakes(dtype=dtype)
    panels = [book.curves(runs, "test_error"), book.finals(runs, "test_error"), book.sweep(runs, "learning_rate")]
    assert {series.free for panel in panels for series in panel.series} == {""}


@pytest.mark.parametrize(("y", "x"), [("seconds", "epoch"), ("test_error", "seconds")])
def test_wall_times_are_never_compared(y, x):
    assert {series.free for series in book.curves(fakes(), y, x=x).series} == {"wall time"}


def test_wall_times_are_never_compared_where_only_the_last_is_shown():
    runs = fakes()
    shown = [book.finals(runs, "seconds"), book.sweep(runs, "learning_rate", "seconds")]
    shown.append(book.heatmap(runs, rows="rule", columns="learning_rate", value="seconds"))
    assert {series.free for panel in shown for series in panel.series} == {"wall time"}


def test_wall_time_as_x_is_the_median_of_the_seeds():
    assert book.curves(fakes(), "test_error", x="seconds").series[0].x == (0.0, 2.0, 4.0, 6.0)


def test_several_fields_make_several_lines_of_one_rule():
    results = fakes(("dfa",)) + fakes(("dfa",), hidden=(8, 8, 8))
    series = book.curves(results, "test_error", by=("rule", "depth")).series
    assert [s.name for s in series] == ["DFA, depth 2", "DFA, depth 3"]
    assert {s.rule for s in series} == {"dfa"}


@pytest.mark.parametrize(
    ("by", "settings", "name"),
    [
        ("learning_rate", {"learning_rate": 0.01}, "rate 0.01"),
        ("hidden", {"hidden": (64, 64, 64)}, "3×64"),
        ("hidden", {"hidden": (64, 32)}, "64-32"),
        ("hidden", {"hidden": (64,)}, "64"),
        ("width", {"hidden": (64, 64)}, "width 64"),
        ("feedback_shared", {"feedback_shared": True}, "feedback shared yes"),
        ("dataset", {"dataset": "mnist"}, "MNIST"),
    ],
)
def test_lines_are_called_by_what_distinguishes_them(by, settings, name):
    assert book.curves([fake(**settings)], "test_error", by=by).series[0].name == name


def test_lines_can_be_called_otherwise():
    results = [fake(rule="dfa"), fake(rule="dfa", feedback_shared=True)]
    names = {True: "one matrix for all", False: "one each"}
    panel = book.curves(results, "test_error", by="feedback_shared", names=names)
    assert [s.name for s in panel.series] == ["one each", "one matrix for all"]


def test_two_runs_in_one_place_name_the_field_that_differs():
    with pytest.raises(InvalidValue, match=r"seed 0 fall on 'BP'; they differ in learning_rate"):
        book.curves([fake(), fake(learning_rate=0.1)], "test_error")


def test_one_run_twice_is_refused():
    with pytest.raises(InvalidValue, match="they are the same experiment"):
        book.curves([fake(), fake()], "test_error")


def test_layers_have_a_line_each():
    panel = book.layer_curves(fakes(("dfa",)), "delta_angle")
    assert panel.title == "DFA"
    assert [s.name for s in panel.series] == ["layer 1", "layer 2"]
    np.testing.assert_array_equal(panel.series[1].y[0], [90.0, 70.0, 50.0, 30.0])


def test_layers_of_two_rules_are_two_panels():
    with pytest.raises(InvalidValue, match="one rule, received 2"):
        book.layer_curves(fakes(), "delta_angle")


def test_an_unknown_curve_names_the_nearest():
    with pytest.raises(InvalidValue, match="did you mean 'test_error'"):
        book.curves(fakes(), "test_eror")
    with pytest.raises(InvalidValue, match="did you mean 'delta_angle'"):
        book.layer_curves(fakes(("dfa",)), "delta_angel")


def test_an_unknown_field_names_the_nearest():
    with pytest.raises(InvalidValue, match="did you mean 'learning_rate'"):
        book.sweep(fakes(), "learning_rat")


def test_an_unknown_detail_names_the_nearest():
    with pytest.raises(InvalidValue, match="did you mean 'y_label'"):
        book.curves(fakes(), "test_error", ylabel="error")


def test_an_unknown_rule_is_an_error():
    result = fake()
    object.__setattr__(result.experiment, "rule", "dfaa")
    with pytest.raises(InvalidValue, match="unknown rule 'dfaa'; did you mean 'dfa'"):
        book.curves([result], "test_error")


def test_nothing_to_show_is_an_error():
    for make in (lambda: book.curves([], "test_error"), lambda: book.mean_std([], "test_error")):
        with pytest.raises(InvalidValue, match="no results"):
            make()


def test_finals_are_one_row_a_rule():
    panel = book.finals(fakes())
    assert [(s.x, s.y.ravel().tolist()) for s in panel.series] == [
        (("BP",), [0.0, 1.0, 2.0]),
        (("DFA",), [20.0, 21.0, 22.0]),
    ]


def test_finals_across_a_field_leave_gaps_where_nothing_was_run():
    results = [*fakes(seeds=2), fake(rule="bp", seed=0, learning_rate=1e-4)]
    bp, dfa = book.finals(results, across="learning_rate").series
    assert bp.x == ("0.0001", "0.001")
    np.testing.assert_array_equal(bp.y, [[0.0, 0.0], [np.nan, 1.0]])
    assert dfa.x == ("0.001",)


def test_a_sweep_is_sorted_and_logarithmic_where_it_is_wide():
    results = [r for rate in (1e-2, 1e-4, 1e-3) for r in fakes(learning_rate=rate)]
    panel = book.sweep(results, "learning_rate")
    assert panel.series[0].x == (1e-4, 1e-3, 1e-2)
    assert panel.series[0].y.shape == (3, 3)
    assert (panel.x_scale, panel.x_label) == ("log", "learning rate")
    assert book.sweep(results, "learning_rate", x_scale="linear").x_scale == "linear"


def test_depth_can_be_swept():
    results = [r for depth in (3, 1, 2) for r in fakes(hidden=(8,) * depth)]
    panel = book.sweep(results, "depth")
    assert panel.series[0].x == (1.0, 2.0, 3.0)
    assert (panel.x_scale, panel.x_label) == ("linear", "hidden layers")


def test_width_of_unequal_layers_is_refused():
    with pytest.raises(InvalidValue, match="one width"):
        book.sweep(fakes(hidden=(8, 4)), "width")


def test_names_cannot_be_swept():
    with pytest.raises(InvalidValue, match="across='dataset'"):
        book.sweep(fakes(), "dataset")


def test_a_heat_map_is_the_mean_over_seeds():
    results = fakes() + fakes(("bp",), learning_rate=1e-4)
    panel = book.heatmap(results, rows="rule", columns="learning_rate")
    (grid,) = panel.series
    assert (grid.rows, grid.x) == (("BP", "DFA"), ("0.0001", "0.001"))
    np.testing.assert_array_equal(grid.y, [[1.0, 1.0], [np.nan, 21.0]])
    assert (panel.x_label, panel.y_label, grid.name) == ("learning rate", "rule", "test error (%)")


def test_a_heat_map_refuses_two_runs_in_one_cell():
    results = fakes() + fakes(hidden=(8,))
    with pytest.raises(InvalidValue, match="they differ in hidden"):
        book.heatmap(results, rows="rule", columns="learning_rate")


def test_mean_std_is_the_sample_standard_deviation_of_the_last_values():
    measured = book.mean_std(fakes(("dfa",)))
    assert (measured.mean, measured.std, measured.n) == (21.0, 1.0, 3)
    assert str(measured) == "21.00 ± 1.00 (n=3)"


def test_select_takes_what_fits_and_never_nothing():
    found = book.select(fakes(), rule="dfa", hidden=[8, 8])
    assert {r.experiment.rule for r in found} == {"dfa"}
    with pytest.raises(InvalidValue, match="none of the 6 results"):
        book.select(fakes(), rule="ifa")
    with pytest.raises(InvalidValue, match="did you mean 'rule'"):
        book.select(fakes(), rul="ifa")


def test_wirings_are_asked_from_the_rules():
    bp, dfa, ifa, shallow = book.wirings(["bp", "dfa", "ifa", "shallow"], hidden=2)
    told = {
        name: sorted((e["source"], e["target"], e["matrices"][0]) for e in panel.wiring.to_json()["edges"])
        for name, panel in {"bp": bp, "dfa": dfa, "ifa": ifa, "shallow": shallow}.items()
    }
    assert told["bp"] == [("error", "layer 2", "W3ᵀ"), ("layer 2", "layer 1", "W2ᵀ")]
    assert told["dfa"] == [("error", "layer 1", "B1"), ("error", "layer 2", "B2")]
    assert told["ifa"] == [("error", "layer 1", "B1"), ("layer 1", "layer 2", "W2")]
    assert told["shallow"] == []
    (drtp,) = book.wirings("drtp", hidden=1)
    assert [node["id"] for node in drtp.wiring.nodes] == ["input", "layer 1", "layer 2", "target"]
    assert [node["id"] for node in dfa.wiring.nodes] == ["input", "layer 1", "layer 2", "layer 3", "error"]
    assert (dfa.title, dfa.y_label) == ("DFA", "Direct feedback alignment")
