"""What to run: a frozen, hashable description made of plain values."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from alignlib import datasets
from alignlib.activations import ACTIVATIONS
from alignlib.convnet import Convolutions, checked_convolutions
from alignlib.errors import InvalidValue, choose, nearest
from alignlib.initializers import FEEDBACK, WEIGHTS
from alignlib.losses import LOSSES
from alignlib.network import DTYPES
from alignlib.optimizers import OPTIMIZERS
from alignlib.rules import RULES

#: Initial weights as Nøkland (2016) chose them for each rule; see :attr:`Experiment.init`.
PUBLISHED = "published"

_NAMES: dict[str, Iterable[str]] = {
    "dataset": datasets.NAMES,
    "activation": ACTIVATIONS,
    "output": LOSSES,
    "init": (*WEIGHTS, PUBLISHED),
    "rule": RULES,
    "feedback": FEEDBACK,
    "optimizer": OPTIMIZERS,
    "evaluate": ("test", "validation"),
    "dtype": DTYPES,
}
_WHOLE = {
    "epochs": 0,
    "batch_size": 1,
    "probe": 0,
    "record_every": 0,
    "frozen": 0,
    "seed": 0,
    "train_size": 1,
    "feedback_rank": 1,
}
_REAL = (
    "init_scale",
    "feedback_scale",
    "feedback_density",
    "learning_rate",
    "momentum",
    "weight_decay",
    "stop_at_train_error",
    "label_noise",
    "dropout_input",
    "dropout_hidden",
    "adversarial",
)
_OPTIONAL = ("train_size", "stop_at_train_error", "feedback_rank")


@dataclass(frozen=True)
class Experiment:
    """One training run, described completely; equal experiments give equal results.

    Attributes
    ----------
    dataset
        A name in :data:`alignlib.datasets.NAMES`.
    hidden, activation, output
        Widths of the hidden layers, their activation, and the output function with its loss.
    init, init_scale
        Initial weights and the factor they are multiplied with.
        "published" is the one choice that looks at the rule: zero for FA and DFA with tanh or logistic units,
        "fan-in" for everything else (Nøkland 2016).
    rule, feedback, feedback_scale, feedback_shared
        The learning rule, and how its fixed matrices are drawn.
    optimizer, learning_rate, momentum, nesterov, weight_decay
        How a gradient becomes a step.
    epochs, batch_size, stop_at_train_error
        Passes over the training set; examples a step; end of training as soon as the training error of an epoch
        (percent, as seen while training) is at most this.
    evaluate
        "test", or "validation": a part cut out of the training set, for every choice of hyper-parameters.
    train_size
        Use only so many training examples; None for all.
    probe
        Number of training examples at which angles are measured at each record; 0 measures none.
    record_every
        Steps between records; 0 records once an epoch.
    convolutions
        Convolutions below the dense hidden layers, of data made of images: a triple (channels, kernel, pool) for each,
        see :class:`alignlib.ConvNet`.
    frozen
        Number of layers, from the input side, that keep their initial weights, convolutions included.
    feedback_density, feedback_rank
        Share of the entries of the feedback that are not zero; or its rank, None for the full one
        (:func:`alignlib.initializers.draw_feedback`).
    label_noise
        Share of the training examples whose labels are shuffled among them, from 0 to 1; after any cut for validation.
    dropout_input, dropout_hidden
        Shares of the inputs and of the hidden units that are silent at an update, from 0 to less than 1; the others
        are louder by 1 / (1 − share), so nothing changes at evaluation (:class:`alignlib.dropout.Dropout`).
        Nøkland (2016) dropped 0.1 and 0.5.
    adversarial
        ε of training on x + ε sign(∂loss/∂x) instead of x, with the true gradient whatever the rule and without
        clipping (:class:`alignlib.adversarial.Adversary`); Nøkland's (2016) code has 0.08. 0 trains on x.
        With it, or with dropout, errors "as seen while training" are those under it.
    seed
        Independent streams for data, initial weights, feedback, batch order, label noise and dropout come from it,
        so that changing the rule changes nothing else.
    dtype
        "float64" or "float32".

    Raises
    ------
    InvalidValue
        For an unknown field or name, a wrong type, or a value out of range.
    """

    dataset: str = "digits"
    hidden: tuple[int, ...] = (128, 128)
    activation: str = "tanh"
    output: str = "logistic"
    init: str = "fan-in"
    init_scale: float = 1.0
    rule: str = "bp"
    feedback: str = "fan-out"
    feedback_scale: float = 1.0
    feedback_shared: bool = False
    optimizer: str = "rmsprop"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    epochs: int = 20
    batch_size: int = 64
    stop_at_train_error: float | None = None
    evaluate: str = "test"
    train_size: int | None = None
    probe: int = 256
    record_every: int = 0
    convolutions: Convolutions = ()
    frozen: int = 0
    feedback_density: float = 1.0
    feedback_rank: int | None = None
    label_noise: float = 0.0
    dropout_input: float = 0.0
    dropout_hidden: float = 0.0
    adversarial: float = 0.0
    seed: int = 0
    dtype: str = "float64"

    def __new__(cls, *args: Any, **kwargs: Any) -> Experiment:
        """Refuse unknown fields with the nearest name (dataclasses would only say "unexpected")."""
        known(kwargs)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", _widths(self.hidden))
        object.__setattr__(self, "convolutions", checked_convolutions(self.convolutions))
        for name, choices in _NAMES.items():
            choose(name, getattr(self, name), choices)
        for name, least in _WHOLE.items():
            object.__setattr__(self, name, _whole(name, getattr(self, name), least))
        for name in _REAL:
            object.__setattr__(self, name, _real(name, getattr(self, name)))
        for name in ("feedback_shared", "nesterov"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidValue(f"{name} must be True or False; received {getattr(self, name)!r}.")
        most = len(self.convolutions) + len(self.hidden)
        if self.frozen > most:
            raise InvalidValue(f"frozen must be at most {most}, the number of hidden layers; received {self.frozen}.")
        if not 0 < self.feedback_density <= 1:
            raise InvalidValue(f"feedback_density must be above 0 and at most 1; received {self.feedback_density!r}.")
        if self.learning_rate == 0:
            raise InvalidValue("learning_rate must be greater than 0; received 0.")
        if not self.label_noise <= 1:
            raise InvalidValue(f"label_noise is a share, from 0 to 1; received {self.label_noise!r}.")
        for name in ("dropout_input", "dropout_hidden"):
            if not getattr(self, name) < 1:
                raise InvalidValue(f"{name} is a share, at least 0 and less than 1; received {getattr(self, name)!r}.")
        if not self.momentum < 1:
            raise InvalidValue(f"momentum must be below 1; received {self.momentum!r}.")
        if self.optimizer != "sgd" and (self.momentum or self.nesterov):
            raise InvalidValue(f"momentum and nesterov belong to optimizer 'sgd'; this one uses {self.optimizer!r}.")

    def to_json(self) -> str:
        """Return the experiment as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> Experiment:
        """Read what :meth:`to_json` wrote; InvalidValue if it does not describe an experiment."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise InvalidValue(f"an experiment is a JSON object; received {line[:80]!r}.")
        return cls(**values)


def known(names: Iterable[str]) -> None:
    """Raise InvalidValue, with the nearest correct name, if one of ``names`` is not a field of Experiment."""
    accepted = [field.name for field in fields(Experiment)]
    for name in names:
        if name not in accepted:
            raise InvalidValue(
                f"an experiment has no field {name!r}{nearest(name, accepted) or '.'} Fields: {', '.join(accepted)}."
            )


def grid(base: Experiment, **values: Iterable[Any]) -> list[Experiment]:
    """Return ``base`` with every combination of the given values; the field named last changes fastest.

    ``grid(base, rule=["bp", "dfa"], seed=range(3))`` gives six experiments.
    """
    known(values)
    combinations = itertools.product(*values.values())
    return [replace(base, **dict(zip(values, combination, strict=True))) for combination in combinations]


def _widths(hidden: Any) -> tuple[int, ...]:
    if isinstance(hidden, str) or not isinstance(hidden, Iterable):
        raise InvalidValue(f"hidden must be a sequence of widths such as (128, 128); received {hidden!r}.")
    return tuple(width for each in hidden if (width := _whole("each width in hidden", each, 1)) is not None)


def _whole(name: str, value: Any, least: int) -> int | None:
    if value is None and name in _OPTIONAL:
        return None
    # NumPy's integers count as whole numbers, True does not
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise InvalidValue(f"{name} must be a whole number, at least {least}; received {value!r}.")
    return int(value)


def _real(name: str, value: Any) -> float | None:
    if value is None and name in _OPTIONAL:
        return None
    good = not isinstance(value, bool | str | complex) and hasattr(value, "__float__")
    if not good or not math.isfinite(value) or value < 0:
        raise InvalidValue(f"{name} must be a finite number, not below 0; received {value!r}.")
    return float(value)
