"""Ensembles: several models evaluated together, their outputs combined."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EnsembleMismatchException, UnknownEnsembleMethodException
from .model import Key, Model
from .tensor import Tensor

Array = NDArray[Any]

METHODS = METHOD_MEAN, METHOD_MAX, METHOD_MIN, METHOD_CUSTOM = range(4)


class Ensemble:
    """Models whose outputs are combined by `method`: METHOD_MEAN, METHOD_MAX, METHOD_MIN,
    METHOD_CUSTOM.

    `paths` are model files, loaded in order into `models`.  Raises UnknownEnsembleMethodException.
    """

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]] | None = None, method: int = METHOD_MEAN
    ) -> None:
        _check(method)
        self.method = method
        self.models: list[Model] = []
        self.load([paths] if isinstance(paths, (str, os.PathLike)) else paths or ())

    def load(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        """Loads further models."""
        self.models.extend(Model(path) for path in paths)

    def get(self, *names: str, key: Key | None = None) -> Any:
        """Tensor ensembles by name: one for one name, else a tuple.

        A model without a tensor of that name has None in its place.
        """
        found = tuple(
            TensorEnsemble([model.get(name, key=key) for model in self.models], self.method, name)
            for name in names
        )
        return found[0] if len(names) == 1 else found


class TensorEnsemble:
    """One tensor of each model, None where a model has none.

    For METHOD_CUSTOM set `func_custom` of the instance: it takes the list of the models' values.
    """

    def __init__(
        self, tensors: Sequence[Tensor | None], method: int = METHOD_MEAN, name: str = ""
    ) -> None:
        _check(method)
        self.method = method
        self.tensors = list(tensors)
        self.name = name

    @staticmethod
    def func_custom(values: list[Array]) -> Any:
        """The combination for METHOD_CUSTOM: set it on the instance, or override it."""
        raise NotImplementedError("METHOD_CUSTOM: set func_custom of this tensor ensemble first")

    def eval(self, feed_dict: Mapping[TensorEnsemble, Any] | None = None) -> Any:
        """The combined value.

        Keys are tensor ensembles; a value is one array for all models, or a list or tuple with one
        for each.  A None in place of a tensor or of a model's value is skipped.  Raises
        EnsembleMismatchException where lengths differ or a model lacks this tensor.
        """
        feeds: list[dict[Tensor, Any]] = [{} for _ in self.tensors]
        for ensemble, value in (feed_dict or {}).items():
            for feed, tensor, each in zip(
                feeds, ensemble.tensors, self._per_model(ensemble, value), strict=True
            ):
                if tensor is not None and each is not None:
                    feed[tensor] = each
        values = []
        for number, (tensor, feed) in enumerate(zip(self.tensors, feeds, strict=True)):
            if tensor is None:
                raise EnsembleMismatchException(
                    f"model {number} of the ensemble has no tensor {self.name!r} to evaluate"
                )
            values.append(tensor.eval(feed))
        return self.func(values)

    __call__ = eval

    def _per_model(self, ensemble: TensorEnsemble, value: Any) -> Sequence[Any]:
        if len(ensemble.tensors) != len(self.tensors):
            raise EnsembleMismatchException(
                f"a tensor ensemble of {len(ensemble.tensors)} models cannot feed one of "
                f"{len(self.tensors)}"
            )
        if not isinstance(value, (list, tuple)):
            return [value] * len(self.tensors)
        if len(value) != len(self.tensors):
            raise EnsembleMismatchException(
                f"{len(value)} values for {ensemble.name!r}, but the ensemble has "
                f"{len(self.tensors)} models; a list or tuple holds one value per model, one value "
                "for all is an array"
            )
        return value

    def func(self, values: list[Array]) -> Any:
        """The combination of the models' values by `method`."""
        _check(self.method)
        if self.method == METHOD_CUSTOM:
            return self.func_custom(values)
        combine: Callable[..., Any] = (np.mean, np.max, np.min)[self.method]
        return combine(np.stack(values), axis=0)


def _check(method: int) -> None:
    if method not in METHODS:
        raise UnknownEnsembleMethodException(
            f"ensemble method {method!r} is none of METHOD_MEAN, METHOD_MAX, METHOD_MIN, "
            "METHOD_CUSTOM"
        )
