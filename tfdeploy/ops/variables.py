"""Variables that the graph assigns to.

An op that only reads takes the array itself where the variable is a constant.  Ops of TensorFlow 1
on references (`Assign`, `ScatterUpdate` ...) are those on handles, and give the handle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, INT32, RESOURCE, DType
from ..graph.types import ValueType
from . import array, index
from .elements import Content
from .handles import Variable
from .registry import READS, WRITES, op
from .registry import RESOURCE as OWNED
from .rules import Inference

Array = NDArray[Any]
Nothing = tuple[Array, ...]


def _variable(resource: Any) -> Variable:
    if not isinstance(resource, Variable):
        raise ValueError(f"expected a variable that can be assigned, got {resource!r}")
    return resource


def _value(resource: Any) -> Array:
    return resource.read() if isinstance(resource, Variable) else resource


def _variable_type(c: Inference) -> ValueType:
    shape, dtype = c.attrs["shape"], c.attrs["dtype"]
    c.know(Content(dtype, shape))
    return ValueType(RESOURCE, ())


@op("VarHandleOp", "VariableV2", "Variable", type=_variable_type, effect=OWNED, exact=True)
def variable(
    *,
    value: Array | None = None,
    dtype: DType | None = None,
    shape: tuple[int | None, ...] | None = None,
    shared_name: str = "",
) -> Variable:
    """A variable with its initial value; None where it has none (tf.Variable)."""
    return Variable(value, shared_name)


def _content(c: Inference) -> ValueType:
    """The type of what the variable in input 0 holds."""
    known = c.value(0)
    if isinstance(known, Content):
        shape = known.shape
        return ValueType(
            known.kind,
            None if shape is None else tuple(c.fresh() if e is None else e for e in shape),
        )
    if c.inputs[0].dtype.is_handle:
        return ValueType(c.attrs["dtype"])
    return c.inputs[0]


@op("ReadVariableOp", type=_content, effect=READS, exact=True)
def read_variable(resource: Any, *, dtype: DType | None = None) -> Array:
    """The value of a variable at this point."""
    return _value(resource)


@op(
    "VarIsInitializedOp",
    "IsVariableInitialized",
    type=lambda c: ValueType(BOOL, ()),
    effect=READS,
    exact=True,
)
def is_initialized(resource: Any) -> Array:
    """Whether a variable has a value."""
    return np.asarray(not isinstance(resource, Variable) or resource.value is not None)


def _shape_of_type(c: Inference) -> ValueType:
    rank = _content(c).rank if isinstance(c.value(0), Content) else None
    return ValueType(c.attrs["out_type"], (c.fresh() if rank is None else rank,))


@op("VariableShape", type=_shape_of_type, effect=READS, exact=True)
def variable_shape(input: Any, *, out_type: DType = INT32) -> Array:
    """The shape of a variable's value."""
    return np.asarray(_value(input).shape, out_type.numpy)


def _gather_type(c: Inference) -> ValueType:
    content, indices = _content(c), c.inputs[1].shape
    depth = c.attrs["batch_dims"]
    if content.shape is None or indices is None:
        return ValueType(c.attrs["dtype"] or content.dtype)
    return ValueType(content.dtype, indices + content.shape[depth + 1 :])


@op("ResourceGather", type=_gather_type, effect=READS, exact=True)
def resource_gather(
    resource: Any, indices: Array, *, dtype: DType | None = None, batch_dims: int = 0
) -> Array:
    """Rows of a variable (tf.gather); behind `batch_dims` leading extents that both have."""
    found: Array = index.gather_v2(
        _value(resource), indices, np.asarray(batch_dims), batch_dims=batch_dims
    )
    return found


def _gather_nd_type(c: Inference) -> ValueType:
    content, indices = _content(c), c.inputs[1].shape
    if content.shape is None or indices is None or not isinstance(indices[-1], int):
        return ValueType(content.dtype)
    return ValueType(content.dtype, indices[:-1] + content.shape[indices[-1] :])


@op("ResourceGatherNd", type=_gather_nd_type, effect=READS, exact=True)
def resource_gather_nd(resource: Any, indices: Array, *, dtype: DType | None = None) -> Array:
    """The slices of a variable that rows of `indices` name (tf.gather_nd)."""
    return index.gather_nd(_value(resource), indices)


# Assignments


def _no_output(c: Inference) -> list[ValueType]:
    return []


def _reference(c: Inference) -> ValueType:
    c.know(c.value(0))
    return c.inputs[0]


@op("Assign", type=_reference, effect=WRITES, exact=True)
def assign(ref: Any, value: Array, *, validate_shape: bool = True) -> Variable:
    """Makes `value` the variable's (tf.compat.v1.assign)."""
    target = _variable(ref)
    if validate_shape and target.value is not None and target.value.shape != value.shape:
        raise ValueError(
            f"a variable of shape {target.value.shape} cannot get a value of shape {value.shape}"
        )
    target.assign(value)
    return target


@op("AssignVariableOp", type=_no_output, effect=WRITES, exact=True)
def assign_variable(resource: Any, value: Array, *, validate_shape: bool = False) -> Nothing:
    """Makes `value` the variable's (tf.Variable.assign)."""
    assign(resource, value, validate_shape=validate_shape)
    return ()


def _change(resource: Any, value: Array, how: Callable[..., Array]) -> Variable:
    target = _variable(resource)
    old = target.read()
    if value.shape != old.shape:
        raise ValueError(f"a variable of shape {old.shape} and a value of shape {value.shape}")
    target.take(np.asarray(how(old, value), old.dtype))
    return target


@op("AssignAdd", type=_reference, effect=WRITES, exact=True)
def assign_add(ref: Any, value: Array) -> Variable:
    """Adds to a variable (tf.compat.v1.assign_add)."""
    return _change(ref, value, np.add)


@op("AssignSub", type=_reference, effect=WRITES, exact=True)
def assign_sub(ref: Any, value: Array) -> Variable:
    """Subtracts from a variable (tf.compat.v1.assign_sub)."""
    return _change(ref, value, np.subtract)


@op("AssignAddVariableOp", type=_no_output, effect=WRITES, exact=True)
def assign_add_variable(resource: Any, value: Array) -> Nothing:
    """Adds to a variable (tf.Variable.assign_add)."""
    assign_add(resource, value)
    return ()


@op("AssignSubVariableOp", type=_no_output, effect=WRITES, exact=True)
def assign_sub_variable(resource: Any, value: Array) -> Nothing:
    """Subtracts from a variable (tf.Variable.assign_sub)."""
    assign_sub(resource, value)
    return ()


@op("StridedSliceAssign", type=_reference, effect=WRITES, exact=True)
def strided_slice_assign(
    ref: Any,
    begin: Array,
    end: Array,
    strides: Array,
    value: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Variable:
    """Assigns to a strided slice of a variable (tf.compat.v1.strided_slice's assign)."""
    target = _variable(ref)
    target.take(
        array.tensor_strided_slice_update(
            target.read(),
            begin,
            end,
            strides,
            value,
            begin_mask=begin_mask,
            end_mask=end_mask,
            ellipsis_mask=ellipsis_mask,
            new_axis_mask=new_axis_mask,
            shrink_axis_mask=shrink_axis_mask,
        )
    )
    return target


@op("ResourceStridedSliceAssign", type=_no_output, effect=WRITES, exact=True)
def resource_strided_slice_assign(
    ref: Any,
    begin: Array,
    end: Array,
    strides: Array,
    value: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Nothing:
    """Assigns to a strided slice of a variable (``v[1:3].assign(x)``)."""
    masks = begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask
    names = "begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"
    given = dict(zip(names, masks, strict=True))
    strided_slice_assign(ref, begin, end, strides, value, **given)
    return ()


@op("TemporaryVariable", type=_variable_type, effect=WRITES, exact=True)
def temporary_variable(*, shape: tuple[int, ...], dtype: DType) -> Variable:
    """A variable of this call alone, without value."""
    return Variable(None, "temporary")


@op("DestroyTemporaryVariable", type=_content, effect=WRITES, exact=True)
def destroy_temporary_variable(ref: Any) -> Array:
    """The last value of a variable of this call alone."""
    return _variable(ref).read()


@op("DestroyResourceOp", type=_no_output, effect=WRITES, exact=True)
def destroy_resource(resource: Any) -> Nothing:
    """Nothing: what a resource of this call holds goes with the last who has it."""
    return ()


def _count(resource: Any, limit: int) -> Array:
    target = _variable(resource)
    old = target.read()
    if old >= limit:
        raise ValueError(f"the counter has reached its limit of {limit}")
    target.take(np.asarray(old + 1, old.dtype))
    return old


@op(
    "CountUpTo",
    "ResourceCountUpTo",
    type=lambda c: ValueType(c.attrs["T"], ()),
    effect=WRITES,
    exact=True,
)
def count_up_to(ref: Any, *, limit: int, T: DType = INT32) -> Array:
    """Adds 1 to a scalar variable and gives what it was; raises ValueError at the limit."""
    return _count(ref, limit)


# Scatter: rows by number, or slices by index; then what to do with the old and the new


def _register_scatters() -> None:
    """The ops that scatter into variables, on handles and on references."""
    what = {
        "Update": "puts",
        "Add": "adds",
        "Sub": "subtracts",
        "Mul": "multiplies by",
        "Div": "divides by",
        "Min": "takes the smaller of the old and",
        "Max": "takes the larger of the old and",
    }
    for how, verb in what.items():
        _register(f"Scatter{how}", how, _row_index, f"In rows of a variable {verb} updates.")
        if how not in ("Mul", "Div"):
            text = f"Where indices point into a variable {verb} updates."
            _register(f"ScatterNd{how}", how, _same_index, text)


def _row_index(indices: Array, updates: Array, target: Array) -> tuple[Array, Array]:
    if not updates.ndim:
        updates = np.broadcast_to(updates, indices.shape + target.shape[1:])
    return indices[..., None], updates


def _same_index(indices: Array, updates: Array, target: Array) -> tuple[Array, Array]:
    return indices, updates


def _register(name: str, how: str, spread: Callable[..., tuple[Array, Array]], text: str) -> None:
    combine = "" if how == "Update" else how

    def on_reference(ref: Any, indices: Array, updates: Array) -> Variable:
        target = _variable(ref)
        old = target.read()
        target.take(index.scatter(old, *spread(indices, updates, old), combine))
        return target

    def on_handle(resource: Any, indices: Array, updates: Array) -> Nothing:
        on_reference(resource, indices, updates)
        return ()

    on_reference.__doc__ = on_handle.__doc__ = text
    op(name, type=_reference, effect=WRITES, exact=True)(on_reference)
    op(f"Resource{name}", type=_no_output, effect=WRITES, exact=True)(on_handle)


_register_scatters()
