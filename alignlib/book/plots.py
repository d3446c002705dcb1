"""From results to panels: which runs share a line, what a line is called, and how exactly it must be met again.

Everything here groups the runs by the experiment's own fields, puts seeds side by side, and refuses to put two runs
in one place: then some other field differs and should be named.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from alignlib._typing import Array
from alignlib.book.claims import Measured
from alignlib.book.figure import EXACT, SPREAD, WALL_TIME, Guide, Panel, Series, Tolerance
from alignlib.errors import InvalidValue, choose

TIME_CURVES = ("seconds",)

#: What the axes say; units in brackets.
LABELS: dict[str, str] = {
    "epoch": "epoch",
    "step": "update",
    "seconds": "training time (s)",
    "train_loss": "training loss",
    "train_error": "training error (%)",
    "test_loss": "test loss",
    "test_error": "test error (%)",
    "delta_angle": "angle of δ to backprop's δ (°)",
    "gradient_angle": "angle of the gradient to backprop's (°)",
    "weight_angle": "angle of feedback to weights (°)",
    "weight_norm": "norm of the weights",
    "learning_rate": "learning rate",
    "feedback_scale": "scale of the feedback",
    "init_scale": "scale of the initial weights",
    "batch_size": "batch size",
    "train_size": "training examples",
}


class ResultLike(Protocol):
    """What is read of a result: its experiment, its curves, and the checksum of its data."""

    @property
    def experiment(self) -> Any:
        """The experiment, with its settings as attributes."""

    @property
    def curves(self) -> Mapping[str, Array]:
        """Curves by name, all of equal length."""

    @property
    def data_checksum(self) -> str:
        """SHA-256 of the data set."""


Results = Sequence[ResultLike]
By = str | Sequence[str]
Key = tuple[Any, ...]


def curves(
    results: Results,
    y: str,
    by: By = "rule",
    x: str = "epoch",
    *,
    title: str = "",
    x_label: str | None = None,
    y_label: str | None = None,
    x_scale: str = "linear",
    y_scale: str = "linear",
    y_limits: tuple[float, float] | None = None,
    guides: Iterable[Guide] = (),
    tolerance: Tolerance | None = None,
) -> Panel:
    """Return one line for each value of ``by``: a curve over training, seeds side by side.

    Runs that stopped early end in a gap.
    """
    series = [
        _curve_series(runs, y, x, _label(by, key), _rule_of(by, key), tolerance)
        for key, runs in _grouped(results, by).items()
    ]
    return Panel(
        kind="lines",
        series=series,
        title=title,
        x_label=label_of(x) if x_label is None else x_label,
        y_label=label_of(y) if y_label is None else y_label,
        x_scale=x_scale,
        y_scale=y_scale,
        y_limits=y_limits,
        guides=tuple(guides),
        data=data_of(results),
    )


def layer_curves(
    results: Results,
    y: str,
    x: str = "epoch",
    *,
    title: str | None = None,
    y_label: str | None = None,
    y_limits: tuple[float, float] | None = None,
    guides: Iterable[Guide] = (),
    tolerance: Tolerance | None = None,
) -> Panel:
    """Return one line for each layer, first = 1, of a curve measured by layer ("delta_angle", "weight_norm").

    The results must be of one rule; its label is the title unless another is given.
    """
    rules = list(dict.fromkeys(result.experiment.rule for result in results))
    if len(rules) != 1:
        raise InvalidValue(
            f"layer_curves shows one rule, received {len(rules)}: {rules}; make a panel for each."
        )
    first = results[0].curves
    layers = sorted(
        (name for name in first if name.startswith(f"{y}/")), key=lambda name: int(name.split("/")[1])
    )
    if not layers:
        choose("curve by layer", y, {name.split("/")[0] for name in first if "/" in name})
    series = [
        _curve_series(results, name, x, f"layer {name.split('/')[1]}", rules[0], tolerance) for name in layers
    ]
    return Panel(
        kind="lines",
        series=series,
        title=rule_label(rules[0]) if title is None else title,
        x_label=label_of(x),
        y_label=label_of(y) if y_label is None else y_label,
        y_limits=y_limits,
        guides=tuple(guides),
        data=data_of(results),
    )


def finals(
    results: Results,
    y: str = "test_error",
    by: By = "rule",
    across: str | None = None,
    *,
    title: str = "",
    y_label: str | None = None,
    y_scale: str = "linear",
    guides: Iterable[Guide] = (),
    tolerance: Tolerance | None = None,
) -> Panel:
    """Return dots: the last value of each run, one row for each value of ``by``.

    With ``across`` the rows are the values of that field and ``by`` distinguishes the dots within a row.
    """
    series = []
    for key, runs in _grouped(results, by).items():
        name = _label(by, key)
        rows = _grouped(runs, across) if across else {key: list(runs)}
        seeds, values = _by_seed(list(rows.values()), y, name)
        series.append(
            Series(
                name=name,
                x=[value_label(across, row[0]) for row in rows] if across else [name],
                y=values,
                rule=_rule_of(by, key),
                tolerance=_tolerance(runs, (y,), tolerance),
                seeds=seeds,
            )
        )
    return Panel(
        kind="dots",
        series=series,
        title=title,
        x_label=label_of(across) if across else "",
        y_label=label_of(y) if y_label is None else y_label,
        y_scale=y_scale,
        guides=tuple(guides),
        data=data_of(results),
    )


def sweep(
    results: Results,
    x: str,
    y: str = "test_error",
    by: By = "rule",
    *,
    title: str = "",
    x_label: str | None = None,
    y_label: str | None = None,
    x_scale: str | None = None,
    y_scale: str = "linear",
    y_limits: tuple[float, float] | None = None,
    guides: Iterable[Guide] = (),
    tolerance: Tolerance | None = None,
) -> Panel:
    """Return lines of the last value of each run over a field that was swept ("learning_rate").

    ``x_scale`` is logarithmic by itself when the values are positive and span more than a factor of 20.
    """
    series = []
    for key, runs in _grouped(results, by).items():
        name = _label(by, key)
        points = dict(sorted(_grouped(runs, x).items(), key=lambda item: _number(x, item[0][0])))
        seeds, values = _by_seed(list(points.values()), y, name)
        series.append(
            Series(
                name=name,
                x=[_number(x, point[0]) for point in points],
                y=values,
                rule=_rule_of(by, key),
                tolerance=_tolerance(runs, (y,), tolerance),
                seeds=seeds,
            )
        )
    return Panel(
        kind="lines",
        series=series,
        title=title,
        x_label=label_of(x) if x_label is None else x_label,
        y_label=label_of(y) if y_label is None else y_label,
        x_scale=_scale([value for s in series for value in s.x]) if x_scale is None else x_scale,
        y_scale=y_scale,
        y_limits=y_limits,
        guides=tuple(guides),
        data=data_of(results),
    )


def heatmap(
    results: Results,
    rows: str,
    columns: str,
    value: str = "test_error",
    *,
    title: str = "",
    tolerance: Tolerance | None = None,
) -> Panel:
    """Return a grid of the last values, mean over seeds; cells without a run stay empty."""
    row_groups = _sorted_groups(results, rows)
    column_keys = list(_sorted_groups(results, columns))
    grid = np.full((len(row_groups), len(column_keys)), np.nan)
    for i, runs in enumerate(row_groups.values()):
        for key, cell in _grouped(runs, columns).items():
            _, values = _by_seed([cell], value, f"{rows}, {columns}")
            finite = values[np.isfinite(values)]
            if finite.size:
                grid[i, column_keys.index(key)] = float(np.mean(finite))
    series = Series(
        name=label_of(value),
        x=[value_label(columns, key[0]) for key in column_keys],
        y=grid,
        tolerance=_tolerance(results, (value,), tolerance),
        rows=[value_label(rows, key[0]) for key in row_groups],
    )
    return Panel(
        kind="image",
        series=[series],
        title=title,
        x_label=label_of(columns),
        y_label=label_of(rows),
        data=data_of(results),
    )


def final(result: ResultLike, y: str = "test_error") -> float:
    """Return the last value of a curve."""
    return float(_curve(result, y)[-1])


def mean_std(results: Results, y: str = "test_error") -> Measured:
    """Return mean, standard deviation and number of the last values: reads "2.31 ± 0.12 (n=5)"."""
    if not results:
        raise InvalidValue(f"mean_std of {y!r}: there are no results.")
    return Measured.of([final(result, y) for result in results])


def select(results: Results, **fields: Any) -> list[ResultLike]:
    """Return the results whose experiment has these values, ``select(results, rule="dfa", seed=0)``.

    InvalidValue if there are none, so that no claim is made of nothing.
    """
    for name in fields:
        if results and not hasattr(results[0].experiment, name):
            choose("field of an experiment", name, _field_names(results[0]))
    wanted = {name: _hashable(value) for name, value in fields.items()}
    found = [r for r in results if all(_hashable(getattr(r.experiment, n)) == v for n, v in wanted.items())]
    if not found:
        raise InvalidValue(f"none of the {len(results)} results has {fields}.")
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
    """Return how a value of a field is called: a rule by its label, widths as 128-128, the rest as it is."""
    if name == "rule":
        return rule_label(value)
    if name == "hidden":
        return "-".join(str(width) for width in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(by: By, key: Key) -> str:
    parts = []
    for name, value in zip(_names(by), key, strict=True):
        alone = name == "rule" or len(key) == 1 or isinstance(value, str)
        parts.append(value_label(name, value) if alone else f"{label_of(name)} {value_label(name, value)}")
    return ", ".join(parts)


def _rule_of(by: By, key: Key) -> str | None:
    names = _names(by)
    return str(key[names.index("rule")]) if "rule" in names else None


def _names(by: By) -> list[str]:
    return [by] if isinstance(by, str) else list(by)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _field_names(result: ResultLike) -> list[str]:
    return [name for name in vars(result.experiment) if not name.startswith("_")]


def _grouped(results: Results, by: By) -> dict[Key, list[ResultLike]]:
    """Results by the values of the fields ``by``, in order of first appearance."""
    if not results:
        raise InvalidValue("there are no results to show.")
    for name in _names(by):
        if not hasattr(results[0].experiment, name):
            choose("field of an experiment", name, _field_names(results[0]))
    groups: dict[Key, list[ResultLike]] = {}
    for result in results:
        key = tuple(_hashable(getattr(result.experiment, name)) for name in _names(by))
        groups.setdefault(key, []).append(result)
    return groups


def _sorted_groups(results: Results, by: str) -> dict[Key, list[ResultLike]]:
    groups = _grouped(results, by)
    numeric = all(isinstance(key[0], int | float) for key in groups)
    return dict(sorted(groups.items())) if numeric else groups


def _seeds(runs: Results, name: str) -> dict[int, ResultLike]:
    """The runs of one line by seed; InvalidValue names the field in which two runs of one seed differ."""
    by_seed: dict[int, ResultLike] = {}
    for run in runs:
        other = by_seed.setdefault(run.experiment.seed, run)
        if other is not run:
            fields = [
                f for f in _field_names(run) if getattr(run.experiment, f) != getattr(other.experiment, f)
            ]
            told = (
                f"they differ in {', '.join(fields)}: name it in `by`, or select one"
                if fields
                else "they are equal"
            )
            raise InvalidValue(f"two runs with seed {run.experiment.seed} fall on {name!r}; {told}.")
    return dict(sorted(by_seed.items()))


def _curve(result: ResultLike, name: str) -> Array:
    return np.asarray(result.curves[choose("curve", name, result.curves)], dtype=np.float64)


def _curve_series(
    runs: Results, y: str, x: str, name: str, rule: str | None, tolerance: Tolerance | None
) -> Series:
    by_seed = _seeds(runs, name)
    xs = [_curve(run, x) for run in by_seed.values()]
    longest = max(xs, key=len)
    if x in TIME_CURVES:
        longest = np.median(_stacked([_padded(values, len(longest)) for values in xs]), axis=0)
    elif any(not np.array_equal(values, longest[: len(values)]) for values in xs):
        raise InvalidValue(f"the runs of {name!r} were recorded at different values of {x!r}.")
    return Series(
        name=name,
        x=longest.tolist(),
        y=_stacked([_padded(_curve(run, y), len(longest)) for run in by_seed.values()]),
        rule=rule,
        tolerance=_tolerance(runs, (x, y), tolerance),
        seeds=list(by_seed),
    )


def _stacked(rows: Sequence[Array]) -> Array:
    return np.stack(list(rows))


def _padded(values: Array, length: int) -> Array:
    return np.concatenate([values, np.full(length - len(values), np.nan)])


def _by_seed(places: Sequence[Results], y: str, name: str) -> tuple[list[int], Array]:
    """Last values as (seeds, places); a seed that was not run at a place leaves a gap there."""
    runs = [_seeds(place, name) for place in places]
    seeds = sorted({seed for place in runs for seed in place})
    values = [[final(place[seed], y) if seed in place else math.nan for place in runs] for seed in seeds]
    return seeds, np.array(values)


def _tolerance(runs: Results, curves: Sequence[str], given: Tolerance | None) -> Tolerance:
    """Wall times are never compared; single precision drifts apart, so its runs are judged by their spread."""
    if any(name in TIME_CURVES for name in curves):
        return WALL_TIME
    if given is not None:
        return given
    double = all(getattr(run.experiment, "dtype", "float64") == "float64" for run in runs)
    return EXACT if double else SPREAD


def _number(name: str, value: Any) -> float:
    """The place of a swept value on the x axis: depth for a list of widths, else the number itself."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(
            f"{name!r} has the value {value!r}, not a number; take finals(…, across={name!r})."
        )
    return float(value)


def _scale(values: Sequence[Any]) -> str:
    return "log" if min(values) > 0 and max(values) > 20 * min(values) else "linear"
