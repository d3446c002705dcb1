"""alignlib: how networks learn when the error is not sent back through the transposed weights.

The lower floor, everything exported here, needs NumPy alone; :mod:`alignlib.book` builds the book on top of it.
"""

from alignlib import datasets, losses, metrics, optimizers, rules
from alignlib.convnet import ConvNet
from alignlib.costs import costs
from alignlib.errors import AlignlibError, InvalidValue
from alignlib.experiments import Experiment, Result, Store, grid, run, run_each, run_many
from alignlib.network import MLP
from alignlib.wiring import wiring

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "AlignlibError",
    "ConvNet",
    "Experiment",
    "InvalidValue",
    "Result",
    "Store",
    "__version__",
    "costs",
    "datasets",
    "grid",
    "losses",
    "metrics",
    "optimizers",
    "rules",
    "run",
    "run_each",
    "run_many",
    "wiring",
]
