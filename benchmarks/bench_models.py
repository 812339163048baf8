"""Whole models: a call, its memory, converting and loading, a fresh process.

Run with asv (``asv run --python=same -b bench_models``); `compare.py` has the same models beside
the peers.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from models import DRAWN, ROWS, drawn_sizes, saved_model

CACHE = Path(__file__).parent / "cache"


def _file(model: str) -> Path:
    import tfdeploy as td

    path = CACHE / model / "model.tfd"
    if not path.exists():
        td.convert(saved_model(model, CACHE)).save(path)
    return path


class Call:
    """One call of each row of the comparison, one thread."""

    params = tuple(ROWS)
    param_names = ("row",)
    timeout = 600

    def setup(self, label: str) -> None:
        import tfdeploy as td

        row = ROWS[label]
        td.set_num_threads(1)
        self.model = td.Model(_file(row.model))
        signature = self.model.signatures["serving_default"]
        self.feeds = dict(zip(sorted(signature.inputs), row.feeds(), strict=True))
        self.call = signature
        signature(self.feeds)

    def time_call(self, label: str) -> None:
        self.call(self.feeds)

    def track_arena_bytes(self, label: str) -> int:
        shapes = {name: array.shape for name, array in self.feeds.items()}
        return self.call.memory(1, **shapes).arena


class DrawnBatch:
    """A batch size drawn anew for each of many calls."""

    params = tuple(DRAWN)
    param_names = ("row",)

    def setup(self, label: str) -> None:
        import tfdeploy as td

        td.set_num_threads(1)
        self.model = td.Model(_file(DRAWN[label].model))
        sizes = drawn_sizes(500)
        (rows,) = DRAWN[label].feeds()
        self.batches = [rows[:n] for n in sizes]
        self.time_calls(label)

    def time_calls(self, label: str) -> None:
        for batch in self.batches:
            self.model(batch)


class Start:
    """What a fresh process pays."""

    params = ("mobilenetv2", "transformer4x256")
    param_names = ("model",)
    timeout = 600

    def setup(self, name: str) -> None:
        self.path = _file(name)
        row = next(row for row in ROWS.values() if row.model == name)
        np.save(self.path.with_suffix(".npy"), row.feeds()[0])

    def _run(self, code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    def time_numpy(self, name: str) -> None:
        self._run("import numpy")

    def time_import(self, name: str) -> None:
        self._run("import tfdeploy as td; td.Model, td.convert")

    def time_first_answer(self, name: str) -> None:
        array = self.path.with_suffix(".npy")
        self._run(
            "import numpy as np, tfdeploy as td\n"
            f"td.Model({str(self.path)!r})(np.load({str(array)!r}))"
        )

    def time_load(self, name: str) -> None:
        import tfdeploy as td

        td.Model(self.path)

    def time_convert(self, name: str) -> None:
        import tfdeploy as td

        td.convert(saved_model(name, CACHE))
