"""Rows of normalisations."""

from __future__ import annotations

import numpy as np
from keras import layers as k

from tests.exported import Row, floats, row

MAP = floats(5, 7, 4)
STEPS = floats(4, 6, open=1)
TRAINING = {"call": lambda layer, x: layer(x, training=True), "batches": (3, 5, 3)}
DATA = np.random.default_rng(0).normal(2.0, 3.0, (50, 4)).astype("float32")


def adapted(**options: object) -> k.Normalization:
    layer = k.Normalization(**options)
    layer.adapt(DATA)
    return layer


ROWS: dict[str, dict[str, Row]] = {
    "BatchNormalization": {
        "": row(k.BatchNormalization, MAP),
        "axis": row(lambda: k.BatchNormalization(axis=1), MAP),
        "two axes": row(lambda: k.BatchNormalization(axis=2), MAP),
        "bare": row(lambda: k.BatchNormalization(center=False, scale=False), MAP),
        "no scale": row(lambda: k.BatchNormalization(scale=False, epsilon=0.1), STEPS),
        "training": row(k.BatchNormalization, MAP, **TRAINING),
        "training masked": row(
            k.BatchNormalization,
            floats(4, 6),
            call=lambda layer, x: layer(x, training=True, mask=x[..., 0] > -1),
            batches=(3, 5, 3),
        ),
        "renorm": row(
            lambda: k.BatchNormalization(
                renorm=True, renorm_clipping={"rmin": 0.5, "rmax": 2.0, "dmax": 1.0}
            ),
            MAP,
        ),
    },
    "LayerNormalization": {
        "": row(k.LayerNormalization, STEPS),
        "axes": row(lambda: k.LayerNormalization(axis=[1, 2, 3]), MAP),
        "axis": row(lambda: k.LayerNormalization(axis=1), MAP),
        "two axes": row(lambda: k.LayerNormalization(axis=(-2, -1)), MAP),
        "bare": row(lambda: k.LayerNormalization(center=False, scale=False), STEPS),
        "wide": row(k.LayerNormalization, floats(300)),
    },
    "RMSNormalization": {
        "": row(k.RMSNormalization, STEPS),
        "axis": row(lambda: k.RMSNormalization(axis=(2, 3), epsilon=0.1), MAP),
    },
    "UnitNormalization": {
        "": row(k.UnitNormalization, STEPS),
        "axes": row(lambda: k.UnitNormalization(axis=[1, 2]), MAP),
    },
    "GroupNormalization": {
        "": row(lambda: k.GroupNormalization(2), MAP),
        "instance": row(lambda: k.GroupNormalization(-1), MAP),
        "layer": row(lambda: k.GroupNormalization(1), floats(5, 7, 4, open=2)),
        "axis": row(lambda: k.GroupNormalization(5, axis=1), MAP),
        "bare": row(lambda: k.GroupNormalization(2, center=False, scale=False), MAP),
        "sequence": row(lambda: k.GroupNormalization(3), STEPS),
    },
    "Normalization": {
        "adapted": row(adapted, MAP, fixed=True),
        "inverted": row(lambda: adapted(invert=True), MAP, fixed=True),
        "given": row(
            lambda: k.Normalization(axis=-1, mean=[1.0, 2, 3, 4], variance=[1.0, 4, 9, 16]),
            MAP,
            fixed=True,
        ),
        "scalar": row(lambda: k.Normalization(axis=None, mean=2.0, variance=3.0), MAP, fixed=True),
        "no axis": row(lambda: adapted(axis=None), MAP, fixed=True),
    },
    "Rescaling": {
        "": row(lambda: k.Rescaling(1 / 127.5, -1), MAP),
        "channels": row(lambda: k.Rescaling([1.0, 2, 3, 4], [4.0, 3, 2, 1]), MAP),
    },
}
