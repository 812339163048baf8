"""SentencePiece: text in the pieces of a trained model, by the optional package sentencepiece."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, INT64, RESOURCE, STRING, DType
from ..errors import UnsupportedError
from ..graph.types import Extent, ValueType
from .handles import Handle
from .registry import READS, op
from .registry import RESOURCE as OWNED
from .rules import Inference
from .string import encoded, texts

Array = NDArray[Any]


class Pieces(Handle):
    """A trained model; `model` holds its bytes."""

    __slots__ = ("model", "processor")
    kind = "SentencePiece model"

    def __init__(self, model: bytes) -> None:
        try:
            package = import_module("sentencepiece")
        except ImportError:
            raise UnsupportedError(
                "SentencePiece needs the package sentencepiece: pip install tfdeploy[text]"
            ) from None
        self.model = model
        self.processor: Any = package.SentencePieceProcessor(model_proto=model)


@op("SentencepieceOp", type=lambda c: ValueType(RESOURCE, ()), effect=OWNED, exact=True)
def sentencepiece_op(*, model: str | bytes = "") -> Pieces:
    """The handle of a trained model; UnsupportedError where the package is not installed."""
    return Pieces(encoded(model))


def _tokenize_types(c: Inference) -> list[ValueType]:
    shape = c.inputs[1].shape
    rows: Extent = shape[0] + 1 if shape else c.fresh()
    return [ValueType(c.attrs["out_type"], (c.fresh(),)), ValueType(c.attrs["Tsplits"], (rows,))]


@op(
    "SentencepieceTokenizeOp",
    type=_tokenize_types,
    effect=READS,
    exact=True,
    outputs=("output_values", "output_splits"),
)
def sentencepiece_tokenize(
    handle: Any,
    x: Array,
    nbest_size: Array,
    alpha: Array,
    add_bos: Array,
    add_eos: Array,
    reverse: Array,
    *,
    out_type: DType = INT32,
    Tsplits: DType = INT64,
    return_nbest: bool = False,
) -> tuple[Array, Array]:
    """Pieces, or their numbers, of each string as a ragged matrix (tf_text.SentencepieceTokenizer).

    Sampling among the best ways to cut (`nbest_size` other than 0 and 1) raises UnsupportedError.
    """
    if isinstance(handle, np.ndarray) and handle.ndim == 0:
        handle = handle.item()
    if not isinstance(handle, Pieces):
        raise ValueError(f"expected a SentencePiece model, got {handle!r}")
    if x.ndim != 1:
        raise ValueError(f"a vector is expected, not shape {x.shape}")
    if return_nbest or ((nbest_size != 0) & (nbest_size != 1)).any():
        raise UnsupportedError("sampling of SentencePiece's pieces is not supported")
    flags = [np.broadcast_to(f, x.shape).tolist() for f in (add_bos, add_eos, reverse)]
    kind = str if out_type == STRING else int
    rows = []
    for word, bos, eos, back in zip(x.tolist(), *flags, strict=True):
        row = handle.processor.encode(word, out_type=kind, add_bos=bos, add_eos=eos)
        rows.append(row[::-1] if back else row)
    flat = [piece for row in rows for piece in row]
    splits = np.cumsum([0, *map(len, rows)]).astype(Tsplits.numpy)
    if out_type == STRING:
        return texts([piece.encode() for piece in flat], (len(flat),)), splits
    return np.array(flat, out_type.numpy), splits
