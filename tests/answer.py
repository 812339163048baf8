"""Answers a SavedModel's feeds without TensorFlow: run as ``python answer.py FOLDER``.

Imports of TensorFlow, Keras, protobuf and scipy fail here.  FOLDER holds what `tests.models.export`
writes; ``got.npz`` gets the tensors of ``answers.npz`` from a model that was converted, saved
and loaded; ``times.json`` says how long each step took.

``python answer.py --calls FOLDER ...`` answers the calls that `tests.applications.export` writes:
``N/NAME`` of ``got.npz`` is output NAME of call N.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import numpy as np

BLOCKED = ("tensorflow", "keras", "tf_keras", "google", "h5py", "scipy", "absl")


class Blocker(MetaPathFinder):
    """Refuses to find the packages that tfdeploy must do without."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] in BLOCKED:
            raise ImportError(f"{fullname} is blocked in this test")


def stage_tensor(names: list[str], layer: str) -> str:
    """The tensor that Keras' export gave the output of `layer`: the last one in its scope."""
    found = [name for name in names if f"{layer}_1" in name.split("/")]
    assert found, f"no tensor of layer {layer} has survived"
    return found[-1]


def main(folder: Path) -> None:
    """Converts, saves, loads and answers."""
    import tfdeploy as td

    times = {}
    start = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal start
        times[name] = time.perf_counter() - start
        start = time.perf_counter()

    converted = td.convert(str(folder / "model"))
    lap("convert")
    converted.save(folder / "model.tfd")
    lap("save")
    model = td.Model(folder / "model.tfd")
    lap("load")
    feeds = dict(np.load(folder / "feeds.npz"))
    (logits,) = model.signatures["serving_default"](feeds).values()
    lap("first call")
    again = model(feeds)
    lap("second call")
    np.testing.assert_array_equal(logits, again)
    np.testing.assert_array_equal(logits, converted(feeds))
    start = time.perf_counter()

    wanted = [name for name in np.load(folder / "answers.npz").files if name != "logits"]
    names = [f"{node.name}:0" for node in model._entries[0].graph.nodes]
    tensors = [stage_tensor(names, name.removeprefix("stage/")) for name in wanted]
    placeholders = dict(model.signatures["serving_default"]._inputs)
    graph = model._entries[0].graph
    fed = {graph.name(placeholders[name]): value for name, value in feeds.items()}
    values = model.eval(tensors, fed)
    lap("stages")
    np.savez(folder / "got.npz", logits=logits, **dict(zip(wanted, values, strict=True)))
    (folder / "times.json").write_text(json.dumps(times))
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(BLOCKED))
    assert not loaded, f"imported although blocked: {loaded}"


def answer_calls(folder: Path) -> None:
    """Every call of one application, by a model that was saved and by the one that it was made
    from.
    """
    import tfdeploy as td

    converted = td.convert(str(folder / "saved_model"))
    converted.save(folder / "model.tfd")
    model = td.Model(folder / "model.tfd")
    calls: dict[str, dict[str, Any]] = {}
    for name, value in np.load(folder / "feeds.npz", allow_pickle=True).items():
        number, _, name = name.partition("/")
        calls.setdefault(number, {})[name] = value
    got = {}
    for number, feed in calls.items():
        results = model.signatures["serving_default"](feed)
        for name, value in converted.signatures["serving_default"](feed).items():
            np.testing.assert_array_equal(results[name], value)
            got[f"{number}/{name}"] = value
    np.savez(folder / "got.npz", **got)


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker())
    if sys.argv[1] == "--calls":
        for path in sys.argv[2:]:
            answer_calls(Path(path))
    else:
        main(Path(sys.argv[1]))
