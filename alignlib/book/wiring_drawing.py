"""Draw a wiring: the forward pass to the right along the top, the error's way back below it."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from alignlib.book import style
from alignlib.book.figure import Panel, Wiring

# All lengths in points; the data units of the axes are points as well.
POINTS = 72.0
HEADING = 46.0  #: title and subtitle
BOX_HEIGHT = 27.0
RADIUS = 14.5
LANES = 64.0  #: from the error's lane up to the forward lane
ARC = 26.0  #: how much deeper an arc hangs for each layer that it jumps over

SENT = ("error", "target")  #: what stands below the output and is sent to the layers

Places = dict[str, float]


def wiring_height(panel: Panel) -> float:
    """Height of a wiring panel in inches."""
    assert panel.wiring is not None
    return (HEADING + 12 + _top() - _floor(panel.wiring)) / POINTS


def draw_wiring(axes: Axes, panel: Panel) -> None:
    """Draw the wiring of one rule."""
    wiring, cell = panel.wiring, axes.get_subplotspec()
    assert wiring is not None
    assert cell is not None
    width = style.WIDTH * POINTS / cell.get_gridspec().ncols - 8
    places = _places(wiring, width)
    axes.set_xlim(0, width)
    axes.set_ylim(_floor(wiring), _top())
    axes.set_aspect("equal", anchor="NW")
    axes.set_axis_off()
    _forward(axes, wiring, places)
    _signals(axes, wiring, places)
    for edge in wiring.edges:
        _edge(axes, wiring, places, edge)


def _layers(wiring: Wiring) -> list[str]:
    return [str(node["id"]) for node in wiring.nodes if node["id"] not in SENT]


def _sent(wiring: Wiring) -> tuple[str, str]:
    """Name and label of the node below the output."""
    return next((str(node["id"]), str(node["label"])) for node in wiring.nodes if node["id"] in SENT)


def _places(wiring: Wiring, width: float) -> Places:
    """X of each column; the error, or the target, stands below the output."""
    layers = _layers(wiring)
    first, last = (RADIUS + 2 if "input" in _taught(wiring) else 10.0), width - 21.0
    step = min(112.0, (last - first) / (len(layers) - 1))
    places = {name: first + i * step for i, name in enumerate(layers)}
    return {**places, _sent(wiring)[0]: places[layers[-1]]}


def _jump(wiring: Wiring, edge: Any) -> int:
    """How many columns an edge crosses."""
    layers = _layers(wiring)
    column = {name: i for i, name in enumerate(layers)} | {_sent(wiring)[0]: len(layers) - 1}
    return abs(column[edge["source"]] - column[edge["target"]])


def _floor(wiring: Wiring) -> float:
    deepest = max((_jump(wiring, edge) for edge in wiring.edges), default=1)
    if deepest < 2:
        return -RADIUS - (15 if any(len(edge["matrices"]) > 1 for edge in wiring.edges) else 4)
    return -RADIUS - 10 - ARC * (deepest - 1)


def _top() -> float:
    return LANES + BOX_HEIGHT / 2 + 8


def _box_width(places: Places) -> float:
    return min(38.0, 0.58 * (places["layer 1"] - places["input"]))


def _taught(wiring: Wiring) -> set[str]:
    """The layers that learn: those which an edge reaches, and the output, where the error is."""
    return {str(edge["target"]) for edge in wiring.edges} | {_layers(wiring)[-1]}


def _arriving(signal: str, target: str) -> str:
    """What a signal is called where it arrives: the input counts as layer 0."""
    return f"{signal}0" if target == "input" else f"{signal}{target.split()[-1]}"


def _forward(axes: Axes, wiring: Wiring, places: Places) -> None:
    layers, half = _layers(wiring), _box_width(places) / 2
    labels = {node["id"]: node["label"] for node in wiring.nodes}
    _write(axes, places["input"], LANES - 1, labels["input"], size=14)
    for number, name in enumerate(layers[1:], start=1):
        x = places[name]
        _box(axes, x, 2 * half, idle=name not in _taught(wiring))
        _write(axes, x, LANES - 1, labels[name], size=14)
        before = places[layers[number - 1]] + (half if number > 1 else 6)
        _arrow(axes, [(before + 2, LANES), (x - half - 2, LANES)], style.MUTED.light, 1.3)
        middle = (before + x - half) / 2
        _write(axes, middle, LANES + BOX_HEIGHT / 2 + 1, f"W{number}", colour=style.MUTED.light)
    if _sent(wiring)[0] == "error":  # the target does not come from the output
        x = places[layers[-1]]
        _arrow(axes, [(x, LANES - BOX_HEIGHT / 2 - 2), (x, RADIUS + 2)], style.MUTED.light, 1.3)


def _signals(axes: Axes, wiring: Wiring, places: Places) -> None:
    """The lower lane: the error, δ below each layer that receives one, and words where none does."""
    colour = style.look(wiring.rule).colour.light
    sent, label = _sent(wiring)
    _circle(axes, places[sent], colour, filled=True)
    _write(axes, places[sent], -0.5, label, size=14, colour=style.PAPER.light)
    for edge in wiring.edges:
        x = places[edge["target"]]
        _circle(axes, x, colour, filled=False)
        _write(axes, x, -0.5, _arriving(wiring.signal, edge["target"]), size=14)
        _arrow(axes, [(x, RADIUS + 1), (x, LANES - BOX_HEIGHT / 2 - 2)], colour, 1.3, head=7)
    idle = [places[name] for name in _layers(wiring)[1:] if name not in _taught(wiring)]
    if idle:
        _write(axes, (min(idle) + max(idle)) / 2, 0, "no signal", colour=style.MUTED.light, maths=False)


def _edge(axes: Axes, wiring: Wiring, places: Places, edge: Any) -> None:
    """A straight arrow to the neighbouring column, an arc below the lane to any other."""
    colour = style.look(wiring.rule).colour.light
    start, end = places[edge["source"]], places[edge["target"]]
    names = [name.replace("sign ", "±") for name in edge["matrices"]]
    name, jump, side = " ".join(names), _jump(wiring, edge), (1 if end > start else -1)
    if jump < 2:
        _arrow(axes, [(start + side * (RADIUS + 1), 0), (end - side * (RADIUS + 2), 0)], colour, 2.2)
        for y, each in zip((14, -17), names, strict=False):  # one above the arrow, the other below it
            _write(axes, (start + end) / 2, y, each, size=13 if len(each) < 4 else 11, colour=colour)
        return
    depth = RADIUS + ARC * (jump - 1)
    lean = 0.3 * abs(end - start)
    ends = ((start + side * 0.5 * RADIUS, -0.95 * RADIUS), (end, -RADIUS - 2))
    path = [ends[0], (start + side * lean, -1.3 * depth), (end - side * lean, -1.3 * depth), ends[1]]
    _arrow(axes, path, colour, 2.2)
    lowest = (ends[0][1] + ends[1][1]) / 8 - 0.75 * 1.3 * depth  # the middle of the cubic
    _write(axes, (start + end) / 2, lowest + 13, name, colour=colour)


def _box(axes: Axes, x: float, width: float, idle: bool) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, LANES - BOX_HEIGHT / 2),
            width,
            BOX_HEIGHT,
            boxstyle="round,pad=0,rounding_size=6",
            facecolor="none",
            edgecolor=style.MUTED.light if idle else style.INK.light,
            linewidth=1.3,
            linestyle=(0, (3, 2.5)) if idle else "-",
        )
    )


def _circle(axes: Axes, x: float, colour: str, filled: bool) -> None:
    face = colour if filled else "none"
    axes.add_patch(Circle((x, 0), RADIUS, facecolor=face, edgecolor=colour, linewidth=1.6))


def _arrow(axes: Axes, points: list[tuple[float, float]], colour: str, width: float, head: float = 10) -> None:
    """A line through two points, or a cubic through four, with its head at the last."""
    later = Path.CURVE4 if len(points) == 4 else Path.LINETO
    path = Path(points, [Path.MOVETO] + [later] * (len(points) - 1))
    axes.add_patch(
        FancyArrowPatch(
            path=path,
            arrowstyle="-|>",
            mutation_scale=head,
            color=colour,
            linewidth=width,
            joinstyle="miter",
            capstyle="butt",
        )
    )


def _write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 13,
    colour: str = style.INK.light,
    maths: bool = True,
) -> None:
    text = _maths(text) if maths else text
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=colour)


def _maths(text: str) -> str:
    """Return "W3ᵀ", "V⁺" or "δ1" set as mathematics: index low, transposition and pseudo-inversion high."""

    def one(found: re.Match[str]) -> str:
        letter, number, above = found.groups()
        letter = {"δ": r"\delta", "ŷ": r"\hat{y}"}.get(letter, letter)
        return (
            f"${letter}"
            + (f"_{{{number}}}" if number else "")
            + {"ᵀ": r"^{\mathsf{T}}", "⁺": "^{+}"}.get(above, "")
            + "$"
        )

    return re.sub(r"(?<![^\W\d_])([^\W\d_])(\d*)([ᵀ⁺]?)(?=\s|$)", one, text)
