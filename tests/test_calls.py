"""What a signature remembers of a call changes nothing but the time that the next one takes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tfdeploy as td
from tfdeploy import config
from tfdeploy.dtypes import FLOAT32
from tfdeploy.graph.graph import Graph, Node, Ref, SignatureDef
from tfdeploy.graph.types import Dim, ValueType
from tfdeploy.ops import registry
from tfdeploy.storage.tfd import Stored

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.float32(10) - 3 * A


def model(*outputs: str, unused: bool = False) -> td.Model:
    """``less`` = a - b, ``more`` = a + b; with `unused` another input that nothing reads."""
    kind = ValueType(FLOAT32, (Dim.symbol("a.0"), 3))
    graph = Graph()
    for name in ("a", "b", "c"):
        graph.add(Node("Placeholder", name, (), {"dtype": FLOAT32, "shape": (None, 3)}, (kind,)))
    for name, op in (("less", "Sub"), ("more", "AddV2")):
        graph.add(Node(op, name, (Ref(0), Ref(1)), {}, (kind,)))
    inputs = {"b": Ref(1), "a": Ref(0)} | ({"c": Ref(2)} if unused else {})
    results = {name: Ref(graph.index[name]) for name in outputs}
    made = td.Model()
    made._merge(Stored([graph], {}, {"both": (0, SignatureDef(inputs, results))}))
    return made


def remembers(made: td.Model) -> bool:
    direct = made.signatures["both"]._direct
    return direct is not None and direct.holds()


@pytest.fixture
def warm() -> Iterator[td.Model]:
    made = model("less")
    assert_array_equal(made(a=A, b=B), A - B)
    assert remembers(made) == (config.engine() is not None)
    yield made


def test_every_way_to_give_arguments(warm: td.Model) -> None:
    ways: list[Callable[[], Any]] = [
        lambda: warm(a=A, b=B),
        lambda: warm(b=B, a=A),
        lambda: warm({"b": B, "a": A}),
        lambda: warm({"a:0": A, "b": B}),
        lambda: warm({"a": A}, b=B),
        lambda: warm(a=A.astype(np.float64), b=B.tolist()),
        lambda: warm(a=np.asfortranarray(A), b=B[::-1][::-1]),
        lambda: warm.signatures["both"](a=A, b=B)["less"],
        lambda: warm.signatures["both"]({"a": A, "b": B})["less"],
    ]
    for way in ways * 2:
        found = way()
        assert found.flags.owndata and found.flags.writeable
        assert_array_equal(found, A - B)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m(a=A), "needs the input.*b"),
        (lambda m: m({"a": A}), "needs the input.*b"),
        (lambda m: m(a=A, x=B), "no input 'x'"),
        (lambda m: m({"a": A, "x": B}), "no input 'x'"),
        (lambda m: m({"a": A, 5: B}), "not int"),
        (lambda m: m(A), "by name"),
        (lambda m: m(), "needs the input"),
        (lambda m: m({}), "needs the input"),
        (lambda m: m(a=A[:, :2], b=B), r"takes shape \(any, 3\)"),
        (lambda m: m(a=A, b=B.astype(np.complex64)), "takes float32, got complex64"),
    ],
)
def test_what_is_wrong_is_said_as_the_first_time(warm: td.Model, call: Any, said: str) -> None:
    for made in (model("less"), warm):
        with pytest.raises(td.FeedError, match=said):
            call(made)
    assert_array_equal(warm(a=A, b=B), A - B)


@pytest.mark.parametrize(
    "out", [np.empty((2, 2), np.float32), np.empty((2, 3)), np.empty((2, 6), np.float32)[:, ::2]]
)
def test_an_out_that_does_not_fit(warm: td.Model, out: Any) -> None:
    for made in (model("less"), warm):
        with pytest.raises(td.FeedError, match="out="):
            made(a=A, b=B, out=out)


def test_numbers_that_lie_across_words_take_the_plan(warm: td.Model) -> None:
    """As in a record that was read from a file."""
    across = np.frombuffer(b"-" + A.tobytes(), np.uint8)[1:].view(np.float32).reshape(A.shape)
    for made in (model("less"), warm):
        assert_array_equal(made(a=across, b=B), A - B)
        assert not made._entries[0].engine._references._programs or config.engine() is None


def test_several_results_and_an_input_that_nothing_reads() -> None:
    made = model("more", "less", unused=True)
    for _ in range(3):
        found = made(a=A, b=B, c=A)
        assert list(found) == ["more", "less"]
        assert_array_equal(found["more"], A + B)
        assert_array_equal(found["less"], A - B)
    with pytest.raises(td.FeedError, match=r"needs the input.*c"):
        made(a=A, b=B)
    with pytest.raises(td.FeedError, match="no input 'x'"):
        made(a=A, b=B, x=A)


def test_results_are_written_where_the_caller_wants(warm: td.Model) -> None:
    out = np.empty_like(A)
    for _ in range(2):
        assert warm(a=A, b=B, out=out) is out
        assert_array_equal(out, A - B)
        out[:] = 0


def test_an_ops_change_is_noticed(warm: td.Model) -> None:
    before = registry.get("Sub")
    assert before is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._records, "Sub", before)
        patch.setattr(td.tensor.OperationRegister, "classes", {})

        class Sub(td.Operation):
            @staticmethod
            def func(a: Any, b: Any) -> Any:
                return (a * b,)

        assert Sub.types and not remembers(warm)
        assert_array_equal(warm(a=A, b=B), A * B)
    registry.changed()
    assert_array_equal(warm(a=A, b=B), A - B)


def test_an_edit_is_noticed(warm: td.Model) -> None:
    graph = warm._entries[0].graph
    graph.nodes[graph.index["less"]].op = "Mul"
    warm._entries[0].edited()
    assert not remembers(warm)
    for _ in range(2):
        assert_array_equal(warm(a=A, b=B), A * B)


def test_another_signature_takes_its_place(warm: td.Model) -> None:
    warm.signatures["serving_default"] = model("more").signatures["both"]
    for _ in range(3):
        assert_array_equal(warm(a=A, b=B), A + B)
    del warm.signatures["serving_default"]
    assert_array_equal(warm(a=A, b=B), A - B)


def test_a_pickle_remembers_nothing(warm: td.Model) -> None:
    again = pickle.loads(pickle.dumps(warm))
    assert not remembers(again)
    assert_array_equal(again(a=A, b=B), A - B)


def test_a_signature_goes_through_a_pickle() -> None:
    both = pickle.loads(pickle.dumps(model("less", "more").signatures["both"]))
    assert both.name == "both"
    assert_array_equal(both(a=A, b=B)["more"], A + B)


def test_threads_and_threads_of_the_engine(warm: td.Model) -> None:
    def work(n: int) -> bool:
        a = np.full((n % 7 + 1, 3), n, np.float32)
        td.set_num_threads(n % 2 + 1)
        return bool((warm(a=a, b=a / 4) == a - a / 4).all())

    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(400)))
    finally:
        td.set_num_threads(None)
