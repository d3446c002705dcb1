"""A stand-in for CuPy: as strict as CuPy about what lives where and which options exist, and it counts what is moved.

The work is done by NumPy, so results can be compared bit for bit. What CuPy accepts was read in its reference and
source: ufuncs and functions arrive by NumPy's protocols; arrays of the two kinds never mix; there is no implicit
conversion; ``take`` knows no mode; ``dot`` writes only into C-contiguous arrays of the result's own dtype.
"""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

UFUNCS = frozenset(
    "absolute add divide exp greater log log1p matmul maximum multiply negative sign sqrt subtract tanh".split()  # noqa: SIM905
)
SCALARS = (bool, int, float, np.generic)


class DeviceArray(NDArrayOperatorsMixin):
    """An array "on the device"; ``moved`` counts copies to it and back, over all arrays."""

    moved: ClassVar[dict[str, int]] = {"to device": 0, "to host": 0}

    def __init__(self, values):
        self._values = values

    shape = property(lambda self: self._values.shape)
    ndim = property(lambda self: self._values.ndim)
    size = property(lambda self: self._values.size)
    dtype = property(lambda self: self._values.dtype)
    flags = property(lambda self: self._values.flags)
    T = property(lambda self: DeviceArray(self._values.T))

    def __len__(self):
        return len(self._values)

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __float__(self):
        return float(self.get())

    def get(self, stream=None, order="C", out=None):
        self.moved["to host"] += 1
        return np.array(self._values, order=order)

    def set(self, values):
        assert type(values) is np.ndarray
        assert (values.dtype, values.shape) == (self.dtype, self.shape)
        assert self.flags.c_contiguous or self.flags.f_contiguous
        self.moved["to device"] += 1
        self._values[...] = values

    def __getitem__(self, key):
        return DeviceArray(np.asarray(self._values[_checked_key(key)]))

    def __setitem__(self, key, value):
        self._values[_checked_key(key)] = _inner(value)

    def reshape(self, *shape):
        return DeviceArray(self._values.reshape(*shape))

    def fill(self, value):
        self._values.fill(_inner(value))

    def copy(self):
        return DeviceArray(self._values.copy())

    def max(self, axis=None, out=None, keepdims=False):
        return DeviceArray(np.asarray(self._values.max(axis, keepdims=keepdims)))

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or ufunc.__name__ not in UFUNCS:
            return NotImplemented
        if "out" in kwargs:
            (out,) = kwargs.pop("out")
            kwargs["out"] = _inner_array(out)
        result = ufunc(*map(_inner, inputs), **kwargs)
        return out if "out" in kwargs else DeviceArray(np.asarray(result))

    def __array_function__(self, func, types, args, kwargs):
        if func.__name__ not in FUNCTIONS:
            return NotImplemented
        return FUNCTIONS[func.__name__](*args, **kwargs)


def _inner(value):
    if isinstance(value, DeviceArray):
        return value._values
    if isinstance(value, SCALARS):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _inner_array(value):
    assert isinstance(value, DeviceArray), f"on the device, out cannot be {type(value)}"
    return value._values


def _checked_key(key):
    parts = key if isinstance(key, tuple) else (key,)
    assert not any(isinstance(part, np.ndarray | list | DeviceArray) for part in parts)
    return key


def empty(shape, dtype=float, order="C"):
    return DeviceArray(np.full(shape, np.nan, dtype, order))


def zeros(shape, dtype=float, order="C"):
    return DeviceArray(np.zeros(shape, dtype, order))


def asarray(a, dtype=None, order=None):
    if isinstance(a, DeviceArray):
        return a if dtype in (None, a.dtype) else DeviceArray(a._values.astype(dtype))
    DeviceArray.moved["to device"] += 1
    return DeviceArray(np.array(a, dtype, order=order or "K"))


def empty_like(a, dtype=None, order="K", subok=None, shape=None):
    return DeviceArray(np.full_like(_inner_array(a), np.nan, dtype, order, shape=shape))


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    return DeviceArray(np.zeros_like(_inner_array(a), dtype, order, shape=shape))


def take(a, indices, axis=None, out=None):
    if out is None:
        return DeviceArray(np.take(_inner_array(a), _inner_array(indices), axis))
    np.take(_inner_array(a), _inner_array(indices), axis, _inner_array(out), mode="wrap")
    return out


def dot(a, b, out=None):
    a, b = _inner_array(a), _inner_array(b)
    if out is None:
        return DeviceArray(np.asarray(np.dot(a, b)))
    assert out.flags.c_contiguous
    assert out.dtype == np.result_type(a, b)
    np.dot(a, b, out=_inner_array(out))
    return out


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    into = None if out is None else _inner_array(out)
    result = np.sum(_inner_array(a), axis, dtype, into, keepdims)
    return DeviceArray(np.asarray(result)) if out is None else out


def mean(a, axis=None, dtype=None, out=None, keepdims=False):
    assert out is None
    return DeviceArray(np.asarray(np.mean(_inner_array(a), axis, dtype, keepdims=keepdims)))


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    assert out is None
    return DeviceArray(np.concatenate([_inner_array(each) for each in tup], axis, dtype=dtype, casting=casting))


FUNCTIONS = {
    each.__name__: each for each in (empty, zeros, asarray, empty_like, zeros_like, take, dot, sum, mean, concatenate)
} | {"asanyarray": asarray}


def module():
    """Return the stand-in as what ``import cupy`` gives, the counts set to zero."""
    DeviceArray.moved.update(dict.fromkeys(DeviceArray.moved, 0))
    made = ModuleType("cupy")
    made.empty, made.ndarray, made.__version__ = empty, DeviceArray, "0 (stand-in)"
    return made
