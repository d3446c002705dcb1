"""The parameters of a chapter: what the cell may hold, and what a reader may give."""

from __future__ import annotations

import math

import nbformat
import papermill
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignlib.book.parameters import (
    TYPES,
    Interval,
    Parameter,
    check_values,
    parse_values,
    read_parameters,
)
from alignlib.errors import InvalidValue

CELL = """\
# what the chapter varies
epochs: int = 20  # passes through the training data [1, 500]
learning_rate: float = 1e-3  # step size of RMSprop (0, 1]
dataset: str = "digits"  # which data {digits, mnist, "fashion-mnist"}
seeds: list[int] = [0, 1, 2]  # one run each [0, 99999]
scales: list[float] = [
    0.5,
    1,
]  # of the feedback, relative to published (0, inf)
zero: bool = True  # start from zero weights
rules: list[str] = ["bp", "dfa"]  # which rules {bp, fa, dfa}
"""


def read(source: str) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in read_parameters(source, "chapters/04-x.ipynb, cell 3")}


def test_reads_names_types_defaults_meaning_and_limits() -> None:
    found = read(CELL)
    assert list(found) == ["epochs", "learning_rate", "dataset", "seeds", "scales", "zero", "rules"]
    assert found["epochs"] == Parameter("epochs", "int", 20, "passes through the training data", Interval(1, 500))
    assert found["learning_rate"].interval == Interval(0, 1, open_low=True)
    assert found["dataset"].choices == ("digits", "mnist", "fashion-mnist")
    assert found["scales"].default == [0.5, 1.0]
    assert all(isinstance(scale, float) for scale in found["scales"].default)
    assert found["zero"].default is True
    assert found["zero"].accepted == ""
    assert found["rules"].accepted == "one of bp, fa, dfa"


def test_papermill_sees_the_same_parameters() -> None:
    cell = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    assert set(papermill.inspect_notebook(notebook)) == set(read(CELL))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("epochs = 20  # passes", "nothing else may stand"),
        ("import numpy", "nothing else may stand"),
        ("epochs: int = 2 * 10  # passes", "not a literal"),
        ("epochs: int = other  # passes", "not a literal"),
        ("epochs: int  # passes", "no default"),
        ("epochs: int = 20", "no meaning"),
        ("epochs: int = 20  # [1, 500]", "no meaning"),
        ("epochs: int = 2.5  # passes", "2.5"),
        ("epochs: int = True  # passes", "True"),
        ("epochs: int = 0  # passes [1, 500]", "out of range"),
        ("epochs: int = 20  # passes [500, 1]", "ends before it starts"),
        ("epochs: int = 20  # passes [1 to 500]", "cannot read what 'epochs' accepts"),
        ("name: str = 'a'  # what [1, 2]", "needs numbers"),
        ("name: str = 'c'  # what {a, b}", "Accepted: one of a, b"),
        ("flag: bool = True  # whether {True}", "not all of type bool"),
        ("sizes: list[int] = (1, 2)  # widths", "(1, 2)"),
        ("sizes: list[int] = []  # widths", "empty list"),
        ("sizes: dict = {}  # widths", "Accepted: int, float"),
        ("seeds: list[int] = [1, 1]  # runs", "twice"),
        ("a: int = 1  # one\na: int = 2  # two", "declared twice"),
        ("a: int = 1; b: int = 2  # both", "one parameter a line"),
        ("a: int = = 1", "line 1"),
        ("_a: int = 1  # one", "cannot be the name"),
    ],
)
def test_refuses_other_cells_and_names_the_line(line: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=r"chapters/04-x\.ipynb, cell 3, line \d") as caught:
        read(line)
    assert complaint in str(caught.value)


def test_unknown_name_gives_the_nearest_and_all_accepted() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_values(list(read(CELL).values()), [("epoch", "5")], "Chapter 04")
    assert str(caught.value) == (
        "unknown parameter 'epoch'; did you mean 'epochs'? Chapter 04 accepts: "
        "epochs, learning_rate, dataset, seeds, scales, zero, rules."
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", " 5 ", 5),
        ("learning_rate", "1e-4", 1e-4),
        ("learning_rate", "1", 1.0),
        ("dataset", "mnist", "mnist"),
        ("seeds", "0,1,2", [0, 1, 2]),
        ("seeds", "[0, 1, 2]", [0, 1, 2]),
        ("seeds", "7", [7]),
        ("zero", "false", False),
        ("zero", "Yes", True),
        ("rules", "bp, fa", ["bp", "fa"]),
        ("rules", '["bp", "fa"]', ["bp", "fa"]),
        ("rules", "['bp','fa']", ["bp", "fa"]),
    ],
)
def test_reads_values_as_typed(name: str, text: str, value: object) -> None:
    parsed = read(CELL)[name].parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("epochs", "5.0", "Accepted: int, 1 to 500; for example 20"),
        ("epochs", "many", "'many'"),
        ("epochs", "0", "Accepted: 1 to 500"),
        ("epochs", "True", "'True'"),
        ("learning_rate", "0", "above 0 and at most 1"),
        ("learning_rate", "nan", "'nan'"),
        ("learning_rate", "inf", "Accepted: float"),
        ("dataset", "mnits", "did you mean 'mnist'"),
        ("seeds", "", "empty list"),
        ("seeds", "[]", "empty list"),
        ("seeds", "0,1,0", "0 twice"),
        ("seeds", "0,,1", "''"),
        ("seeds", "0,-1", "out of range"),
        ("seeds", "[0, true]", "True"),
        ("scales", "1,0", "Accepted: above 0"),
        ("zero", "1", "'1'"),
        ("rules", "bp,dfaa", "did you mean 'dfa'"),
    ],
)
def test_refuses_values_with_what_is_accepted(name: str, text: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=repr(name)) as caught:
        read(CELL)[name].parse(text)
    assert complaint in str(caught.value)


def test_python_values_of_a_profile_are_held_to_the_types_too() -> None:
    parameters = list(read(CELL).values())
    assert check_values(parameters, {"learning_rate": 1, "seeds": [4]}, "Chapter 04") == {
        "learning_rate": 1.0,
        "seeds": [4],
    }
    for name, value in [("epochs", True), ("epochs", 5.0), ("epochs", "5"), ("seeds", 4), ("zero", 1)]:
        with pytest.raises(InvalidValue, match=name):
            check_values(parameters, {name: value}, "Chapter 04")


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(InvalidValue, match="given twice"):
        parse_values(list(read(CELL).values()), [("epochs", "5"), ("epochs", "6")], "Chapter 04")


ENTRIES = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.text(st.characters(exclude_categories=("Cs",))),
}


@st.composite
def parameters_with_values(draw: st.DrawFn) -> Parameter:
    kind = draw(st.sampled_from(TYPES))
    entry = ENTRIES[kind.removeprefix("list[").removesuffix("]")]
    default = draw(st.lists(entry, min_size=1, max_size=4) if kind.startswith("list") else entry)
    return Parameter("some", kind, default, "something")


@given(parameters_with_values())
def test_what_text_says_parse_gives_back(parameter: Parameter) -> None:
    assert parameter.parse(parameter.text(parameter.default)) == parameter.default


@given(st.sampled_from(list(read(CELL).values())), st.text())
def test_any_text_is_read_or_refused(parameter: Parameter, text: str) -> None:
    try:
        value = parameter.parse(text)
    except InvalidValue:
        return
    assert parameter.check(value) == value


@given(parameters_with_values())
def test_a_cell_written_from_a_parameter_declares_it(parameter: Parameter) -> None:
    source = f"some: {parameter.type} = {parameter.default!r}  # something"
    [found] = read_parameters(source, "here")
    assert found == parameter


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_an_interval_holds_what_lies_between_its_ends(low: float, high: float, value: float) -> None:
    assert (value in Interval(low, high)) == (low <= value <= high)
    assert (value in Interval(low, high, True, True)) == (low < value < high)
    assert math.isnan(value) or str(Interval(low, high))
