"""Wiring diagrams as data: where the error goes, asked from the rules themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alignlib.book.figure import Panel, Wiring
from alignlib.book.plots import rule_label


def wiring_panel(
    edges: Iterable[Any],
    hidden: int | Sequence[int],
    rule: str,
    title: str | None = None,
    subtitle: str = "",
    signal: str = "δ",
) -> Panel:
    """Return the diagram of one rule.

    edges: what :func:`alignlib.wiring.wiring` returns; where they begin at the target, it takes the error's place.
    hidden: number of hidden layers, or their widths.
    rule: its short name, which gives the colour; its label is the title unless another is given.
    subtitle: a second line in lighter ink. signal: the letter of what arrives at a layer.
    """
    edges = list(edges)
    depth = hidden if isinstance(hidden, int) else len(hidden)
    nodes = [{"id": "input", "label": "x"}]
    nodes += [{"id": f"layer {number}", "label": f"h{number}"} for number in range(1, depth + 1)]
    sent = ("target", "y") if any(edge.source == "target" for edge in edges) else ("error", "e")
    nodes += [{"id": f"layer {depth + 1}", "label": "ŷ"}, dict(zip(("id", "label"), sent, strict=True))]
    plain = [{"source": e.source, "target": e.target, "matrices": list(e.matrices)} for e in edges]
    title = rule_label(rule) if title is None else title
    return Panel(kind="wiring", title=title, y_label=subtitle, wiring=Wiring(rule, tuple(nodes), tuple(plain), signal))


def wirings(rules: str | Iterable[str], hidden: int = 2) -> list[Panel]:
    """Return the diagrams of rules by short name, each asked from the rule on a small network."""
    import numpy as np

    from alignlib.errors import choose
    from alignlib.network import MLP
    from alignlib.rules import RULES
    from alignlib.wiring import wiring

    panels = []
    for name in [rules] if isinstance(rules, str) else rules:
        network = MLP([4] + [5] * hidden + [3], rng=np.random.default_rng(0))
        rule = RULES[choose("rule", name, RULES)](network, rng=np.random.default_rng(1))
        panels.append(wiring_panel(wiring(rule, network), hidden, name, rule.label, rule.title))
    return panels
