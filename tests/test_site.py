"""The site: a tiny real book is rendered once by Jupyter Book, and then broken in every way we look for."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from rocrate.rocrate import ROCrate

from alignlib.book import citing, claims, claims_page, figure, figure_pages, pages, site, style, verdicts
from alignlib.book.sitecheck import check_site

REPOSITORY = Path(__file__).resolve().parents[1]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300" width="432pt" height="216pt">'
    '<path d="M20 280V20M20 280H580" style="stroke: #1a1b2e; fill: none"/>'
    '<path d="M20 40L200 200L580 {end}" style="stroke: #bf4a00; stroke-width: 3; fill: none"/></svg>'
)
TOC = """\
format: jb-book
root: index
parts:
  - caption: Rules
    numbered: 1
    chapters:
      - file: chapters/02-first
      - file: chapters/04-second
  - caption: Evidence
    chapters:
      - file: figures
      - file: claims
      - file: how-it-is-checked
      - file: status
      - file: glossary
      - file: bibliography
"""
GLOSSARY = """\
# Glossary

```{glossary}
error pass
  How all signals are made. And more.

claim
  What is decided.
```
"""
INDEX = """\
# A tiny book

The first page of a book that is just long enough, and it has a number of words: {rule}`dfa`.

Read {numref}`fig-second-error`.

```{include} made/counts.txt
```

```{include} made/figure-second-error.txt
```

```{include} made/map.txt
```
"""
BIBLIOGRAPHY = "# Bibliography\n\n```{bibliography}\n:style: alpha\n```\n"


def cell(kind: str, source: str, outputs: list[Any] | None = None, **metadata: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": f"c{abs(hash(source)) % 10**7}", "metadata": metadata}
    made["source"] = source
    if kind == "code":
        made |= {"execution_count": 1, "outputs": outputs or []}
    return made


def shown(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def figure_cell(chapter: str, name: str, caption: str, end: int = 250) -> dict[str, Any]:
    series = figure.series("DFA", [0, 1, 2], np.array([[3.0, 2.0, np.nan], [3.5, 2.5, 1.0]]), "dfa", seeds=[0, 1])
    made = figure.Figure(
        name, chapter, [figure.panel("lines", series)], f"Two lines of {name} that fall & stay down.", {}
    )
    data = {
        "image/svg+xml": DRAWING.format(end=end),
        "image/png": base64.b64encode(PIXEL).decode(),
        figure.MIME: made.to_json(),
        "text/plain": made.alt,
    }
    metadata = {"mystnb": {"figure": {"name": f"fig-{name}", "caption": caption}}, "tags": ["interactive"]}
    return cell("code", f"chapter.figure({name!r})", [shown(data)], **metadata)


def notebook(chapter: str, title: str, text: str, after: list[int]) -> dict[str, Any]:
    value = claims.Value(f"{chapter}-error", 3.104, "{:.2f} %")
    data, metadata = value.bundle()
    claim = claims.Claim(f"claim-{chapter}", "The angle stays acute.", True, "72.3° ± 1.1° (n=5)", "Our run", chapter)
    contra = claims.Claim(f"contra-{chapter}", "It is faster.", False, "1.03 (n=3)", "An article of 2021", chapter)
    table = claims.Table(f"table-{chapter}", ["rule", "error"], [["BP", 1.5], ["DFA", 2.0]], "Errors of two rules.")
    asked = claims.Claim("claim-02-first", "The angle stays acute.", True, "see there", chapter="02-first")
    acute = verdicts.Statement(f"acute-{chapter}", "acute", "Angles are acute.", on=[asked.id])
    judged = verdicts.Verdicts(
        f"says-{chapter}", [acute], {asked.id: asked}, "A verdict on one statement.", chapter=chapter
    )
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
            "book": {"asks": f"What is < {title}?", "after": after},
        },
        "cells": [
            cell("markdown", f"# {title}\n\nWhat one knows afterwards {{cite:p}}`nokland2016`.\n\n{text}"),
            cell("code", f"epochs: int = {len(chapter)}", tags=["parameters"]),
            figure_cell(chapter, f"{chapter[3:]}-error", "**A fall.** Error over epochs, $n=2$."),
            cell("code", "chapter.claim(...)", [shown(claim._repr_mimebundle_()), shown(contra._repr_mimebundle_())]),
            cell("code", "chapter.value(...)", [shown(data, **metadata)]),
            figure_cell(chapter, f"{chapter[3:]}-angle", "An angle, see also {cite:t}`lillicrap2016`.", 100),
            cell("code", "chapter.table(...)", [shown(table._repr_mimebundle_())]),
            cell("code", "chapter.verdicts(...)", [shown(judged._repr_mimebundle_())]),
            cell(
                "markdown",
                f"## What it shows\n\nFor one layer ($L=1$), or for more of them ($L$), "
                f"the error ends at {{glue:text}}`{chapter}-error`, see "
                f"{{numref}}`fig-{chapter[3:]}-error`, {{ref}}`the table <table-table-{chapter}>` and "
                f"{{eq}}`eq-{chapter}`.\n\n"
                f"$$\\delta_l = (B_l e) \\odot f'(a_l)$$ (eq-{chapter})\n\n"
                f"```{{exercise}} Try\n:label: exercise-{chapter}\nTry it.\n```\n\n"
                f"```{{solution}} exercise-{chapter}\n:class: dropdown\nSo.\n```\n",
            ),
        ],
    }


def make_tiny(root: Path) -> Path:
    """Make a repository with two executed chapters, the second far from the first in its number."""
    for name in ("_config.yml", "references.bib", "CITATION.cff"):
        shutil.copy(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / "assets", root / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (root / "index.md").write_text(INDEX, encoding="utf-8")
    (root / "glossary.md").write_text(GLOSSARY, encoding="utf-8")
    (root / "how-it-is-checked.md").write_text("# Checked\n\n(tolerances)=\n## Tolerances\n\nSome.\n", encoding="utf-8")
    (root / "bibliography.md").write_text(BIBLIOGRAPHY, encoding="utf-8")
    executed = root / "_build" / "digits" / "executed" / "chapters"
    executed.mkdir(parents=True)
    text = "The error pass of DFA is short, we claim, and an error pass of DFA *shallow*."
    for name, title, after in (("02-first", "The first rule", []), ("04-second", "The second rule", [2])):
        (executed / f"{name}.ipynb").write_text(json.dumps(notebook(name, title, text, after)), encoding="utf-8")
    places = [("02-first", "first-error", "2.1"), ("04-second", "second-angle", "4.2")]
    manifest = {
        "figures": [{"chapter": chapter, "id": name, "number": number} for chapter, name, number in places],
        "versions": {"numpy": np.__version__},
        "chapters": [
            {"id": "02-first", "seconds": 3.2, "deviation": 0.0123, "parameters": {"epochs": 2, "rule": "dfa"}}
        ],
    }
    (root / "_build" / "digits" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, site.SiteReport]:
    root = make_tiny(tmp_path_factory.mktemp("a book"))
    return root, site.build_site(root, "digits")


@pytest.fixture(scope="module")
def copy(tiny: tuple[Path, site.SiteReport], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(tiny[0] / "_build" / "html", tmp_path_factory.mktemp("copy") / "html"))


@pytest.fixture
def html(copy: Path) -> Iterator[Path]:
    """A copy of the finished pages whose first page a test may spoil."""
    before = (copy / "index.html").read_text(encoding="utf-8")
    yield copy
    (copy / "index.html").write_text(before, encoding="utf-8")


def page(root: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((root / "_build" / "html" / name).read_text(encoding="utf-8"), "html.parser")


def test_the_report_counts_what_the_book_holds(tiny: tuple[Path, site.SiteReport]) -> None:
    root, report = tiny
    assert report.rebuilt
    assert report.index == root / "_build" / "digits" / "html" / "index.html"
    assert (report.figures, report.claims) == (4, 4)
    assert report.links > 200
    assert (root / "_build" / "html" / "index.html").is_file()


def test_a_sound_site_has_no_problem(tiny: tuple[Path, site.SiteReport]) -> None:
    findings = check_site(tiny[0] / "_build" / "html", [str(tiny[0])])
    assert findings.problems == []
    assert findings.images >= 8  # four figures in their chapters and in the gallery


def test_numbers_come_from_the_file_name_of_the_chapter(tiny: tuple[Path, site.SiteReport]) -> None:
    chapter = page(tiny[0], "chapters/04-second.html")
    assert [node.get_text().strip() for node in chapter.select("figcaption .caption-number")] == [
        "Fig. 4.1",
        "Fig. 4.2",
    ]
    assert chapter.select_one("h1 .section-number").get_text().strip() == "4."
    assert "(4.1)" in chapter.select_one(".math .eqno, .eqno").get_text()
    assert "Exercise 4.1" in chapter.get_text()
    assert "Fig. 4.1" in page(tiny[0], "index.html").select_one("article").get_text()


def test_pages_and_citations_agree_on_the_number_of_a_figure(tiny: tuple[Path, site.SiteReport]) -> None:
    built = tiny[0] / "_build" / "html"
    manifest = {"figures": [{"chapter": "04-second", "id": "second-angle", "number": "4.2"}]}
    assert site._misnumbered(built, manifest) == []
    manifest["figures"][0]["number"] = "4.1"
    assert site._misnumbered(built, manifest) == [
        "chapters/04-second.html: figure 'second-angle' is 'Fig. 4.2', its citation says 4.1"
    ]


def test_the_text_can_refer_to_a_computed_table(tiny: tuple[Path, site.SiteReport]) -> None:
    link = page(tiny[0], "chapters/04-second.html").find("a", string="the table")
    assert link["href"].endswith("#table-table-04-second")


def test_no_script_holds_up_the_text_of_a_page(tiny: tuple[Path, site.SiteReport]) -> None:
    for name in ("index.html", "chapters/04-second.html", "search.html"):
        head = page(tiny[0], name).head
        assert head is not None
        fetched = head.find_all("script", src=True)
        assert len(fetched) > 5
        assert [node["src"] for node in fetched if not node.has_attr("defer")] == []
        early = [node.get_text() for node in head.find_all("script", src=False) if node.get("type") != "module"]
        assert not any("DOCUMENTATION_OPTIONS" in text for text in early), "it is not there yet"
        assert any("prefers-color-scheme" in text for text in early), "the theme is not known at the first paint"
        sources = " ".join(node["src"] for node in fetched)
        assert "fontawesome" not in sources
        assert ("searchindex.js" in sources) == (name == "search.html")


def test_a_figure_has_its_text_and_its_files(tiny: tuple[Path, site.SiteReport]) -> None:
    figure_node = page(tiny[0], "chapters/04-second.html").find(id="fig-second-error")
    assert figure_node.find("img")["alt"] == "Two lines of second-error that fall & stay down."
    files = tiny[0] / "_build" / "html" / "figures"
    assert {path.suffix for path in files.glob("second-error.*")} == {
        *(".svg", ".png", ".csv", ".json", ".bib", ".html")
    }
    assert (files / "second-error.csv").read_text().splitlines()[:2] == ["panel,series,seed,x,y", "1,DFA,0,0.0,3.0"]
    assert json.loads((files / "second-error.json").read_text())["id"] == "second-error"
    assert json.loads((files / "index.json").read_text())["second-error"]["chapter"] == "04-second"
    assert (files / "table-02-first.csv").read_text().splitlines() == ["rule,error", "BP,1.5", "DFA,2.0"]


def test_the_gallery_lists_every_figure_and_leads_to_its_page(tiny: tuple[Path, site.SiteReport]) -> None:
    cards = page(tiny[0], "figures.html").select(".gallery li a")
    names = ("first-error", "first-angle", "second-error", "second-angle")
    assert [card["href"] for card in cards] == [f"figures/{name}.html" for name in names]
    assert [card.select_one(".number").get_text() for card in cards] == ["2.1", "2.2", "4.1", "4.2"]
    assert all(card.img["alt"] for card in cards)


def test_the_search_knows_every_figure(tiny: tuple[Path, site.SiteReport]) -> None:
    index = (tiny[0] / "_build" / "html" / "searchindex.js").read_text(encoding="utf-8")
    assert {f'"figures/{name}"' for name in ("first-error", "second-angle")} <= set(
        re.findall(r'"figures/[a-z-]+"', index)
    )
    assert "Figure 4.1: A fall" in index


def test_a_figure_has_a_page_with_all_that_belongs_to_it(tiny: tuple[Path, site.SiteReport]) -> None:
    shown_page = page(tiny[0], "figures/second-error.html").select_one("article")
    text = shown_page.get_text(" ", strip=True)
    assert shown_page.h1.get_text().startswith("Figure 4.1: A fall")
    assert shown_page.select_one("figure img")["alt"] == "Two lines of second-error that fall & stay down."
    links = [link["href"] for link in shown_page.select("a[href]")]
    kinds = ("svg", "png", "csv", "json", "bib", "csl.json")
    assert {f"second-error.{kind}" for kind in kinds} <= set(links)
    assert "../chapters/04-second.html#fig-second-error" in links
    assert [link["href"] for link in shown_page.select("nav a")] == [
        "first-angle.html",
        "../figures.html",
        "second-angle.html",
    ]
    assert "@misc{alignlib-second-error" in text.replace(" ", "")
    assert "alignlib run 4 --profile digits" in text
    assert "Two lines of second-error that fall & stay down." in text
    data = json.loads((tiny[0] / "_build" / "html" / "figures" / "second-error.json").read_text())
    assert data["provenance"]["digest"] in text


def test_a_figure_says_which_long_runs_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "04-second.ipynb"
    path.write_text(json.dumps(notebook("04-second", "Any", "", [])))
    read = pages.read_chapter(path)
    record = {"id": "nokland/7x240", "label": "fewer epochs [10]", "runs": 2, "hours": 1.5, "dates": ["2026-11-24"]}
    read.figures[0].data["provenance"]["records"] = [record | {"machines": ["EPYC"], "verified": 1}]
    text = figure_pages.figure_page(citing.Book(), [read], read, read.figures[0], "digits")
    assert "{dropdown} Long runs behind it" in text
    assert "| `nokland/7x240` | fewer epochs \\[10\\]; 2 runs, 1.5 hours of training on EPYC, 2026-11-24;" in text


def test_the_address_of_a_figure_survives_a_new_number(tmp_path: Path) -> None:
    book, addresses = citing.Book(), set()
    for chapter in ("04-second", "17-second"):
        path = tmp_path / f"{chapter}.ipynb"
        path.write_text(json.dumps(notebook("04-second", "Any", "", [])))
        read = pages.read_chapter(path)
        assert read.number_of(read.figures[1]) == f"{int(chapter[:2])}.2"
        addresses.add(citing.figure_entry(book, read, read.figures[1], "digits").address)
    assert addresses == {f"{pages.SITE}figures/second-angle.html"}


def test_claims_against_a_source_come_first_and_can_be_filtered(tiny: tuple[Path, site.SiteReport]) -> None:
    soup = page(tiny[0], "claims.html")
    assert "4 claims that a computation decides: 2 hold here and 2 do not" in " ".join(soup.get_text(" ").split())
    shown_claims = soup.select(".claim")
    assert [node.select_one(".claim-badge").get_text(strip=True) for node in shown_claims] == [
        "✗does not hold",
        "✗does not hold",
        "✓holds",
        "✓holds",
    ]
    assert [node["data-chapter"] for node in shown_claims] == ["2", "4", "2", "4"]
    assert soup.select_one("form.claims-filter").has_attr("hidden"), "without a script there is no filter to see"
    assert (tiny[0] / "_build" / "html" / soup.select_one("article script")["src"]).is_file()


@pytest.mark.parametrize(
    ("holds", "source", "standing"),
    [
        (False, "Nøkland 2016, table 1", claims_page.AGAINST),
        (False, "tested here", claims_page.FAILED),
        (False, "tested here, against Akrout 2019", claims_page.FAILED),
        (True, "Terry-Jack (2021) holds the opposite", claims_page.AGAINST),
        (True, "tested here, against the hypothesis of Launay et al. 2019", claims_page.AGAINST),
        (True, "Nøkland 2016, table 1", claims_page.CONFIRMED),
        (True, "derived above", claims_page.OWN),
        (True, "", claims_page.OWN),
    ],
)
def test_how_a_claim_stands_to_its_source(holds: bool, source: str, standing: str) -> None:
    assert claims_page.standing({"holds": holds, "source": source}) == standing


def test_the_numbers_of_a_tagged_figure_stand_below_it_and_no_page_waits_for_the_script(
    tiny: tuple[Path, site.SiteReport],
) -> None:
    soup = page(tiny[0], "chapters/02-first.html")
    data = soup.select_one('figure#fig-first-error + script.figure-data[data-figure="first-error"]')
    assert data is not None
    assert json.loads(data.get_text())["panels"][0]["series"][0]["name"] == "DFA"
    script = soup.select_one('script[src*="_static/figures.js"]')
    assert script is not None
    assert script.has_attr("defer")
    assert soup.select_one('link[href*="_static/figures.css"]')
    assert not soup.select(".run-here")


def test_the_page_on_the_build_has_versions_and_parameters(tiny: tuple[Path, site.SiteReport]) -> None:
    text = page(tiny[0], "status.html").select_one("article").get_text(" ", strip=True)
    assert np.__version__ in text
    assert "'dfa'" in text
    assert "1 of 2" in text
    assert "1.2 %" in text
    assert datetime.now(UTC).date().isoformat()[:4] in text


def test_the_map_tells_what_each_chapter_asks_and_takes(tiny: tuple[Path, site.SiteReport]) -> None:
    rows = page(tiny[0], "index.html").select("ol.map li")
    assert [row.select_one("a.map-title").get_text() for row in rows] == ["The first rule", "The second rule"]
    assert rows[0].select_one(".map-asks").get_text() == "What is < The first rule?"
    assert rows[0].select_one(".map-facts").get_text() == "1 min to read · runs in 3 s"
    assert rows[1].select_one(".map-facts a")["href"] == "chapters/02-first.html"


def test_the_first_page_shows_a_result_and_counts(tiny: tuple[Path, site.SiteReport]) -> None:
    article = page(tiny[0], "index.html").select_one("article")
    assert article.select_one("figure.result img")["src"] == "figures/second-error.svg"
    assert "2 chapters, 4 figures and 4 claims, 2 of which do not hold" in article.get_text()


def test_a_chapter_begins_with_its_facts_and_leads_on_with_a_question(tiny: tuple[Path, site.SiteReport]) -> None:
    chapter = page(tiny[0], "chapters/02-first.html")
    assert chapter.select_one("h1").find_next("p")["class"] == ["chapter-facts"]
    assert chapter.select_one("a.right-next .asks").get_text() == "What is < The second rule?"


def test_rules_wear_the_colours_of_the_figures(tiny: tuple[Path, site.SiteReport]) -> None:
    chapter = page(tiny[0], "chapters/04-second.html").select_one("article")
    assert [node.get_text() for node in chapter.select("p .rule")] == ["DFA", "shallow"], "once in a section"
    assert [node.get_text() for node in chapter.select("th .rule")] == ["BP", "DFA"]
    assert page(tiny[0], "index.html").select_one("article .rule-dfa").get_text() == "DFA"
    sheet = (tiny[0] / "_build" / "html" / "_static" / "rules.css").read_text()
    for name, look in style.RULES.items():
        assert f"--rule-{name}:{look.colour.light};" in sheet
        assert f"--rule-{name}:{look.colour.dark};" in sheet
        assert re.search(rf"\.rule-{name}::before{{clip-path:polygon\((\d+% \d+%,)+\d+% \d+%\)}}", sheet)


def test_a_formula_stays_on_the_line_of_the_marks_that_touch_it(tiny: tuple[Path, site.SiteReport]) -> None:
    text = page(tiny[0], "chapters/04-second.html").select_one("section#what-it-shows p")
    assert [kept.get_text() for kept in text.select(".keep-together")] == [r"(\(L=1\)),", r"(\(L\)),"]
    assert text.get_text().startswith(r"For one layer (\(L=1\)), or for more of them (\(L\)), the error ends")


def test_everyday_words_are_terms_only_where_they_are_stressed(tiny: tuple[Path, site.SiteReport]) -> None:
    assert "claim" not in [link.get_text() for link in page(tiny[0], "chapters/02-first.html").select("a.term")]


def test_the_first_mention_of_a_term_leads_to_the_glossary(tiny: tuple[Path, site.SiteReport]) -> None:
    links = page(tiny[0], "chapters/04-second.html").select("article a.term")
    assert [link.get_text() for link in links] == ["error pass"]
    assert links[0]["href"] == "../glossary.html#term-error-pass"
    assert links[0]["title"] == "How all signals are made."


def test_files_of_a_citation_lie_beside_the_figure(tiny: tuple[Path, site.SiteReport]) -> None:
    html = tiny[0] / "_build" / "html"
    item = json.loads((html / "figures" / "second-error.csl.json").read_text(encoding="utf-8"))[0]
    assert item["title"] == "A fall"
    assert item["URL"].endswith("figures/second-error.html")
    assert (html / "figures" / "second-error.bib").read_text().startswith("@misc{alignlib-second-error,")
    assert (html / "citation.bib").read_text().startswith("@book{alignlib,")
    assert json.loads((html / "citation.csl.json").read_text())[0]["type"] == "book"


@pytest.mark.parametrize(
    ("name", "title", "picture"),
    [
        ("index.html", "Learning without weight transport", "figures/wiring-cover.png"),
        ("chapters/04-second.html", "The second rule", "figures/second-error.png"),
        ("figures/second-angle.html", "An angle, see also lillicrap2016", "figures/second-angle.png"),
        ("claims.html", "Claims", "figures/wiring-cover.png"),
    ],
)
def test_every_page_tells_reference_managers_and_previews_what_it_is(
    tiny: tuple[Path, site.SiteReport], name: str, title: str, picture: str
) -> None:
    html = tiny[0] / "_build" / "html"
    metas = page(tiny[0], name).head.find_all("meta")
    told = {str(meta.get("name") or meta.get("property")): str(meta.get("content")) for meta in metas}
    book = citing.read_book(REPOSITORY)
    assert told["citation_title"] == told["og:title"] == title
    assert told["citation_author"] == book.author
    assert told["citation_publication_date"] == book.year
    address = book.address + ("" if name == "index.html" else name)
    assert told["citation_public_url"] == told["og:url"] == address
    assert told["og:image"] == book.address + picture
    assert (html / picture).is_file()
    assert told["og:image:alt"]
    assert len(told["og:description"]) > 20
    assert ("citation_inbook_title" in told) == (name != "index.html")


def test_the_crate_is_read_back_and_lists_files_that_are_there(
    tiny: tuple[Path, site.SiteReport], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    html = tiny[0] / "_build" / "html"
    for name in ("figures", "_sources"):
        shutil.copytree(html / name, tmp_path / name)
    shutil.copy(html / "ro-crate-metadata.json", tmp_path)
    crate = ROCrate(tmp_path)
    assert crate.name == "Learning without weight transport: an executable book"
    assert crate.root_dataset["license"]
    names = {entity.id for entity in crate.data_entities}
    assert {f"figures/second-error.{kind}" for kind in ("svg", "png", "csv", "json")} <= names
    assert "_sources/chapters/04-second.ipynb" in names
    assert [name for name in names if not (tmp_path / name).is_file()] == []
    run = crate.dereference("#run-04-second")
    assert {entity.id for entity in run["result"]} == {name for name in names if name.startswith("figures/second-")}
    assert "numpy" in {tool["name"] for tool in run["instrument"]}
    again = tmp_path_factory.mktemp("again")
    crate.write(again)  # the library fails on what it cannot write
    assert (again / "figures" / "second-error.csv").is_file()


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_stands_out_from_its_paper(theme: str) -> None:
    sheet = (REPOSITORY / "assets" / "static" / "book.css").read_text(encoding="utf-8")
    block = re.search(rf'html\[data-theme="{theme}"\] {{\n((?:  --book.*\n)+)', sheet)
    assert block is not None
    palette = dict(re.findall(r"--book-([a-z-]+): (#[0-9a-f]{6});", block[1]))
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    words = {name: palette[name] for name in ("ink", "quiet", "link")}
    words |= {rule: getattr(look.colour, theme) for rule, look in style.RULES.items()}
    pairs = [(word, paper) for word in words for paper in ("paper", "panel", "code")]
    pairs += [(word, f"{verdict}-paper") for verdict in ("good", "bad") for word in ("ink", "quiet")]
    faint = {(word, paper): round(contrast(words[word], palette[paper]), 2) for word, paper in pairs}
    faint |= {
        (verdict, "paper"): contrast(palette[verdict], palette[f"{verdict}-paper"]) for verdict in ("good", "bad")
    }
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 4.5} == {}


def test_nothing_is_done_when_nothing_changed(tiny: tuple[Path, site.SiteReport]) -> None:
    report = site.build_site(tiny[0], "digits")
    assert not report.rebuilt
    assert report.links == tiny[1].links
    assert report.seconds < 1


def test_a_build_killed_while_exchanging_is_mended(tiny: tuple[Path, site.SiteReport]) -> None:
    for folder in (tiny[0] / "_build" / "html", tiny[0] / "_build" / "digits" / "html"):
        folder.rename(folder.with_name("html.old"))
    assert not site.build_site(tiny[0], "digits").rebuilt
    assert (tiny[0] / "_build" / "html" / "index.html").is_file()


def test_the_shown_book_is_that_of_the_profile_asked_for(tiny: tuple[Path, site.SiteReport]) -> None:
    shown = tiny[0] / "_build" / "html" / site.STAMP
    shown.write_text(shown.read_text().replace("digits", "mnist"))
    site.build_site(tiny[0], "digits")
    assert json.loads(shown.read_text())["profile"] == "digits"


def test_a_verdict_shows_what_another_chapter_measured(tiny: tuple[Path, site.SiteReport]) -> None:
    verdict = page(tiny[0], "chapters/04-second.html").select_one("#verdict-acute-04-second")
    assert verdict is not None
    assert verdict.select(".verdict-measured")[0].get_text() == "72.3°\u00a0±\u00a01.1° (n=5)"
    assert verdict.select("a")[0]["href"] == "02-first.html#claim-claim-02-first"


def test_what_sphinx_warns_about_fails_and_the_old_book_stays(tmp_path: Path) -> None:
    root = make_tiny(tmp_path)
    old = root / "_build" / "digits" / "html"
    old.mkdir()
    (old / "index.html").write_text("the old book")
    (root / "bibliography.md").write_text(BIBLIOGRAPHY + "\nSee {cite:t}`nobody1999`.\n")
    with pytest.raises(site.SiteFailed, match=r"bibliography\.md.*nobody1999") as failure:
        site.build_site(root, "digits")
    assert str(root) not in str(failure.value)
    assert (old / "index.html").read_text() == "the old book"


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("<p>TODO: explain</p>", "TODO: explain"),
        ("<p>Lorem ipsum dolor</p>", "placeholder"),
        ("<p>It ends at {glue:text}`x`.</p>", "not rendered"),
        ("<p>See {cite:t}`nokland2016`.</p>", "not rendered"),
        ('<a href="nowhere.html">x</a>', "leads nowhere"),
        ('<a href="../../outside.html">x</a>', "leads out of the site"),
        ('<a href="claims.html#no-such">x</a>', "anchor"),
        ('<a href="#no-such">x</a>', "anchor"),
        ('<img src="figures/first-error.png">', "no alternative text"),
        ('<img src="https://example.org/x.png" alt="x">', "from elsewhere"),
        ('<script src="//example.org/x.js"></script>', "from elsewhere"),
        ("<style>@font-face{src:url(https://example.org/x.woff2)}</style>", "from elsewhere"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "from elsewhere"),
        ("<p>SECRET-ROOT/main</p>", "a path of the machine"),
        ("<pre>/tmp/ipykernel_17/1.py:3: UserWarning</pre>", "a path of the machine"),
    ],
)
def test_each_fault_of_a_page_is_found(html: Path, written: str, complaint: str) -> None:
    index = html / "index.html"
    index.write_text(index.read_text().replace("</article>", f"{written}</article>", 1))
    problems = check_site(html, ["SECRET-ROOT"]).problems
    assert len(problems) == 1
    assert problems[0].startswith("index.html: ")
    assert complaint in problems[0]


def test_source_that_is_shown_on_purpose_is_no_fault(html: Path) -> None:
    index = html / "index.html"
    shown_source = "<p>Write <code>{glue:text}`x`</code>.</p><pre>{cite}`x`</pre>"
    index.write_text(index.read_text().replace("</article>", f"{shown_source}</article>", 1))
    assert check_site(html).problems == []


def test_a_path_in_a_data_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "error.json").write_text('{"file": "SECRET-ROOT/x"}')
    assert check_site(tmp_path, ["SECRET-ROOT"]).problems == [
        "error.json: holds 'SECRET-ROOT', a path of the machine that built it"
    ]


@pytest.mark.browser
def test_a_browser_shows_equations_without_any_network(tiny: tuple[Path, site.SiteReport], tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    address = (tiny[0] / "_build" / "html" / "chapters" / "04-second.html").as_uri()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000"]
    command = [browser, *options, "--dump-dom", address]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    soup = BeautifulSoup(ran.stdout, "html.parser")
    assert soup.select("mjx-container svg"), "MathJax drew no equation"
    assert not soup.select("mjx-merror")


def test_a_missing_chapter_is_named(tmp_path: Path) -> None:
    root = make_tiny(tmp_path)
    (root / "_build" / "digits" / "executed" / "chapters" / "04-second.ipynb").unlink()
    with pytest.raises(site.SiteFailed, match="'digits' for 04-second"):
        site.build_site(root, "digits")


def test_a_figure_without_caption_is_named(tmp_path: Path) -> None:
    root = make_tiny(tmp_path)
    path = root / "_build" / "digits" / "executed" / "chapters" / "04-second.ipynb"
    spoiled = json.loads(path.read_text())
    spoiled["cells"][2]["metadata"] = {}
    path.write_text(json.dumps(spoiled))
    with pytest.raises(site.SiteFailed, match=r"04-second: figure 'second-error' .*fig-second-error"):
        site.build_site(root, "digits")


def test_a_missing_page_is_named(tmp_path: Path) -> None:
    root = make_tiny(tmp_path)
    (root / "bibliography.md").unlink()
    with pytest.raises(site.SiteFailed, match=r"no bibliography\.md"):
        site.build_site(root, "digits")


def test_a_figure_is_read_from_the_executed_notebook(tmp_path: Path) -> None:
    path = tmp_path / "02-first.ipynb"
    path.write_text(json.dumps(notebook("02-first", "A title", "Text.", [1])))
    chapter = pages.read_chapter(path)
    assert (chapter.number, chapter.title) == (2, "A title")
    assert [each.id for each in chapter.figures] == ["first-error", "first-angle"]
    assert chapter.figures[0].caption == "**A fall.** Error over epochs, $n=2$."
    assert [claim["holds"] for claim in chapter.claims] == [True, False]
    assert (chapter.asks, chapter.after, chapter.minutes) == ("What is < A title?", (1,), 1)
