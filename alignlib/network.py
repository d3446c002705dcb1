"""The network: layers in a row, the forward pass, and the trace of it that the learning rules read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.activations import ACTIVATIONS, Activation, activation
from alignlib.arrays import sample
from alignlib.errors import InvalidValue, choose
from alignlib.initializers import WEIGHTS, draw
from alignlib.layers import Dense
from alignlib.losses import loss

DTYPES = ("float32", "float64")

#: Factors that multiply what enters each layer, shape (batch, units below), None where nothing is dropped.
Masks = Sequence[Array | None]


class Parameters(Sequence[Array]):
    """Read-only row of arrays whose *contents* may be written: ``p[0] = new`` copies new into the array p[0]."""

    def __init__(self, arrays: Sequence[Array]):
        self._arrays = tuple(arrays)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Array, ...]: ...
    def __getitem__(self, index: int | slice) -> Array | tuple[Array, ...]:
        return self._arrays[index]

    def __setitem__(self, index: int, values: Array) -> None:
        array = self._arrays[index]
        values = np.asanyarray(values, like=array)
        if values.shape != array.shape:
            raise InvalidValue(f"array {index} has shape {array.shape}; received shape {values.shape}.")
        array[...] = values

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return repr(self._arrays)


class Buffers:
    """Arrays of one batch size that the training loop uses again at every step, so that a step allocates none.

    Lists hold one array of shape (batch, layer width) a layer. In memory the examples of one unit lie side by side
    ("F" order): BLAS then makes h @ W.T as fast as the other products, and otherwise up to twice as slowly.
    """

    def __init__(self, widths: Sequence[int], batch: int, dtype: np.dtype[Any], like: Array):
        def one_a_layer() -> list[Array]:
            return [np.empty((batch, width), dtype, order="F", like=like) for width in widths]

        self.pre_activations, self.activities, self.arrived = one_a_layer(), one_a_layer(), one_a_layer()
        self.slopes, self.scaled = one_a_layer(), one_a_layer()
        self.error = np.empty((batch, widths[-1]), dtype, order="F", like=like)
        self._shape, self._spare, self._masked = (widths, batch, dtype, like), dict[int, Array](), dict[int, Array]()

    @cached_property
    def second(self) -> Buffers:
        """A second set, for rules that run the network twice; made when it is first asked for."""
        return Buffers(*self._shape)

    def spare(self, width: int) -> Array:
        """Return an array (batch, width), for rules that send something else than the error; made at the first call."""
        return self._array(self._spare, width, width)

    def masked(self, layer: int, width: int) -> Array:
        """Return an array (batch, width) for what enters a layer after dropout; made at the first call."""
        return self._array(self._masked, layer, width)

    def _array(self, kept: dict[int, Array], key: int, width: int) -> Array:
        if key not in kept:
            _, batch, dtype, like = self._shape
            kept[key] = np.empty((batch, width), dtype, order="F", like=like)
        return kept[key]


@dataclass(frozen=True)
class Trace:
    """What one forward pass leaves behind: all that a learning rule may read of the activity.

    ``inputs[l]`` (batch, n_in) entered layer l, so ``inputs[0]`` is x and ``inputs[l + 1]`` is the activity of l,
    after dropout if there is any; :attr:`activities` are those before it.
    ``pre_activations[l]`` (batch, n_out) are its a; ``output`` is ŷ (batch, n_out).
    ``target`` is y (batch, n_out), for the rules that read it; None if the network was run without one.
    With ``buffers``, every signal computed for a layer takes the place of the one before.
    ``masks`` are the factors of dropout, None without it: signals are masked as the activity was.
    """

    inputs: list[Array]
    pre_activations: list[Array]
    output: Array
    buffers: Buffers | None = None
    target: Array | None = None
    masks: Masks | None = None
    undropped: list[Array] | None = None

    @property
    def activities(self) -> list[Array]:
        """The input x and the activities f(a) of the hidden layers before dropout; without it, ``inputs`` itself."""
        return self.inputs if self.undropped is None else self.undropped

    def carry(self, layer: Dense, matrix: Array, signal: Array) -> Array:
        """Return (matrix signal) ⊙ f′(a) at a hidden layer: a signal that jumps there, from all units to all units.

        ``signal`` (batch, units that send), ``matrix`` (units that receive, units that send); the result has shape
        (batch, layer.width).
        """
        arrived = self.buffers.arrived[layer.index] if self.buffers else None
        return self.through(layer, np.matmul(signal, matrix.T, out=arrived))

    def back(self, layer: Dense, above: Dense, matrix: Array, signal: Array) -> Array:
        """Return the signal that comes down to ``layer`` along the connections of the layer ``above``, ⊙ f′(a).

        ``matrix`` has the shape of the transposed weights of ``above`` and takes their place.
        """
        arrived = self.buffers.arrived[layer.index] if self.buffers else None
        return self.through(layer, above.pull(matrix, signal, arrived))

    def onward(self, layer: Dense, matrix: Array, signal: Array) -> Array:
        """Return the signal that comes up to ``layer`` along its own connections, ⊙ f′(a).

        ``matrix`` has the shape of the layer's weights and takes their place.
        """
        arrived = self.buffers.arrived[layer.index] if self.buffers else None
        return self.through(layer, layer.push(matrix, signal, arrived))

    def through(self, layer: Dense, signal: Array) -> Array:
        """Return signal ⊙ f′(a) at a hidden layer, for a signal that is there already, shape (batch, layer.width).

        Under dropout it is also multiplied by the layer's mask: what was silent, or louder, is so for the error too.
        """
        a, h = self.pre_activations[layer.index], self.activities[layer.index + 1]
        slope = layer.activation.derivative(a, h, self.buffers.slopes[layer.index] if self.buffers else None)
        delta = np.multiply(signal, slope, out=slope)
        mask = self.masks[layer.index + 1] if self.masks else None
        return delta if mask is None else np.multiply(delta, mask, out=delta)


class MLP:
    """A dense network of any depth.

    Parameters
    ----------
    sizes
        Units a layer, input first: ``[784, 240, 240, 10]``. At least an input and an output.
    hidden
        Activation of the hidden layers: "tanh", "logistic", "relu" or "linear".
    output
        Output function with its loss: "logistic", "softmax", "linear" or "logistic-squared" (:mod:`alignlib.losses`).
    init, init_scale
        Initial weights (see :data:`alignlib.initializers.WEIGHTS`) and the factor they are multiplied with.
        Biases start at zero.
    rng
        Source of the initial weights; may be None for ``init="zero"`` only.
    dtype
        "float64" or "float32", of all parameters and activities.
    frozen
        Number of layers, from the input side, that keep their weights under whatever rule.
    arrays
        "numpy", or "cupy" to keep and compute everything on a graphics card (see :mod:`alignlib.arrays`); initial
        weights are the same numbers.

    Raises
    ------
    InvalidValue
        For sizes, names or a dtype that cannot be used.
    AlignlibError
        If CuPy is asked for and is not there.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str = "tanh",
        output: str = "logistic",
        *,
        init: str = "fan-in",
        init_scale: float = 1.0,
        rng: Rng | None = None,
        dtype: str = "float64",
        frozen: int = 0,
        arrays: str = "numpy",
    ):
        self.sizes = _checked_sizes(sizes)
        self.dtype = np.dtype(choose("dtype", np.dtype(dtype).name, DTYPES))
        self.hidden_activation = activation(hidden)
        self.loss = loss(output)
        self.frozen = frozen
        self.layers = self._make_layers(sample(arrays))
        self.weights = Parameters([layer.weight for layer in self.layers])
        self.biases = Parameters([layer.bias for layer in self.layers])
        for weight in self.weights:
            shape = (weight.shape[0], weight.shape[1])
            drawn = draw(WEIGHTS, init, shape, rng, scale=init_scale, dtype=self.dtype.name)
            weight[...] = np.asarray(drawn, like=weight)

    def _make_layers(self, like: Array) -> list[Dense]:
        """Lay all parameters out in one flat array, W_1 b_1 W_2 b_2 …, so that an optimiser makes one pass."""
        shapes = self._weight_shapes()
        self.parameters: Array = np.zeros(sum(n_out * (n_in + 1) for n_out, n_in in shapes), self.dtype, like=like)
        views = self.views(self.parameters, shapes)
        activations = [self.hidden_activation] * (len(shapes) - 1) + [ACTIVATIONS["linear"]]
        return [self._layer(i, W, b, f) for i, ((W, b), f) in enumerate(zip(views, activations, strict=True))]

    def _weight_shapes(self) -> list[tuple[int, int]]:
        return [(n_out, n_in) for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False)]

    def _layer(self, index: int, weight: Array, bias: Array, activation: Activation) -> Dense:
        return Dense(index, weight, bias, activation)

    def like(self, **options: Any) -> MLP:
        """Return another network of the same layers; ``options`` are those of the constructor, not copied."""
        return MLP(self.sizes, **options)

    def views(self, flat: Array, shapes: Sequence[tuple[int, int]] | None = None) -> list[tuple[Array, Array]]:
        """Return [(W-shaped, b-shaped), …] views into ``flat``, an array of as many numbers as ``parameters``."""
        views, start = [], 0
        for n_out, n_in in shapes or [(layer.weight.shape[0], layer.weight.shape[1]) for layer in self.layers]:
            middle, end = start + n_out * n_in, start + n_out * (n_in + 1)
            views.append((flat[start:middle].reshape(n_out, n_in), flat[middle:end]))
            start = end
        return views

    @property
    def hidden(self) -> list[Dense]:
        """The hidden layers, the one next to the input first."""
        return self.layers[:-1]

    def buffers(self, batch: int) -> Buffers:
        """Return the arrays that :meth:`trace` can work in for a batch of this size."""
        return Buffers(self.sizes[1:], batch, self.dtype, self.parameters)

    def trace(
        self, x: Array, buffers: Buffers | None = None, target: Array | None = None, masks: Masks | None = None
    ) -> Trace:
        """Run forward on a batch x (batch, n_in) and keep what the rules need, in ``buffers`` if given.

        ``target`` (batch, n_out) is handed on in the trace. ``masks``, one a layer, multiply what enters it.

        Raises
        ------
        InvalidValue
            If x is not two-dimensional with n_in columns.
        """
        h = self._own(x)
        if h.ndim != 2 or h.shape[1] != self.sizes[0]:
            raise InvalidValue(f"x has shape {h.shape}; this network takes (batch, {self.sizes[0]}).")
        inputs, pre_activations, activities = [], [], []
        for layer in self.layers:
            activities.append(h)
            mask = masks[layer.index] if masks else None
            if mask is not None:
                h = np.multiply(h, mask, out=buffers.masked(layer.index, h.shape[1]) if buffers else None)
            inputs.append(h)
            a = layer.pre_activation(h, buffers.pre_activations[layer.index] if buffers else None)
            pre_activations.append(a)
            out = buffers.activities[layer.index] if buffers else None
            h = self.loss.predict(a, out) if layer is self.layers[-1] else layer.activation.function(a, out)
        target = None if target is None else self._own(target)
        return Trace(inputs, pre_activations, h, buffers, target, masks, activities if masks else None)

    def _own(self, values: Array) -> Array:
        """Return ``values`` in the network's precision and where its parameters are."""
        # "any": arrays that count or keep time stay what they are
        own: Array = np.asanyarray(values, self.dtype, like=self.parameters)
        return own

    def predict(self, x: Array) -> Array:
        """Return ŷ (batch, n_out) for x (batch, n_in)."""
        return self.trace(x).output

    def error(self, trace: Trace, y: Array) -> Array:
        """Return e = ŷ − y, shape (batch, n_out).

        Raises
        ------
        InvalidValue
            If y has another shape than the output.
        """
        y = np.asarray(y, self.dtype, like=self.parameters)
        if y.shape != trace.output.shape:
            raise InvalidValue(f"y has shape {y.shape}; the output has shape {trace.output.shape}.")
        return self.loss.error(trace.output, y, trace.buffers.error if trace.buffers else None)

    def mean_loss(self, x: Array, y: Array, masks: Masks | None = None) -> float:
        """Return the loss, mean over the batch."""
        answers, y = self.trace(x, masks=masks).pre_activations[-1], np.asarray(y, self.dtype, like=self.parameters)
        return float(np.mean(self.loss.values(answers, y)))

    def __repr__(self) -> str:
        shape = "-".join(map(str, self.sizes))
        return f"MLP({shape}, {self.hidden_activation.name}, {self.loss.title}, {self.dtype})"


def _checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    checked = tuple(sizes)
    good = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in checked)
    if len(checked) < 2 or not good:
        raise InvalidValue(f"sizes must be at least two positive whole numbers (input, …, output); received {sizes!r}.")
    return tuple(int(n) for n in checked)
