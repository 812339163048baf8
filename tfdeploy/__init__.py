"""tfdeploy: TensorFlow graphs as small safe files and fast callables that need numpy and nothing
else.

    import tfdeploy as td

    model = td.convert("saved_model/")      # reads TensorFlow's files without TensorFlow
    model.save("model.tfd")
    model = td.Model("model.tfd")
    y = model(x)

Names are imported when they are first used, so that ``import tfdeploy`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .config import get_num_threads, set_num_threads, show_config
    from .dtypes import DType
    from .ensemble import (
        METHOD_CUSTOM,
        METHOD_MAX,
        METHOD_MEAN,
        METHOD_MIN,
        METHODS,
        Ensemble,
        TensorEnsemble,
    )
    from .errors import (
        ConfigError,
        ConversionError,
        EnsembleMismatchException,
        EvaluationError,
        FeedError,
        FetchError,
        FormatError,
        GraphError,
        InvalidImplementationException,
        OperationMismatchException,
        ScipyOperationException,
        TfdeployError,
        UnknownEnsembleMethodException,
        UnknownImplementationException,
        UnknownOperationException,
        UnsupportedError,
    )
    from .model import Model, Signature, Spec, convert
    from .tensor import (
        IMPL_NUMPY,
        IMPL_SCIPY,
        IMPLS,
        Operation,
        OperationRegister,
        Tensor,
        optimize,
        print_op,
        print_tensor,
        print_tf_op,
        print_tf_tensor,
        reset,
        setup,
    )

    HAS_SCIPY: bool

_HOMES = {
    "config": ("get_num_threads", "set_num_threads", "show_config"),
    "dtypes": ("DType",),
    "ensemble": (
        "METHODS",
        "METHOD_CUSTOM",
        "METHOD_MAX",
        "METHOD_MEAN",
        "METHOD_MIN",
        "Ensemble",
        "TensorEnsemble",
    ),
    "errors": (
        "ConfigError",
        "ConversionError",
        "EnsembleMismatchException",
        "EvaluationError",
        "FeedError",
        "FetchError",
        "FormatError",
        "GraphError",
        "InvalidImplementationException",
        "OperationMismatchException",
        "ScipyOperationException",
        "TfdeployError",
        "UnknownEnsembleMethodException",
        "UnknownImplementationException",
        "UnknownOperationException",
        "UnsupportedError",
    ),
    "model": ("Model", "Signature", "Spec", "convert"),
    "tensor": (
        "IMPLS",
        "IMPL_NUMPY",
        "IMPL_SCIPY",
        "Operation",
        "OperationRegister",
        "Tensor",
        "optimize",
        "print_op",
        "print_tensor",
        "print_tf_op",
        "print_tf_tensor",
        "reset",
        "setup",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "HAS_SCIPY",
    "IMPLS",
    "IMPL_NUMPY",
    "IMPL_SCIPY",
    "METHODS",
    "METHOD_CUSTOM",
    "METHOD_MAX",
    "METHOD_MEAN",
    "METHOD_MIN",
    "ConfigError",
    "ConversionError",
    "DType",
    "Ensemble",
    "EnsembleMismatchException",
    "EvaluationError",
    "FeedError",
    "FetchError",
    "FormatError",
    "GraphError",
    "InvalidImplementationException",
    "Model",
    "Operation",
    "OperationMismatchException",
    "OperationRegister",
    "ScipyOperationException",
    "Signature",
    "Spec",
    "Tensor",
    "TensorEnsemble",
    "TfdeployError",
    "UnknownEnsembleMethodException",
    "UnknownImplementationException",
    "UnknownOperationException",
    "UnsupportedError",
    "__version__",
    "convert",
    "get_num_threads",
    "optimize",
    "print_op",
    "print_tensor",
    "print_tf_op",
    "print_tf_tensor",
    "reset",
    "set_num_threads",
    "setup",
    "show_config",
]


def __getattr__(name: str) -> Any:
    """Names of the public surface, and the class of every known op (``tfdeploy.Softmax``)."""
    home = _HOME_OF.get(name)
    if home is not None:
        value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
        return value
    if name == "HAS_SCIPY":
        from .config import has_scipy

        return has_scipy()
    if name[:1].isupper():  # op types are; submodules are not
        from .tensor import class_by_name

        found = class_by_name(name)
        if found is not None:
            return found
    raise AttributeError(f"module 'tfdeploy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
