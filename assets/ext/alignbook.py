"""What the book needs of Sphinx beyond Jupyter Book: true chapter numbers, alternative texts, anchors, tidy pages.

The build puts every figure's data at ``exports/figures/<id>.json`` of the source folder, what stands below it in the
page (its numbers for the hand, the panel that runs it) at ``beside/<id>.html``, and what the pages say of the book into
``book.json``; a figure of the text carries the name ``fig-<id>``.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import bookheads
import bookmarks
import bookpaint
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

CHAPTER = re.compile(r"chapters/(\d\d)-")
ANCHOR = re.compile(r'\bid="((table|claim)-[a-z0-9-]+)"')
FILES = ("svg", "png", "csv")


def number_chapters(env: BuildEnvironment) -> None:
    """Let the number in a chapter's file name be its number, instead of its place in the table of contents.

    So chapter 04 stays chapter 4, and its figures 4.1, 4.2 …, whichever other chapters exist.
    """
    for docname, numbers in env.toc_secnumbers.items():
        found = CHAPTER.match(docname)
        if not found:
            continue
        first = int(found.group(1))
        for anchor, number in numbers.items():
            if number:
                numbers[anchor] = (first, *number[1:])
        entries = list(env.tocs[docname].findall(nodes.reference))
        for node in [*entries, env.titles[docname]]:
            if node.get("secnumber"):
                node["secnumber"] = (first, *node["secnumber"][1:])


def describe_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Give every exported figure its alternative text and the links to its files."""
    for figure in list(doctree.findall(nodes.figure)):
        names = [name[4:] for name in figure["names"] if name.startswith("fig-")]
        if not names:
            continue
        data = Path(app.srcdir, "exports", "figures", f"{names[0]}.json")
        if not data.is_file():
            continue
        alt = json.loads(data.read_text(encoding="utf-8")).get("alt", "")
        for image in figure.findall(nodes.image):
            image["alt"] = alt
        figure += nodes.legend("", nodes.raw("", file_links(names[0], app.env.docname), format="html"))
        beside = Path(app.srcdir, "beside", f"{names[0]}.html")
        if beside.is_file():
            text = beside.read_text(encoding="utf-8")
            figure.parent.insert(figure.parent.index(figure) + 1, nodes.raw("", text, format="html"))


def name_outputs(app: Sphinx, doctree: nodes.document) -> None:
    """Let the text refer to computed tables and to claims by their anchors: {ref}`the table <table-ID>`."""
    if not CHAPTER.match(app.env.docname):  # the page of all claims shows them a second time
        return
    standard = app.env.get_domain("std")
    for raw in doctree.findall(nodes.raw):
        for anchor, kind in ANCHOR.findall(raw.astext()):
            standard.data["labels"][anchor] = (app.env.docname, anchor, f"the {kind}")
            standard.data["anonlabels"][anchor] = (app.env.docname, anchor)


def file_links(figure: str, docname: str) -> str:
    """Return the line below a figure that leads to its files and its citation."""
    up = "../" * docname.count("/")
    links = [f'<a href="{up}figures/{figure}.{kind}">{kind.upper()}</a>' for kind in FILES]
    links.append(f'<a href="{up}figures/{html.escape(figure)}.html">permalink, cite, make again</a>')
    return f'<p class="figure-files">{"".join(links)}</p>'


def tidy_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop scripts that a page would load twice, and Thebe, which declares a constant twice on each page."""
    for kind in ("script_files", "css_files"):
        kept: dict[str, Any] = {}
        for asset in context.get(kind, []):
            body = getattr(asset, "attributes", {}).get("body", "")
            name = str(getattr(asset, "filename", asset) or body)
            if "thebe" not in (name + body).lower():
                kept.setdefault(name, asset)
        context[kind] = list(kept.values())


def level_modules(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Make the list of modules one list: Sphinx puts lists straight into lists, which screen readers cannot follow."""
    if pagename == "_modules/index":
        head, opened, rest = context["body"].partition("<ul>")
        context["body"] = head + opened + rest.replace("<ul>", "").replace("</ul>", "") + "</ul>"


def list_citations(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Make entries of the bibliography items of the list they stand in, which their own role does not say."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def read_facts(app: Sphinx, config: Any) -> None:
    """Read what the build knows of the book."""
    config.book_facts = json.loads(Path(app.srcdir, "book.json").read_text(encoding="utf-8"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    assign_figure_numbers = TocTreeCollector.assign_figure_numbers

    def renumbered(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
        # Figure numbers are made from chapter numbers, so these must be right just before.
        number_chapters(env)
        return assign_figure_numbers(self, env)

    TocTreeCollector.assign_figure_numbers = renumbered  # type: ignore[method-assign]
    app.connect("config-inited", read_facts)
    app.add_role("rule", bookmarks.RuleRole())
    app.connect("doctree-read", describe_figures)
    app.connect("doctree-read", name_outputs)
    app.connect("doctree-read", bookheads.tell_facts)
    app.connect("doctree-read", bookmarks.mark_rules)
    app.connect("doctree-read", bookmarks.keep_punctuation)
    app.connect("doctree-resolved", bookmarks.link_terms)
    app.connect("html-page-context", bookheads.add_tags)
    app.connect("html-page-context", bookheads.ask_ahead)
    app.connect("html-page-context", bookheads.keep_sidebar, priority=900)
    app.connect("html-page-context", tidy_page, priority=900)
    app.connect("html-page-context", level_modules)
    app.connect("html-page-context", list_citations)
    app.connect("build-finished", bookpaint.paint_first)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
