"""Rows of quantised layers and of layers that compute in other types than float32."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import layers as k

from tests.exported import Given, Row, flags, floats, ids, row

X = floats(6)
STEPS = floats(4, 6, open=1)
MAP = floats(7, 6, 4)
TOKENS = ids(0, 11, 7)


def quantized(mode: str, **options: Any) -> Callable[[Any], None]:
    """Quantises a layer once it is built."""

    def prepare(layer: Any) -> None:
        layer.quantize(mode, **options)

    return prepare


def calibrated(mode: str, group: int = -1) -> Callable[[Any], None]:
    """What GPTQ and AWQ leave in a layer, with random weights in place of calibrated ones."""

    def prepare(layer: Any) -> None:
        layer.quantize(mode, config=config(mode, group))
        rng = np.random.default_rng(6)
        for weight in layer.weights:
            last = weight.path.rpartition("/")[2]
            if weight.dtype == "uint8":
                weight.assign(rng.integers(0, 256 if last == "kernel" else 15, weight.shape))
            elif last == "g_idx":
                each = group if group > 0 else weight.shape[0]
                weight.assign(np.arange(weight.shape[0]) // each)
            elif "scale" in last:
                weight.assign(rng.uniform(0.05, 0.15, weight.shape))
        setattr(layer, f"is_{mode}_calibrated", True)

    return prepare


def config(mode: str, group: int) -> Any:
    kind = {"gptq": "GPTQConfig", "awq": "AWQConfig"}[mode]
    options = {"dataset": ["a"], "tokenizer": lambda text: text, "group_size": group}
    return getattr(keras.quantizers, kind)(**options)


DENSE = (lambda: k.Dense(5, activation="relu"), X)
EINSUM = (lambda: k.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), STEPS)
HEADS = (lambda: k.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), STEPS)
EMBEDDING = (lambda: k.Embedding(11, 6), TOKENS)
TIED = (lambda: k.ReversibleEmbedding(11, 6), TOKENS)


def quantizations() -> dict[str, dict[str, Row]]:
    def made(layer: Any, mode: str, call: Any = None, **options: Any) -> Row:
        return row(*layer, prepare=quantized(mode, **options), call=call)

    def back(layer: Any, x: Any) -> Any:
        return layer(layer(x), reverse=True)

    blocks = {
        f"int4 blocks {size}": {"config": keras.quantizers.Int4QuantizationConfig(block_size=size)}
        for size in (2, 4, -1)
    }
    weights_only = {
        "int8 weights": {
            "config": keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
        }
    }
    plain = {"int8": {}, "int4": {}}
    modes = plain | blocks | weights_only
    products = modes | {"float8": {}}
    named = {"Dense": DENSE, "EinsumDense": EINSUM}
    rows = {
        layer: {name: made(given, name.split()[0], **options) for name, options in products.items()}
        for layer, given in named.items()
    }
    rows["EinsumDense"] |= {
        f"{name} heads": made(HEADS, name.split()[0], **options)
        for name, options in products.items()
    }
    rows["Embedding"] = {
        name: made(EMBEDDING, name.split()[0], **options) for name, options in modes.items()
    }
    rows["ReversibleEmbedding"] = {
        name: made(TIED, name.split()[0], back, **options) for name, options in modes.items()
    }
    for mode, group in product(("gptq", "awq"), (-1, 2)):
        for layer, given in named.items():
            rows[layer][f"{mode} {group}"] = row(*given, prepare=calibrated(mode, group))
    return rows


LAYERS: dict[str, tuple[Callable[..., Any], Given]] = {
    "Dense": (lambda **dtype: k.Dense(5, activation="gelu", **dtype), X),
    "EinsumDense": (lambda **dtype: k.EinsumDense("abc,cd->abd", (None, 5), **dtype), STEPS),
    "Embedding": (lambda **dtype: k.Embedding(11, 6, **dtype), TOKENS),
    "Conv1D": (lambda **dtype: k.Conv1D(5, 3, padding="same", **dtype), STEPS),
    "Conv2D": (lambda **dtype: k.Conv2D(5, 3, activation="relu", **dtype), MAP),
    "DepthwiseConv2D": (lambda **dtype: k.DepthwiseConv2D(3, **dtype), MAP),
    "SeparableConv2D": (lambda **dtype: k.SeparableConv2D(5, 3, **dtype), MAP),
    "Conv2DTranspose": (lambda **dtype: k.Conv2DTranspose(5, 3, strides=2, **dtype), MAP),
    "MaxPooling2D": (lambda **dtype: k.MaxPooling2D(**dtype), MAP),
    "AveragePooling2D": (lambda **dtype: k.AveragePooling2D(2, padding="same", **dtype), MAP),
    "GlobalAveragePooling2D": (lambda **dtype: k.GlobalAveragePooling2D(**dtype), MAP),
    "BatchNormalization": (lambda **dtype: k.BatchNormalization(**dtype), MAP),
    "LayerNormalization": (lambda **dtype: k.LayerNormalization(**dtype), STEPS),
    "GroupNormalization": (lambda **dtype: k.GroupNormalization(2, **dtype), MAP),
    "RMSNormalization": (lambda **dtype: k.RMSNormalization(**dtype), STEPS),
    "LSTM": (lambda **dtype: k.LSTM(4, return_sequences=True, **dtype), STEPS),
    "GRU": (lambda **dtype: k.GRU(4, **dtype), STEPS),
    "Softmax": (lambda **dtype: k.Softmax(**dtype), STEPS),
    "UpSampling2D": (lambda **dtype: k.UpSampling2D(interpolation="bilinear", **dtype), MAP),
    "Rescaling": (lambda **dtype: k.Rescaling(0.5, 2.0, **dtype), MAP),
    "Dropout": (lambda **dtype: k.Dropout(0.5, **dtype), X),
    "Activation": (lambda **dtype: k.Activation("silu", **dtype), X),
}
POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
LACKING = (("LSTM", "bfloat16"), ("GRU", "bfloat16"))  # weights cannot be made orthogonal
# Whole chains of roundings to few bits: a last bit here is several there.  TensorFlow rounds after
# every op, and of a GRU in bfloat16 is up to 1.3e-2 from float64, tfdeploy up to 6e-3.
LOOSE = {"mixed_float16": 4e-3, "float16": 4e-3, "mixed_bfloat16": 4e-2, "bfloat16": 4e-2}


def policies() -> dict[str, dict[str, Row]]:
    rows = {
        layer: {
            policy: row(
                lambda make=make, policy=policy: make(dtype=policy),
                given,
                tolerance=LOOSE.get(policy, 2e-5),
                batches=(3, 1),
            )
            for policy in POLICIES
            if (layer, policy) not in LACKING
        }
        for layer, (make, given) in LAYERS.items()
    }
    rows["MultiHeadAttention"] = {
        policy: row(
            lambda policy=policy: k.MultiHeadAttention(2, 4, dtype=policy),
            STEPS,
            flags(4, 4, open=2),
            call=lambda layer, x, mask: layer(x, x, attention_mask=mask),
            tolerance=LOOSE.get(policy, 2e-5),
        )
        for policy in POLICIES
    }
    return rows


ROWS: dict[str, dict[str, Row]] = quantizations()
for layer, variants in policies().items():
    ROWS.setdefault(layer, {}).update(variants)
