"""TensorFlow's element types: one table, from which every mapping derives.

A `DType` is its TensorFlow name (``float32``, ``string``, ``resource`` ...), so it hashes, compares
and prints as text, and goes into JSON as it is.  Its `numpy` property is the array type that
carries it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .errors import UnsupportedError

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# enum of tensorflow/core/framework/types.proto, name, numpy type (None: no array carries it;
# a text: the attribute of the optional package ml_dtypes)
_TABLE: tuple[tuple[int, str, Any], ...] = (
    (1, "float32", np.float32),
    (2, "float64", np.float64),
    (3, "int32", np.int32),
    (4, "uint8", np.uint8),
    (5, "int16", np.int16),
    (6, "int8", np.int8),
    (7, "string", np.object_),
    (8, "complex64", np.complex64),
    (9, "int64", np.int64),
    (10, "bool", np.bool_),
    (11, "qint8", np.int8),
    (12, "quint8", np.uint8),
    (13, "qint32", np.int32),
    (14, "bfloat16", "bfloat16"),
    (15, "qint16", np.int16),
    (16, "quint16", np.uint16),
    (17, "uint16", np.uint16),
    (18, "complex128", np.complex128),
    (19, "float16", np.float16),
    (20, "resource", None),
    (21, "variant", None),
    (22, "uint32", np.uint32),
    (23, "uint64", np.uint64),
    (24, "float8_e5m2", "float8_e5m2"),
    (25, "float8_e4m3fn", "float8_e4m3fn"),
    (26, "float8_e4m3fnuz", "float8_e4m3fnuz"),
    (27, "float8_e4m3b11fnuz", "float8_e4m3b11fnuz"),
    (28, "float8_e5m2fnuz", "float8_e5m2fnuz"),
    (29, "int4", "int4"),
    (30, "uint4", "uint4"),
    (31, "int2", "int2"),
    (32, "uint2", "uint2"),
    (33, "float4_e2m1fn", "float4_e2m1fn"),
)
_NUMPY = {name: carrier for _, name, carrier in _TABLE}
_REF = 100  # the enum of a reference type is its value type's plus this


class DType(str):
    """Name of a TensorFlow element type; see the module's docstring."""

    __slots__ = ()

    def __new__(cls, name: str) -> DType:
        if name not in _NUMPY:
            raise UnsupportedError(f"unknown dtype {name!r}; known: {', '.join(_NUMPY)}")
        return str.__new__(cls, name)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype of arrays that hold this type; strings are objects (``bytes``).

        Raises UnsupportedError for handles (resource, variant), and for the small float and integer
        types where the optional package ml_dtypes is not installed.
        """
        carrier = _NUMPY[self]
        if carrier is None:
            raise UnsupportedError(f"a {self} is a handle, no array holds it")
        if isinstance(carrier, str):
            try:
                import ml_dtypes

                carrier = getattr(ml_dtypes, carrier)
            except (ImportError, AttributeError):
                raise UnsupportedError(
                    f"dtype {self} needs the package ml_dtypes: pip install --upgrade ml_dtypes"
                ) from None
        found: np.dtype[Any] = np.dtype(carrier)
        return found

    @property
    def is_handle(self) -> bool:
        """Whether values are handles (resource, variant) and not arrays."""
        return _NUMPY[self] is None


DTYPES = tuple(DType(name) for _, name, _ in _TABLE)
_BY_ENUM = {number: DType(name) for number, name, _ in _TABLE}
_BY_ENUM |= {number + _REF: dtype for number, dtype in _BY_ENUM.items()}
_ENUM = {name: number for number, name, _ in _TABLE}
_BY_NUMPY = {
    np.dtype(carrier): DType(name)
    for _, name, carrier in reversed(_TABLE)
    if carrier is not None and not isinstance(carrier, str) and not name.startswith(("q",))
}


def from_enum(number: int) -> DType:
    """The type with this number in TensorFlow's `DataType` (reference types become value types)."""
    try:
        return _BY_ENUM[number]
    except KeyError:
        raise UnsupportedError(f"unknown TensorFlow dtype number {number}") from None


def to_enum(dtype: DType) -> int:
    """The number of `dtype` in TensorFlow's `DataType`."""
    return _ENUM[dtype]


def from_numpy(dtype: Any) -> DType:
    """The type that arrays of numpy's `dtype` carry; ``S`` and ``U`` arrays carry strings."""
    dtype = np.dtype(dtype)
    if dtype.kind in "SU":
        return DType("string")
    found = _BY_NUMPY.get(dtype)
    if found is None and dtype.name in _NUMPY:  # a type of ml_dtypes
        found = DType(dtype.name)
    if found is None:
        found = _BY_NUMPY.get(dtype.newbyteorder("="))
    if found is None:
        raise UnsupportedError(f"no TensorFlow dtype holds numpy's {dtype}")
    return found


FLOAT32 = DType("float32")
FLOAT64 = DType("float64")
INT32 = DType("int32")
INT64 = DType("int64")
BOOL = DType("bool")
STRING = DType("string")
RESOURCE = DType("resource")
VARIANT = DType("variant")
