"""What every learner gets to see of its data: four read-only arrays and what they are."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.datasets.splits import fixed_order, stratified_split
from alignlib.errors import InvalidValue, choose

TASKS = ("classification", "regression")
DTYPES = ("float32", "float64")
VALIDATION_SEED = 2
VALIDATION_DIVISOR = 6  # one example in six: 10 000 of MNIST's 60 000, as is usual


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test examples, one a row, in the order in which they are meant to be used.

    Parameters
    ----------
    name : str
        The name that :func:`alignlib.datasets.load` knows.
    task : {"classification", "regression"}
        What the targets are.
    x_train, x_test : (n, n_in) float32 or float64
        Inputs; images are flattened row by row and scaled to [0, 1].
    y_train, y_test : (n, n_out), same dtype
        Targets; one-hot for classification.
    checksum : str
        SHA-256 (hex) of the content of the whole data set, whatever the dtype and the machine. ``take`` and
        ``split_validation`` keep it: what they return is a fixed function of that content.
    image_shape : (height, width) or None
        How to look at a row of x as an image.
    description : str
        One or two sentences for the page.

    Raises
    ------
    InvalidValue
        If the arrays do not fit each other.
    """

    name: str
    task: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    checksum: str
    image_shape: tuple[int, int] | None
    description: str

    def __post_init__(self) -> None:
        choose("task", self.task, TASKS)
        _check_shapes(self)
        for field in ("x_train", "y_train", "x_test", "y_test"):
            # A view, so that the arrays of whoever made this data set keep their own flags.
            view = getattr(self, field).view()
            view.setflags(write=False)
            object.__setattr__(self, field, view)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.x_train.shape[1])

    @property
    def n_out(self) -> int:
        """Number of outputs: classes, or components of the target."""
        return int(self.y_train.shape[1])

    def take(self, n: int) -> Dataset:
        """Return the data set with only its first ``n`` training examples (their order is a fixed shuffle).

        Raises
        ------
        InvalidValue
            If ``n`` is not a whole number from 1 to the number of training examples.
        """
        available = len(self.x_train)
        count = whole_number(f"number of training examples of {self.name!r}", n, most=available)
        return replace(self, x_train=self.x_train[:count], y_train=self.y_train[:count])

    def split_validation(self) -> Dataset:
        """Return a data set whose *test* part is a sixth of this one's training part; the rest trains.

        Every choice of hyper-parameters is made with it, so that the test part is seen once, at the end.
        The cut is fixed and, for classification, stratified.

        Raises
        ------
        InvalidValue
            If there are fewer than six training examples.
        """
        n = len(self.x_train)
        if n < VALIDATION_DIVISOR:
            raise InvalidValue(
                f"{self.name!r} has {n} training examples. Accepted: {VALIDATION_DIVISOR} or more, "
                "so that a sixth of them can be the validation part."
            )
        kept, held_out = self._validation_indices(n, n // VALIDATION_DIVISOR)
        return replace(
            self,
            x_train=self.x_train[kept],
            y_train=self.y_train[kept],
            x_test=self.x_train[held_out],
            y_test=self.y_train[held_out],
            description=f"{self.description} The test part is replaced by a validation part, {len(held_out)} "
            f"examples cut out of the training part, which keeps {len(kept)}.",
        )

    def _validation_indices(self, n: int, n_held_out: int) -> tuple[Array, Array]:
        if self.task == "classification":
            return stratified_split(self.y_train.argmax(axis=1), n_held_out, VALIDATION_SEED)
        order = fixed_order(n, VALIDATION_SEED)
        return order[n_held_out:], order[:n_held_out]

    def __repr__(self) -> str:
        return (
            f"<Dataset {self.name!r}: {len(self.x_train)} training and {len(self.x_test)} test examples, "
            f"{self.n_in} inputs, {self.n_out} outputs, {self.x_train.dtype}>"
        )


def _check_shapes(data: Dataset) -> None:
    shapes = {field: getattr(data, field).shape for field in ("x_train", "y_train", "x_test", "y_test")}
    x_train, y_train, x_test, y_test = shapes.values()
    if (
        any(len(shape) != 2 for shape in shapes.values())
        or x_train[0] != y_train[0]
        or x_test[0] != y_test[0]
        or x_train[1] != x_test[1]
        or y_train[1] != y_test[1]
    ):
        raise InvalidValue(
            f"the arrays of data set {data.name!r} do not fit each other: {shapes}. "
            "Accepted: rows are examples, x and y have equally many, train and test equally wide ones."
        )


def whole_number(what: str, value: Any, most: int | None = None) -> int:
    """Return ``value`` as an int from 1 (to ``most``, if there is a limit) or raise `InvalidValue`."""
    accepted = f"a whole number from 1{'' if most is None else f' to {most}'}"
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, (bool, np.bool_)) or number < 1 or (most is not None and number > most):
        raise InvalidValue(f"{what} is {value!r}. Accepted: {accepted}.")
    return number


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """Return NumPy's dtype for ``"float32"`` or ``"float64"`` (their NumPy types do too).

    Raises
    ------
    InvalidValue
        For anything else.
    """
    name: object = dtype
    if not isinstance(dtype, str):
        try:
            name = np.dtype(dtype).name if dtype is not None else dtype
        except TypeError:
            name = dtype
    return np.dtype(choose("dtype", name, DTYPES))


def content_checksum(*parts: str | Array) -> str:
    """Return the SHA-256 (hex) over texts and arrays; shape and dtype of an array count as content."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        else:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
