"""Learners in which no error travels from layer to layer: what the rules of :mod:`alignlib.rules` are measured by."""

from alignlib.baselines.competitive import CompetitiveLayer
from alignlib.baselines.evolution import EvolutionStrategy
from alignlib.baselines.extreme_learning import ExtremeLearningMachine
from alignlib.baselines.least_squares import LinearReadout
from alignlib.baselines.spatial_pooler import SpatialPooler

__all__ = ["CompetitiveLayer", "EvolutionStrategy", "ExtremeLearningMachine", "LinearReadout", "SpatialPooler"]
