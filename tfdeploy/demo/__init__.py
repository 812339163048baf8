"""A trained network, converted and judged on the spot: what `tfdeploy demo` runs.

`digits/` is a SavedModel that `train_digits.py` made with TensorFlow; `digits_test.npz` holds
images that it never saw, their labels and the logits that TensorFlow answers for them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

import tfdeploy as td
from tfdeploy import config

HERE = os.path.dirname(__file__)
SAVED_MODEL = os.path.join(HERE, "digits")
TEST_DATA = os.path.join(HERE, "digits_test.npz")

MIN_ACCURACY = 0.97
MAX_ERROR = 1e-5


def run(json: bool = False) -> int:
    """Converts, saves, loads and runs the network; prints what came out, as JSON where asked.

    Returns 0, or 1 below 97 % accuracy or where an answer differs from TensorFlow's: another digit,
    or a logit that is off by more than 1e-5 of the largest one.
    """
    facts = measure()
    if json:
        from json import dumps

        print(dumps(facts, indent=2))
    else:
        print(report(facts))
    return 0 if facts["ok"] else 1


def measure() -> dict[str, Any]:
    """Everything the demo tells, by name; sizes in bytes, times in seconds."""
    with np.load(TEST_DATA) as data:
        labels, expected = data["labels"], data["logits"]
        images = data["images"].astype(np.float32)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = os.path.join(folder, "digits.tfd")
        convert_time, converted = timed(lambda: td.convert(SAVED_MODEL))
        converted.save(path)
        file_size = os.path.getsize(path)
        load_time, model = timed(lambda: td.Model(path))
        logits = model(images)
        one_time = min(timed(lambda: model(images[:1]))[0] for _ in range(20))
        all_time = min(timed(lambda: model(images))[0] for _ in range(3))

    digits = logits.argmax(axis=1)
    facts = {
        "version": td.__version__,
        "engine": config.engine_name(),
        "num_threads": config.get_num_threads(),
        "tensorflow_imported": "tensorflow" in sys.modules,
        "saved_model_bytes": size_of(SAVED_MODEL),
        "file_bytes": file_size,
        "convert_seconds": convert_time,
        "load_seconds": load_time,
        "images": len(images),
        "accuracy": float(np.mean(digits == labels)),
        "same_digits": int(np.sum(digits == expected.argmax(axis=1))),
        "max_error": float(np.abs(logits - expected).max() / np.abs(expected).max()),
        "seconds_one_image": one_time,
        "seconds_per_image_of_all": all_time / len(images),
    }
    facts["problems"] = problems(facts)
    facts["ok"] = not facts["problems"]
    return facts


def problems(facts: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words.  NaN counts as a problem."""
    found = []
    if not facts["accuracy"] >= MIN_ACCURACY:
        found.append(f"accuracy is below {MIN_ACCURACY:.0%}")
    if facts["same_digits"] != facts["images"]:
        found.append("some digits are not TensorFlow's")
    if not facts["max_error"] <= MAX_ERROR:
        found.append(f"some logits are off by more than {MAX_ERROR:.0e} of scale")
    return found


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = perf_counter()
    result = call()
    return perf_counter() - start, result


def size_of(folder: str) -> int:
    """Bytes of all files in and below `folder`."""
    return sum(
        os.path.getsize(os.path.join(root, name))
        for root, _, names in os.walk(folder)
        for name in names
    )


def report(facts: dict[str, Any]) -> str:
    """The facts of `measure` for people."""
    rows = [
        ("tfdeploy", facts["version"]),
        ("engine", f"{facts['engine']}; threads: {facts['num_threads']}"),
        ("files", "SavedModel {:.1f} kB -> .tfd {:.1f} kB".format(
            facts["saved_model_bytes"] / 1e3, facts["file_bytes"] / 1e3)),
        ("converted", "in {:.1f} ms, loaded in {:.1f} ms; TensorFlow was {}imported".format(
            facts["convert_seconds"] * 1e3, facts["load_seconds"] * 1e3,
            "" if facts["tensorflow_imported"] else "not ")),
        ("accuracy", f"{facts['accuracy']:.2%} of {facts['images']} held-out images"),
        ("agreement", f"{facts['same_digits']} of {facts['images']} digits are TensorFlow's, "
                      f"logits within {facts['max_error']:.1e} of scale"),
        ("time", "{:.3f} ms for one image, {:.4f} ms per image for all at once".format(
            facts["seconds_one_image"] * 1e3, facts["seconds_per_image_of_all"] * 1e3)),
        ("result", "; ".join(facts["problems"]) or "all as it should be"),
    ]  # fmt: skip
    return "\n".join(f"{label:<10} {value}" for label, value in rows)
