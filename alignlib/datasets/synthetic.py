"""Tasks that are drawn rather than read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from alignlib._typing import Array, Rng
from alignlib.datasets.dataset import Dataset, content_checksum, float_dtype, whole_number
from alignlib.errors import InvalidValue


def linear_teacher(
    rng: Rng,
    n_train: int = 20_000,
    n_test: int = 1_000,
    n_in: int = 30,
    n_out: int = 10,
    dtype: Any = "float64",
) -> Dataset:
    """Return the linear task of Lillicrap et al.: learn y = T x from examples.

    T (``n_out``, ``n_in``) is uniform on [−1, 1], every x is standard normal, and there is no noise. T comes
    from ``rng`` first, then the training inputs, then the test inputs, always in float64. By default there
    are enough training examples for learning from each one once.

    Source: T. P. Lillicrap, D. Cownden, D. B. Tweed and C. J. Akerman, *Random synaptic feedback weights
    support error backpropagation for deep learning*, Nature Communications 7 (2016), figure 1.

    Raises
    ------
    InvalidValue
        If ``rng`` is not a NumPy Generator, a size is not a whole number from 1, or ``dtype`` is unknown.
    """
    rng = generator_for("linear-teacher", rng)
    sizes = {"n_train": n_train, "n_test": n_test, "n_in": n_in, "n_out": n_out}
    n_train, n_test, n_in, n_out = (whole_number(name, size) for name, size in sizes.items())
    float_type = float_dtype(dtype)
    teacher = rng.uniform(-1.0, 1.0, size=(n_out, n_in))
    x_train = rng.standard_normal((n_train, n_in))
    x_test = rng.standard_normal((n_test, n_in))
    # The drawn numbers and not y, whose last bits depend on the machine's matrix product; and in float32,
    # since the tail of the normal distribution calls the machine's log1p.
    drawn = (array.astype("<f4") for array in (teacher, x_train, x_test))
    return Dataset(
        name="linear-teacher",
        task="regression",
        x_train=x_train.astype(float_type, copy=False),
        y_train=(x_train @ teacher.T).astype(float_type, copy=False),
        x_test=x_test.astype(float_type, copy=False),
        y_test=(x_test @ teacher.T).astype(float_type, copy=False),
        checksum=content_checksum("linear-teacher: T uniform[-1,1], x normal(0,1), y = T x", *drawn),
        image_shape=None,
        description=f"The linear task of Lillicrap et al. (2016): y = T x, with a random {n_out}×{n_in} "
        f"matrix T, uniform on [−1, 1], and standard normal x; {n_train} training and {n_test} test examples.",
    )


#: Units a layer of the nonlinear teacher, input first.
TEACHER = (30, 20, 10, 10)
#: Standard deviation of what the teacher's units sum up: large enough to bend tanh, small enough not to saturate it.
TEACHER_DRIVE = 2.0


def nonlinear_teacher(rng: Rng, n_train: int = 20_000, n_test: int = 1_000, dtype: Any = "float64") -> Dataset:
    """Return the nonlinear task of Lillicrap et al.: learn what a 30-20-10-10 network of tanh units answers.

    Every x is standard normal, the teacher's output is linear, all its layers have biases, and there is no noise.
    How its weights were drawn is not said in the sources that we have seen: here each layer's are uniform, and so
    wide that the sums of its units have a standard deviation near :data:`TEACHER_DRIVE`; biases are uniform on
    [−1, 1]. They come from ``rng`` first, layer by layer, then the training inputs, then the test inputs.

    Source: T. P. Lillicrap, D. Cownden, D. B. Tweed and C. J. Akerman, *Random synaptic feedback weights
    support error backpropagation for deep learning*, Nature Communications 7 (2016), figure 3.

    Raises
    ------
    InvalidValue
        If ``rng`` is not a NumPy Generator, a size is not a whole number from 1, or ``dtype`` is unknown.
    """
    rng = generator_for("nonlinear-teacher", rng)
    n_train, n_test = whole_number("n_train", n_train), whole_number("n_test", n_test)
    float_type = float_dtype(dtype)
    layers = [_teacher_layer(rng, n_in, n_out) for n_in, n_out in pairwise(TEACHER)]
    x_train, x_test = (rng.standard_normal((n, TEACHER[0])) for n in (n_train, n_test))
    drawn = (array.astype("<f4") for array in (*(part for layer in layers for part in layer), x_train, x_test))
    return Dataset(
        name="nonlinear-teacher",
        task="regression",
        x_train=x_train.astype(float_type, copy=False),
        y_train=_answer(layers, x_train).astype(float_type, copy=False),
        x_test=x_test.astype(float_type, copy=False),
        y_test=_answer(layers, x_test).astype(float_type, copy=False),
        checksum=content_checksum("nonlinear-teacher: 30-20-10-10, tanh-tanh-linear, x normal(0,1)", *drawn),
        image_shape=None,
        description="The nonlinear task of Lillicrap et al. (2016): the answers of a random 30-20-10-10 network of "
        f"tanh units with a linear output to standard normal x; {n_train} training and {n_test} test examples.",
    )


def _teacher_layer(rng: Rng, n_in: int, n_out: int) -> tuple[Array, Array]:
    limit = TEACHER_DRIVE * math.sqrt(3.0 / n_in)  # a uniform number from ±limit has the variance limit² / 3
    return rng.uniform(-limit, limit, (n_out, n_in)), rng.uniform(-1.0, 1.0, n_out)


def _answer(layers: Sequence[tuple[Array, Array]], x: Array) -> Array:
    *hidden, (W, b) = layers
    for weight, bias in hidden:
        x = np.tanh(x @ weight.T + bias)
    return x @ W.T + b


def generator_for(name: str, rng: object) -> Rng:
    """Return ``rng`` if it is a NumPy Generator; raise `InvalidValue` naming the data set if it is not."""
    if isinstance(rng, np.random.Generator):
        return rng
    received = "none was given" if rng is None else f"{rng!r} was given"
    raise InvalidValue(
        f"data set {name!r} is drawn at random and needs a NumPy Generator as rng, but {received}. "
        "Accepted: for example rng=numpy.random.default_rng(0)."
    )
