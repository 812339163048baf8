"""Keras' random augmentations, which an export applies when it serves: the same draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdeploy as td

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 12, 10, 3)).astype(np.float32)


def layers() -> dict[str, Any]:
    """Every random layer for images, with a seed of its own; all draw when they serve."""
    from keras import layers as k

    return {
        "flip": k.RandomFlip(seed=3),
        "rotation": k.RandomRotation(0.3, seed=4),
        "zoom": k.RandomZoom(0.3, seed=5),
        "translation": k.RandomTranslation(0.2, 0.3, seed=6),
        "contrast": k.RandomContrast(0.4, seed=7),
        "brightness": k.RandomBrightness(0.3, seed=8),
        "crop": k.RandomCrop(6, 7, seed=9),
        "hue": k.RandomHue(0.3, seed=10),
        "saturation": k.RandomSaturation(0.5, seed=11),
        "shear": k.RandomShear(0.2, 0.2, seed=12),
        "sharpness": k.RandomSharpness(0.5, seed=13),
        "posterization": k.RandomPosterization(4, seed=14),
        "invert": k.RandomInvert(seed=15),
        "grayscale": k.RandomGrayscale(seed=16),
        "erasing": k.RandomErasing(seed=17),
        "blur": k.RandomGaussianBlur(seed=18),
        "perspective": k.RandomPerspective(seed=19),
    }


FEW = ("flip", "rotation", "contrast", "crop")


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_draws_are_tensorflows(few: bool, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    path = tmp_path / "model"
    chosen = {name: layer for name, layer in layers().items() if name in FEW or not few}
    image = keras.Input(IMAGES.shape[1:])
    model = keras.Model(image, {name: layer(image) for name, layer in chosen.items()})
    model.export(str(path), verbose=False)
    theirs = tf.saved_model.load(str(path)).signatures["serving_default"]
    ours = td.convert(path)
    seen: list[dict[str, np.ndarray]] = []
    for _ in range(3):
        want = {name: value.numpy() for name, value in theirs(tf.constant(IMAGES)).items()}
        got = ours(IMAGES)
        assert got.keys() == want.keys()
        for name, value in want.items():
            scale = np.abs(value).max()
            np.testing.assert_allclose(got[name], value, atol=2e-5 * scale, err_msg=name)
        seen.append(got)
    changing = [
        name
        for name in chosen
        if any(not np.array_equal(seen[0][name], later[name]) for later in seen[1:])
    ]
    assert len(changing) >= 3 * len(chosen) // 4
