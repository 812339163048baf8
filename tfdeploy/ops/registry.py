"""What tfdeploy knows of an op: one record each, made by the decorator `op` in a family module.

A family module is imported when an op is looked up that no loaded family has, in the order of
`FAMILIES`, so that importing tfdeploy loads none of them.

The reference of an op is its decorated function: it takes the input arrays positionally (list inputs
flattened as in a NodeDef) and TensorFlow's attributes by keyword, under TensorFlow's names; the keyword
parameters *are* the attribute list.  Strings arrive as str (bytes where not UTF-8), dtypes as `DType`,
shapes as tuples.  It returns one array, or a tuple where the op has several outputs, and leaves its
inputs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeVar

FAMILIES = ("state", "array", "math", "reduction", "nn", "image", "segment", "linalg",
            "spectral", "special", "random", "string")

Effect = Literal["pure", "reads", "writes", "random", "raises"]
PURE: Effect = "pure"  # the same inputs give the same outputs and nothing else happens
READS: Effect = "reads"  # depends on state
WRITES: Effect = "writes"  # changes state
RANDOM: Effect = "random"  # draws numbers
RAISES: Effect = "raises"  # exists for the error that it may raise

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


@dataclass(slots=True, eq=False)
class OpDef:
    """The record of one op.

    `outputs` names the output arguments where there are several (``name*attr`` for a list whose length
    the attribute gives: a number, or a list's length).  `exact` says that the result is the same to the
    bit whatever the numpy (no floating-point sums, no transcendental functions).  `symbolic` says that
    the reference also works on object arrays of symbolic extents.
    """

    names: tuple[str, ...]
    reference: Function
    attrs: tuple[str, ...]
    defaults: dict[str, Any]
    type: Function | None
    effect: Effect = PURE
    exact: bool = False
    kernel: str = ""
    outputs: tuple[str, ...] = ()
    symbolic: bool = False
    family: str = ""
    scipy: Function | None = None
    doc: str = ""

    def func(self) -> Function:
        """The implementation to run: the reference, or scipy's variant where that is chosen."""
        if self.scipy is not None and (self.names[0] in _use_scipy or prefer_scipy):
            return self.scipy
        return self.reference


_records: dict[str, OpDef] = {}
_loaded: set[str] = set()
_use_scipy: set[str] = set()
prefer_scipy = False

version = 0
"""Rises with every change of what an op runs; part of every plan's key."""


def changed() -> None:
    """Says that an op now runs something else: plans made before are void."""
    global version
    version += 1


def op(
    *names: str,
    type: Function | None = None,
    effect: Effect = PURE,
    exact: bool = False,
    kernel: str = "",
    outputs: tuple[str, ...] = (),
    symbolic: bool = False,
) -> Callable[[F], F]:
    """Registers the decorated reference for the TensorFlow op types `names`.

    `type` is the shape and dtype rule: it takes a `rules.Inference` and returns a ValueType, or a list
    of them.  Without a rule there is one output, of unknown shape and the first input's dtype.
    """

    def register(function: F) -> F:
        code = function.__code__
        start = code.co_argcount
        attrs = code.co_varnames[start : start + code.co_kwonlyargcount]
        family = function.__module__.rpartition(".")[2]
        record = OpDef(names, function, attrs, function.__kwdefaults__ or {}, type, effect, exact,
                       kernel, outputs, symbolic, family, doc=(function.__doc__ or "").strip())
        for name in names:
            if name in _records:
                raise ValueError(f"op {name} is registered twice: {family}, {_records[name].family}")
            _records[name] = record
        return function

    return register


def scipy_variant(name: str) -> Callable[[F], F]:
    """Registers the decorated function as the scipy implementation of op `name`."""

    def register(function: F) -> F:
        _records[name].scipy = function
        return function

    return register


def get(name: str) -> OpDef | None:
    """The record of op type `name`, or None; imports families until one has it."""
    found = _records.get(name)
    if found is None:
        for family in FAMILIES:
            if family not in _loaded:
                _loaded.add(family)
                import_module(f".{family}", __package__)
                if name in _records:
                    return _records[name]
    return found


def all_ops() -> Iterator[OpDef]:
    """Every record of every family, each once."""
    get("")
    seen = set()
    for record in _records.values():
        if id(record) not in seen:
            seen.add(id(record))
            yield record
