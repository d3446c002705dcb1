"""Claims, values and tables: what people read, what the checker reads, and what is refused."""

import json
import math
import unicodedata
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

from alignlib.book import WALL_TIME, Claim, Column, Measured, Table, Value
from alignlib.book.claims import CLAIM_MIME, TABLE_MIME, VALUE_MIME, bound, columns_of, typeset
from alignlib.errors import InvalidValue

ALT = "Errors of two rules on the digits, mean over the seeds."


def claim(**changes):
    given = {"id": "angle-acute", "statement": "The angle is acute.", "holds": True, "measured": "72°", **changes}
    return Claim(**given)


def table(**changes):
    columns = [Column("rule"), Column("error", "{:.1f} %", WALL_TIME), Column("layers", "{:d}")]
    rows = [["BP", Measured(2.25, 0.5, 3), 2], ["DFA", 3.5, None]]
    return Table(**{"id": "errors", "columns": columns, "rows": rows, "alt": ALT, **changes})


@pytest.mark.parametrize(("holds", "verdict", "mark"), [(True, "holds", "✓"), (False, "does not hold", "✗")])
def test_a_claim_says_in_words_whether_it_holds(holds, verdict, mark):
    html = BeautifulSoup(claim(holds=holds).to_html(), "html.parser")
    badge = html.select_one(".claim .claim-badge")
    assert badge.get_text() == f"{mark} {verdict}"
    assert badge.select_one("[aria-hidden=true]").get_text() == mark
    assert html.select_one(".claim-holds" if holds else ".claim-fails")
    assert "style=" not in str(html)
    assert str(claim(holds=holds)).startswith(f"{mark} {verdict}: The angle is acute.")


def test_a_claim_escapes_what_it_is_told():
    html = claim(statement="a < b & <script>", measured="1 < 2", source="A & B").to_html()
    assert "<script>" not in html
    text = BeautifulSoup(html, "html.parser")
    assert text.select_one(".claim-statement").get_text() == "a < b & <script>"
    assert text.select_one(".claim-source").get_text() == "Source: A & B"


def test_a_claim_goes_there_and_back():
    bundle = claim(source="Nøkland (2016)", chapter="04-direct")._repr_mimebundle_()
    assert set(bundle) == {"text/html", CLAIM_MIME, "text/plain"}
    data = json.loads(json.dumps(bundle[CLAIM_MIME]))
    assert Claim.from_json(data) == claim(source="Nøkland (2016)", chapter="04-direct")
    assert data["holds"] is True
    assert "margin" not in data


@pytest.mark.parametrize("margin", [0.25, 0.0, -0.5])
def test_a_claim_keeps_its_margin_and_shows_none(margin):
    made = claim(margin=margin)
    data = json.loads(json.dumps(made.to_json()))
    assert data["margin"] == margin
    assert Claim.from_json(data) == made
    assert made.to_html() == claim().to_html()


def test_a_numpy_truth_is_a_truth():
    assert claim(holds=np.float64(1) < 2).to_json()["holds"] is True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"holds": 1}, "True or False"),
        ({"holds": np.array([True, False])}, "True or False"),
        ({"statement": " "}, "statement is empty"),
        ({"measured": ""}, "measured is empty"),
        ({"id": "Angle acute"}, "lower-case"),
        ({"source": "{cite:t}`nokland2016`"}, "plain text"),
    ],
)
def test_a_bad_claim_is_refused(changes, message):
    with pytest.raises(InvalidValue, match=message):
        claim(**changes)


def test_raised_digits_are_raised_by_the_page():
    assert "at most 6·10<sup>−10</sup> &lt; 1" in Claim("a-b", "It is so.", True, "at most 6e-10 < 1").to_html()


def test_a_heading_stands_over_its_numbers():
    made = Table("a-b", ["rule", "error", "of it"], [["BP", 1.0, "half"], ["FA", None, "all"]], "Errors of two rules.")
    heads = BeautifulSoup(made.to_html(), "html.parser").select("thead th")
    assert [head.get("class") for head in heads] == [None, ["number"], None]


def test_a_spread_and_a_percent_sign_stay_on_the_line_of_their_number():
    assert bound("2.20 ± 0.13 % of a word") == "2.20\u00a0±\u00a00.13\u00a0% of a word"
    assert "3\u00a0%" in Claim("a-b", "It is so.", True, "at most 3 %").to_html()


@pytest.mark.parametrize(
    ("plain", "printed"),
    [
        ("-0.17 [-0.51, +2.03]", "−0.17 [−0.51, +2.03]"),
        ("at most 6e-10, 3.1e+01, 0e+00", "at most 6·10⁻¹⁰, 3.1·10¹, 0"),
        ("784-800-10 in layers 1-3, 2026-11-24, one-shot", "784-800-10 in layers 1-3, 2026-11-24, one-shot"),
        ("-1.2e-05 (-3 points)", "−1.2·10⁻⁵ (−3 points)"),
    ],
)
def test_numbers_are_printed_as_in_a_book(plain, printed):
    assert typeset(plain) == printed
    shown = BeautifulSoup(Claim("a-b", "It is so.", True, plain).to_html(), "html.parser").get_text()
    assert unicodedata.normalize("NFKC", printed) in unicodedata.normalize("NFKC", shown)


def test_measured_reads_as_mean_spread_and_number():
    measured = Measured.of([1.0, 2.0, 3.0, np.nan])
    assert (measured.mean, measured.std, measured.n) == (2.0, 1.0, 3)
    assert f"{measured:.1f}" == "2.0 ± 1.0 (n=3)"
    assert f"{measured:.1f°}" == "2.0° ± 1.0° (n=3)"
    assert f"{measured:.2f %}" == "2.00 % ± 1.00 % (n=3)"
    assert str(Measured.of([4.0])) == "4.00 (n=1)"
    with pytest.raises(InvalidValue, match="no finite value"):
        Measured.of([np.nan])


@pytest.mark.parametrize("text", ["3.10", "3.1 %", "1e-3", "'quoted'", "True", "72° ± 1°", "(1, 2)"])
def test_myst_reads_a_value_exactly_as_written(text):
    from myst_nb.core.variables import format_plain_text
    from myst_nb.ext.glue import extract_glue_data

    data, metadata = Value("final-error", text).bundle()
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data, metadata=metadata)])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    warned = SimpleNamespace(warning=lambda *args, **kwargs: pytest.fail(str(args)))
    glued = extract_glue_data(notebook, [0], warned)["final-error"]
    assert format_plain_text(glued["data"]["text/plain"], "") == bound(text)
    assert notebook.cells[0].outputs == []


def test_the_checker_reads_the_number_of_a_value():
    data, _ = Value("final-error", np.float64(3.216), "{:.1f} %", WALL_TIME, "04-direct").bundle()
    assert data[VALUE_MIME] == {
        "name": "final-error",
        "chapter": "04-direct",
        "value": 3.216,
        "text": "3.2 %",
        "free": "wall time",
    }
    assert "free" not in Value("final-error", 3.2).to_json()


def test_a_value_may_be_a_measurement():
    value = Value("angle", Measured(72.34, 1.1, 5), "{:.1f°}")
    assert value.text == "72.3° ± 1.1° (n=5)"
    assert value.to_json()["value"] == {"mean": 72.34, "std": 1.1, "n": 5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("final error", 1.0), "lower-case"),
        (("final-error", [1.0]), "is a list; accepted"),
        (("final-error", "a", "{:.1f}"), "does not fit the format"),
        (("final-error", 1.0, "{:.1f} {}"), "does not fit the format"),
    ],
)
def test_a_bad_value_is_refused(given, message):
    with pytest.raises(InvalidValue, match=message):
        Value(*given)


def test_a_table_shows_formatted_cells_and_keeps_the_numbers():
    html = BeautifulSoup(table().to_html(), "html.parser")
    assert [th.get_text() for th in html.select("thead th[scope=col]")] == ["rule", "error", "layers"]
    assert [th.get_text() for th in html.select("tbody th[scope=row]")] == ["BP", "DFA"]
    assert [td.get_text() for td in html.select("tbody td")] == [
        bound("2.2 % ± 0.5 % (n=3)"),
        "2",
        bound("3.5 %"),
        "–",
    ]
    data = json.loads(json.dumps(table()._repr_mimebundle_()[TABLE_MIME], allow_nan=False))
    assert data["rows"] == [["BP", {"mean": 2.25, "std": 0.5, "n": 3}, 2], ["DFA", 3.5, None]]
    assert [column.get("free") for column in data["columns"]] == [None, "wall time", None]


def test_a_table_can_be_reached_and_scrolled_by_keyboard():
    box = BeautifulSoup(table().to_html(), "html.parser").select_one("div.table-scroll")
    assert (box["tabindex"], box["role"], box["aria-label"]) == ("0", "region", ALT)
    assert box.select_one("caption").get_text() == ALT
    assert box["id"] == "table-errors"


def test_a_table_escapes_its_cells():
    html = table(rows=[["<b>", 1.0, 1]], caption="a & b").to_html()
    assert "<b>" not in html
    assert "a &amp; b" in html


def test_a_table_goes_there_and_back():
    data = json.loads(json.dumps(table().to_json()))
    assert Table.from_json(data).to_json() == data


def test_a_table_in_plain_text():
    assert "2.2 % ± 0.5 % (n=3)" in str(table())
    assert "rule" in str(table()).splitlines()[0]


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "–"), (math.nan, "–"), (True, "yes"), (False, "no"), (np.int64(3), "3"), ("x", "x")]
)
def test_cells_of_every_type(cell, text):
    assert table(columns=["a"], rows=[[cell]]).text_rows == [[text]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [["BP", 1.0]]}, "row 1 has 2 cells, there are 3 columns"),
        ({"rows": [["BP", [1.0], 2]]}, "is a list"),
        ({"alt": "errors"}, "alternative text"),
        ({"id": "Errors"}, "lower-case"),
        ({"rows": [["BP", 1.0, 2.5]]}, "column 'layers': 2.5 does not fit the format"),
    ],
)
def test_a_bad_table_is_refused(changes, message):
    with pytest.raises(InvalidValue, match=message):
        table(**changes)


def test_columns_take_formats_and_reasons_by_name():
    made = columns_of(["a", Column("b", "{:d}"), "c"], {"a": "{:.1f}"}, {"a": WALL_TIME})
    assert made == [Column("a", "{:.1f}", WALL_TIME), Column("b", "{:d}"), Column("c")]
    with pytest.raises(InvalidValue, match="unknown column 'c'"):
        columns_of(["a"], {"c": "{}"}, {})
    with pytest.raises(InvalidValue, match="unknown column 'c'"):
        columns_of(["a"], {}, {"c": WALL_TIME})


def test_a_measured_difference_shows_its_sign_once():
    assert f"{Measured(1.25, 0.5, 3):+.1f} points" == "+1.2 ± 0.5 (n=3) points"
    assert f"{Measured(-1.25, 0.5, 3):+.1f}" == "-1.2 ± 0.5 (n=3)"
