"""Experiments: what to run, running it, what came out, and the store of what is done."""

from alignlib.experiments.experiment import Experiment, grid
from alignlib.experiments.many import run_each, run_many
from alignlib.experiments.result import Result
from alignlib.experiments.run import prepare, run
from alignlib.experiments.store import Store

__all__ = ["Experiment", "Result", "Store", "grid", "prepare", "run", "run_each", "run_many"]
