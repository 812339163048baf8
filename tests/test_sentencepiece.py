"""SentencePiece's ops, on a model trained here, against tensorflow_text or the package itself."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest

from tests.cases.text import text
from tfdeploy.dtypes import INT32, STRING
from tfdeploy.errors import UnsupportedError
from tfdeploy.ops.sentencepiece import sentencepiece_op, sentencepiece_tokenize

package = pytest.importorskip("sentencepiece")

LINES = [
    "the quick brown fox jumps over the lazy dog",
    "pack my box with five dozen liquor jugs",
    "how vexingly quick daft zebras jump",
    "hello world of word pieces",
]
WORDS = text("hello lazy fox", "", "zz\u00e9", b"a\xffb")


@pytest.fixture(scope="module")
def model() -> bytes:
    held = io.BytesIO()
    package.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 5), model_writer=held, vocab_size=50, minloglevel=2
    )
    return held.getvalue()


def tokens(model, out_type=INT32, bos=False, eos=False, back=False, nbest=0):
    flags = (np.array(flag) for flag in (bos, eos, back))
    values, splits = sentencepiece_tokenize(
        sentencepiece_op(model=model),
        WORDS,
        np.array(nbest, np.int32),
        np.array(1, np.float32),
        *flags,
        out_type=out_type,
    )
    return [values[a:b].tolist() for a, b in pairwise(splits.tolist())]


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("eos", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_pieces_equal_tensorflow_text(model, bos, eos, back):
    tf_text = pytest.importorskip("tensorflow_text")
    import tensorflow as tf

    for mine, theirs in ((INT32, tf.int32), (STRING, tf.string)):
        tokenizer = tf_text.SentencepieceTokenizer(
            model=model, out_type=theirs, add_bos=bos, add_eos=eos, reverse=back
        )
        assert tokens(model, mine, bos, eos, back) == tokenizer.tokenize(WORDS).to_list()


def test_numbers_are_those_of_the_package(model):
    processor = package.SentencePieceProcessor(model_proto=model)
    found = tokens(model)
    assert found == [processor.encode(word) for word in WORDS]
    assert tokens(model, bos=True, eos=True, back=True) == [
        [processor.eos_id(), *row[::-1], processor.bos_id()] for row in found
    ]


def test_sampling_is_refused(model):
    with pytest.raises(UnsupportedError, match="sampling"):
        tokens(model, nbest=-1)
    with pytest.raises(ValueError, match="SentencePiece model"):
        sentencepiece_tokenize(None, WORDS, *[np.array(0)] * 5)
