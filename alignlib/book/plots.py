"""From results to panels: which runs share a line, what a line is called, and how exactly it must be met again.

Everything here groups the runs by the experiment's own fields, puts seeds side by side, and refuses to put two runs
in one place: then some other field differs and should be named. Besides the fields there are "depth" (number of
hidden layers) and "width" (of all of them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol, TypedDict, Unpack

import numpy as np

from alignlib._typing import Array
from alignlib.book.claims import Measured
from alignlib.book.figure import WALL_TIME, Guide, Panel, Series
from alignlib.errors import InvalidValue, choose

TIME_CURVES = ("seconds",)
DERIVED = ("depth", "width")
LOG_FROM = 20  #: a swept range wider than this factor is drawn on a logarithmic axis

#: What the axes say; units in brackets.
LABELS: dict[str, str] = {
    "epoch": "epoch",
    "step": "update",
    "seconds": "training time (s)",
    "train_loss": "training loss",
    "train_error": "training error (%)",
    "test_loss": "test loss",
    "test_error": "test error (%)",
    "delta_angle": "angle of δ to BP (°)",
    "gradient_angle": "angle of gradient to BP (°)",
    "weight_angle": "angle of B to Wᵀ (°)",
    "weight_norm": "norm of the weights",
    "learning_rate": "learning rate",
    "feedback_scale": "scale of the feedback",
    "init_scale": "scale of the initial weights",
    "batch_size": "batch size",
    "train_size": "training examples",
    "label_noise": "share of shuffled labels",
    "dropout_input": "share of dropped inputs",
    "dropout_hidden": "share of dropped hidden units",
    "adversarial": "ε of adversarial training",
    "activation": "hidden units",
    "init": "initial weights",
    "depth": "hidden layers",
    "width": "units in each hidden layer",
}

#: What stands before a value in the name of a series, where the value alone would say too little.
PREFIXES: dict[str, str] = {
    "learning_rate": "rate",
    "feedback_scale": "scale",
    "init_scale": "scale",
    "batch_size": "batch",
    "train_size": "n =",
    "label_noise": "noise",
    "dropout_input": "dropped",
    "dropout_hidden": "dropped",
    "adversarial": "ε =",
    "rule": "",
    "hidden": "",
}

#: What settings are called in running text, where that differs from how they are written in code.
NAMES: dict[str, str] = {
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "relu": "ReLU",
    "glorot": "Glorot",
    "he": "He",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
}


class ResultLike(Protocol):
    """What is read of a result: its experiment, its curves, and the checksum of its data."""

    @property
    def experiment(self) -> Any:
        """The experiment, a dataclass of settings."""

    @property
    def curves(self) -> Mapping[str, Array]:
        """Curves by name, all of equal length."""

    @property
    def data_checksum(self) -> str:
        """SHA-256 of the data set."""


class Details(TypedDict, total=False):
    """What every function here hands on to its panel instead of its own choice."""

    title: str
    x_label: str
    y_label: str
    x_scale: str
    y_scale: str
    y_limits: tuple[float, float]
    guides: Sequence[Guide]


Results = Sequence[ResultLike]
By = str | Sequence[str]
Key = tuple[Any, ...]
Names = Mapping[Any, str]


def curves(
    results: Results,
    y: str,
    by: By = "rule",
    x: str = "epoch",
    *,
    names: Names | None = None,
    **details: Unpack[Details],
) -> Panel:
    """Return one line for each value of ``by``: a curve over training, seeds side by side.

    Runs that stopped early end in a gap. ``names`` calls values of ``by`` otherwise: ``{True: "shared B"}``.
    """
    series = [
        _curve_series(runs, y, x, _name(by, key, names), _rule_of(by, key))
        for key, runs in _grouped(results, by).items()
    ]
    own: Details = {"x_label": label_of(x), "y_label": label_of(y)}
    return _panel("lines", series, results, own, details)


def layer_curves(
    results: Results,
    y: str,
    x: str = "epoch",
    **details: Unpack[Details],
) -> Panel:
    """Return one line for each layer, first = 1, of a curve measured by layer ("delta_angle", "weight_norm").

    The results must be of one rule; its label is the title unless another is given.
    """
    rules = list(dict.fromkeys(result.experiment.rule for result in results))
    if len(rules) != 1:
        raise InvalidValue(f"layer_curves shows one rule, received {len(rules)}: {rules}; make a panel for each.")
    names = _layer_names(results[0], y)
    series = [_curve_series(results, name, x, f"layer {name.split('/')[1]}", rules[0]) for name in names]
    own: Details = {"title": rule_label(rules[0]), "x_label": label_of(x), "y_label": label_of(y)}
    return _panel("lines", series, results, own, details)


def finals(
    results: Results,
    y: str = "test_error",
    by: By = "rule",
    across: str | None = None,
    *,
    names: Names | None = None,
    **details: Unpack[Details],
) -> Panel:
    """Return dots: the last value of each run, one row for each value of ``by``.

    With ``across`` the rows are the values of that field and ``by`` distinguishes the dots within a row.
    """
    series = []
    for key, runs in _grouped(results, by).items():
        name = _name(by, key, names)
        rows = _sorted_groups(runs, across) if across else {key: runs}
        seeds, values = _by_seed(list(rows.values()), y, name)
        series.append(
            Series(
                name=name,
                x=[value_label(across, row[0]) for row in rows] if across else [name],
                y=values,
                rule=_rule_of(by, key),
                free=_free(y),
                seeds=seeds,
            )
        )
    own: Details = {"x_label": label_of(across) if across else "", "y_label": label_of(y)}
    return _panel("dots", series, results, own, details)


def sweep(
    results: Results,
    x: str,
    y: str = "test_error",
    by: By = "rule",
    *,
    names: Names | None = None,
    **details: Unpack[Details],
) -> Panel:
    """Return lines of the last value of each run over a field that was swept ("learning_rate").

    The x axis is logarithmic by itself when the values are positive and span more than a factor of 20.
    """
    series = []
    for key, runs in _grouped(results, by).items():
        name = _name(by, key, names)
        points = dict(sorted(_grouped(runs, x).items(), key=lambda point: _number(x, point[0][0])))
        seeds, values = _by_seed(list(points.values()), y, name)
        series.append(
            Series(
                name=name,
                x=[_number(x, point[0]) for point in points],
                y=values,
                rule=_rule_of(by, key),
                free=_free(y),
                seeds=seeds,
            )
        )
    scale = _scale([value for line in series for value in line.x])
    own: Details = {"x_label": label_of(x), "y_label": label_of(y), "x_scale": scale}
    return _panel("lines", series, results, own, details)


def heatmap(
    results: Results,
    rows: str,
    columns: str,
    value: str = "test_error",
    **details: Unpack[Details],
) -> Panel:
    """Return a grid of the last values, mean over seeds; cells without a run stay empty."""
    row_groups = _sorted_groups(results, rows)
    column_keys = list(_sorted_groups(results, columns))
    grid = np.full((len(row_groups), len(column_keys)), np.nan)
    for i, (row, runs) in enumerate(row_groups.items()):
        for column, cell in _grouped(runs, columns).items():
            _, values = _by_seed([cell], value, f"{rows}={row[0]}, {columns}={column[0]}")
            if np.isfinite(values).any():
                grid[i, column_keys.index(column)] = Measured.of(values).mean
    series = Series(
        name=label_of(value),
        x=[value_label(columns, key[0]) for key in column_keys],
        y=grid,
        free=_free(value),
        rows=[value_label(rows, key[0]) for key in row_groups],
    )
    return _panel("image", [series], results, {"x_label": label_of(columns), "y_label": label_of(rows)}, details)


def final(result: ResultLike, y: str = "test_error") -> float:
    """Return the last value of a curve."""
    return float(_curve(result, y)[-1])


def mean_std(results: Results, y: str = "test_error") -> Measured:
    """Return mean, standard deviation and number of the last values: reads "2.31 ± 0.12 (n=5)"."""
    if not results:
        raise InvalidValue(f"mean_std of {y!r}: there are no results.")
    return Measured.of([final(result, y) for result in results])


def select(results: Results, **settings: Any) -> list[ResultLike]:
    """Return the results whose experiment has these values, ``select(results, rule="dfa", seed=0)``.

    InvalidValue if there are none, so that no claim is made of nothing.
    """
    found = [r for r in results if all(_setting(r, n) == _hashable(v) for n, v in settings.items())]
    if not found:
        raise InvalidValue(f"none of the {len(results)} results has {settings}.")
    return found


def data_of(results: Results) -> dict[str, str]:
    """Return the checksum of each data set that the results were computed from."""
    return {result.experiment.dataset: result.data_checksum for result in results}


def label_of(quantity: str) -> str:
    """Return how a curve or a field is called on an axis."""
    name, _, layer = quantity.partition("/")
    label = LABELS.get(name, name.replace("_", " "))
    return f"{label}, layer {layer}" if layer else label


def rule_label(name: str) -> str:
    """Return how a rule is called in figures ("DFA"); InvalidValue for a rule that there is not."""
    from alignlib.rules import RULES

    return RULES[choose("rule", name, RULES)].label


def value_label(name: str | None, value: Any) -> str:
    """Return how a value of a field is called: a rule by its label, widths as 2×128, an optimiser as in text."""
    if name == "rule":
        return rule_label(value)
    if isinstance(value, tuple):
        equal = len(value) > 1 and len(set(value)) == 1
        return f"{len(value)}×{value[0]}" if equal else "-".join(str(width) for width in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else NAMES.get(value, str(value))


def _panel(kind: str, series: Sequence[Series], results: Results, own: Details, given: Details) -> Panel:
    """The panel of ``series``, with what the caller said in the place of our own choices."""
    for name in given:
        choose("detail of a panel", name, Details.__annotations__)
    chosen: Details = {**own, **given}
    return Panel(kind=kind, series=series, data=data_of(results), **chosen)


def _name(by: By, key: Key, names: Names | None) -> str:
    """What a series is called: by its values, each with a word before it where it needs one."""
    wanted = key[0] if len(key) == 1 else key
    if names is not None and wanted in names:
        return names[wanted]
    parts = []
    for field, value in zip(_listed(by), key, strict=True):
        prefix = "" if isinstance(value, str) else PREFIXES.get(field, field.replace("_", " "))
        parts.append(f"{prefix} {value_label(field, value)}".strip())
    return ", ".join(parts)


def _rule_of(by: By, key: Key) -> str | None:
    names = _listed(by)
    return str(key[names.index("rule")]) if "rule" in names else None


def _listed(by: By) -> list[str]:
    return [by] if isinstance(by, str) else list(by)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _field_names(result: ResultLike) -> list[str]:
    return [field.name for field in fields(result.experiment)]


def _setting(result: ResultLike, name: str) -> Any:
    """The value of a field of the experiment, or of "depth" and "width", which follow from "hidden"."""
    hidden: tuple[int, ...] = getattr(result.experiment, "hidden", ())
    if name == "depth":
        return len(hidden)
    if name == "width":
        if len(set(hidden)) != 1:
            raise InvalidValue(f"'width' needs hidden layers of one width, received hidden={hidden}.")
        return hidden[0]
    return _hashable(getattr(result.experiment, choose("field", name, (*_field_names(result), *DERIVED))))


def _grouped(results: Results, by: By) -> dict[Key, list[ResultLike]]:
    """Results by the values of the fields ``by``, in order of first appearance."""
    if not results:
        raise InvalidValue("there are no results to show.")
    groups: dict[Key, list[ResultLike]] = {}
    for result in results:
        groups.setdefault(tuple(_setting(result, name) for name in _listed(by)), []).append(result)
    return groups


def _sorted_groups(results: Results, by: str) -> dict[Key, list[ResultLike]]:
    """Results by the values of one field: numbers rising, everything else in order of first appearance."""
    groups = _grouped(results, by)
    numbers = all(isinstance(key[0], int | float) for key in groups)
    return dict(sorted(groups.items())) if numbers else groups


def _seeds(runs: Results, name: str) -> dict[int, ResultLike]:
    """The runs of one line by seed; InvalidValue names the field in which two runs of one seed differ."""
    by_seed: dict[int, ResultLike] = {}
    for run in runs:
        other = by_seed.setdefault(run.experiment.seed, run)
        if other is not run:
            differing = [f for f in _field_names(run) if _setting(run, f) != _setting(other, f)]
            advice = f"they differ in {', '.join(differing)}: name it in `by`, or select one value"
            advice = advice if differing else "they are the same experiment"
            raise InvalidValue(f"two runs with seed {run.experiment.seed} fall on {name!r}; {advice}.")
    return dict(sorted(by_seed.items()))


def _curve(result: ResultLike, name: str) -> Array:
    return np.asarray(result.curves[choose("curve", name, result.curves)], dtype=np.float64)


def _layer_names(result: ResultLike, y: str) -> list[str]:
    """The curves "y/1", "y/2", … in the order of the layers."""
    layers = [name.split("/")[1] for name in result.curves if name.startswith(f"{y}/")]
    if not layers:
        choose("curve by layer", y, {name.split("/")[0] for name in result.curves if "/" in name})
    return [f"{y}/{layer}" for layer in sorted(layers, key=int)]


def _curve_series(runs: Results, y: str, x: str, name: str, rule: str | None) -> Series:
    by_seed = _seeds(runs, name)
    xs = [_curve(run, x) for run in by_seed.values()]
    length = max(len(values) for values in xs)
    return Series(
        name=name,
        x=_common(xs, length, x, name).tolist(),
        y=np.stack([_padded(_curve(run, y), length) for run in by_seed.values()]),
        rule=rule,
        free=_free(x, y),
        seeds=list(by_seed),
    )


def _common(xs: Sequence[Array], length: int, x: str, name: str) -> Array:
    """The x that the runs share; wall times, which no two runs share, give their median."""
    stacked = np.stack([_padded(values, length) for values in xs])
    if x in TIME_CURVES:
        return np.asarray(np.nanmedian(stacked, axis=0))
    longest = max(xs, key=len)
    if any(not np.array_equal(values, longest[: len(values)]) for values in xs):
        raise InvalidValue(f"the runs of {name!r} were recorded at different values of {x!r}.")
    return longest


def _padded(values: Array, length: int) -> Array:
    return np.concatenate([values, np.full(length - len(values), np.nan)])


def _by_seed(places: Sequence[Results], y: str, name: str) -> tuple[list[int], Array]:
    """Last values as (seeds, places); a seed that was not run at a place leaves a gap there."""
    runs = [_seeds(place, name) for place in places]
    seeds = sorted({seed for place in runs for seed in place})
    values = [[final(place[seed], y) if seed in place else math.nan for place in runs] for seed in seeds]
    return seeds, np.array(values)


def _free(*names: str) -> str:
    """Return why curves of these names are not compared: wall times never are."""
    return WALL_TIME if any(name in TIME_CURVES for name in names) else ""


def _number(name: str, value: Any) -> float:
    """The place of a swept value on the x axis."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{name!r} has the value {value!r}, not a number; take finals(…, across={name!r}).")
    return float(value)


def _scale(values: Sequence[Any]) -> str:
    return "log" if min(values) > 0 and max(values) > LOG_FROM * min(values) else "linear"
