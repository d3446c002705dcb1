"""A chapter from inside its notebook, also in a real IPython."""

import json
from pathlib import Path

import pytest
from fake_results import FakeExperiment, fakes
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import alignlib
from alignlib import book
from alignlib.book import Chapter, Measured, panel, series
from alignlib.book.claims import CLAIM_MIME, VALUE_MIME
from alignlib.book.notebook import read_parameters
from alignlib.errors import InvalidValue

ALT = "A line that rises from zero to one within one epoch."
NAME = "04-direct-feedback-alignment"


def chapter(**namespace):
    values = namespace or {"epochs": 5, "seeds": [0, 1]}
    return Chapter(NAME, {"__annotations__": dict.fromkeys(values, object), "other": 1, **values})


def line():
    return panel("lines", series("DFA", [0, 1], [0.0, 1.0], "dfa"))


def test_annotated_names_are_the_parameters():
    namespace: dict[str, object] = {}
    exec("epochs: int = 5  # help\nrules: list = ['bp']\nlimit: float | None = None\nplain = 3\nepochs = 7", namespace)
    assert Chapter(NAME, namespace).parameters == {"epochs": 7, "rules": ["bp"], "limit": None}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((1, 2), "a list instead of a tuple"),
        (float("nan"), "finite"),
        ({1: 2}, "dict"),
        ([object()], "object"),
        (Path("a"), "Path"),
    ],
)
def test_parameters_are_plain(value, message):
    with pytest.raises(InvalidValue, match=message):
        chapter(epochs=value)


def test_a_parameter_needs_a_value():
    with pytest.raises(InvalidValue, match="'epochs' is annotated but has no value"):
        Chapter(NAME, {"__annotations__": {"epochs": int}})


@pytest.mark.parametrize("name", ["direct", "4-direct", "04_direct", "04-Direct", "04-", "", None, "04-a.ipynb"])
def test_a_chapter_is_called_as_its_file(name):
    with pytest.raises(InvalidValue, match="expected its file name"):
        Chapter(name, {})


def test_a_figure_knows_where_it_comes_from(monkeypatch):
    monkeypatch.setenv("ALIGNLIB_PROFILE", "mnist")
    made = chapter().figure("the-line", line(), alt=ALT, data={"digits": "abc"}).to_json()
    provenance = made["provenance"]
    assert (made["id"], made["chapter"]) == ("the-line", NAME)
    assert provenance["profile"] == "mnist"
    assert provenance["parameters"] == {"epochs": 5, "seeds": [0, 1]}
    assert provenance["data"] == {"digits": "abc"}
    assert set(provenance["versions"]) == {"alignlib", "numpy", "matplotlib", "python"}
    assert len(provenance["digest"]) == 64
    json.dumps(made, allow_nan=False)


def test_the_profile_of_a_reader_is_custom(monkeypatch):
    monkeypatch.delenv("ALIGNLIB_PROFILE", raising=False)
    assert chapter().profile == "custom"


def test_panels_made_of_results_bring_their_data():
    made = chapter().figure("errors", [book.curves(fakes(), "test_error")], alt=ALT)
    assert made.provenance["data"] == {"digits": "c0ffee"}


def test_run_remembers_the_data(monkeypatch):
    asked = {}

    def run_many(experiments, **options):
        asked.update(options, n=len(experiments))
        return fakes(("bp",), seeds=len(experiments))

    monkeypatch.setattr(alignlib, "run_many", run_many)
    made = chapter()
    assert len(made.run([FakeExperiment(), FakeExperiment(seed=1)], workers=1)) == 2
    assert asked == {"workers": 1, "n": 2}
    assert made.figure("the-line", line(), alt=ALT).provenance["data"] == {"digits": "c0ffee"}


def test_a_cell_may_be_run_again_but_a_name_means_one_thing():
    made = chapter()
    made.figure("the-line", line(), alt=ALT)
    made.figure("the-line", line(), alt=ALT)
    with pytest.raises(InvalidValue, match="already the name of a figure"):
        made.table("the-line", [[1]], ["a"], alt=ALT)


def test_a_figure_needs_words():
    with pytest.raises(TypeError, match="alt"):
        chapter().figure("the-line", line())
    with pytest.raises(InvalidValue, match="alternative text"):
        chapter().figure("the-line", line(), alt="a line")


def test_tables_of_rows_and_of_records():
    rows = chapter().table("errors", [["BP", 1.0]], ["rule", "error"], alt=ALT, formats={"error": "{:.2f}"})
    records = chapter().table("errors", [{"rule": "BP", "error": 1.0}], alt=ALT, formats={"error": "{:.2f}"})
    assert rows.to_json() == records.to_json()
    assert rows.text_rows == [["BP", "1.00"]]
    assert rows.provenance["chapter"] == NAME
    with pytest.raises(InvalidValue, match="name the columns"):
        chapter().table("errors", [["BP", 1.0]], alt=ALT)
    with pytest.raises(InvalidValue, match="unknown column 'errr' in row 2; did you mean 'error'"):
        chapter().table("errors", [{"rule": "BP", "error": 1.0}, {"rule": "FA", "errr": 1.0}], alt=ALT)


def test_source_is_the_real_source():
    class Shown:
        """A class inside a function."""

    shown = chapter().source(Shown)._repr_mimebundle_()
    assert shown["text/plain"].startswith("class Shown:\n    ")
    assert shown["text/markdown"] == f"```python\n{shown['text/plain']}\n```"
    rule = book.source(alignlib.rules.DirectFeedbackAlignment).text
    assert rule in Path(alignlib.rules.direct.__file__).read_text(encoding="utf-8")
    with pytest.raises(InvalidValue, match="no source to show for 3"):
        book.source(3)


def test_source_with_a_fence_inside_stays_whole():
    assert book.notebook.Source('"""```"""')._repr_mimebundle_()["text/markdown"].startswith("````python\n")


def test_outside_of_a_notebook_nothing_is_displayed(capsys):
    made = chapter()
    made.claim("acute", "It is acute.", holds=True, measured="3°")
    made.value("angle", 3.0, "{:.1f}")
    assert capsys.readouterr().out == ""


@pytest.fixture
def shell(monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


def test_claims_and_values_display_themselves_at_once(shell):
    made = chapter()
    with capture_output() as shown:
        assert made.claim("acute", "It is acute.", holds=True, measured=Measured(3.0, 1.0, 2)) is None
        assert made.value("angle", 3.0, "{:.1f}°", free=book.WALL_TIME) is None
    claim, value = shown.outputs
    assert claim.data[CLAIM_MIME]["measured"] == "3.00 ± 1.00 (n=2)"
    assert claim.data[CLAIM_MIME]["chapter"] == NAME
    assert value.data[VALUE_MIME]["text"] == "3.0°"
    assert value.data[VALUE_MIME]["free"] == "wall time"
    assert value.metadata["scrapbook"]["name"] == "angle"
    assert "text/plain" not in value.data


def test_a_figure_displays_itself(shell):
    data, _ = shell.display_formatter.format(chapter().figure("the-line", line(), alt=ALT))
    assert {"image/svg+xml", "image/png", "application/vnd.alignlib.figure+json"} <= set(data)
    assert data["text/plain"] == ALT


def test_parameters_are_found_where_annotations_are_made_when_asked_for() -> None:
    """From Python 3.14 on a namespace holds a function that makes them."""
    assert read_parameters({"__annotate__": lambda form: {"n": int}, "n": 3, "other": 4}) == {"n": 3}
