"""Bad input: what TensorFlow refuses is refused by an error that names the node, and nothing
crashes, hangs or takes memory without bound.

Rows are those of `tests.cases` that TensorFlow refuses, and those that `tests.bad_sizes` makes of
others.  Each becomes a graph in several `FORMS`, as what is known before anything runs decides who
meets the bad value: conversion, a pass, a kernel or a reference.  What TensorFlow answers in one of
the forms has to be equal.  `tests.bad_graphs` has tables, lists, ragged tensors and damaged files.
"""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests import bad_graphs, bad_input, bad_sizes, goldens
from tests.cases import Case
from tests.test_ops import compare
from tests.test_ops import rows as all_rows

FORMS = {
    "constants": lambda i: "constant",
    "first fed": lambda i: "open" if i == 0 else "constant",
    "fed, shapes known": lambda i: "known",
    "fed, extents open": lambda i: "open",
}
"""How input i comes into a graph: as a constant, or fed with extents known or open."""


MOST_FETCHED = 64


def graphs(case: Case) -> list[tuple[bytes, dict[str, Any], list[str]]]:
    """A GraphDef for each form, what to feed and what to fetch."""
    import tensorflow as tf

    from tests.oracle import graph_def

    found = []
    for form in FORMS.values():
        graph, arrays, outputs = graph_def(case)
        feeds = {}
        for i, array in enumerate(arrays):
            node = next(n for n in graph.node if n.name == f"in{i}")
            kind = form(i)
            if kind == "constant":
                node.op = "Const"
                dtype = tf.as_dtype(node.attr["dtype"].type)
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array, dtype))
                del node.attr["shape"]
                continue
            feeds[f"in{i}:0"] = array
            if kind == "open":
                shape = tf.TensorShape([None] * array.ndim).as_proto()
                node.attr["shape"].shape.CopyFrom(shape)
        fetches = _fetches(graph, outputs)
        found.append((graph.SerializeToString(), feeds, fetches))
    return found


def _fetches(graph: Any, outputs: int) -> list[str]:
    """The op's outputs; for an op without, a value that waits for it."""
    import tensorflow as tf

    if outputs:
        return [f"op:{i}" for i in range(min(outputs, MOST_FETCHED))]
    one = graph.node.add(name="one", op="Const")
    one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1))
    after = graph.node.add(name="after", op="Identity", input=["one", "^op"])
    one.attr["dtype"].type = after.attr["T"].type = tf.int32.as_datatype_enum
    return ["after:0"]


def refusal(graph: bytes, feeds: dict[str, Any], fetches: list[str]) -> Any:
    """TensorFlow's error, or its results."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(graph)
    options = tf.compat.v1.GraphOptions(rewrite_options={"disable_meta_optimizer": True})
    config = tf.compat.v1.ConfigProto(graph_options=options)
    with (
        tf.Graph().as_default() as live,
        tf.compat.v1.Session(graph=live, config=config) as session,
    ):
        try:
            tf.import_graph_def(definition, name="")
            return session.run(fetches, feeds)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            return error


def answers(jobs: Sequence[tuple[bytes, dict[str, Any], list[str]]], folder: Path) -> list[Any]:
    """What a process of limited means makes of the jobs; None for one that it died of."""
    found: list[Any] = []
    while len(found) < len(jobs):
        with open(folder / "jobs", "wb") as file:
            for job in jobs[len(found) :]:
                pickle.dump(job, file)
        command = [
            sys.executable,
            bad_input.__file__,
            str(folder / "jobs"),
            str(folder / "results"),
        ]
        code = subprocess.run(command, timeout=300).returncode
        found += bad_input.stored(folder / "results")
        if code:
            found.append(None)
    return found


ROWS = {row.id: row.values[0] for row in all_rows() if row.values[0].raises}
EMPTY = "TensorFlow with oneDNN gives the image where no window fits into it"
WRONG = {"conv-21-Conv2D": EMPTY, "conv-85-Conv2D": EMPTY}
"""Rows whose answers by TensorFlow nobody should equal."""
ERRORS = ("EvaluationError", "ConversionError")


class Attempt(NamedTuple):
    """A row in one form: the graph, what to feed, what to fetch; and what became of it."""

    form: str
    job: tuple[bytes, dict[str, Any], list[str]]
    found: dict[str, Any] | None


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Attempt]]:
    jobs = {}
    for name, case in ROWS.items():
        try:
            jobs[name] = graphs(case)
        except pytest.skip.Exception:
            continue
    flat = [job for each in jobs.values() for job in each]
    found = iter(answers(flat, tmp_path_factory.mktemp("bad")))
    return {
        n: [Attempt(*pair, next(found)) for pair in zip(FORMS, each, strict=True)]
        for n, each in jobs.items()
    }


@pytest.mark.parametrize("name", ROWS)
def test_errors_name_the_node(name: str, attempts: dict[str, list[Attempt]]) -> None:
    """An error, or TensorFlow's answer where not even TensorFlow refuses the row in this form."""
    case = ROWS[name]
    for form, job, found in attempts.get(name, ()):
        assert found is not None, f"{form}: the process died"
        if found["error"]:
            assert found["error"] in ERRORS, (form, found)
            assert f"op ({case.op})" in found["message"], (form, found)
        elif name not in WRONG:
            want = refusal(*job)
            assert not isinstance(want, Exception), (form, found, want)
            for g, w in zip(found["results"], want, strict=True):
                w = np.asarray(w, object if isinstance(w, bytes) else None)
                assert (g.dtype, g.shape) == (w.dtype, w.shape), form
                compare(g, w, case)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_what_is_refused_tensorflow_refuses(name: str, attempts: dict[str, list[Attempt]]) -> None:
    for form, job, found in attempts.get(name, ()):
        if found is not None and found["error"]:
            assert isinstance(refusal(*job), Exception), (form, found)


@pytest.mark.parametrize(
    "family",
    [pytest.param(f, marks=() if f == "index" else pytest.mark.slow) for f in goldens.FAMILIES],
)
def test_numbers_without_measure(family: str, tmp_path: Path) -> None:
    """An error that names the node, or a result in time and memory."""
    jobs = {}
    for op, case in bad_sizes.chosen(family).items():
        for what, row in bad_sizes.changed(case):
            try:
                made = graphs(row)
            except (ValueError, OverflowError):  # no GraphDef can say it
                continue
            jobs |= {(op, what, form): job for form, job in zip(FORMS, made, strict=True)}
    wrong = []
    for (op, *what), found in zip(jobs, answers(list(jobs.values()), tmp_path), strict=True):
        if found is None or not (
            found["error"] in ("", "FetchError")  # no such output: numbers contradict each other
            or (found["error"] in ERRORS and f"op ({op})" in found["message"])
        ):
            wrong.append((op, what, found))
    assert wrong == []


GRAPHS = bad_graphs.ROWS


@pytest.fixture(scope="module")
def graph_attempts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attempt]:
    jobs = {name: bad_graphs.job(bad) for name, bad in GRAPHS.items()}
    found = answers(list(jobs.values()), tmp_path_factory.mktemp("graphs"))
    return {n: Attempt("fed", jobs[n], each) for n, each in zip(jobs, found, strict=True)}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_that_cannot_be(name: str, graph_attempts: dict[str, Attempt]) -> None:
    """An error that names a node where TensorFlow has one, and its answer where not."""
    _, job, found = graph_attempts[name]
    assert found is not None, "the process died"
    want = refusal(*job) if GRAPHS[name].asked else None
    if found["error"]:
        assert found["error"] in ERRORS, found
        assert re.search(r"node \S+ \(\w+\)", found["message"]), found
        assert want is None or isinstance(want, Exception), want
    elif want is not None:
        assert not isinstance(want, Exception), want
        np.testing.assert_array_equal(found["results"][0], want[0])
