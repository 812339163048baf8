"""Rows of pooling, merging, cropping, padding, scaling up and reshaping."""

from __future__ import annotations

from itertools import product
from typing import Any

from keras import layers as k

from tests.exported import Row, floats, ids, row

SIZES: dict[int, tuple[int, ...]] = {1: (11,), 2: (9, 11), 3: (5, 6, 7)}
RANKS = (1, 2, 3)
KINDS = ("Average", "Max")
Table = dict[str, dict[str, Row]]


def image(rank: int, **rest: Any) -> Any:
    return floats(*SIZES[rank], 4, **rest)


def first(rank: int) -> Any:
    return floats(4, *SIZES[rank])


def pooling(kind: Any, rank: int) -> dict[str, Row]:
    rows = {"same": row(lambda: kind(3, strides=2, padding="same"), image(rank))}
    for padding, size, stride in product(("valid", "same"), (2, 3), (1, 2, 3)):
        rows[f"{padding} {size} by {stride}"] = row(
            lambda given=(size, stride, padding): kind(*given), image(rank)
        )
    rows |= {
        "open": row(lambda: kind(2), image(rank, open=rank)),
        "channels first": row(
            lambda: kind(3, strides=2, padding="same", data_format="channels_first"), first(rank)
        ),
        "uneven": row(lambda: kind((2, 3, 1)[:rank], padding="same"), image(rank)),
    }
    return rows


def global_pooling(kind: Any, rank: int) -> dict[str, Row]:
    rows = {
        "": row(lambda: kind(), image(rank, open=rank)),
        "kept": row(lambda: kind(keepdims=True), image(rank)),
        "channels first": row(lambda: kind(data_format="channels_first"), first(rank)),
    }
    if kind is k.GlobalAveragePooling1D:
        rows["masked"] = row(
            kind, image(1), call=lambda layer, x: layer(x, mask=x[:, :, 0] > 0), batches=(3, 1)
        )
    return rows


def adaptive_pooling(kind: Any, rank: int) -> dict[str, Row]:
    sizes = {"uneven": (3, 2, 4), "two": (2, 2, 2), "divides": (5, 3, 2)}
    rows = {
        name: row(lambda size=size: kind(size[:rank] if rank > 1 else size[0]), image(rank))
        for name, size in sizes.items()
    }
    rows["channels first"] = row(lambda: kind(2, data_format="channels_first"), first(rank))
    return rows


def resized(layer: Any, rank: int, amounts: dict[str, Any], named: str) -> dict[str, Row]:
    """Rows of cropping and padding by the `amounts`."""
    rows = {
        name: row(lambda amount=amount: layer(**{named: amount}), image(rank))
        for name, amount in amounts.items()
    }
    rows["open"] = row(lambda: layer(**{named: 1}), image(rank, open=rank))
    if layer is not k.Cropping1D:
        rows["channels first"] = row(
            lambda: layer(**{named: 1}, data_format="channels_first"), first(rank)
        )
    return rows


def amounts(rank: int) -> dict[str, Any]:
    pairs = ((1, 2), (0, 1), (2, 0))[:rank]
    even = {"even": (1, 0, 2)[:rank]} if rank > 1 else {}
    return {"uneven": pairs if rank > 1 else pairs[0], "one": 1, **even}


def upsampling(layer: Any, rank: int) -> dict[str, Row]:
    rows = {
        "": row(lambda: layer((2, 3, 2)[:rank] if rank > 1 else 3), image(rank)),
        "open": row(lambda: layer(2), image(rank, open=rank)),
    }
    if rank > 1:
        rows["channels first"] = row(lambda: layer(2, data_format="channels_first"), first(rank))
    if rank == 2:
        rows |= {
            f"{kind} {size}": row(
                lambda kind=kind, size=size: layer(size, interpolation=kind), image(2)
            )
            for kind in ("bilinear", "bicubic", "lanczos3", "lanczos5")
            for size in (2, (3, 1))
        }
    return rows


def ranks(name: str, variants: Any) -> Table:
    """The layers of a family, one for each rank; `name` holds a star for the rank."""
    return {
        name.replace("*", str(n)): variants(getattr(k, name.replace("*", str(n))), n) for n in RANKS
    }


POOLING: Table = {}
for kind in KINDS:
    POOLING |= ranks(f"{kind}Pooling*D", pooling)
    POOLING |= ranks(f"Global{kind}Pooling*D", global_pooling)
    POOLING |= ranks(f"Adaptive{kind}Pooling*D", adaptive_pooling)

A, B, C = floats(4, 5), floats(4, 5), floats(1, 5)
MERGING: Table = {
    name: {
        "": row(getattr(k, name), A, B, C),
        "two": row(getattr(k, name), A, B),
        "ranks": row(getattr(k, name), A, floats(5)),
        "integers": row(getattr(k, name), ids(-9, 9, 5), ids(-9, 9, 5)),
        "types": row(getattr(k, name), ids(-9, 9, 5), floats(5)),
    }
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply")
}

ROWS: Table = {
    **POOLING,
    **ranks("Cropping*D", lambda kind, n: resized(kind, n, amounts(n), "cropping")),
    **ranks("ZeroPadding*D", lambda kind, n: resized(kind, n, amounts(n), "padding")),
    **ranks("UpSampling*D", upsampling),
    **MERGING,
    "Subtract": {"": row(k.Subtract, A, B), "broadcast": row(k.Subtract, A, C)},
    "Concatenate": {
        "": row(k.Concatenate, A, floats(4, 2), B),
        "axis": row(lambda: k.Concatenate(axis=1), A, floats(2, 5)),
        "open": row(lambda: k.Concatenate(axis=1), floats(4, 5, open=1), floats(2, 5, open=1)),
        "types": row(k.Concatenate, ids(0, 9, 4), floats(3)),
        "masked": row(
            lambda: k.Concatenate(axis=1),
            A,
            B,
            call=lambda layer, a, b: (
                layer([a, b]),
                layer.compute_mask([a, b], [a[..., 0] > 0, None]),
            ),
        ),
    },
    "Dot": {
        "": row(lambda: k.Dot(axes=(1, 2)), A, floats(3, 4)),
        "normalized": row(lambda: k.Dot(axes=1, normalize=True), floats(5), floats(5)),
        "last": row(lambda: k.Dot(axes=-1), A, floats(3, 5)),
        "vector": row(lambda: k.Dot(axes=(2, 1)), A, floats(5)),
        "ranks": row(lambda: k.Dot(axes=(3, 1)), floats(2, 3, 4), floats(4, 5)),
    },
    "Flatten": {
        "": row(k.Flatten, image(2)),
        "open": row(k.Flatten, floats(4, 5, open=1)),
        "vector": row(k.Flatten, floats()),
        "channels first": row(lambda: k.Flatten(data_format="channels_first"), first(2)),
    },
    "Permute": {
        "": row(lambda: k.Permute((3, 1, 2)), image(2)),
        "open": row(lambda: k.Permute((2, 1)), floats(4, 5, open=1)),
    },
    "RepeatVector": {"": row(lambda: k.RepeatVector(3), floats(5))},
    "Reshape": {
        "": row(lambda: k.Reshape((-1, 10)), A),
        "whole": row(lambda: k.Reshape((2, 2, 5)), A),
        "flat": row(lambda: k.Reshape((20,)), A),
        "open": row(lambda: k.Reshape((-1, 10)), floats(4, 5, open=1)),
    },
}
