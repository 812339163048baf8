"""Regular expressions: RE2's, see `re2`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL
from ..graph.types import ValueType
from .re2 import Regex, compiled, replace
from .registry import op
from .rules import Inference
from .string import each, encoded, string_type

Array = NDArray[Any]


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _scalar(value: Array, what: str) -> str:
    if value.ndim:
        raise ValueError(f"{what} should be a scalar, not of shape {value.shape}")
    return _text(value.item())


def _replaced(x: Array, regex: Regex, rewrite: str, everywhere: bool) -> Array:
    found = regex.one_of()
    if found is not None and everywhere and len(rewrite) < 2 and rewrite.isascii():
        if not rewrite:
            return each(lambda s: s.translate(None, found), x)
        if rewrite != "\\":
            table = bytes.maketrans(found, rewrite.encode() * len(found))
            return each(lambda s: s.translate(table), x)
    return each(
        lambda s: replace(regex, _text(s), rewrite, everywhere).encode(errors="surrogateescape"), x
    )


def _matched(x: Array, regex: Regex) -> Array:
    return np.array([regex.full(_text(s)) for s in x.ravel()], bool).reshape(x.shape)


def _match_type(c: Inference) -> ValueType:
    return ValueType(BOOL, c.inputs[0].shape)


@op("RegexReplace", type=string_type, exact=True, ranks=".00")
def regex_replace(
    x: Array, pattern: Array, rewrite: Array, *, replace_global: bool = True
) -> Array:
    r"""Each string with the matches of `pattern`, or the first alone, rewritten.

    ``\0`` to ``\9`` in `rewrite` stand for the match and its groups (tf.strings.regex_replace).
    """
    return _replaced(
        x, compiled(_scalar(pattern, "pattern")), _scalar(rewrite, "rewrite"), replace_global
    )


@op("StaticRegexReplace", type=string_type, exact=True)
def static_regex_replace(
    x: Array, *, pattern: str, rewrite: str, replace_global: bool = True
) -> Array:
    """As `regex_replace`, pattern and rewrite fixed."""
    return _replaced(x, compiled(_text(encoded(pattern))), _text(encoded(rewrite)), replace_global)


@op("RegexFullMatch", type=_match_type, exact=True, ranks=".0")
def regex_full_match(x: Array, pattern: Array) -> Array:
    """Whether `pattern` matches all of each string (tf.strings.regex_full_match)."""
    return _matched(x, compiled(_scalar(pattern, "pattern")))


@op("StaticRegexFullMatch", type=_match_type, exact=True)
def static_regex_full_match(x: Array, *, pattern: str) -> Array:
    """As `regex_full_match`, the pattern fixed."""
    return _matched(x, compiled(_text(encoded(pattern))))
