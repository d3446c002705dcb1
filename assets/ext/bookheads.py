"""What stands in the head and at the foot of each page: citation and preview tags, the next chapter's question."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 300  #: characters of a description; link previews cut sooner, reference managers keep all


def add_tags(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the tags that reference managers (Highwire) and link previews (OpenGraph) read."""
    if doctree is not None:
        told = tags(app.config.book_facts, pagename, _title(app, pagename), _description(doctree))
        lines = [
            f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{escape(content)}" />'
            for name, content in told
        ]
        context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def tags(book: dict[str, Any], pagename: str, title: str, description: str) -> list[tuple[str, str]]:
    """Return name and content of the tags of a page; `title` is plain, without the book's."""
    whole = pagename == "index"
    figure = book["figures"].get(pagename.removeprefix("figures/")) if pagename.startswith("figures/") else None
    chapter = book["chapters"].get(pagename)
    title = book["title"] if whole else figure["title"].removesuffix(".") if figure else title
    description = description or (chapter or {}).get("asks", "")
    address = book["address"] + ("" if whole else f"{pagename}.html")
    picture = f"{pagename}.png" if figure else (chapter or {}).get("picture") or book["picture"]
    told = [
        ("citation_title", title),
        ("citation_author", book["author"]),
        ("citation_publication_date", book["year"]),
        ("citation_public_url", address),
        ("citation_language", "en"),
        *([] if whole else [("citation_inbook_title", book["title"])]),
        ("og:type", "book" if whole else "article"),
        ("og:title", title),
        ("og:site_name", book["title"]),
        ("og:url", address),
        ("og:image", book["address"] + picture),
        ("og:image:alt", figure["alt"] if figure else f"A figure of {book['title']}"),
        ("twitter:card", "summary_large_image"),
    ]
    if description:
        told += [("description", description), ("og:description", description)]
    return told


def _title(app: Sphinx, pagename: str) -> str:
    title = app.env.titles.get(pagename)
    return title.astext() if title is not None else ""


def _description(doctree: nodes.document) -> str:
    """Return the beginning of the page's first paragraph, cut between words."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 40:
            return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
    return ""


def ask_ahead(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the links to the chapters before and after say what those ask."""
    relations = getattr(app.builder, "relations", {}).get(pagename)
    if not relations:
        return
    for place, name in ((1, "prev"), (2, "next")):
        asks = app.config.book_facts["chapters"].get(relations[place] or "", {}).get("asks")
        if asks and context.get(name):
            context[f"{name}_title"] = f'{context[name]["title"]}<span class="asks">{escape(asks)}</span>'


def keep_sidebar(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Make the sidebar of pages that it does not list once for each depth: it is the same on all of them.

    The theme would parse the whole table of contents anew for every figure and every module.
    """
    made, relations = context.get("generate_toctree_html"), getattr(app.builder, "relations", {}).get(pagename)
    if made is None or (relations and relations[0]) or pagename == app.config.root_doc:
        return
    kept: dict[tuple[Any, ...], Any] = app.config.book_facts.setdefault("sidebars", {})

    def remembered(*arguments: Any, **options: Any) -> Any:
        key = (pagename.count("/"), arguments, *sorted(options.items()))
        if key not in kept:
            kept[key] = made(*arguments, **options)
        return kept[key]

    context["generate_toctree_html"] = remembered


def tell_facts(app: Sphinx, doctree: nodes.document) -> None:
    """Write below a chapter's title how long it takes and which chapters it builds on."""
    chapter = app.config.book_facts["chapters"].get(app.env.docname)
    title = next(iter(doctree.findall(nodes.title)), None)
    if chapter and title is not None and title.parent is not None:
        line = nodes.raw("", f'<p class="chapter-facts">{chapter["facts"]}</p>', format="html")
        title.parent.insert(title.parent.index(title) + 1, line)
