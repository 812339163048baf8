"""What tfdeploy knows of an op: one record each, made by the decorator `op` in a family module.

A family module is imported when one of its ops is looked up; `families` knows which one that is.

The reference of an op is its decorated function: it takes the input arrays positionally (list
inputs flattened as in a NodeDef) and TensorFlow's attributes by keyword, under TensorFlow's names;
the keyword parameters *are* the attribute list.  Strings arrive as str (bytes where not UTF-8),
dtypes as `DType`, shapes as tuples.  It returns one array, or a tuple where the op has several
outputs, and leaves its inputs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Literal, TypeVar

from .. import config
from ..errors import ScipyOperationException
from . import families

Effect = Literal["pure", "resource", "reads", "writes", "random", "raises"]
PURE: Effect = "pure"  # the same inputs give the same outputs and nothing else happens
RESOURCE: Effect = "resource"  # makes what lives as long as the model: a variable, a table
READS: Effect = "reads"  # depends on state
WRITES: Effect = "writes"  # changes state
RANDOM: Effect = "random"  # draws numbers
RAISES: Effect = "raises"  # exists for the error that it may raise

NUMPY, SCIPY = range(2)
"""Kinds of implementation; an op has at most one of each."""

OUTPUT_DTYPES = "_output_dtypes"
"""The keyword under which a user's implementation is given the numpy dtypes of its outputs."""

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


class OpDef:
    """The record of one op.

    `outputs` names the output arguments where there are several (``name*attr`` for a list whose
    length the attribute gives: a number, or a list's length).  `exact` says that the result is the
    same to the bit whatever the numpy (no floating-point sums, no transcendental functions).
    `symbolic` says that the reference also works on object arrays of symbolic extents.  `ranks` are
    pairs of an input, counted from the end after a list, and the rank that it must have.

    `impls` holds the implementations by kind, the default first; `impl` is the kind that somebody
    chose for this op, None where nobody did.  `users` are the kinds whose implementation a user
    wrote.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        reference: Function,
        attrs: tuple[str, ...],
        impls: dict[int, Function],
        *,
        defaults: dict[str, Any] | None = None,
        type: Function | None = None,
        effect: Effect = PURE,
        exact: bool = False,
        outputs: tuple[str, ...] = (),
        symbolic: bool = False,
        ranks: tuple[tuple[int, int], ...] = (),
        family: str = "",
        doc: str = "",
        users: frozenset[int] = frozenset(),
    ) -> None:
        self.names = names
        self.reference = reference
        self.attrs = attrs
        self.impls = impls
        self.impl: int | None = None
        self.defaults = defaults or {}
        self.type = type
        self.effect = effect
        self.exact = exact
        self.outputs = outputs
        self.symbolic = symbolic
        self.ranks = ranks
        self.family = family
        self.doc = doc
        self.users = users

    @property
    def user(self) -> bool:
        """Whether a user wrote some implementation."""
        return bool(self.users)

    def func(self) -> Function:
        """The implementation to run.

        Raises ScipyOperationException where that is tfdeploy's scipy variant and scipy is missing.
        """
        kind = self.chosen()
        if not self._runs(kind):
            raise ScipyOperationException(
                f"op {self.names[0]} is set to its scipy implementation, but scipy is missing (or "
                "refused by TD_REFUSE_SCIPY): install it, or use_impl(tfdeploy.IMPL_NUMPY)"
            )
        return self.impls[kind]

    def check_ranks(self, ranks: Sequence[int | None]) -> None:
        """Raises ValueError where an input is known not to have the rank that it must have."""
        for i, wanted in self.ranks:
            if ranks[i] not in (None, wanted):
                raise ValueError(
                    f"input {i % len(ranks)} has rank {ranks[i]} and should have {wanted}"
                )

    def check_outputs(self, attrs: dict[str, Any]) -> None:
        """Raises ValueError where attributes ask for more outputs than any graph has."""
        for output in self.outputs:
            count = attrs.get(output.partition("*")[2])
            if isinstance(count, int) and not 0 <= count <= _MOST_OUTPUTS:
                raise ValueError(f"{count} outputs are impossible")

    def checked(self) -> Function:
        """`func()`, which first checks the ranks of its arguments where tfdeploy wrote it."""
        function = self.func()
        if not self.ranks or self.chosen() in self.users:
            return function

        def check_and_run(*inputs: Any, **attrs: Any) -> Any:
            self.check_ranks([getattr(value, "ndim", None) for value in inputs])
            return function(*inputs, **attrs)

        return check_and_run

    def chosen(self) -> int:
        """The kind of implementation that runs: chosen for this op, else the first preferred one
        that can run, else the default."""
        if self.impl is not None:
            return self.impl
        able = (kind for kind in _preferred if kind in self.impls and self._runs(kind))
        return next(able, next(iter(self.impls)))

    def add_user_impl(self, kind: int, function: Function) -> None:
        """Adds a user's implementation, or replaces the one of that kind."""
        self.impls[kind] = function
        self.users |= {kind}

    def settled(self) -> bool:
        """Whether somebody chose or wrote what runs: no kernel or fusion may take its place."""
        return self.impl is not None or self.chosen() in self.users

    def _runs(self, kind: int) -> bool:
        return kind != SCIPY or kind in self.users or config.has_scipy()


_MOST_OUTPUTS = 1 << 16

_records: dict[str, OpDef] = {}
_homes = {name: family for family, names in families.FAMILIES.items() for name in names.split()}
_effects: dict[str, Any] = {e: name for name, es in families.EFFECTS.items() for e in es.split()}
_preferred: tuple[int, ...] = ()

version = 0
"""Rises with every change of what an op runs; part of every plan's key."""


def changed() -> None:
    """Says that an op now runs something else: plans made before are void."""
    global version
    version += 1


def prefer(kinds: Sequence[int]) -> None:
    """Makes every op run the first of `kinds` that it has, whatever was chosen for it before."""
    global _preferred
    _preferred = tuple(kinds)
    for record in _records.values():
        record.impl = None
    changed()


def op(
    *names: str,
    type: Function | None = None,
    effect: Effect = PURE,
    exact: bool = False,
    outputs: tuple[str, ...] = (),
    symbolic: bool = False,
    ranks: str = "",
) -> Callable[[F], F]:
    """Registers the decorated reference for the TensorFlow op types `names`.

    `type` is the shape and dtype rule: it takes a `rules.Inference` and returns a ValueType, or a
    list of them.  Without a rule there is one output, of unknown shape and the first input's dtype.

    `ranks` has a character for each input argument: the rank that it must have, ``.`` where it may
    have several, ``*`` for a list.
    """

    def register(function: F) -> F:
        code = function.__code__
        start = code.co_argcount
        attrs = code.co_varnames[start : start + code.co_kwonlyargcount]
        family = function.__module__.rpartition(".")[2]
        record = OpDef(
            names,
            function,
            attrs,
            {NUMPY: function},
            defaults=function.__kwdefaults__,
            type=type,
            effect=effect,
            exact=exact,
            outputs=outputs,
            symbolic=symbolic,
            ranks=_fixed_ranks(ranks),
            family=family,
            doc=(function.__doc__ or "").strip(),
        )
        for name in names:
            if name not in _records:
                _records[name] = record
            elif not _records[name].user:
                raise ValueError(
                    f"op {name} is registered twice: {family}, {_records[name].family}"
                )
        return function

    return register


def _fixed_ranks(ranks: str) -> tuple[tuple[int, int], ...]:
    """Pairs of an input and its rank, as `OpDef.ranks`."""
    before, _, after = ranks.partition("*")
    places = [*enumerate(before), *((i - len(after), rank) for i, rank in enumerate(after))]
    return tuple((i, int(rank)) for i, rank in places if rank != ".")


def scipy_variant(name: str) -> Callable[[F], F]:
    """Registers the decorated function as the scipy implementation of op `name`."""

    def register(function: F) -> F:
        _records[name].impls.setdefault(SCIPY, function)
        return function

    return register


def register_user(record: OpDef) -> None:
    """Makes a user's `record` the one that its op types run from now on."""
    for name in record.names:
        _records[name] = record
    changed()


def get(name: str) -> OpDef | None:
    """The record of op type `name`, or None; imports its family."""
    found = _records.get(name)
    if found is None and name in _homes:
        import_module(f".{_homes[name]}", __package__)
        found = _records.get(name)
    return found


def known(name: str) -> OpDef | None:
    """The record of op type `name` where its family is there already: nobody chose or wrote what
    the ops of other families run.
    """
    return _records.get(name)


def effect(name: str) -> Effect:
    """The effect of op type `name`; imports nothing.  A type that nobody knows reads."""
    found = _records.get(name)
    if found is not None:
        return found.effect
    return _effects.get(name, PURE if name in _homes else READS)


def all_ops() -> Iterator[OpDef]:
    """Every record of every family, each once."""
    for family in families.FAMILIES:
        import_module(f".{family}", __package__)
    seen = set()
    for record in list(_records.values()):
        if id(record) not in seen:
            seen.add(id(record))
            yield record
