"""What came out of an experiment: curves, and what is needed to trust them."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alignlib import arithmetic
from alignlib._typing import Array
from alignlib.experiments.experiment import Experiment


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one experiment.

    ``curves`` maps names to float64 arrays of equal length; entry 0 is before training, then one entry a record:

    - "epoch", "step": how far training was; "seconds": time spent training so far, without the measurements;
    - "train_loss", "train_error": mean over the mini-batches since the last record, each as it was just before its
      update; NaN at entry 0;
    - "test_loss", "test_error": on the part named by ``experiment.evaluate``;
    - "delta_angle/l": degrees between the rule's δ and backprop's at hidden layer l (1 is next to the input), at the
      same weights, mean over the probe examples; "gradient_angle/l": between the weight gradients of that batch;
    - "weight_angle/l": degrees between a feedback matrix to layer l and the product of Wᵀ in whose place it stands;
    - "weight_norm/l": Frobenius norm of W_l, output layer included;
    - "delta_norm/l": root mean square of the norm of the rule's δ over the probe examples.

    Losses are in nats (squared error: half the squared distance).
    Errors are percent of examples misclassified; for regression the normalised squared error, 1 for a constant answer.
    """

    experiment: Experiment
    curves: dict[str, Array]
    data_checksum: str
    seconds: float
    n_parameters: int
    versions: dict[str, str]

    def final(self, curve: str) -> float:
        """Return the last value of a curve."""
        return float(self.curves[curve][-1])

    def to_json(self) -> dict[str, Any]:
        """Return plain values that json can write; NaN becomes None."""
        values = {name: getattr(self, name) for name in ("data_checksum", "seconds", "n_parameters", "versions")}
        curves = {name: [_plain(v) for v in curve.tolist()] for name, curve in self.curves.items()}
        return {"experiment": asdict(self.experiment), "curves": curves, **values}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Result:
        """Read what :meth:`to_json` gave."""
        rest = dict(values)
        experiment = Experiment.from_json(json.dumps(rest.pop("experiment")))
        curves = {
            name: np.array([np.nan if v is None else v for v in curve], np.float64)
            for name, curve in rest.pop("curves").items()
        }
        return cls(experiment, curves, **rest)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {"python": platform.python_version(), "numpy": np.__version__, "arithmetic": arithmetic.name()}
