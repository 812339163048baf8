"""Ops that print: what TensorFlow writes, where it writes it."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

import tfdeploy as td


@pytest.mark.parametrize("stream", [sys.stderr, sys.stdout])
def test_print(stream: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Although no output needs it, and in the order of the program."""
    name = "err" if stream is sys.stderr else "out"

    @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
    def function(x: Any) -> Any:
        target = "stderr" if name == "err" else "stdout"
        tf.raw_ops.PrintV2(input=tf.strings.format("first {}", x), output_stream=target)
        y = x * 2
        tf.raw_ops.PrintV2(input="second", output_stream=target, end="|")
        return y

    model = td.convert(function)
    capfd.readouterr()
    function(tf.constant([1.0, 2.5]))
    want = getattr(capfd.readouterr(), name)
    model(np.float32([1.0, 2.5]))
    sys.stdout.flush()
    assert getattr(capfd.readouterr(), name) == want == "first [1 2.5]\nsecond|"


def test_print_of_tensorflow_1(capfd: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.int32, [None], name="x")
        y = tf.raw_ops.Print(input=x, data=[x, x[:1]], message="x is ", summarize=3)
        model = td.convert(y, session=session)
        capfd.readouterr()
        session.run(y, {x: [5, 6, 7, 8]})
        want = capfd.readouterr().err
        np.testing.assert_array_equal(model(np.int32([5, 6, 7, 8])), [5, 6, 7, 8])
        assert capfd.readouterr().err == want


def test_models_do_not_write_files() -> None:
    @tf.function(input_signature=[tf.TensorSpec([])])
    def function(x: Any) -> Any:
        tf.raw_ops.PrintV2(input="text", output_stream="file:///tmp/x")
        return x + 1

    with pytest.raises(td.EvaluationError, match="refused"):
        td.convert(function)(np.float32(1))


def test_the_clock() -> None:
    @tf.function(input_signature=[])
    def function() -> Any:
        return tf.timestamp()

    model = td.convert(function)
    before = time.time()
    assert before <= model() <= time.time()
