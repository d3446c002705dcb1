"""What every learning rule shares: the forward pass, the output error, and the weight gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.errors import InvalidValue
from alignlib.initializers import draw_feedback
from alignlib.network import MLP, Buffers, Masks, Trace
from alignlib.plasticity import Plasticity


class Rule(ABC):
    """A learning rule decides how the output error reaches each hidden layer, and nothing else.

    Parameters
    ----------
    network
        The network it will teach; read for its shapes only.
    rng
        Source of the feedback; needed by the rules that have any.
    feedback, feedback_scale
        How the matrices are drawn (see :data:`alignlib.initializers.FEEDBACK`), and the factor they are
        multiplied with.
    density, rank
        Share of the entries that are not zero, or the rank (see :func:`alignlib.initializers.draw_feedback`).
    shared
        Draw one matrix for all receiving layers of equal shape, as Nøkland (2016) allows for fixed ones.

    Attributes
    ----------
    feedback
        The matrices, in the order of the layers that receive them; may be written into.
        They are fixed, unless the rule says in :meth:`learn_feedback` how they learn.
        Each has shape (units that receive, units that send) and is applied to a batch as ``signal @ B.T``.
    """

    name: ClassVar[str]  #: short name, "dfa"
    label: ClassVar[str]  #: as in figures, "DFA"
    title: ClassVar[str]  #: in full, "Direct feedback alignment"

    def __init__(
        self,
        network: MLP,
        *,
        rng: Rng | None = None,
        feedback: str = "fan-out",
        feedback_scale: float = 1.0,
        shared: bool = False,
        density: float = 1.0,
        rank: int | None = None,
    ):
        if shared and self.learns_feedback:
            raise InvalidValue(f"rule {self.name!r} changes each of its matrices in its own way: none can be shared.")
        self.feedback: list[Array] = []
        drawn: dict[tuple[int, int], Array] = {}
        for shape in self.feedback_shapes(network).values():
            if shared and shape in drawn:
                self.feedback.append(drawn[shape])
                continue
            B = draw_feedback(
                feedback,
                shape,
                rng,
                scale=feedback_scale,
                density=density,
                rank=rank,
                dtype=network.dtype.name,
            )
            B = np.asarray(B, like=network.parameters)
            self.feedback.append(drawn.setdefault(shape, B) if shared else B)

    @abstractmethod
    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> Sequence[Array | None]:
        """Return δ of every hidden layer, the one next to the input first: this is all that a rule states.

        ``error`` is e = ŷ − y, shape (batch, n_out); each δ has shape (batch, layer width).
        None stands for a layer that receives no signal and does not learn.
        """

    def lesson(self, network: MLP, trace: Trace, error: Array) -> tuple[Sequence[Array], Sequence[Array | None]]:
        """Return what each layer learns from: its input h (batch, n_in) and its δ; their product is its gradient.

        Rules that only state the hidden signals leave it as it is: the output layer follows its own error.
        """
        return trace.inputs, [*self.hidden_signals(network, trace, error), error]

    def feedback_shapes(self, network: MLP) -> dict[str, tuple[int, int]]:
        """Return the matrices by the names that the text gives them, and their shapes (receive, send)."""
        return {}

    def counterparts(self, network: MLP) -> list[Array]:
        """Return, for each matrix in ``feedback``, what backprop would use in its place: products of Wᵀ."""
        return []

    def pairs(self, network: MLP) -> list[tuple[Array, Array]]:
        """Return (a matrix that carries the rule's signals, what backprop would use in its place), to be compared."""
        return list(zip(self.feedback, self.counterparts(network), strict=True))

    def learn_feedback(self, network: MLP, trace: Trace, signals: Sequence[Array], plasticity: Plasticity) -> None:
        """Change ``feedback``, once an update of the weights: rules whose feedback is not fixed say here how.

        ``signals`` are the δ of the layers that have one, the error of the output last.
        The weights are those of before the update.

        Raises
        ------
        InvalidValue
            If the feedback of the rule is fixed.
        """
        raise InvalidValue(f"the feedback of rule {self.name!r} is fixed: see learns_feedback.")

    @property
    def learns_feedback(self) -> bool:
        """Whether the rule says how its feedback changes."""
        return type(self).learn_feedback is not Rule.learn_feedback

    def learn(
        self,
        network: MLP,
        x: Array,
        y: Array,
        gradients: Sequence[tuple[Array, Array]],
        weight_decay: float = 0.0,
        buffers: Buffers | None = None,
        plasticity: Plasticity | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """Write the gradients, means over the batch, into [(dW, db), …]; return the trace of the forward pass.

        ``weight_decay`` λ adds λW to the gradient of the weights, not of the biases.
        With ``buffers`` (see :meth:`MLP.buffers`) of this batch size, no other array is allocated.
        Layers without a signal, and frozen ones, are given zeros: they neither learn nor decay.
        With ``plasticity`` the feedback learns as well, and at once, by :meth:`learn_feedback`.
        ``masks`` are those of dropout (see :meth:`MLP.trace`): the network that they leave is the one that learns.
        """
        trace = network.trace(x, buffers, y, masks)
        inputs, signals = self.lesson(network, trace, network.error(trace, y))
        for layer, h, delta, (dW, db) in zip(network.layers, inputs, signals, gradients, strict=True):
            if delta is None or layer.index < network.frozen:
                dW.fill(0.0)
                db.fill(0.0)
            else:
                layer.gradient(delta, h, dW, db, buffers.scaled[layer.index] if buffers else None)
                if weight_decay:
                    dW += weight_decay * layer.weight
        if plasticity is not None:
            self.learn_feedback(network, trace, [delta for delta in signals if delta is not None], plasticity)
        return trace

    def gradients(self, network: MLP, x: Array, y: Array, masks: Masks | None = None) -> list[tuple[Array, Array]]:
        """Return [(dW, db), …], one pair a layer, means over the batch x (batch, n_in), y (batch, n_out)."""
        gradients = network.views(np.empty_like(network.parameters))
        self.learn(network, x, y, gradients, masks=masks)
        return gradients


class BackwardWalk(Rule):
    """Rules that carry δ down layer by layer; they differ only in the matrix that carries it."""

    @abstractmethod
    def carrier(self, network: MLP, index: int) -> Array:
        """Return the matrix that brings δ of layer ``index`` + 1 to layer ``index``, shape (receives, sends)."""

    def hidden_signals(self, network: MLP, trace: Trace, error: Array) -> list[Array]:
        """δ_l = (carrier δ_{l+1}) ⊙ f′(a_l), from the last hidden layer to the first."""
        signals, delta = [], error
        for layer, above in zip(reversed(network.hidden), reversed(network.layers), strict=False):
            delta = trace.back(layer, above, self.carrier(network, layer.index), delta)
            signals.append(delta)
        return signals[::-1]


def transported(network: MLP, index: int) -> Array:
    """Return W_{l+1}ᵀ W_{l+2}ᵀ ⋯ W_Lᵀ, shape (width of layer l, n_out): a linear net's way back to layer l."""
    product = network.layers[index + 1].matrix.T
    for layer in network.layers[index + 2 :]:
        product = product @ layer.matrix.T
    return product
