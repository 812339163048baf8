"""The command ``tfdeploy``.

Exit codes: 0 success; 1 something in a file, a model or the data is not as it should be, told in
one line on stderr; 2 a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import FeedError, FetchError, TfdeployError, near

if TYPE_CHECKING:
    from .model import Model


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; `arguments` default to those of the process.  Returns the exit code."""
    args = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TfdeployError, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        print(f"tfdeploy: {'; '.join(filter(None, lines))}", file=sys.stderr)
        return 1


def _warn(message: Any, *_: Any, **__: Any) -> None:
    print(f"tfdeploy: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfdeploy", description="TensorFlow models as small safe files that need numpy alone."
    )
    parser.add_argument("--version", action="version", version=f"tfdeploy {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    convert = _command(commands, "convert", _convert, "a TensorFlow or Keras model to a .tfd file")
    convert.add_argument("source", help="SavedModel, graph, checkpoint, Keras file, .pkl of 0.4")
    convert.add_argument("target", help="the file to write")
    convert.add_argument("--signature", help="convert this signature alone")
    convert.add_argument("--inputs", type=_names, help="tensors to feed, a,b:0,...")
    convert.add_argument("--outputs", type=_names, help="tensors to compute, a,b:0,...")

    inspect = _command(commands, "inspect", _inspect, "what a .tfd file holds")
    inspect.add_argument("file")

    run = _command(commands, "run", _run, "computes a model on the arrays of an .npz file")
    run.add_argument("file")
    run.add_argument("--input", required=True, help=".npz with an array per input, by name")
    run.add_argument("--output", required=True, help=".npz to write, an array per output")
    run.add_argument("--signature", help="the signature to call, if not the default one")

    _command(commands, "demo", _demo, "converts a small trained network and checks its answers")
    ops = _command(commands, "ops", _ops, "the ops that tfdeploy has, and those that it refuses")
    ops.add_argument("--markdown", action="store_true", help="print a page of the docs")

    _command(commands, "config", _config, "versions, engine, instruction sets, switches")
    return parser


def _command(commands: Any, name: str, run: Any, sentence: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=sentence, description=sentence
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)
    return command


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _convert(args: argparse.Namespace) -> int:
    from .model import convert, expand

    model = convert(args.source, args.inputs, args.outputs, args.signature)
    model.save(args.target)
    _print_facts(args, expand(args.target), model)
    return 0


def _inspect(args: argparse.Namespace) -> int:
    from .model import Model, expand

    _print_facts(args, expand(args.file), Model(args.file))
    return 0


def _print_facts(args: argparse.Namespace, path: str, model: Model) -> None:
    from . import summary
    from .storage import tfd

    stored = {"file": path, "file_bytes": os.path.getsize(path)}
    stored["intact"] = tfd.digest_holds(path)
    facts = stored | summary.facts(model)
    if args.json:
        print(json.dumps(facts, indent=2))
        return
    state = "intact" if facts["intact"] else "DAMAGED: the weights are not those that were written"
    print(f"{path}: {facts['file_bytes']:,} bytes, {state}")
    print(summary.text(facts))


def _run(args: argparse.Namespace) -> int:
    import numpy as np

    from .model import Model, expand
    from .storage.files import atomic_write

    model = Model(args.file)
    signature = model._default() if args.signature is None else _signature(model, args.signature)
    results = signature(_load(expand(args.input)))
    path = expand(args.output)
    with atomic_write(path) as file:
        np.savez(file, **{name: _storable(array) for name, array in results.items()})
    shapes = {n: {"dtype": str(a.dtype), "shape": list(a.shape)} for n, a in results.items()}
    if args.json:
        print(json.dumps({"signature": signature.name, "output": path, "results": shapes}))
    else:
        for name, result in shapes.items():
            print(f"{name}: {result['dtype']}{result['shape']}")
    return 0


def _signature(model: Model, name: str) -> Any:
    if name not in model.signatures:
        names = ", ".join(model.signatures) or "none"
        raise FetchError(
            f"no signature {name!r}; the model has {names}" + near(name, model.signatures)
        )
    return model.signatures[name]


def _load(path: str) -> dict[str, Any]:
    """The arrays of an .npz file.  Nothing in it is executed: object arrays are refused."""
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (ValueError, AttributeError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise FeedError(f"{path}: no .npz file with an array per input: {error}") from None


def _storable(array: Any) -> Any:
    """Strings as numpy's fixed-size bytes, which need no pickle; the rest as it is."""
    return array.astype("S") if array.dtype == object else array


def _demo(args: argparse.Namespace) -> int:
    from . import demo

    return demo.run(json=args.json)


def _ops(args: argparse.Namespace) -> int:
    from . import coverage

    facts = coverage.facts()
    if args.json:
        print(json.dumps(facts, indent=2))
    elif args.markdown:
        print(coverage.markdown(facts), end="")
    else:
        print(coverage.text(facts))
    return 0


def _config(args: argparse.Namespace) -> int:
    from . import config

    print(json.dumps(config.as_dict(), indent=2) if args.json else config.config_text())
    return 0
