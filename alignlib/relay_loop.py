"""What indirect feedback alignment's forward relay does: one number for the whole net, and how far it can point right.

Let δ_1 = (B_1 e) ⊙ f′(a_1), δ_l = (W_l δ_{l−1}) ⊙ f′(a_l) as in IFA, and let b_l = ∂loss/∂h_l for one example, so that
backpropagation's signal is b_l ⊙ f′(a_l).

*The relay is a forward derivative.* δ_l is the rate at which h_l changes when a_1 is moved along B_1 e. Hence

    ⟨δ_l, b_l⟩ = λ for every hidden layer l,    λ = ⟨e, W_L δ_{L−1}⟩,

the rate at which the loss of this example then changes. In nets of linear or ReLU units, where f′² = f′, the left side
is also the product of δ_l with backpropagation's signal: an example is taught the right way in all layers or in none.

*Linear nets.* There λ = eᵀ M e with the loop M = W_L ⋯ W_2 B_1, and the weight gradients of IFA and backpropagation in
layer l have the product tr(M E Eᵀ), E = ⟨e h_{l−1}ᵀ⟩. So IFA descends in every layer, whatever the data, if and only if
M + Mᵀ has no negative eigenvalue.

*The best relay.* Suppose that layer 1 is told exactly what backpropagation would tell it, and the relay goes on from
there. In a wide net with random weights and equal widths, the angle to backpropagation's signal in layer l is then

    cos² θ_l = (⟨f′³⟩² / ⟨f′²⟩³) / (κ_l − 1 + d_l),    d_l = ⟨f′⁴⟩ / ⟨f′²⟩²,
    κ_{l+1} = κ_l − 1 + d_l + n / rank(W_{l+1}) − 1,    κ_2 = ⟨f′²⟩ / ⟨f′⟩² + n / rank(W_2) − 1,

means over the units of the layer (of layer 1 in the last formula), with the effective rank of
:func:`alignlib.signal_propagation.effective_rank`. For linear units it says cos θ_l = 1/√l for weights that are drawn
independently, which have half the effective rank of an orthogonal matrix, and θ_l = 0 for orthogonal ones. A cosine
near 1 has lost the digits of a small angle; what is computed is the same formula as a sum without negative terms,

    tan² θ_l = (κ_l − 1) ⟨f′²⟩³ / ⟨f′³⟩² + (⟨f′²⟩ ⟨f′⁴⟩ / ⟨f′³⟩² − 1),

every excess over 1 taken as what it is, a variance over a squared mean.

*Both together.* A signal whose entry is at the angle θ_1 from what backpropagation would say there, and is otherwise
random, arrives with

    tan² θ_l = tan² θ_1 + tan² θ_l(best):

what the entry and what the relay lose adds up; for linear units and independent weights each station adds one.

Derived in chapter 16. κ_l stands for n tr K² / (tr K)² of K = N Nᵀ, N being the way of the signal from layer 1 to just
before f′ of layer l; the recursion is that of the second moments of products of freely independent matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alignlib import metrics
from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.experiments.bench import Bench
from alignlib.linear_relay import relayed_feedback
from alignlib.network import MLP, Trace
from alignlib.rules import Backprop, IndirectFeedbackAlignment
from alignlib.rules.base import Rule, transported
from alignlib.signal_propagation import forward, gaussian_mean


class RelayedBackprop(Rule):
    """δ_1 as in backpropagation, then forward δ_l = (W_l δ_{l−1}) ⊙ f′(a_l): no rule to learn by, but a probe.

    It needs all the transposes that IFA does without, and shows what the relay alone does to a signal.
    """

    name = "relayed-bp"
    label = "relayed BP"
    title = "Backpropagation's first signal, relayed forward"

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """Take δ_1 from backpropagation, and hand it up."""
        signals = [Backprop(network).hidden_signals(network, trace, error)[0]]
        for layer in network.hidden[1:]:
            signals.append(trace.onward(layer, layer.weight, signals[-1]))
        return signals


def activity_changes(network: MLP, x: Array, displacement: Array, size: float = 1e-6) -> list[Array]:
    """Return how fast each h_l changes when a_1 moves along ``displacement`` (batch, n_1), shapes (batch, n_l).

    Taken as a central difference of two forward passes, displaced by ``size`` up and down; it reads no rule.
    """
    up, down = (_activities_from(network, x, step * displacement) for step in (size, -size))
    return [(high - low) / (2 * size) for high, low in zip(up, down, strict=True)]


def _activities_from(network: MLP, x: Array, displacement: Array) -> list[Array]:
    activities: list[Array] = []
    for layer in network.hidden:
        a = layer.pre_activation(activities[-1] if activities else x)
        activities.append(layer.activation.function(a + displacement if not activities else a))
    return activities


def loss_rates(rule: Rule, network: MLP, x: Array, y: Array) -> Array:
    """Return λ = ⟨e, W_L δ_{L−1}⟩ for each example of x (batch, n_in), y (batch, n_out), shape (batch,)."""
    trace = network.trace(x, target=y)
    e = network.error(trace, y)
    last = rule.hidden_signals(network, trace, e)[-1]
    if last is None:
        raise InvalidValue(f"rule {rule.name!r} sends no signal to the last hidden layer.")
    rates: Array = np.sum(e * (last @ network.weights[-1].T), axis=1)
    return rates


def products(rule: Rule, network: MLP, x: Array, y: Array, *, slopes: bool = True) -> Array:
    """Return ⟨δ_l, backpropagation's signal⟩ for each example in each hidden layer, shape (layers, batch).

    With ``slopes=False`` the signal is taken before f′, which is ∂loss/∂h_l. NaN where a layer receives no signal.
    """
    trace = network.trace(x, target=y)
    e = network.error(trace, y)
    theirs = _backprop(network, trace, e)
    true = theirs if slopes else [s @ W for s, W in zip([*theirs[1:], e], network.weights[1:], strict=True)]
    rows = [
        np.full(len(x), np.nan) if delta is None else np.sum(delta * each, axis=1)
        for delta, each in zip(rule.hidden_signals(network, trace, e), true, strict=True)
    ]
    return np.array(rows)


def _backprop(network: MLP, trace: Trace, error: Array) -> list[Array]:
    return list(Backprop(network).hidden_signals(network, trace, error))


def loop(network: MLP, rule: IndirectFeedbackAlignment) -> Array:
    """Return M = W_L ⋯ W_2 B_1, shape (n_out, n_out): the error sent once round, without f′."""
    M: Array = network.weights[-1] @ relayed_feedback(network, rule)[-1]
    return M


def least_agreement(M: Array) -> float:
    """Return the smallest value of eᵀ M e / ‖M‖ over unit vectors e, with the spectral norm: from −1 to 1."""
    return float(np.linalg.eigvalsh((M + M.T) / 2)[0] / np.linalg.norm(M, 2))


def match(network: MLP, rule: IndirectFeedbackAlignment, sign: float = 1.0) -> None:
    """Turn B_1, keeping its Frobenius norm, into ``sign`` times the direction of W_2ᵀ ⋯ W_Lᵀ at the present weights."""
    B, way_back = rule.feedback[0], transported(network, 0)
    B[...] = sign * np.linalg.norm(B) / np.linalg.norm(way_back) * way_back


def best_angles(network: MLP, x: Array, y: Array) -> Array:
    """Return degrees between a relay of backpropagation's δ_1 and backpropagation's δ_l, mean over examples, (layers,).

    The best that IFA could do in layer l at these weights if its entry, layer 1, were told exactly the right thing.
    """
    trace = network.trace(x, target=y)
    e = network.error(trace, y)
    ours, theirs = RelayedBackprop(network).hidden_signals(network, trace, e), _backprop(network, trace, e)
    return np.array([metrics.mean_angle(delta, true) for delta, true in zip(ours, theirs, strict=True)])


def predicted_best_angles(network: MLP, x: Array) -> Array:
    """Return what theory says of :func:`best_angles` for random weights, shape (layers,): the last formula above.

    Read of the network are the gains and effective ranks of its weights, of x (batch, n_in) the lengths.

    Raises
    ------
    InvalidValue
        If the hidden layers differ in width.
    """
    if len(set(network.sizes[1:-1])) > 1:
        raise InvalidValue(f"needed: hidden layers of equal width; received {network.sizes[1:-1]}.")
    slopes = [_slopes(network, q) for q in forward(network, x)]
    angles = [np.zeros(len(x))]
    excess = slopes[0].of_mean  # κ − 1 of what enters the next matrix
    for layer, here in zip(network.hidden[1:], slopes[1:], strict=True):
        excess = excess + _unevenness(layer.weight)
        angles.append(np.degrees(np.arctan(np.sqrt(excess * here.share + here.of_weighted))))
        excess = excess + here.of_square
    mean: Array = np.mean(angles, axis=1)
    return mean


def combined_angles(entry: npt.ArrayLike, best: npt.ArrayLike) -> Array:
    """Return θ_l in degrees from θ_1 ``entry`` and the best relay's angle: tan² θ_l = tan² θ_1 + tan² best.

    Where the entry points the wrong way, beyond 90°, so does what arrives. Arrays are combined as NumPy does.
    """
    entering = np.radians(np.asarray(entry, np.float64))
    cosine = np.cos(entering)
    lost = cosine * np.tan(np.radians(np.asarray(best, np.float64)))
    arrived: Array = np.degrees(np.arctan2(np.hypot(np.sin(entering), lost), cosine))
    return arrived


@dataclass(frozen=True)
class Course:
    """What a run did, at the start and after every pass, shapes (passes + 1,), unless said otherwise.

    ``wrong`` is the share of examples with λ < 0, ``error`` the test error in percent. ``relay_turn`` and
    ``weight_turn`` (passes,) are degrees by which W_H ⋯ W_2 B_1, the relay to the last hidden layer H, and the single
    matrices W_2 … W_H (their mean) turned during each pass.
    """

    wrong: Array
    error: Array
    relay_turn: Array
    weight_turn: Array


def follow(bench: Bench, examples: int = 256) -> Course:
    """Train an experiment of IFA to its end, measuring λ on so many training examples.

    Raises
    ------
    InvalidValue
        If the rule of the experiment is not IFA, or there is no station.
    """
    rule = bench.rule
    if not isinstance(rule, IndirectFeedbackAlignment) or len(bench.network.hidden) < 2:
        raise InvalidValue(f"needed: IFA and at least 2 hidden layers; received {bench.experiment}.")
    x, y = bench.data.x_train[:examples], bench.data.y_train[:examples]
    wrong, error, relays, weights = [], [], [], []

    def measure() -> None:
        wrong.append(float(np.mean(loss_rates(rule, bench.network, x, y) < 0)))
        error.append(bench.test_error())
        relays.append(relayed_feedback(bench.network, rule)[-1].copy())
        weights.append([layer.weight.copy() for layer in bench.network.hidden[1:]])

    measure()
    for step in bench.updates():
        if step.ends_epoch:
            measure()
    relay_turn = [metrics.angle(a, b) for a, b in pairwise(relays)]
    weight_turn = [np.mean([metrics.angle(*pair) for pair in zip(a, b, strict=True)]) for a, b in pairwise(weights)]
    return Course(np.array(wrong), np.array(error), np.array(relay_turn), np.array(weight_turn))


class _Slopes(NamedTuple):
    """What f′ of a layer does, shapes (batch,).

    The variances of f′, of f′², and of f′ where f′² is the density, each over its squared mean; ⟨f′²⟩³ / ⟨f′³⟩².
    """

    of_mean: Array
    of_square: Array
    of_weighted: Array
    share: Array


def _slopes(network: MLP, q: Array) -> _Slopes:
    """Means over the units of a layer whose pre-activations have mean square q (batch,)."""
    f = network.hidden_activation

    def mean(of: Callable[[Array], Array]) -> Array:
        return gaussian_mean(lambda a: of(f.derivative(a, f.function(a))), q)

    def column(values: Array) -> Array:
        return values[:, np.newaxis]

    first, second, third = (mean(lambda s, power=power: s**power) for power in (1, 2, 3))  # type: ignore[misc]
    center = third / second  # the mean of f′ where f′² is the density
    return _Slopes(
        of_mean=mean(lambda s: (s - column(first)) ** 2) / first**2,
        of_square=mean(lambda s: (s**2 - column(second)) ** 2) / second**2,
        of_weighted=mean(lambda s: (s * (s - column(center))) ** 2) / (second * center**2),
        share=second**3 / third**2,
    )


def _unevenness(matrix: Array) -> float:
    """Units over effective rank of a square matrix, less 1: 0 if it is orthogonal, and without cancellation near 0."""
    squares = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False) ** 2
    return float(np.var(squares / np.mean(squares)))
