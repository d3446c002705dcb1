"""The network: layers in a row, the forward pass, and the trace of it that the learning rules read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.activations import ACTIVATIONS, Activation, activation
from alignlib.errors import InvalidValue, choose
from alignlib.initializers import WEIGHTS, draw
from alignlib.layers import Dense
from alignlib.losses import loss

DTYPES = ("float32", "float64")


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
        if np.shape(values) != self._arrays[index].shape:
            raise InvalidValue(
                f"array {index} has shape {self._arrays[index].shape}; received shape {np.shape(values)}."
            )
        self._arrays[index][...] = values

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return repr(self._arrays)


class Buffers:
    """Arrays of one batch size that the training loop uses again at every step, so that a step allocates none.

    Lists hold one array of shape (batch, layer width) a layer. In memory the examples of one unit lie side by side
    ("F" order): BLAS then makes h @ W.T as fast as the other products, and otherwise up to twice as slowly.
    """

    def __init__(self, widths: Sequence[int], batch: int, dtype: np.dtype[Any]):
        def one_a_layer() -> list[Array]:
            return [np.empty((batch, width), dtype, order="F") for width in widths]

        self.pre_activations, self.activities, self.arrived = one_a_layer(), one_a_layer(), one_a_layer()
        self.slopes, self.scaled = one_a_layer(), one_a_layer()
        self.error = np.empty((batch, widths[-1]), dtype, order="F")
        self._shape, self._spare = (widths, batch, dtype), dict[int, Array]()

    @cached_property
    def second(self) -> Buffers:
        """A second set, for rules that run the network twice; made when it is first asked for."""
        return Buffers(*self._shape)

    def spare(self, width: int) -> Array:
        """Return an array (batch, width), for rules that send something else than the error; made at the first call."""
        if width not in self._spare:
            _, batch, dtype = self._shape
            self._spare[width] = np.empty((batch, width), dtype, order="F")
        return self._spare[width]


@dataclass(frozen=True)
class Trace:
    """What one forward pass leaves behind: all that a learning rule may read of the activity.

    ``inputs[l]`` (batch, n_in) entered layer l, so ``inputs[0]`` is x and ``inputs[l + 1]`` is the activity of l.
    ``pre_activations[l]`` (batch, n_out) are its a; ``output`` is ŷ (batch, n_out).
    ``target`` is y (batch, n_out), for the rules that read it; None if the network was run without one.
    With ``buffers``, every signal computed for a layer takes the place of the one before.
    """

    inputs: list[Array]
    pre_activations: list[Array]
    output: Array
    buffers: Buffers | None = None
    target: Array | None = None

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
        """Return signal ⊙ f′(a) at a hidden layer, for a signal that is there already, shape (batch, layer.width)."""
        a, h = self.pre_activations[layer.index], self.inputs[layer.index + 1]
        slope = layer.activation.derivative(a, h, self.buffers.slopes[layer.index] if self.buffers else None)
        return np.multiply(signal, slope, out=slope)


class MLP:
    """A dense network of any depth.

    Parameters
    ----------
    sizes
        Units a layer, input first: ``[784, 240, 240, 10]``. At least an input and an output.
    hidden
        Activation of the hidden layers: "tanh", "logistic", "relu" or "linear".
    output
        Output function with its matched loss: "logistic", "softmax" or "linear".
    init, init_scale
        Initial weights (see :data:`alignlib.initializers.WEIGHTS`) and the factor they are multiplied with.
        Biases start at zero.
    rng
        Source of the initial weights; may be None for ``init="zero"`` only.
    dtype
        "float64" or "float32", of all parameters and activities.
    frozen
        Number of layers, from the input side, that keep their weights under whatever rule.

    Raises
    ------
    InvalidValue
        For sizes, names or a dtype that cannot be used.
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
    ):
        self.sizes = _checked_sizes(sizes)
        self.dtype = np.dtype(choose("dtype", np.dtype(dtype).name, DTYPES))
        self.hidden_activation = activation(hidden)
        self.loss = loss(output)
        self.frozen = frozen
        self.layers = self._make_layers()
        self.weights = Parameters([layer.weight for layer in self.layers])
        self.biases = Parameters([layer.bias for layer in self.layers])
        for weight in self.weights:
            shape = (weight.shape[0], weight.shape[1])
            weight[...] = draw(WEIGHTS, init, shape, rng, scale=init_scale, dtype=self.dtype.name)

    def _make_layers(self) -> list[Dense]:
        """Lay all parameters out in one flat array, W_1 b_1 W_2 b_2 …, so that an optimiser makes one pass."""
        shapes = self._weight_shapes()
        self.parameters: Array = np.zeros(sum(n_out * (n_in + 1) for n_out, n_in in shapes), self.dtype)
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
        return Buffers(self.sizes[1:], batch, self.dtype)

    def trace(self, x: Array, buffers: Buffers | None = None, target: Array | None = None) -> Trace:
        """Run forward on a batch x (batch, n_in) and keep what the rules need, in ``buffers`` if given.

        ``target`` (batch, n_out) is handed on in the trace.

        Raises
        ------
        InvalidValue
            If x is not two-dimensional with n_in columns.
        """
        if np.ndim(x) != 2 or np.shape(x)[1] != self.sizes[0]:
            raise InvalidValue(f"x has shape {np.shape(x)}; this network takes (batch, {self.sizes[0]}).")
        h = np.asanyarray(x, self.dtype)  # arrays that count or keep time stay what they are
        inputs, pre_activations = [], []
        for layer in self.layers:
            inputs.append(h)
            a = layer.pre_activation(h, buffers.pre_activations[layer.index] if buffers else None)
            pre_activations.append(a)
            out = buffers.activities[layer.index] if buffers else None
            h = self.loss.predict(a, out) if layer is self.layers[-1] else layer.activation.function(a, out)
        return Trace(inputs, pre_activations, h, buffers, target)

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
        if np.shape(y) != trace.output.shape:
            raise InvalidValue(f"y has shape {np.shape(y)}; the output has shape {trace.output.shape}.")
        return self.loss.error(trace.output, np.asarray(y, self.dtype), trace.buffers.error if trace.buffers else None)

    def mean_loss(self, x: Array, y: Array) -> float:
        """Return the loss, mean over the batch."""
        return float(np.mean(self.loss.values(self.trace(x).pre_activations[-1], np.asarray(y, self.dtype))))

    def __repr__(self) -> str:
        shape = "-".join(map(str, self.sizes))
        return f"MLP({shape}, {self.hidden_activation.name}, {self.loss.title}, {self.dtype})"


def _checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    checked = tuple(sizes)
    good = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in checked)
    if len(checked) < 2 or not good:
        raise InvalidValue(f"sizes must be at least two positive whole numbers (input, …, output); received {sizes!r}.")
    return tuple(int(n) for n in checked)
