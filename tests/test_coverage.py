"""Which ops there are: the promised tiers are complete, and the page about them is up to date.

tests/data/ops.csv holds TensorFlow 2.21's op types (and those of TensorFlow Text and Decision
Forests) with a category and a tier: 1, emitted by Keras; 2a, taken by some converter or runtime
that does without TensorFlow; 2b, other ops of inference graphs; 3, rare ones.
"""

from __future__ import annotations

import csv
import json
import re
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests import op_types
from tfdeploy import cli, coverage
from tfdeploy.importers.graphdef import parse_graph_def
from tfdeploy.ops import refused

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "ops.md"
AT_LEAST = 713  # registered op types; rises with every op and never falls
PLUMBING = {"io", "queue", "dataset"}  # categories that stay outside of a model: refused
LEFT_OUT = {"ext_tf_text", "quantized"}  # categories of tier 2b that are not promised
EXCEPTIONS = {
    "XlaCallModule": "a program in StableHLO, which is no TensorFlow op by op",
    "SimpleMLCreateModelResource": "decision forests",
    "SimpleMLInferenceOpWithHandle": "decision forests",
    "SimpleMLLoadModelFromPathWithHandle": "decision forests",
    "ImmutableConst": "reads a file",
    "RefSelect": "picks a variable to assign to, in training graphs of TensorFlow 0.x",
    "TensorArrayPack": "TensorFlow 0.x; gather took its place",
    "TensorArrayUnpack": "TensorFlow 0.x; scatter took its place",
    "TensorArrayClose": "gives nothing",
    "TensorArrayCloseV2": "gives nothing",
    "TensorArrayCloseV3": "gives nothing",
}
ONLY_IN_04 = (
    "Betainc Cholesky Cross Diag DiagPart Digamma Igamma Igammac MatrixSolve MatrixSolveLs "
    "MatrixTriangularSolve Polygamma SelfAdjointEig SelfAdjointEigV2 Svd Zeta"
)


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return coverage.facts()


@pytest.fixture(scope="module")
def table() -> list[dict[str, str]]:
    with open(HERE / "data" / "ops.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def lacking(facts: dict[str, Any], table: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of ops that are neither registered nor rewritten at conversion."""
    there = {row["op"] for row in facts["ops"]}
    there |= {op for each in facts["rewritten"] for op in each["ops"]}
    return [row for row in table if row["op"] not in there]


def test_tiers_1_and_2_are_complete(lacking: list[dict[str, str]]) -> None:
    left = {
        row["op"]
        for row in lacking
        if row["tier"] in ("1", "2a") or (row["tier"] == "2b" and row["category"] not in LEFT_OUT)
    }
    plumbing = {row["op"] for row in lacking if row["category"] in PLUMBING}
    assert [op for op in sorted(left & plumbing) if refused.why(op) is None] == []
    assert left - plumbing == set(EXCEPTIONS)


def test_what_is_left_out_on_purpose_says_why(lacking: list[dict[str, str]]) -> None:
    silent = [
        row["op"]
        for row in lacking
        if row["tier"] in ("1", "2a", "2b") and refused.why(row["op"]) is None
    ]
    assert [op for op in silent if not op.startswith(("RefSelect", "TensorArray"))] == []


def test_every_refusal_is_of_some_op_that_is_not_there(lacking: list[dict[str, str]]) -> None:
    names = [row["op"] for row in lacking] + sorted(
        op for each in coverage.REWRITTEN for op in each[0]
    )
    patterns = [pattern for line in refused.REFUSED for pattern in line.split()]
    assert [p for p in patterns if not any(fnmatchcase(name, p) for name in names)] == []
    assert all(len(sentence) > 30 for sentence in refused.REFUSED.values())


def test_ops_of_04_are_there(facts: dict[str, Any]) -> None:
    assert set(ONLY_IN_04.split()) <= {row["op"] for row in facts["ops"]}


def test_the_number_of_ops_does_not_fall(facts: dict[str, Any]) -> None:
    assert facts["counts"]["ops"] >= AT_LEAST


def test_facts_are_those_of_the_records(facts: dict[str, Any]) -> None:
    rows = {row["op"]: row for row in facts["ops"]}
    assert len(rows) == len(facts["ops"])
    assert rows["Conv2D"]["engine"] == rows["Erf"]["engine"] == "compiled"
    assert rows["Softmax"]["engine"] == rows["SelectV2"]["engine"] == "compiled"
    assert rows["Svd"]["engine"] == rows["StringJoin"]["engine"] == "reference"
    assert rows["AssignVariableOp"]["effect"] == "writes" and rows["Assert"]["effect"] == "raises"
    assert rows["Reshape"]["exact"] and not rows["Exp"]["exact"]
    assert rows["Zeta"]["family"] == "special"
    assert rows["Identity"]["about"] == "The input (tf.identity and its relatives)."
    assert not any(row["op"].startswith("td.") for row in facts["ops"])


def test_types_are_those_of_the_rows(facts: dict[str, Any]) -> None:
    rows = op_types.shown()
    for row in facts["ops"]:
        assert set(row["dtypes"]) <= set(rows.get(row["op"], ())), row["op"]
    lacking = [row["op"] for row in facts["ops"] if not row["dtypes"] and rows.get(row["op"])]
    assert lacking == [], "run: python -m tests.op_types > tfdeploy/ops/dtypes.txt"


@pytest.mark.parametrize("archive", ["ops_04", "tf1/tf-1.0.1", "tf1/tf-1.15", "tf1/tf-2.21.0"])
def test_graphs_hold_no_op_of_a_later_release(facts: dict[str, Any], archive: str) -> None:
    """Graphs that a release wrote; those of ops_04 are of 1.0.1."""
    release = re.search(r"-(\d+)\.(\d+)", archive)
    latest = tuple(map(int, release.groups())) if release else (1, 0)
    since = {row["op"]: row["since"] for row in facts["ops"]}
    ops = set()
    with tarfile.open(HERE / "data" / f"{archive}.tar.xz") as files:
        for member in files:
            if member.name.endswith(".pb") and "saved_model" not in member.name:
                graph = parse_graph_def(files.extractfile(member).read(), member.name)
                ops |= {node.op for node in graph.nodes}
    known = {op: tuple(map(int, since[op].split("."))) for op in ops & since.keys()}
    assert len(known) > 40
    assert {op: first for op, first in known.items() if first > latest} == {}


def test_every_op_but_those_of_tensorflow_text_has_a_release(facts: dict[str, Any]) -> None:
    since = {row["op"]: row["since"] for row in facts["ops"]}
    later = {"AddV2": "1.5", "BatchMatMulV3": "2.6", "If": "1.8", "MatMul": "1.0", "Roll": "1.6"}
    assert {op: since[op] for op in later} == later
    assert {op for op, release in since.items() if release is None} == {
        "CaseFoldUTF8",
        "NormalizeUTF8",
        "RegexSplitWithOffsets",
        "SentencepieceOp",
        "SentencepieceTokenizeOp",
        "TFText>RoundRobinTrim",
        "WordpieceTokenizeWithOffsets",
    }


def test_the_command_prints_all_of_it(
    capsys: pytest.CaptureFixture[str], facts: dict[str, Any]
) -> None:
    assert cli.main(["ops", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == facts
    assert cli.main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Svd ") for line in lines) == 1
    (at,) = (i for i, line in enumerate(lines) if "SaveV2" in line.split())
    assert lines[at + 1].strip() == refused.why("SaveV2")
    assert lines[-1].startswith(f"{len(facts['ops'])} ops, ")


def test_the_page_is_up_to_date(facts: dict[str, Any]) -> None:
    made = coverage.markdown(facts)
    assert PAGE.read_text("utf-8") == made, "run: tfdeploy ops --markdown > docs/ops.md"
