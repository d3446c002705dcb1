"""An excerpt run again: the library's own numbers, the words of `alignlib run`, and nothing left behind."""

import json

import numpy as np
import pytest

import alignlib as al
from alignlib import book
from alignlib.book import live
from alignlib.book.parameters import parse_values
from alignlib.errors import InvalidValue

PARAMETERS = """
dataset: str = "digits"  # what is learned {digits, mnist}
epochs: int = 1  # passes through the data [1, 5]
seeds: list[int] = [0, 1]  # one run each [0, 99]
"""
RUNS = """
chapter = book.Chapter("04-small", globals())
base = al.Experiment(dataset=dataset, hidden=(8,), epochs=epochs, train_size=100, probe=20)
results = chapter.run(al.grid(base, rule=["bp", "dfa"], seed=seeds))
"""
FIGURE = """
title = "shown"
chapter.figure("small", book.curves(results, "test_error", title=title), alt="Two lines that fall a little.")
"""


def small():
    cells = [("imports", "import alignlib as al\nfrom alignlib import book"), ("parameters", PARAMETERS)]
    cells += [("runs", RUNS), ("figure", FIGURE)]
    return {
        "chapter": "04-small",
        "cells": [
            {"id": name, "source": source, "parameters": name == "parameters", "figure": name == "figure"}
            for name, source in cells
        ],
        "uses": ["dataset", "epochs", "seeds"],
    }


def test_it_gives_the_numbers_of_the_library():
    (figure,) = live.run(small(), [("epochs", "2"), ("seeds", "3,4")])
    base = al.Experiment(hidden=(8,), epochs=2, train_size=100, probe=20)
    for series, rule in zip(figure.panels[0].series, ["bp", "dfa"], strict=True):
        runs = [al.run(e).curves["test_error"] for e in al.grid(base, rule=[rule], seed=[3, 4])]
        np.testing.assert_array_equal(series.y, runs)
    assert figure.provenance["parameters"]["epochs"] == 2


def test_it_tells_after_each_run_how_far_it_is():
    told = []
    live.run(small(), [], lambda done, of: told.append((done, of)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4)]


@pytest.mark.parametrize("given", [("epoch", "2"), ("epochs", "two"), ("epochs", "9"), ("seeds", "1,1"), ("seeds", "")])
def test_a_wrong_value_is_refused_in_the_words_of_the_command(given):
    with pytest.raises(InvalidValue) as command:
        parse_values(live.declared(small()), [given], "Chapter 04")
    answer = json.loads(live.answer(json.dumps({"excerpt": small(), "given": [given], "book": {}}), lambda *_: None))
    assert answer == {"refused": str(command.value)}


def test_data_that_would_have_to_be_fetched_are_refused():
    with pytest.raises(InvalidValue, match="'mnist', which would have to be fetched"):
        live.run(small(), [("dataset", "mnist")])


def test_the_answer_holds_both_figures_and_how_far_they_are_apart():
    (figure,) = live.run(small())
    request = {"excerpt": small(), "given": [], "book": {"small": figure.to_json()}}
    (same,) = json.loads(live.answer(json.dumps(request), lambda *_: None))["figures"]
    assert same["yours"] == same["book"]
    assert [(row["series"], row["distance"]) for row in same["differences"]] == [("BP", 0.0), ("DFA", 0.0)]
    request["given"] = [["epochs", "3"]]
    (other,) = json.loads(live.answer(json.dumps(request), lambda *_: None))["figures"]
    assert len(other["yours"]["panels"][0]["series"][0]["x"]) == 4
    request["given"] = [["seeds", "5"]]
    (other,) = json.loads(live.answer(json.dumps(request), lambda *_: None))["figures"]
    assert max(row["distance"] for row in other["differences"]) > 0


def test_a_cell_that_fails_is_said_in_words_and_the_book_is_as_before():
    broken = small()
    broken["cells"][2]["source"] += "\n1 / 0"
    before = book.Chapter
    answer = live.answer(json.dumps({"excerpt": broken, "given": [], "book": {}}), lambda *_: None)
    assert json.loads(answer) == {"failed": "ZeroDivisionError: division by zero"}
    assert book.Chapter is before
