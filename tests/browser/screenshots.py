"""Draw the contact sheet: every page on a phone and on a laptop, light and dark, for people to look at.

``make screenshots`` writes ``_build/browser/screenshots/index.html`` and the pictures beside it.
Name pages, or the beginnings of their names, to draw only these: ``python tests/browser/screenshots.py chapters/05``.
"""

from __future__ import annotations

import html
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright
from visit import (
    PICTURES,
    THEMES,
    WIDTHS,
    Visit,
    find_book,
    find_browser,
    launch,
    new_context,
    page_names,
    served,
    visiting,
)

SHEET = PICTURES / "screenshots"
#: Longer pages become several pictures, for a browser draws no picture higher than 16384 pixels.
SLICE = 6000
#: Source listings all look alike.
LISTINGS = "_modules/alignlib/"
LOOK = """
body { margin: 1rem; font: 15px/1.4 system-ui, sans-serif; color: #23262d; background: #e9eaee; }
h2 { margin: 2rem 0 0.5rem; font-size: 1rem; }
.row { display: flex; gap: 12px; align-items: flex-start; overflow-x: auto; }
figure { margin: 0; flex: none; max-height: 85vh; overflow-y: auto; background: #fff; }
figcaption { position: sticky; top: 0; padding: 2px 6px; background: #23262d; color: #fff; font-size: 12px; }
img { display: block; }
.w390 img { width: 273px; } .w1400 img { width: 700px; }
"""


def main(wanted: Sequence[str]) -> int:
    """Draw the sheet of the pages whose names begin with one of `wanted`, or of all."""
    book, browser = find_book(), find_browser()
    if book is None or browser is None:
        print("no built book: make book" if book is None else "no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    names = [name for name in page_names(book) if name.startswith(tuple(wanted) or "") and LISTINGS not in name]
    if not names:
        print(f"no page begins with {' or '.join(wanted)}", file=sys.stderr)
        return 2
    shutil.rmtree(SHEET, ignore_errors=True)
    SHEET.mkdir(parents=True)
    drawn: dict[str, list[str]] = {name: [] for name in names}
    with sync_playwright() as playwright, served(book) as home:
        started = launch(playwright)
        for width in WIDTHS:
            context = new_context(started, width)
            for number, name in enumerate(names, 1):
                print(f"\r{width} px: {number} of {len(names)}  {name:60.60}", end="", file=sys.stderr, flush=True)
                with visiting(context, home, name) as visit:
                    visit.go()
                    for theme in THEMES:
                        visit.show(theme)
                        drawn[name].append(_figure(visit, _slices(visit)))
        started.close()
    rows = (f"<h2>{html.escape(name)}</h2><div class=row>{''.join(figures)}</div>" for name, figures in drawn.items())
    sheet = f"<!doctype html><meta charset=utf-8><title>Contact sheet</title><style>{LOOK}</style>{''.join(rows)}\n"
    (SHEET / "index.html").write_text(sheet, encoding="utf-8")
    print(f"\r{SHEET / 'index.html'}: {len(names)} pages{'':60}", file=sys.stderr)
    return 0


def _slices(visit: Visit) -> list[Path]:
    """Save the whole page as pictures from top to bottom."""
    height = int(visit.page.evaluate("() => document.documentElement.scrollHeight"))
    stem = f"{visit.name.removesuffix('.html').replace('/', '-')}-{visit.width}-{visit.theme}"
    paths = []
    for number, top in enumerate(range(0, height, SLICE)):
        paths.append(SHEET / f"{stem}-{number}.jpg")
        part = {"x": 0, "y": top, "width": visit.width, "height": min(SLICE, height - top)}
        visit.page.screenshot(path=paths[-1], type="jpeg", quality=80, full_page=True, clip=part)  # type: ignore[arg-type]
    return paths


def _figure(visit: Visit, paths: Sequence[Path]) -> str:
    images = "".join(f'<img src="{path.name}" alt="" loading="lazy">' for path in paths)
    return f'<figure class="w{visit.width}"><figcaption>{visit.width} px, {visit.theme}</figcaption>{images}</figure>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
