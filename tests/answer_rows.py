"""Answers what `tests.exported.export` wrote, without TensorFlow: ``python answer_rows.py FOLDER``.

All signatures are converted at once, saved and loaded; where that fails, each alone, so that one
row that cannot be converted does not hide the others.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.answer import BLOCKED, Blocker


def converted(path: Path, signature: str | None = None) -> Any:
    """The model as it comes back from a file of its own."""
    import tfdeploy as td

    file = path.with_suffix(".tfd")
    td.convert(str(path), signature=signature).save(file)
    return td.Model(file)


def find(path: Path) -> Callable[[str], Any]:
    """The signature of a name: of one model, or of one model each."""
    try:
        model = converted(path)
    except Exception:
        return lambda name: converted(path, name).signatures[name]
    return lambda name: model.signatures[name]


def answer(signature: Callable[[], Any], calls: list[Any]) -> tuple[list[Any], str]:
    done: list[Any] = []
    try:
        call = signature()
        for feeds in calls:
            done.append(call(feeds))
    except Exception:
        return done, traceback.format_exc()
    return done, ""


def main(folder: Path) -> None:
    rows = pickle.loads((folder / "feeds.pkl").read_bytes())
    named = find(folder / "model")
    got = {
        name: answer(lambda endpoint=endpoint: named(endpoint), calls)
        for name, (endpoint, calls) in rows.items()
    }
    (folder / "got.pkl").write_bytes(pickle.dumps(got))
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(BLOCKED))
    assert not loaded, f"imported although blocked: {loaded}"


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker())
    main(Path(sys.argv[1]))
