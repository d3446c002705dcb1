"""What a page fetches and shows first: its text at once, in the right theme, and no script that nothing uses."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

#: The theme's script starts each page as "auto", which no colour is defined for, until a later script asks the system.
THEME_LATER = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
THEME_NOW = """document.documentElement.dataset.theme = document.documentElement.dataset.mode !== "auto"
      ? localStorage.getItem("theme") : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";"""

#: 540 kB of icons as scripts, all of which the theme has as a font too.
ICONS = re.compile(r'\s*<script[^>]* src="[^"]*scripts/fontawesome\.js[^"]*"[^>]*></script>')
#: For results while one types, which this book does not show: the page of results loads them by itself.
SEARCH = re.compile(r'\s*<script[^>]* src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"[^>]*></script>')


def paint_first(app: Sphinx, failed: Exception | None) -> None:
    """Let no page wait for a script before it shows its text, and none begin in the wrong theme."""
    for path in () if failed else Path(app.outdir).rglob("*.html"):
        if "_static" not in path.relative_to(app.outdir).parts:
            page = path.read_text(encoding="utf-8")
            path.write_text(deferred(lightened(page)), encoding="utf-8")


def lightened(page: str) -> str:
    """Return a page without the theme's scripts that it has no use for."""
    page = ICONS.sub("", page)
    return page if 'id="search-results"' in page else SEARCH.sub("", page)


def deferred(page: str) -> str:
    """Return a page whose scripts in the head are deferred, and whose theme is known before the first paint.

    The scripts of the theme, the search index among them, stand in the head of each page and hold up the text below.
    Deferred ones keep their order, and so do the statements between them once they are modules.
    """
    head, end, body = page.partition("</head>")
    head = re.sub(r"<script(?![^>]*\b(?:defer|async|type)\b)(?=[^>]* src=)", "<script defer", head)
    head = head.replace("<script>DOCUMENTATION_OPTIONS.", '<script type="module">DOCUMENTATION_OPTIONS.')
    return head.replace(THEME_LATER, THEME_NOW) + end + body
