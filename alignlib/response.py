"""What a layer is told, and what it then does."""

from __future__ import annotations

from dataclasses import replace

from alignlib import metrics
from alignlib._typing import Array
from alignlib.network import MLP
from alignlib.rules import Rule


def response_angles(rule: Rule, network: MLP, x: Array, y: Array) -> list[float]:
    """Return the angle between what each hidden layer is told and what it does, in degrees, first layer first.

    Told: δ at every unit for every example of x (batch, n_in), y (batch, n_out). Done: the change of the
    pre-activations, for the same input of the layer, when its weights and biases take a small step along their
    gradient from δ. Both are taken as one vector over units and examples. The angle is below 90° by construction,
    and 0° only where the weights are free enough to give every unit its wish on every example.
    NaN for a layer that is told nothing.
    """
    trace = network.trace(x)
    signals = rule.hidden_signals(network, trace, network.error(trace, y))
    angles = []
    for layer, h, delta, (dW, db) in zip(
        network.hidden, trace.inputs, signals, rule.gradients(network, x, y), strict=False
    ):
        done = replace(layer, weight=dW, bias=db).pre_activation(h)
        angles.append(float("nan") if delta is None else metrics.angle(delta, done))
    return angles
