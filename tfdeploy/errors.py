"""Every exception tfdeploy raises on purpose, under one root.

The eight names of tfdeploy 0.4 end in ``Exception``; names that came later end in ``Error``.  Where
a builtin says the kind of mistake (a wrong value, an unknown key, a missing file), the class
derives from it too, so that callers may catch either.
"""

from __future__ import annotations

from collections.abc import Iterable


class TfdeployError(Exception):
    """Root of everything that tfdeploy raises on purpose."""


class UnknownOperationException(TfdeployError):
    """A graph holds ops that tfdeploy does not know.

    `missing` maps each op type to the names of the nodes that have it.
    """

    def __init__(self, message: str, missing: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.missing = missing or {}


class OperationMismatchException(TfdeployError):
    """An operation class was given an op of a type that it does not represent."""


class InvalidImplementationException(TfdeployError):
    """An implementation type is none of `tfdeploy.IMPLS`."""


class UnknownImplementationException(TfdeployError):
    """An operation was asked for an implementation that nobody added to it."""


class UnknownEnsembleMethodException(TfdeployError):
    """An ensembling method is none of `tfdeploy.METHODS`."""


class EnsembleMismatchException(TfdeployError):
    """Tensor ensembles that do not fit together, or a model that lacks a fetched tensor."""


class ScipyOperationException(TfdeployError):
    """An implementation needs scipy, and scipy is missing or refused."""


class FormatError(TfdeployError, ValueError):
    """A file is damaged or not what it claims to be; the message says where and what was due."""


class UnsupportedError(TfdeployError, NotImplementedError):
    """A well-formed model asks for something that tfdeploy does not do."""


class ConversionError(TfdeployError, ValueError):
    """A model cannot be converted as asked (no such signature, an uninitialised variable, ...)."""


class GraphError(TfdeployError, ValueError):
    """A graph violates an invariant of its stage."""


class FeedError(TfdeployError, ValueError):
    """A fed value does not fit: unknown name, wrong rank, shape or dtype, or nothing fed at all."""


class FetchError(TfdeployError, LookupError):
    """A fetch names nothing in the model."""


class EvaluationError(TfdeployError, RuntimeError):
    """An op failed while it ran; the message names the node, its type and the input shapes."""


class ConfigError(TfdeployError, ValueError):
    """A switch of the environment, or a setting, has a value that it cannot have here."""


def near(name: str, names: Iterable[str]) -> str:
    """A clause for messages that lists the names like `name`, empty where none is."""
    import difflib

    found = difflib.get_close_matches(name, list(names), 3, 0.5)
    return f"; near: {', '.join(found)}" if found else ""
