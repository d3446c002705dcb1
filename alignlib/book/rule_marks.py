"""The rules' colours and markers as a style sheet, so that a rule looks the same in a sentence as in a figure."""

from __future__ import annotations

from collections.abc import Iterator

from alignlib.book.style import RULES, Look


def style_sheet() -> str:
    """Return the CSS of the class ``rule`` and of ``rule-<name>`` for each rule, made from the style of the figures."""
    lines = ["/* Made from alignlib/book/style.py when the book is built: colours and markers of the rules. */"]
    for theme in ("light", "dark"):
        colours = "".join(f"--rule-{name}:{getattr(look.colour, theme)};" for name, look in RULES.items())
        lines.append(f'html[data-theme="{theme}"]{{{colours}}}')
    lines += [
        # Laid over a gap of its own, the mark offers no place to break a line between it and a bracket before it.
        ".rule{position:relative;padding-left:.86em;white-space:nowrap;font-weight:600}",
        '.rule::before{content:"";position:absolute;left:.08em;top:.42em;width:.56em;height:.56em;'
        "background:currentColor}",
    ]
    lines += [rule for name, look in RULES.items() for rule in _classes(name, look)]
    return "\n".join(lines) + "\n"


def _classes(name: str, look: Look) -> Iterator[str]:
    yield f".rule-{name}{{color:var(--rule-{name})}}"
    yield f".rule-{name}::before{{clip-path:polygon({_outline(look.marker)})}}"


def _outline(marker: str) -> str:
    """Return the outline of a Matplotlib marker as points of a CSS polygon, in percent of its box."""
    import numpy as np
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(marker)
    outline = np.asarray(style.get_path().transformed(style.get_transform()).to_polygons()[0], dtype=float)
    low, high = outline.min(axis=0), outline.max(axis=0)
    points = 100 * (outline - low) / (high - low)
    step = max(1, len(points) // 24)  # a circle needs no more
    return ",".join(f"{x:.0f}% {100 - y:.0f}%" for x, y in points[::step])
