"""Rows of convolutions: paddings, strides, dilations, groups, layouts, odd sizes."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

from keras import layers as k

from tests import exported
from tests.exported import Row, floats

# TensorFlow, with oneDNN, gives a convolution of an empty batch the shape of its input.
row = partial(exported.row, batches=(3, 1))

SIZES: dict[int, tuple[int, ...]] = {1: (11,), 2: (9, 11), 3: (5, 6, 7)}
PADDINGS = ("valid", "same")

LACKING = ("valid dilated", "same dilated", "channels first")


def image(rank: int, channels: int = 4, **rest: Any) -> Any:
    return floats(*SIZES[rank], channels, **rest)


def variants(kind: Any, rank: int, *positional: int, **options: Any) -> Any:
    """Rows that all kinds of convolution have: the first is strided, padded and activated."""

    def made(inputs: Any = None, **further: Any) -> Row:
        given = {"kernel_size": 3, **options, **further}
        return row(lambda: kind(*positional, **given), inputs or image(rank))

    rows = {"": made(padding="same", strides=2, activation="relu")}
    for padding, stride in product(PADDINGS, (1, 2, 3)):
        rows[f"{padding} stride {stride}"] = made(padding=padding, strides=stride)
    rows |= {f"{padding} dilated": made(padding=padding, dilation_rate=2) for padding in PADDINGS}
    rows |= {
        "even kernel": made(padding="same", kernel_size=2, use_bias=False),
        "one": made(kernel_size=1, activation="sigmoid"),
        "open": made(image(rank, open=rank), padding="same", strides=2),
        "wide": made(image(rank, 20), padding="same"),
        "channels first": made(
            floats(4, *SIZES[rank]), padding="same", data_format="channels_first"
        ),
    }
    return rows


def uneven(kind: Any, rank: int, *positional: int, **options: Any) -> dict[str, Row]:
    """Kernels, strides and dilations that differ along the axes."""
    kernel, strides, dilation = (3, 1, 2)[:rank], (1, 2, 2)[:rank], (1, 2, 1)[:rank]
    return {
        f"uneven {name} {padding}": row(
            lambda given=given, padding=padding: kind(
                *positional, kernel, padding=padding, **given, **options
            ),
            image(rank),
        )
        for padding in PADDINGS
        for name, given in {
            "strides": {"strides": strides},
            "dilation": {"dilation_rate": dilation},
        }.items()
    }


def grouped(kind: Any, rank: int) -> dict[str, Row]:
    return {
        f"{groups} groups {padding}": row(
            lambda groups=groups, padding=padding: kind(8, 3, groups=groups, padding=padding),
            image(rank),
        )
        for groups, padding in product((2, 4), PADDINGS)
    }


def transposed(kind: Any, rank: int) -> dict[str, Row]:
    rows = variants(kind, rank, 5)
    if rank == 3:  # TensorFlow has neither of these
        rows = {name: row for name, row in rows.items() if name not in LACKING}
    rows["output padding"] = row(
        lambda: kind(5, 3, strides=3, padding="same", output_padding=1), image(rank)
    )
    rows["output padding valid"] = row(lambda: kind(5, 2, strides=2, output_padding=1), image(rank))
    return rows


ROWS: dict[str, dict[str, Row]] = {
    "Conv1D": {
        **variants(k.Conv1D, 1, 5),
        **grouped(k.Conv1D, 1),
        "causal": row(lambda: k.Conv1D(5, 3, padding="causal"), image(1, open=1)),
        "causal dilated": row(lambda: k.Conv1D(5, 3, padding="causal", dilation_rate=2), image(1)),
        "causal strided": row(lambda: k.Conv1D(5, 3, padding="causal", strides=2), image(1)),
    },
    "Conv2D": {
        **variants(k.Conv2D, 2, 5),
        **grouped(k.Conv2D, 2),
        **uneven(k.Conv2D, 2, 5),
        "lora": row(lambda: k.Conv2D(5, 3, lora_rank=2), image(2)),
    },
    "Conv3D": {
        **variants(k.Conv3D, 3, 5),
        **grouped(k.Conv3D, 3),
        **uneven(k.Conv3D, 3, 5),
    },
    "Conv1DTranspose": transposed(k.Conv1DTranspose, 1),
    "Conv2DTranspose": transposed(k.Conv2DTranspose, 2),
    "Conv3DTranspose": transposed(k.Conv3DTranspose, 3),
    "DepthwiseConv1D": {
        **variants(k.DepthwiseConv1D, 1),
        "multiplied": row(lambda: k.DepthwiseConv1D(3, depth_multiplier=3), image(1)),
    },
    "DepthwiseConv2D": {
        **variants(k.DepthwiseConv2D, 2),
        "multiplied": row(
            lambda: k.DepthwiseConv2D(3, depth_multiplier=3, padding="same"), image(2)
        ),
        "uneven": row(lambda: k.DepthwiseConv2D((3, 1), padding="same"), image(2)),
    },
    "SeparableConv1D": {
        **variants(k.SeparableConv1D, 1, 5),
        "multiplied": row(lambda: k.SeparableConv1D(5, 3, depth_multiplier=3), image(1)),
    },
    "SeparableConv2D": {
        **variants(k.SeparableConv2D, 2, 5),
        "multiplied": row(
            lambda: k.SeparableConv2D(5, 3, depth_multiplier=3, padding="same"), image(2)
        ),
    },
}
