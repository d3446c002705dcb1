"""Numbers that others have published, each with the place where it stands, to be set beside our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alignlib.errors import InvalidValue, choose
from alignlib.experiments import Experiment


@dataclass(frozen=True)
class Published:
    """One published result: mean test error and standard deviation, in percent.

    ``network`` is the hidden layers and what is special about them, "2×800 ReLU"; ``std`` is None where none is given.
    ``key`` is the source in ``references.bib``, ``place`` where in it the number stands.
    """

    key: str
    place: str
    dataset: str
    network: str
    rule: str
    mean: float
    std: float | None = None


def _rows(
    key: str, place: str, dataset: str, cells: Mapping[str, Mapping[str, tuple[float, float | None]]]
) -> list[Published]:
    return [
        Published(key, place, dataset, network, rule, mean, std)
        for network, of_rule in cells.items()
        for rule, (mean, std) in of_rule.items()
    ]


_TABLE_1 = _rows(
    "nokland2016",
    "table 1",
    "mnist",
    {
        "7×240": {"bp": (2.16, 0.13), "fa": (2.20, 0.13), "dfa": (2.32, 0.15)},
        "100×240": {"dfa": (3.92, 0.09)},
        "1×800": {"bp": (1.59, 0.04), "fa": (1.68, 0.05), "dfa": (1.68, 0.05)},
        "2×800": {"bp": (1.60, 0.06), "fa": (1.64, 0.03), "dfa": (1.74, 0.08)},
        "3×800": {"bp": (1.75, 0.05), "fa": (1.66, 0.09), "dfa": (1.70, 0.04)},
        "4×800": {"bp": (1.92, 0.11), "fa": (1.70, 0.04), "dfa": (1.83, 0.07)},
        "2×800 logistic": {"bp": (1.67, 0.03), "fa": (1.82, 0.10), "dfa": (1.75, 0.04)},
        "2×800 ReLU": {"bp": (1.48, 0.06), "fa": (1.74, 0.10), "dfa": (1.70, 0.06)},
        "2×800 dropout": {"bp": (1.26, 0.03), "fa": (1.53, 0.03), "dfa": (1.45, 0.07)},
        "2×800 adversarial": {"bp": (1.01, 0.08), "fa": (1.14, 0.03), "dfa": (1.02, 0.05)},
    },
)

#: Nøkland (2016): MNIST, up to 300 epochs. Where a cell of table 1 is empty, there was no convergence.
NOKLAND = (*_TABLE_1, Published("nokland2016", "section 4", "mnist", "4×100", "ifa", 3.9))

#: Frenkel, Lefebvre & Bol (2021): the networks on MNIST, 100 epochs, as on the authors' slides of 2020.
FRENKEL = _rows(
    "frenkel2021",
    "slide 18 of the authors' talk (2020)",
    "mnist",
    {
        "1×500": {"bp": (1.72, 0.08), "fa": (1.92, 0.08), "dfa": (2.59, 0.11), "drtp": (4.58, 0.12)},
        "1×1000": {"bp": (1.76, 0.06), "fa": (1.90, 0.06), "dfa": (2.12, 0.05), "drtp": (4.03, 0.13)},
        "2×500": {"bp": (1.62, 0.12), "fa": (1.95, 0.07), "dfa": (4.35, 0.30), "drtp": (4.57, 0.13)},
        "2×1000": {"bp": (1.67, 0.07), "fa": (1.90, 0.07), "dfa": (3.46, 0.25), "drtp": (4.04, 0.12)},
        "1×1000 on a random convolution": {
            "bp": (1.31, 0.08),
            "fa": (1.55, 0.04),
            "dfa": (1.66, 0.11),
            "drtp": (1.87, 0.12),
        },
        "1×1000 on a trained convolution": {
            "bp": (0.99, 0.05),
            "fa": (1.38, 0.06),
            "dfa": (2.38, 0.39),
            "drtp": (1.81, 0.14),
        },
    },
)

#: A repetition of Lillicrap and others' network on MNIST by a third party, one run each: 1.5 million single examples.
IBOUDHAINE = _rows(
    "iboudhaine2026",
    "report",
    "mnist",
    {"1×1000 logistic": {"bp": (10.04, None), "fa": (9.98, None)}},
)

ALL = (*NOKLAND, *FRENKEL, *IBOUDHAINE)

_ACTIVATIONS = {"tanh": "", "logistic": " logistic", "relu": " ReLU", "linear": " linear"}


def network_name(experiment: Experiment) -> str:
    """Return how the tables call the network of an experiment: "7×240", "2×800 ReLU", "2×800 dropout".

    Raises
    ------
    InvalidValue
        If its hidden layers are not all of one width, it has more than one convolution, or other layers than that keep
        their initial weights.
    """
    widths = set(experiment.hidden)
    if len(widths) != 1:
        raise InvalidValue(f"the tables name networks whose layers have one width; received {experiment.hidden}.")
    name = f"{len(experiment.hidden)}×{widths.pop()}{_ACTIVATIONS[experiment.activation]}"
    return name + _below(experiment) + noise_name(experiment)


def _below(experiment: Experiment) -> str:
    if not experiment.convolutions and not experiment.frozen:
        return ""
    if len(experiment.convolutions) != 1 or experiment.frozen > 1:
        raise InvalidValue(
            "the tables name networks with one convolution at most, which alone may keep its initial weights; "
            f"received {len(experiment.convolutions)} convolutions and {experiment.frozen} frozen layers."
        )
    return f" on a {'random' if experiment.frozen else 'trained'} convolution"


def noise_name(experiment: Experiment) -> str:
    """Return what the tables add to the name of a network that is trained under noise: " dropout", " adversarial"."""
    dropout = " dropout" if experiment.dropout_input or experiment.dropout_hidden else ""
    return dropout + (" adversarial" if experiment.adversarial else "")


def find(rows: Iterable[Published], network: str, rule: str) -> Published | None:
    """Return the row of a network and a rule, None if there is none.

    Raises
    ------
    InvalidValue
        If no row at all is of that network; the message says the nearest name.
    """
    rows = list(rows)
    choose("network", network, sorted({row.network for row in rows}))
    return next((row for row in rows if (row.network, row.rule) == (network, rule)), None)
