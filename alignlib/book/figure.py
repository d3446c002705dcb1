"""The figure object: what is drawn, as plain data, with its provenance, identifier and alternative text.

A figure is data first. Drawing (:mod:`alignlib.book.drawing`) reads this model and nothing else, so colours and
layout can change without computing anything again, and the check compares exactly what the reader sees.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alignlib._typing import Array
from alignlib.errors import InvalidValue, choose

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

JSON = dict[str, Any]

MIME = "application/vnd.alignlib.figure+json"
KINDS = ("lines", "dots", "bars", "image", "wiring")
SCALES = ("linear", "log")
SHORTEST_ALT = 20
SIGNIFICANT_DIGITS = 7


def check_id(kind: str, name: object) -> str:
    """Return ``name`` if it can be an identifier and an anchor: lower-case words joined by hyphens."""
    if isinstance(name, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        return name
    raise InvalidValue(f"{kind} {name!r} is not an identifier: use lower-case words joined by hyphens.")


def check_alt(owner: str, alt: object) -> str:
    """Return the alternative text if it says something: a sentence of at least 20 characters."""
    if isinstance(alt, str) and len(alt.strip()) >= SHORTEST_ALT:
        return alt.strip()
    raise InvalidValue(
        f"{owner} needs an alternative text for readers who cannot see it: one sentence of at least "
        f"{SHORTEST_ALT} characters that tells what it shows; received {alt!r}."
    )


#: Why a quantity is not compared with its reference.
WALL_TIME = "wall time"


@dataclass(frozen=True)
class Guide:
    """A line that gives the data a meaning: the 90° line, zero, a published value."""

    axis: str
    value: float
    label: str = ""

    def __post_init__(self) -> None:
        choose("guide axis", self.axis, ("x", "y"))

    def to_json(self) -> JSON:
        """Return the guide as plain JSON values."""
        return {"axis": self.axis, "value": float(self.value), "label": self.label}


@dataclass(frozen=True, eq=False)
class Series:
    """One line, one row of dots, one group of bars, or one grid of an image panel.

    x: numbers, or names of categories; for an image the names of its columns (or empty).
    y: floats of shape (n,) or (seeds, n); for an image (rows, columns). What is not finite becomes a gap (NaN).
    rule: short name of the learning rule whose colour it wears, or None.
    free: why y is shown and not compared with its reference, such as WALL_TIME; empty for what computing decides.
    seeds: the seed of each row of y, if known. rows: the names of an image's rows, if any.
    spread: half the length of an interval around each y of shape (n,), for what was published with a deviation; only
    rows of dots draw it.
    """

    name: str
    x: Sequence[Any]
    y: Array
    rule: str | None = None
    free: str = ""
    seeds: Sequence[int] = ()
    rows: Sequence[str] = ()
    spread: Sequence[float] = ()

    def __post_init__(self) -> None:
        y = np.array(self.y, dtype=np.float64)
        y[~np.isfinite(y)] = np.nan
        y.flags.writeable = False
        object.__setattr__(self, "y", y)
        object.__setattr__(self, "x", tuple(_plain(value) for value in self.x))
        object.__setattr__(self, "seeds", tuple(int(seed) for seed in self.seeds))
        object.__setattr__(self, "rows", tuple(str(row) for row in self.rows))
        object.__setattr__(self, "spread", tuple(float(half) for half in self.spread))
        if y.ndim not in (1, 2):
            raise InvalidValue(f"series {self.name!r}: y must be (n,) or (seeds, n), received shape {y.shape}.")
        if (self.x or not self.is_image_like) and y.shape[-1] != len(self.x):
            raise InvalidValue(f"series {self.name!r}: {len(self.x)} x values but y of shape {y.shape}.")
        if self.seeds and (y.ndim != 2 or y.shape[0] != len(self.seeds)):
            raise InvalidValue(f"series {self.name!r}: {len(self.seeds)} seeds but y of shape {y.shape}.")
        if self.rows and y.shape[:-1] != (len(self.rows),):
            raise InvalidValue(f"series {self.name!r}: {len(self.rows)} rows named but y of shape {y.shape}.")
        if self.spread and y.shape != (len(self.spread),):
            raise InvalidValue(f"series {self.name!r}: {len(self.spread)} intervals but y of shape {y.shape}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.name, self.rule, self.x))

    @property
    def is_image_like(self) -> bool:
        """Whether y is a grid that needs no x: a small picture."""
        return self.y.ndim == 2 and not self.seeds

    @property
    def runs(self) -> Array:
        """Y as (seeds, n), with a single row where there is one run."""
        return np.atleast_2d(self.y)

    def to_json(self) -> JSON:
        """Return the series as plain JSON values; gaps are null."""
        data: JSON = {
            "name": self.name,
            "rule": self.rule,
            "x": [_null(value) for value in self.x],
            "y": _nested(self.y),
        }
        if self.free:
            data["free"] = self.free
        if self.seeds:
            data["seeds"] = list(self.seeds)
        if self.rows:
            data["rows"] = list(self.rows)
        if self.spread:
            data["spread"] = [_null(half) for half in self.spread]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Series:
        """Inverse of :meth:`to_json`."""
        return cls(
            name=data["name"],
            x=[math.nan if value is None else value for value in data["x"]],
            y=np.array(data["y"], dtype=np.float64),
            rule=data.get("rule"),
            free=data.get("free", ""),
            seeds=data.get("seeds", ()),
            rows=data.get("rows", ()),
            spread=[math.nan if half is None else half for half in data.get("spread", ())],
        )


@dataclass(frozen=True)
class Wiring:
    """How the error travels, as nodes and edges.

    nodes: ``{"id": "layer 1", "label": "h1"}`` from the input to the error, in the order of the forward pass.
    edges: ``{"source": "error", "target": "layer 1", "matrices": ["B1"]}``.
    signal: the letter of what arrives at a layer.
    """

    rule: str
    nodes: Sequence[Mapping[str, Any]]
    edges: Sequence[Mapping[str, Any]]
    signal: str = "δ"

    def __post_init__(self) -> None:
        known = [node["id"] for node in self.nodes]
        for edge in self.edges:
            for end in ("source", "target"):
                choose(f"{end} of an edge", edge[end], known)

    def to_json(self) -> JSON:
        """Return the wiring as plain JSON values."""
        edges = [{**edge, "matrices": list(edge["matrices"])} for edge in self.edges]
        data: JSON = {"rule": self.rule, "nodes": [dict(node) for node in self.nodes], "edges": edges}
        return data if self.signal == "δ" else {**data, "signal": self.signal}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Wiring:
        """Inverse of :meth:`to_json`."""
        return cls(data["rule"], tuple(data["nodes"]), tuple(data["edges"]), data.get("signal", "δ"))


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``y`` is the axis of the values, also where categories make it lie down.

    data: checksum of each data set that the numbers come from; goes to the figure's provenance.
    """

    kind: str
    series: Sequence[Series] = ()
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    x_scale: str = "linear"
    y_scale: str = "linear"
    y_limits: tuple[float, float] | None = None
    guides: Sequence[Guide] = ()
    wiring: Wiring | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choose("kind of panel", self.kind, KINDS)
        choose("x_scale", self.x_scale, SCALES)
        choose("y_scale", self.y_scale, SCALES)
        object.__setattr__(self, "series", tuple(self.series))
        object.__setattr__(self, "guides", tuple(self.guides))
        if (self.kind == "wiring") != (self.wiring is not None):
            raise InvalidValue(f"{self._who}: a wiring belongs to a panel of kind 'wiring', and only there.")
        if self.kind != "wiring" and not self.series:
            raise InvalidValue(f"{self._who} has no series.")
        names = [series.name for series in self.series]
        for name in names:
            if names.count(name) > 1:
                raise InvalidValue(f"{self._who} has two series called {name!r}.")
        for series in self.series:
            self._check_series(series)

    @property
    def _who(self) -> str:
        return f"panel {self.title!r} ({self.kind})"

    def _check_series(self, series: Series) -> None:
        if self.kind == "image":
            if series.y.ndim != 2:
                raise InvalidValue(f"{self._who}: {series.name!r} must be (rows, columns), not {series.y.shape}.")
        elif len(series.x) != series.y.shape[-1]:
            raise InvalidValue(f"{self._who}: {series.name!r} has no x values.")
        if self.kind == "lines" and any(isinstance(value, str) for value in series.x):
            raise InvalidValue(f"{self._who}: the x of {series.name!r} must be numbers; for names take 'dots'.")
        if series.spread and self.kind != "dots":
            raise InvalidValue(f"{self._who}: only dots show the intervals of {series.name!r}.")
        if self.kind in ("dots", "bars") and not all(isinstance(value, str) for value in series.x):
            raise InvalidValue(f"{self._who}: the x of {series.name!r} must be names (str); for numbers take 'lines'.")

    def to_json(self) -> JSON:
        """Return the panel as plain JSON values."""
        data: JSON = {
            "kind": self.kind,
            "title": self.title,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "x_scale": self.x_scale,
            "y_scale": self.y_scale,
            "guides": [guide.to_json() for guide in self.guides],
            "series": [series.to_json() for series in self.series],
        }
        if self.y_limits is not None:
            data["y_limits"] = [float(limit) for limit in self.y_limits]
        if self.wiring is not None:
            data["wiring"] = self.wiring.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Panel:
        """Inverse of :meth:`to_json`."""
        limits, wiring = data.get("y_limits"), data.get("wiring")
        return cls(
            kind=data["kind"],
            series=[Series.from_json(series) for series in data["series"]],
            title=data["title"],
            x_label=data["x_label"],
            y_label=data["y_label"],
            x_scale=data["x_scale"],
            y_scale=data["y_scale"],
            y_limits=None if limits is None else (limits[0], limits[1]),
            guides=[Guide(**guide) for guide in data["guides"]],
            wiring=None if wiring is None else Wiring.from_json(wiring),
        )


@dataclass(frozen=True)
class Figure:
    """A figure of the book: identifier, panels, alternative text, provenance. Draws and describes itself.

    ``provenance`` is plain JSON: figure, chapter, profile, parameters, data, versions; the digest is added.
    """

    id: str
    chapter: str
    panels: Sequence[Panel]
    alt: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_id("figure", self.id)
        object.__setattr__(self, "alt", check_alt(f"figure {self.id!r}", self.alt))
        object.__setattr__(self, "panels", tuple(self.panels))
        if not self.panels:
            raise InvalidValue(f"figure {self.id!r} has no panel.")

    @property
    def digest(self) -> str:
        """SHA-256 of the numbers rounded to 7 significant digits; wall times and other free series left out."""
        content = [
            {
                "series": [_content(s) for s in panel.series if not s.free],
                "wiring": panel.wiring.to_json() if panel.wiring else None,
            }
            for panel in self.panels
        ]
        canonical = json.dumps(_rounded(content), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> JSON:
        """Return the whole figure as plain JSON values."""
        return {
            "id": self.id,
            "chapter": self.chapter,
            "panels": [panel.to_json() for panel in self.panels],
            "alt": self.alt,
            "provenance": {**self.provenance, "digest": self.digest},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Figure:
        """Inverse of :meth:`to_json`; InvalidValue names what is missing or wrong."""
        try:
            panels = [Panel.from_json(panel) for panel in data["panels"]]
            return cls(data["id"], data["chapter"], panels, data["alt"], data.get("provenance", {}))
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"figure {data.get('id', '?')!r} cannot be read: {error!r}.") from error

    def to_csv(self) -> str:
        """Return the numbers as one tidy table: panel, series, seed, x, y (an image's x reads "row / column")."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["panel", "series", "seed", "x", "y"])
        for number, panel in enumerate(self.panels, start=1):
            table.writerows([panel.title or number, *line] for line in _csv_lines(panel))
        return text.getvalue()

    def draw(self, reference: Figure | None = None) -> MatplotlibFigure:
        """Return the drawing as a Matplotlib figure of its own (no pyplot); ``reference`` in grey behind."""
        from alignlib.book.drawing import draw

        return draw(self, reference)

    def svg(self, reference: Figure | None = None) -> str:
        """Return the drawing as SVG that follows the reader's light or dark theme."""
        from alignlib.book.drawing import draw, to_svg

        return to_svg(draw(self, reference), self._metadata)

    def png(self, reference: Figure | None = None) -> bytes:
        """Return the drawing as PNG, 150 dots per inch, on white."""
        from alignlib.book.drawing import draw, to_png

        return to_png(draw(self, reference), self._metadata)

    @property
    def _metadata(self) -> str:
        return json.dumps(self.to_json()["provenance"], sort_keys=True, ensure_ascii=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> JSON:
        from alignlib.book.drawing import draw, to_png, to_svg

        drawing = draw(self)
        return {
            "image/svg+xml": to_svg(drawing, self._metadata),
            "image/png": b64encode(to_png(drawing, self._metadata)).decode(),
            MIME: self.to_json(),
            "text/plain": self.alt,
        }


def series(
    name: str,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    rule: str | None = None,
    *,
    free: str = "",
    seeds: Sequence[int] = (),
    rows: Sequence[str] = (),
    spread: Sequence[float] = (),
) -> Series:
    """Return a :class:`Series` from anything that NumPy understands."""
    return Series(name, _listed(x), np.asarray(y), rule, free, seeds, rows, spread)


def panel(kind: str, series: Series | Sequence[Series], **details: Any) -> Panel:
    """Return a :class:`Panel` of one or several series; ``details`` are its labels, scales and guides."""
    return Panel(kind, [series] if isinstance(series, Series) else series, **details)


def _listed(values: npt.ArrayLike) -> list[Any]:
    return list(np.asarray(values).tolist())


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _nested(values: Array) -> list[Any]:
    if values.ndim > 1:
        return [_nested(row) for row in values]
    return [_null(float(value)) for value in values]


def _content(series: Series) -> list[Any]:
    content = [series.name, series.x, _nested(series.y)]
    return [*content, series.spread] if series.spread else content


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _csv_lines(panel: Panel) -> list[list[Any]]:
    if panel.wiring is not None:
        return [["wiring", "", f"{e['source']} → {e['target']}", " ".join(e["matrices"])] for e in panel.wiring.edges]
    lines: list[list[Any]] = []
    for series in panel.series:
        columns = series.x or tuple(float(i) for i in range(series.y.shape[-1]))
        for number, row in enumerate(series.runs):
            if panel.kind == "image":
                name = series.rows[number] if series.rows else number
                lines += [
                    [series.name, "", f"{name} / {_text(x)}", _text(y)] for x, y in zip(columns, row, strict=True)
                ]
            else:
                seed = series.seeds[number] if series.seeds else (number if series.y.ndim == 2 else "")
                lines += [[series.name, seed, _text(x), _text(y)] for x, y in zip(columns, row, strict=True)]
        lines += [[f"{series.name} ±", "", _text(x), _text(y)] for x, y in zip(columns, series.spread, strict=False)]
    return lines


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(float(value))
