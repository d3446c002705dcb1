"""Verdicts follow from claims, and say so to people and to the checker."""

import json

import pytest
from bs4 import BeautifulSoup

from alignlib.book import Chapter, Claim, Statement, Table, Verdicts
from alignlib.book.claims import TABLE_MIME
from alignlib.book.verdicts import (
    FAILS,
    HOLDS,
    LIMITS,
    UNTESTED,
    VERDICTS,
    WRONG_WORD,
    claims_of_book,
    decide,
    with_measured,
)
from alignlib.errors import AlignlibError, InvalidValue

HOLDING = {"yes": True, "also": True, "no": False, "neither": False}
ALT = "Verdicts on three statements of a text."


def statement(**claims):
    return Statement("quick", "quicker", "A step takes less time.", **claims)


@pytest.mark.parametrize(
    ("claims", "verdict", "deciding"),
    [
        ({"on": ["yes", "also"]}, HOLDS, ("yes", "also")),
        ({"on": ["yes"], "against": ["no"]}, HOLDS, ("yes", "no")),
        ({"against": ["no", "neither"]}, HOLDS, ("no", "neither")),
        ({"on": ["yes"], "limits": ["no", "also"]}, LIMITS, ("yes", "also")),
        ({"on": ["yes"], "limits": ["no"]}, HOLDS, ("yes",)),
        ({"on": ["yes", "no"]}, FAILS, ("no",)),
        ({"on": ["yes"], "against": ["also"]}, FAILS, ("also",)),
        ({"on": ["no"], "limits": ["also"]}, FAILS, ("no",)),
        ({"on": ["no"], "instead": ["yes", "also"]}, WRONG_WORD, ("yes", "also")),
        ({"on": ["no"], "instead": ["yes", "neither"]}, FAILS, ("no",)),
        ({"on": ["yes"], "instead": ["also"]}, HOLDS, ("yes",)),
        ({"instead": ["yes"]}, WRONG_WORD, ("yes",)),
        ({"instead": ["no"]}, FAILS, ("no",)),
        ({"why_not": "It is a matter of taste."}, UNTESTED, ()),
    ],
)
def test_the_claims_decide(claims, verdict, deciding):
    assert decide(statement(**claims), HOLDING) == (verdict, deciding)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({}, "why_not why none can"),
        ({"limits": ["yes"]}, "why_not why none can"),
        ({"on": ["yes"], "why_not": "Taste."}, "one of the two"),
        ({"on": "yes"}, "is a list of claims"),
    ],
)
def test_a_statement_that_nothing_decides_is_refused(claims, message):
    with pytest.raises(InvalidValue, match=message):
        statement(**claims)


def claims():
    return {
        "yes": Claim("yes", "a < b.", True, "1 < 2", chapter="13-here"),
        "no": Claim("no", "It is faster.", False, "see there", chapter="06-there"),
    }


def verdicts(**changes):
    statements = [
        statement(on=["yes"]),
        Statement("cheap", "cheaper & <better>", "It costs less.", on=["yes"], against=[], limits=["no"]),
        Statement("first", "this year", "It was found then.", why_not="It is theirs to say."),
    ]
    return Verdicts(
        **{"id": "all", "statements": statements, "claims": claims(), "alt": ALT, "chapter": "13-here", **changes}
    )


def test_verdicts_are_counted_in_their_order():
    assert verdicts().verdicts == {"quick": HOLDS, "cheap": HOLDS, "first": UNTESTED}
    assert list(verdicts().counts) == list(VERDICTS)
    assert verdicts().counts[HOLDS] == 2


def test_the_list_reads_and_links():
    html = BeautifulSoup(verdicts().to_html(), "html.parser")
    assert html.select_one("section")["id"] == "table-all"
    items = html.select("li.verdict")
    assert [item["id"] for item in items] == ["verdict-quick", "verdict-cheap", "verdict-first"]
    assert [item.select_one(".verdict-badge").get_text() for item in items] == [HOLDS, HOLDS, UNTESTED]
    assert [a["href"] for a in items[1].select("a")] == ["#claim-yes", "06-there.html#claim-no"]
    assert [a.get_text() for a in items[1].select("a")] == ["above", "Chapter 6"]
    assert items[1].select_one("q").get_text() == "cheaper & <better>"
    assert "1 < 2" in items[0].get_text()
    assert "see there" not in html.get_text()
    assert "does not hold" in items[1].select_one(".verdict-asked").get_text()
    assert items[2].select_one(".verdict-why").get_text() == "It is theirs to say."


def test_the_site_adds_what_other_chapters_measured():
    html = BeautifulSoup(with_measured(verdicts().to_html(), {"yes": "5 < 6", "no": "2e-05 & <more>"}), "html.parser")
    measured = [span.get_text() for span in html.select(".verdict-measured")]
    assert measured == ["1 < 2", "1 < 2", "2·10−5 & <more>"]
    with pytest.raises(KeyError, match="no"):
        with_measured(verdicts().to_html(), {"yes": "5 < 6"})


def test_the_checker_reads_a_table_that_a_changed_outcome_changes():
    data = json.loads(json.dumps(verdicts()._repr_mimebundle_()[TABLE_MIME]))
    assert Table.from_json(data).to_json() == data
    assert data["rows"][0] == ["quick", "quicker", HOLDS, 1, "yes"]
    changed = claims() | {"yes": Claim("yes", "a < b.", False, "3 < 2", chapter="13-here")}
    assert verdicts(claims=changed).table.rows[0][2:] == (FAILS, 1, "yes")
    assert "quicker" in str(verdicts())


def test_what_cannot_be_looked_up_is_refused():
    with pytest.raises(InvalidValue, match=r"unknown claim in statement 'quick'.*'yes'"):
        verdicts(statements=[statement(on=["yess"])])
    with pytest.raises(InvalidValue, match="two statements are called 'quick'"):
        verdicts(statements=[statement(on=["yes"])] * 2)


def reference(root, profile="digits", chapter="06-there", holds=False):
    folder = root / "expected" / profile / chapter
    folder.mkdir(parents=True)
    text = json.dumps({"claims": {"no": {"statement": "It is faster.", "holds": holds}}, "seal": "x"})
    (folder / "_claims.json").write_text(text)


def test_claims_of_the_book_come_from_its_reference(tmp_path):
    reference(tmp_path)
    reference(tmp_path, chapter="13-here")
    found = claims_of_book(tmp_path, "digits", without="13-here")
    assert found == {"no": claims()["no"]}
    with pytest.raises(AlignlibError, match="no claims in expected/mnist"):
        claims_of_book(tmp_path, "mnist")


@pytest.mark.parametrize(("profile", "verdict"), [("digits", FAILS), ("mnist", HOLDS), ("custom", FAILS)])
def test_a_chapter_judges_by_its_own_claims_and_those_of_its_profile(tmp_path, monkeypatch, profile, verdict):
    reference(tmp_path)
    reference(tmp_path, profile="mnist", holds=True)
    (tmp_path / "chapters").mkdir()
    (tmp_path / "profiles").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIGNLIB_PROFILE", profile)
    chapter = Chapter("13-here", {})
    chapter.claim("mine", "It is so.", holds=True, measured="1")
    made = chapter.verdicts("all", [statement(on=["mine", "no"])], alt=ALT)
    assert made.verdicts == {"quick": verdict}
    assert made.provenance["profile"] == profile
    assert chapter.made["all"] == "table"


def test_a_build_notices_when_the_claims_of_another_chapter_change(tmp_path):
    from alignlib.book.freshness import claim_inputs

    reference(tmp_path)
    reference(tmp_path, chapter="13-here")
    asks = 'chapter.verdicts("all", statements, alt="…")'
    before = claim_inputs(tmp_path, "13-here", asks)
    assert list(before) == ["file expected/digits/06-there/_claims.json"]
    assert claim_inputs(tmp_path, "13-here", "chapter.claim(…)") == {}
    (tmp_path / "expected/digits/06-there/_claims.json").write_text("{}")
    assert claim_inputs(tmp_path, "13-here", asks) != before


def test_such_claims_are_among_the_inputs_of_a_chapter_that_judges(tmp_path, make_book):
    from alignlib.book import chapters

    root = make_book(tmp_path, c13_here=['chapter.verdicts("all", [], alt="…")'], c14_other=["1 + 1"])
    reference(root)
    name = "file expected/digits/06-there/_claims.json"
    judging, other = (chapters._inputs(root, each, {}, {}) for each in chapters.discover(root))
    assert name in judging
    assert name not in other
