"""Types of values: element type and symbolic shape.

An extent is an int or a `Dim`, a polynomial with integer coefficients over symbols, floor quotients
and broadcasts (the extent that is not 1).  Symbols are bound by the arrays that are fed (``x.0`` is
the first extent of input ``x``) or, where a size depends on data, by the op that finds it.  Rules
compute with extents as with ints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from math import gcd
from operator import and_
from typing import NamedTuple, TypeAlias

from ..dtypes import DType

Atom: TypeAlias = str | tuple[str, "Extent", "Extent"]
"""A symbol, or what ``//`` (a floor quotient) or ``bc`` (a broadcast) make of two extents."""
Monomial: TypeAlias = tuple[Atom, ...]


VALUE = "known"
"""Attribute of a Placeholder of one integer: the extent that its value is."""


class Dim:
    """A symbolic extent; arithmetic with ints and other Dims gives an int where it can.

    `terms` maps products of atoms to coefficients; the empty product is the constant.
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms: dict[Monomial, int] = dict(
            sorted(terms.items(), key=lambda term: repr(term[0]))
        )
        self._hash = hash(tuple(self.terms.items()))

    @staticmethod
    def symbol(name: str) -> Dim:
        """The extent called `name`."""
        return Dim({(name,): 1})

    @staticmethod
    def _make(terms: dict[Monomial, int]) -> Extent:
        terms = {product: factor for product, factor in terms.items() if factor}
        if not terms:
            return 0
        if len(terms) == 1 and () in terms:
            return terms[()]
        return Dim(terms)

    def __add__(self, other: Extent) -> Extent:
        terms = dict(self.terms)
        for product, factor in _terms(other).items():
            terms[product] = terms.get(product, 0) + factor
        return Dim._make(terms)

    def __mul__(self, other: Extent) -> Extent:
        terms: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                product = tuple(sorted(left + right, key=repr))
                terms[product] = terms.get(product, 0) + a * b
        return Dim._make(terms)

    def __neg__(self) -> Extent:
        return self * -1

    def __sub__(self, other: Extent) -> Extent:
        return self + -other

    def __rsub__(self, other: Extent) -> Extent:
        return -self + other

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, other: Extent) -> Extent:
        if other == 1:
            return self
        if self == other:
            return 1
        over, under = _reduced(self, other)
        return over if under == 1 else Dim({(("//", over, under),): 1})

    @staticmethod
    def broadcast(a: Extent, b: Extent) -> Extent:
        """The extent of `a` against `b`, one of which may turn out to be 1."""
        if a == b or b == 1:
            return a
        if a == 1 or isinstance(b, int):
            return b
        if isinstance(a, int):
            return a
        total, *others = sorted({*parts(a), *parts(b)}, key=repr, reverse=True)
        for part in others:
            total = Dim({(("bc", part, total),): 1})
        return total

    def __rfloordiv__(self, other: Extent) -> Extent:
        return 0 if other == 0 else Dim({(("//", other, self),): 1})

    def __mod__(self, other: Extent) -> Extent:
        return self - self // other * other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        parts = []
        for product, factor in self.terms.items():
            names = [a if isinstance(a, str) else f"({a[1]}{a[0]}{a[2]})" for a in product]
            if factor != 1 or not names:
                names.insert(0, str(factor))
            parts.append("*".join(names))
        return "+".join(parts).replace("+-", "-")

    @property
    def name(self) -> str | None:
        """The symbol that this extent is, None for anything else."""
        (atoms, factor), *rest = self.terms.items()
        single = not rest and factor == 1 and len(atoms) == 1
        return atoms[0] if single and isinstance(atoms[0], str) else None

    def symbols(self) -> set[str]:
        """Names of the symbols that this extent depends on."""
        found: set[str] = set()
        for product in self.terms:
            for atom in product:
                if isinstance(atom, str):
                    found.add(atom)
                else:
                    found.update(*(e.symbols() for e in atom[1:] if isinstance(e, Dim)))
        return found

    def evaluate(self, binding: Mapping[str, int]) -> int:
        """The number that this extent is where each symbol has its number in `binding`."""
        total = 0
        for product, factor in self.terms.items():
            for atom in product:
                if isinstance(atom, str):
                    factor *= binding[atom]
                else:
                    a, b = evaluate(atom[1], binding), evaluate(atom[2], binding)
                    factor *= a // b if atom[0] == "//" else (b if a == 1 else a)
            total += factor
        return total

    def replaced(self, by: Mapping[str, Extent]) -> Extent:
        """The extent with other extents in the place of some symbols."""
        total: Extent = 0
        for product, factor in self.terms.items():
            term: Extent = factor
            for atom in product:
                if isinstance(atom, str):
                    term = term * by.get(atom, Dim.symbol(atom))
                    continue
                a, b = replaced(atom[1], by), replaced(atom[2], by)
                term = term * (a // b if atom[0] == "//" else Dim.broadcast(a, b))
            total = total + term
        return total


Extent: TypeAlias = int | Dim
Shape: TypeAlias = tuple[Extent, ...] | None
"""None is an unknown rank."""


def _terms(extent: Extent) -> Mapping[Monomial, int]:
    return extent.terms if isinstance(extent, Dim) else {(): extent}


def parts(extent: Extent) -> list[Extent]:
    """The extents of which a broadcast was made; else the extent alone."""
    if isinstance(extent, Dim) and len(extent.terms) == 1:
        ((atoms, factor),) = extent.terms.items()
        atom = atoms[0] if factor == 1 and len(atoms) == 1 else ""
        if not isinstance(atom, str) and atom[0] == "bc":
            return [*parts(atom[1]), *parts(atom[2])]
    return [extent]


def _reduced(over: Extent, under: Extent) -> tuple[Extent, Extent]:
    """Both sides of a quotient without the factors that all their terms share.

    Where such a factor is 0, the quotient is what every other value of it gives.
    """
    sides = _terms(over), _terms(under)
    shared = reduce(and_, (Counter(atoms) for side in sides for atoms in side))
    by = gcd(*(factor for side in sides for factor in side.values()))
    if min(sides[1].values()) < 0:
        by = -by
    left, right = (
        {_without(atoms, shared): factor // by for atoms, factor in side.items()} for side in sides
    )
    return Dim._make(left), Dim._make(right)


def _without(atoms: Monomial, gone: Counter[Atom]) -> Monomial:
    rest = list(atoms)
    for atom in gone.elements():
        rest.remove(atom)
    return tuple(rest)


def evaluate(extent: Extent, binding: Mapping[str, int]) -> int:
    """The number that `extent` is under `binding`; raises KeyError for an unbound symbol."""
    return extent.evaluate(binding) if isinstance(extent, Dim) else extent


def replaced(extent: Extent, by: Mapping[str, Extent]) -> Extent:
    """`extent` with other extents in the place of some symbols."""
    return extent.replaced(by) if isinstance(extent, Dim) else extent


def product(extents: tuple[Extent, ...]) -> Extent:
    """The product of `extents`; of none, 1."""
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def symbols_told(shape: Sequence[Extent]) -> Iterator[tuple[str, int, int]]:
    """Symbols that a shape tells: their axes, and how much larger the extents there are."""
    for axis, extent in enumerate(shape):
        if isinstance(extent, Dim):
            more = extent.terms.get((), 0)
            single = extent + -more if more else extent
            if isinstance(single, Dim) and single.name is not None:
                yield single.name, axis, more


class ValueType(NamedTuple):
    """What is known of a value before it is computed."""

    dtype: DType
    shape: Shape = None

    @property
    def rank(self) -> int | None:
        """Number of dimensions, None where it is unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def static(self) -> bool:
        """Whether every extent is a number."""
        return self.shape is not None and all(isinstance(e, int) for e in self.shape)

    def __repr__(self) -> str:
        shape = "?" if self.shape is None else ", ".join(map(str, self.shape))
        return f"{self.dtype}[{shape}]"
