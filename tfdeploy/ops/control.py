"""Control flow: ops that call functions.

The references get functions as callables, which take and give tuples of values.  `PASSED` says
which inputs a function is called with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, INT32
from ..graph.graph import FuncRef, Graph
from ..graph.types import Extent, Shape, ValueType
from .elements import Content, Elements
from .registry import WRITES, op
from .rules import Inference, Known, scalar

Array = NDArray[Any]
Values = tuple[Any, ...]
Function = Callable[..., Values]

PASSED = {
    "If": 1,
    "StatelessIf": 1,
    "Case": 1,
    "StatelessCase": 1,
    "While": 0,
    "StatelessWhile": 0,
    "For": 3,
}
"""How many inputs stand before those of the functions; `For` puts the index before these."""

LOOPS = frozenset({"While", "StatelessWhile", "For"})
"""Ops whose function gets its own results the next time."""

State = list[tuple[ValueType, Known | None]]


def truth(value: Any) -> bool:
    """Whether TensorFlow takes a condition as true: a scalar that is not zero or empty, any other
    tensor that has elements.
    """
    array = np.asarray(value)
    if array.ndim:
        return array.size > 0
    return bool(array.item())


def _branch_type(
    c: Inference, branches: Sequence[FuncRef], taken: Callable[[Array], int]
) -> list[ValueType]:
    """What all branches agree on; where it is known which is `taken`, what that one gives."""
    assert c.calls is not None
    choice = c.values[0]
    only = None
    if isinstance(choice, np.ndarray) and choice.dtype != object:
        only = branches[taken(choice)]
    merged: State | None = None
    for branch in branches:
        types, values = c.calls.types(branch, c.inputs[1:], c.values[1:])
        results = list(zip(types, values, strict=True))
        if merged is not None and len(results) != len(merged):
            raise ValueError(f"branches give {len(merged)} and {len(results)} results")
        if merged is None or branch == only:
            merged = results
        elif only is None:
            merged = [_join(c, a, b, set()) for a, b in zip(merged, results, strict=True)]
    assert merged is not None
    c.know(*(value for _, value in merged))
    return [kind for kind, _ in merged]


def _loop_type(
    c: Inference, body: FuncRef, state: State, before: Sequence[ValueType] = ()
) -> list[ValueType]:
    """What holds at the start of every iteration; extents that the body changes are open."""
    assert c.calls is not None
    fixed = invariant(c.calls.graph(body), len(before))
    state = [
        (kind, value if i in fixed or isinstance(value, Elements) else None)
        for i, (kind, value) in enumerate(state)
    ]
    own: set[Extent] = set()
    values: list[Known | None] = [None] * len(before)
    while True:
        types, after = c.calls.types(
            body, [*before, *(k for k, _ in state)], [*values, *(v for _, v in state)]
        )
        if len(types) != len(state):
            raise ValueError(f"the body gives {len(types)} results for {len(state)} arguments")
        results = zip(types, after, strict=True)
        joined = [
            old if i in fixed else _join(c, old, new, own)
            for i, (old, new) in enumerate(zip(state, results, strict=True))
        ]
        if joined == state:
            c.know(*(value for _, value in state))
            return [kind for kind, _ in state]
        state = joined


def invariant(body: Graph, skip: int = 0) -> set[int]:
    """Numbers of the loop's values that the body hands back as it got them."""
    found = set()
    for i, ref in enumerate(body.outputs):
        while body.nodes[ref.node].op == "Identity":
            ref = body.nodes[ref.node].inputs[0]
        if ref == body.inputs[i + skip]:
            found.add(i)
    return found


def _join(
    c: Inference,
    old: tuple[ValueType, Known | None],
    new: tuple[ValueType, Known | None],
    own: set[Extent],
) -> tuple[ValueType, Known | None]:
    """What covers both; extents in `own` cover everything, and new ones of that kind are added."""
    (kind, value), (other, found) = old, new
    if kind.dtype != other.dtype:
        raise ValueError(f"a value is of {kind.dtype} once and of {other.dtype} another time")
    joined = ValueType(kind.dtype, _join_shapes(c, kind.shape, other.shape, own))
    if isinstance(value, Elements) and isinstance(found, Elements):
        return joined, value.join(found)
    if isinstance(value, Content) and value == found:
        return joined, value
    if isinstance(value, np.ndarray) and isinstance(found, np.ndarray):
        return joined, value if np.array_equal(value, found) else None
    return joined, None


def _join_shapes(c: Inference, old: Shape, new: Shape, own: set[Extent]) -> Shape:
    if old is None or new is None or len(old) != len(new):
        return None
    extents: list[Extent] = []
    for a, b in zip(old, new, strict=True):
        if a != b and a not in own:
            a = c.fresh()
            own.add(a)
        extents.append(a)
    return tuple(extents)


@op("ToBool", type=scalar(BOOL), exact=True)
def to_bool(input: Array) -> Array:
    """Whether a condition holds, as `truth` says."""
    return np.asarray(truth(input))


@op(
    "If",
    "StatelessIf",
    type=lambda c: _branch_type(
        c, [c.attrs["else_branch"], c.attrs["then_branch"]], lambda cond: int(truth(cond))
    ),
    effect=WRITES,
    exact=True,
)
def if_(cond: Any, *inputs: Any, then_branch: Function, else_branch: Function) -> Values:
    """The results of one of two functions (tf.cond)."""
    return then_branch(*inputs) if truth(cond) else else_branch(*inputs)


@op(
    "Case",
    "StatelessCase",
    type=lambda c: _branch_type(
        c, c.attrs["branches"], lambda index: _within(index, c.attrs["branches"])
    ),
    effect=WRITES,
    exact=True,
)
def case(branch_index: Array, *inputs: Any, branches: list[Function]) -> Values:
    """The results of the function that a number chooses, the last one for a number outside
    (tf.switch_case).
    """
    return branches[_within(branch_index, branches)](*inputs)


def _within(index: Array, branches: Sequence[Any]) -> int:
    return int(index) if 0 <= index < len(branches) else -1


def _while_type(c: Inference) -> list[ValueType]:
    types = _loop_type(c, c.attrs["body"], list(zip(c.inputs, c.values, strict=True)))
    assert c.calls is not None
    c.calls.types(c.attrs["cond"], types, c.result_values)
    return types


@op("While", "StatelessWhile", type=_while_type, effect=WRITES, exact=True)
def while_(*values: Any, cond: Function, body: Function) -> Values:
    """What is left when `cond` is false; `body` makes the next values (tf.while_loop)."""
    while truth(cond(*values)[0]):
        values = body(*values)
    return values


def _for_type(c: Inference) -> list[ValueType]:
    state = list(zip(c.inputs[3:], c.values[3:], strict=True))
    return _loop_type(c, c.attrs["body"], state, [ValueType(INT32, ())])


@op("For", type=_for_type, effect=WRITES, exact=True)
def for_(start: Array, limit: Array, delta: Array, *values: Any, body: Function) -> Values:
    """`body` of an index and the values, for each index in range(start, limit, delta)."""
    for index in range(int(start), int(limit), int(delta)):
        values = body(np.asarray(index, np.int32), *values)
    return values
