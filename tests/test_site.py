"""The site: a tiny real book is rendered once by Jupyter Book, and then broken in every way we look for."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup

from alignlib.book import claims, figure, pages, site
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
      - file: status
      - file: bibliography
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
    metadata = {"mystnb": {"figure": {"name": f"fig-{name}", "caption": caption}}}
    return cell("code", f"chapter.figure({name!r})", [shown(data)], **metadata)


def notebook(chapter: str, title: str, text: str) -> dict[str, Any]:
    value = claims.Value(f"{chapter}-error", 3.104, "{:.2f} %")
    data, metadata = value.bundle()
    claim = claims.Claim(f"claim-{chapter}", "The angle stays acute.", True, "72.3° ± 1.1° (n=5)", "Our run", chapter)
    contra = claims.Claim(f"contra-{chapter}", "It is always faster.", False, "1.03 (n=3)", "An article", chapter)
    table = claims.Table(f"table-{chapter}", ["rule", "error"], [["BP", 1.5], ["DFA", 2.0]], "Errors of two rules.")
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [
            cell("markdown", f"# {title}\n\nWhat one knows afterwards {{cite:p}}`nokland2016`.\n\n{text}"),
            cell("code", f"epochs: int = {len(chapter)}", tags=["parameters"]),
            figure_cell(chapter, f"{chapter[3:]}-error", "**A fall.** Error over epochs, $n=2$."),
            cell("code", "chapter.claim(...)", [shown(claim._repr_mimebundle_()), shown(contra._repr_mimebundle_())]),
            cell("code", "chapter.value(...)", [shown(data, **metadata)]),
            figure_cell(chapter, f"{chapter[3:]}-angle", "An angle, see also {cite:t}`lillicrap2016`.", 100),
            cell("code", "chapter.table(...)", [shown(table._repr_mimebundle_())]),
            cell(
                "markdown",
                f"## What it shows\n\nThe error ends at {{glue:text}}`{chapter}-error`, see "
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
    for name in ("_config.yml", "references.bib"):
        shutil.copy(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / "assets", root / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (root / "index.md").write_text("# A tiny book\n\nRead {numref}`fig-second-error`.\n", encoding="utf-8")
    (root / "bibliography.md").write_text(BIBLIOGRAPHY, encoding="utf-8")
    executed = root / "_build" / "digits" / "executed" / "chapters"
    executed.mkdir(parents=True)
    for name, title in (("02-first", "The first rule"), ("04-second", "The second rule")):
        (executed / f"{name}.ipynb").write_text(json.dumps(notebook(name, title, "Text.")), encoding="utf-8")
    places = [("02-first", "first-error", "2.1"), ("04-second", "second-angle", "4.2")]
    manifest = {
        "figures": [{"chapter": chapter, "id": name, "number": number} for chapter, name, number in places],
        "versions": {"numpy": np.__version__},
        "chapters": [{"id": "02-first", "seconds": 3.2, "parameters": {"epochs": 2, "rule": "dfa"}}],
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
    assert {path.suffix for path in files.glob("second-error.*")} == {".svg", ".png", ".csv", ".json"}
    assert (files / "second-error.csv").read_text().splitlines()[:2] == ["panel,series,seed,x,y", "1,DFA,0,0.0,3.0"]
    assert json.loads((files / "second-error.json").read_text())["id"] == "second-error"
    assert json.loads((files / "index.json").read_text())["second-error"]["chapter"] == "04-second"
    assert (files / "table-02-first.csv").read_text().splitlines() == ["rule,error", "BP,1.5", "DFA,2.0"]


def test_the_gallery_and_the_claims_list_everything(tiny: tuple[Path, site.SiteReport]) -> None:
    gallery = page(tiny[0], "figures.html")
    assert {node["src"] for node in gallery.select(".gallery img")} == {
        f"figures/{name}.svg" for name in ("first-error", "first-angle", "second-error", "second-angle")
    }
    assert "@misc{alignlib-second-error" in gallery.find(id="cite-second-error").get_text()
    verdicts = [node.get_text() for node in page(tiny[0], "claims.html").select(".claim-badge")]
    assert [("does not" in verdict) for verdict in verdicts] == [False, True, False, True]


def test_the_page_on_the_build_has_versions_and_parameters(tiny: tuple[Path, site.SiteReport]) -> None:
    text = page(tiny[0], "status.html").select_one("article").get_text(" ", strip=True)
    assert np.__version__ in text
    assert "'dfa'" in text
    assert "1 of 2" in text


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
    path.write_text(json.dumps(notebook("02-first", "A title", "Text.")))
    chapter = pages.read_chapter(path)
    assert (chapter.number, chapter.title) == (2, "A title")
    assert [each.id for each in chapter.figures] == ["first-error", "first-angle"]
    assert chapter.figures[0].caption == "**A fall.** Error over epochs, $n=2$."
    assert [claim["holds"] for claim in chapter.claims] == [True, False]
