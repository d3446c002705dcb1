"""Tasks that are drawn rather than read."""

from __future__ import annotations

from typing import Any

import numpy as np

from alignlib._typing import Rng
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


def generator_for(name: str, rng: object) -> Rng:
    """Return ``rng`` if it is a NumPy Generator; raise `InvalidValue` naming the data set if it is not."""
    if isinstance(rng, np.random.Generator):
        return rng
    received = "none was given" if rng is None else f"{rng!r} was given"
    raise InvalidValue(
        f"data set {name!r} is drawn at random and needs a NumPy Generator as rng, but {received}. "
        "Accepted: for example rng=numpy.random.default_rng(0)."
    )
