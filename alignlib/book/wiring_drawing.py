"""Draw a wiring: the forward pass to the right along the top, the error's way back below it."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from alignlib.book import style
from alignlib.book.figure import Panel, Wiring

POINTS = 72.0
TITLE = 26.0  #: points that the title takes
BOX = (38.0, 27.0)
RADIUS = 14.5
LANES = 64.0  #: from the forward lane to the error's lane
ARC = 26.0  #: how much deeper an arc goes for each layer that it jumps over


def wiring_height(panel: Panel, columns: int) -> float:
    """Height of a wiring panel in inches."""
    assert panel.wiring is not None
    return (TITLE + 12 + _top(panel.wiring) - _floor(panel.wiring)) / POINTS


def draw_wiring(axes: Axes, panel: Panel) -> None:
    """Draw the wiring of one rule in units of points."""
    wiring = panel.wiring
    assert wiring is not None
    place = axes.get_subplotspec()
    assert place is not None
    width = style.WIDTH * POINTS / place.get_gridspec().ncols - 8
    places = _places(wiring, width)
    axes.set_xlim(0, width)
    axes.set_ylim(_floor(wiring), _top(wiring))
    axes.set_aspect("equal", anchor="W")
    axes.set_axis_off()
    _forward(axes, wiring, places)
    _signals(axes, wiring, places)
    for edge in wiring.edges:
        _edge(axes, wiring, places, edge)


def _layers(wiring: Wiring) -> list[str]:
    return [str(node["id"]) for node in wiring.nodes if node["id"] != "error"]


def _places(wiring: Wiring, width: float) -> dict[str, float]:
    """X of each column; the error stands below the output."""
    layers = _layers(wiring)
    first, last = BOX[0] / 2 + 2, width - BOX[0] / 2 - 2
    step = min(112.0, (last - first) / (len(layers) - 1))
    places = {name: first + i * step for i, name in enumerate(layers)}
    return {**places, "error": places[layers[-1]]}


def _jump(wiring: Wiring, edge: Any) -> int:
    """How many columns an edge crosses."""
    layers = [*_layers(wiring)]
    index = {name: i for i, name in enumerate(layers)} | {"error": len(layers) - 1}
    return abs(index[edge["source"]] - index[edge["target"]])


def _floor(wiring: Wiring) -> float:
    deepest = max((_jump(wiring, edge) for edge in wiring.edges), default=1)
    return -RADIUS - 4 if deepest < 2 else -RADIUS - 16 - ARC * (deepest - 1)


def _top(wiring: Wiring) -> float:
    return LANES + BOX[1] / 2 + 3


def _forward(axes: Axes, wiring: Wiring, places: dict[str, float]) -> None:
    layers = _layers(wiring)
    taught = {edge["target"] for edge in wiring.edges} | {layers[-1]}
    labels = {node["id"]: node["label"] for node in wiring.nodes}
    for number, name in enumerate(layers):
        idle = number > 0 and name not in taught
        _box(axes, places[name], labels[name], plain=number == 0, idle=idle)
        if number:
            start = (places[layers[number - 1]] + BOX[0] / 2 + 2, LANES)
            end = (places[name] - BOX[0] / 2 - 2, LANES)
            _arrow(axes, [start, end], style.MUTED.light, 1.3)
            middle = (start[0] + end[0]) / 2
            axes.text(
                middle, LANES + 7, _maths(f"W{number}"), ha="center", va="bottom", color=style.MUTED.light
            )
    x = places["error"]
    _arrow(axes, [(x, LANES - BOX[1] / 2 - 2), (x, RADIUS + 2)], style.MUTED.light, 1.3)


def _box(axes: Axes, x: float, label: str, plain: bool, idle: bool) -> None:
    frame = FancyBboxPatch(
        (x - BOX[0] / 2, LANES - BOX[1] / 2),
        *BOX,
        boxstyle="round,pad=0,rounding_size=6",
        facecolor="none",
        edgecolor=style.MUTED.light if idle or plain else style.INK.light,
        linewidth=0 if plain else 1.3,
        linestyle=(0, (3, 2.5)) if idle else "-",
    )
    axes.add_patch(frame)
    axes.text(x, LANES - 1, _maths(label), ha="center", va="center", fontsize=14)


def _signals(axes: Axes, wiring: Wiring, places: dict[str, float]) -> None:
    """The circles of the lower lane: the error, and δ below each layer that receives one."""
    colour = style.look(wiring.rule).colour.light
    _circle(axes, places["error"], "e", colour, filled=True)
    for edge in wiring.edges:
        target = edge["target"]
        x, number = places[target], target.split()[-1]
        _circle(axes, x, f"δ{number}", colour, filled=False)
        _arrow(axes, [(x, RADIUS + 1), (x, LANES - BOX[1] / 2 - 2)], colour, 1.3, head=7)


def _circle(axes: Axes, x: float, label: str, colour: str, filled: bool) -> None:
    face = colour if filled else "none"
    axes.add_patch(Circle((x, 0), RADIUS, facecolor=face, edgecolor=colour, linewidth=1.6))
    ink = style.PAPER.light if filled else style.INK.light
    axes.text(x, -0.5, _maths(label), ha="center", va="center", fontsize=13.5, color=ink)


def _edge(axes: Axes, wiring: Wiring, places: dict[str, float], edge: Any) -> None:
    colour = style.look(wiring.rule).colour.light
    start, end = places[edge["source"]], places[edge["target"]]
    name = _maths(" ".join(edge["matrices"]))
    jump = _jump(wiring, edge)
    side = 1 if end > start else -1
    if jump < 2:
        _arrow(axes, [(start + side * (RADIUS + 1), 0), (end - side * (RADIUS + 2), 0)], colour, 2.2)
        axes.text((start + end) / 2, 5, name, ha="center", va="bottom", color=colour)
        return
    depth = RADIUS + 4 + ARC * (jump - 1)
    lean = 0.34 * abs(end - start)
    path = [
        (start + side * 0.55 * RADIUS, -0.9 * RADIUS),
        (start + side * lean, -depth * 1.3),
        (end - side * lean, -depth * 1.3),
        (end, -RADIUS - 2),
    ]
    _arrow(axes, path, colour, 2.2)
    axes.text((start + end) / 2, -depth * 0.98 - 4 + 8, name, ha="center", va="bottom", color=colour)


def _arrow(
    axes: Axes, points: list[tuple[float, float]], colour: str, width: float, head: float = 10
) -> None:
    codes = [Path.MOVETO] + [Path.CURVE4 if len(points) == 4 else Path.LINETO] * (len(points) - 1)
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points, codes),
            arrowstyle="-|>",
            mutation_scale=head,
            color=colour,
            linewidth=width,
            joinstyle="miter",
            capstyle="butt",
        )
    )


def _maths(text: str) -> str:
    """Return "W3ᵀ" or "δ1" set as mathematics: index low, transposition high."""

    def one(found: re.Match[str]) -> str:
        letter, number, transposed = found.groups()
        letter = {"δ": r"\delta", "ŷ": r"\hat{y}"}.get(letter, letter)
        return (
            f"${letter}"
            + (f"_{{{number}}}" if number else "")
            + (r"^{\mathsf{T}}" if transposed else "")
            + "$"
        )

    return re.sub(r"([^\W\d_])(\d*)(ᵀ?)(?=\s|$)", one, text)
