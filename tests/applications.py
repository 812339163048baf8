"""Applications as people deploy them: a signature with loops, strings, tables, boxes, segments or
spectra in it, weights random but lively, and inputs that take it through its corners.

A builder makes a `tf.Module` whose function is `serve`, and the feeds: the first are ordinary, as
large as a benchmark wants them where `full`; the others are the corners.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf
from keras import layers

from tests.models import enliven

Feed = dict[str, NDArray[Any]]
END, START = 1, 2  # token ids of the decoders; 0 is padding


class Application(NamedTuple):
    """A module with a function `serve`, and what to feed it."""

    module: tf.Module
    feeds: list[Feed]


def _rng() -> np.random.Generator:
    return np.random.default_rng(11)


def _weights(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> tf.Variable:
    """Random weights by which a product keeps the magnitude of what it is given, times `scale`."""
    spread = scale / np.sqrt(shape[0] if len(shape) > 1 else 10)
    return tf.Variable(rng.normal(0, spread, shape).astype(np.float32))


class _Gru:
    """A recurrent cell written out, as seq2seq models of the time before Keras have it."""

    def __init__(self, rng: np.random.Generator, inputs: int, width: int) -> None:
        self.gates = _weights(rng, inputs + width, 2 * width)
        self.gate_bias = _weights(rng, 2 * width)
        self.new = _weights(rng, inputs + width, width, scale=1.5)
        self.new_bias = _weights(rng, width)

    def __call__(self, x: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        gates = tf.sigmoid(tf.concat([x, state], 1) @ self.gates + self.gate_bias)
        reset, update = tf.split(gates, 2, axis=1)
        new = tf.tanh(tf.concat([x, reset * state], 1) @ self.new + self.new_bias)
        return update * state + (1 - update) * new


class _Norm:
    def __init__(self, rng: np.random.Generator, width: int) -> None:
        self.scale = tf.Variable(rng.uniform(0.7, 1.3, width).astype(np.float32))
        self.shift = _weights(rng, width)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-6) * self.scale + self.shift


def _ids(rng: np.random.Generator, vocabulary: int, *shape: int) -> NDArray[np.int32]:
    return rng.integers(3, vocabulary, shape).astype(np.int32)


def greedy(full: bool) -> Application:
    """Translation: a GRU reads, another one with attention writes until all rows have ended."""
    rng = _rng()
    vocabulary, width, length, batch, steps = (1000, 128, 24, 8, 48) if full else (60, 20, 7, 3, 12)
    embedding = _weights(rng, vocabulary, width, scale=np.sqrt(vocabulary))
    reader, writer = _Gru(rng, width, width), _Gru(rng, 2 * width, width)
    query, output = _weights(rng, width, width), _weights(rng, 2 * width, vocabulary, scale=2)
    module = tf.Module()
    module.kept = [embedding, query, output, reader.__dict__, writer.__dict__]

    def read(source: tf.Tensor) -> tf.Tensor:
        inputs = tf.transpose(tf.gather(embedding, source), [1, 0, 2])
        count = tf.shape(inputs)[0]
        array = tf.TensorArray(tf.float32, count, element_shape=[None, width])

        def body(i: Any, state: Any, array: Any) -> Any:
            state = reader(inputs[i], state)
            return i + 1, state, array.write(i, state)

        first = tf.zeros([tf.shape(source)[0], width])
        loop = tf.while_loop(lambda i, *_: i < count, body, (0, first, array))
        return tf.transpose(loop[2].stack(), [1, 0, 2])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, "source"),
            tf.TensorSpec([], tf.float32, "haste"),
        ]
    )
    def serve(source: tf.Tensor, haste: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = read(source)
        keys = memory @ query
        batch = tf.shape(source)[0]
        hurry = tf.one_hot(END, vocabulary) * haste

        def going(i: Any, token: Any, done: Any, *_: Any) -> tf.Tensor:
            return (i < 1) | ((i < steps) & ~tf.reduce_all(done))

        def body(
            i: Any, token: Any, done: Any, state: Any, score: Any, tokens: Any, focus: Any
        ) -> Any:
            weights = tf.nn.softmax(tf.einsum("bw,bsw->bs", state, keys) / width**0.5)
            context = tf.einsum("bs,bsw->bw", weights, memory)
            state = writer(tf.concat([tf.gather(embedding, token), context], 1), state)
            logits = tf.concat([state, context], 1) @ output + hurry * tf.cast(i, tf.float32)
            best = tf.argmax(logits, 1, output_type=tf.int32)
            chance = tf.reduce_max(tf.nn.log_softmax(logits), 1)
            token = tf.where(done, 0, best)
            score += tf.where(done, 0.0, chance)
            tokens, focus = tokens.write(i, token), focus.write(i, weights)
            return i + 1, token, done | (token == END), state, score, tokens, focus

        first = (
            0,
            tf.fill([batch], START),
            tf.zeros([batch], tf.bool),
            memory[:, -1],
            tf.zeros([batch]),
            tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None]),
            tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[None, None]),
        )
        count, _, _, _, score, tokens, focus = tf.while_loop(going, body, first)
        return {
            "tokens": tf.transpose(tokens.stack()),
            "focus": tf.transpose(focus.stack(), [1, 0, 2]),
            "score": score,
            "steps": count,
        }

    module.serve = serve
    source = _ids(rng, vocabulary, batch, length)
    sizes = [(source, 0.02), (source, 0.4), (source[:1, :3], 0.2), (source[:2], 50.0)]
    sizes.append((source[:0], 0.1))
    return Application(module, [{"source": s, "haste": np.float32(h)} for s, h in sizes])


class _Block:
    """A block of a decoder that is fed a token at a time: it gets and gives the keys and values of
    the tokens before.
    """

    def __init__(self, rng: np.random.Generator, width: int, heads: int) -> None:
        self.width, self.heads = width, heads
        self.norms = [_Norm(rng, width) for _ in range(2)]
        self.queries = [_weights(rng, width, width) for _ in range(4)]
        self.wide, self.narrow = _weights(rng, width, 4 * width), _weights(rng, 4 * width, width)
        self.wide_bias, self.narrow_bias = _weights(rng, 4 * width), _weights(rng, width)

    def kept(self) -> list[Any]:
        return [self.queries, self.wide, self.narrow, self.wide_bias, self.narrow_bias] + [
            [n.scale, n.shift] for n in self.norms
        ]

    def __call__(self, x: tf.Tensor, cache: tf.Tensor, at: tf.Tensor) -> tuple[Any, Any]:
        """`x` [rows, width] and `cache` [2, steps, rows, width], written at step `at`."""
        y = self.norms[0](x)
        q, k, v = (y @ w for w in self.queries[:3])
        cache = tf.tensor_scatter_nd_update(cache, [[0, at], [1, at]], tf.stack([k, v]))
        past = cache[:, : at + 1]
        shape = [at + 1, -1, self.heads, self.width // self.heads]
        keys, values = tf.reshape(past[0], shape), tf.reshape(past[1], shape)
        q = tf.reshape(q, shape[1:])
        weights = tf.nn.softmax(tf.einsum("rhd,trhd->rht", q, keys) / shape[-1] ** 0.5)
        attended = tf.reshape(tf.einsum("rht,trhd->rhd", weights, values), [-1, self.width])
        x += attended @ self.queries[3]
        hidden = tf.nn.gelu(self.norms[1](x) @ self.wide + self.wide_bias)
        return x + hidden @ self.narrow + self.narrow_bias, cache


def beam(full: bool) -> Application:
    """A language model that goes on with a prompt: beams over a transformer with a cache, ended
    beams kept, and the tokens collected from parents at the end.
    """
    rng = _rng()
    vocabulary, width, heads, batch, steps = (1000, 128, 8, 4, 32) if full else (50, 16, 2, 2, 9)
    beams = 4
    embedding = _weights(rng, vocabulary, width, scale=np.sqrt(vocabulary))
    places = _weights(rng, steps, width, scale=np.sqrt(steps))
    blocks = [_Block(rng, width, heads) for _ in range(2)]
    norm, output = _Norm(rng, width), _weights(rng, width, vocabulary, scale=2)
    module = tf.Module()
    module.kept = [embedding, places, output, norm.scale, norm.shift, [b.kept() for b in blocks]]
    ended = np.full(vocabulary, -1e9, np.float32)
    ended[END] = 0

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "prompt"),
            tf.TensorSpec([], tf.float32, "haste"),
        ]
    )
    def serve(prompt: tf.Tensor, haste: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = tf.shape(prompt)[0]
        rows = batch * beams

        def going(i: Any, token: Any, done: Any, *_: Any) -> tf.Tensor:
            return (i < 1) | ((i < steps) & ~tf.reduce_all(done))

        def body(
            i: Any, token: Any, done: Any, score: Any, caches: Any, tokens: Any, parents: Any
        ) -> Any:
            x = tf.gather(embedding, tf.reshape(token, [-1])) + places[i]
            moved = []
            for block, cache in zip(blocks, caches, strict=True):
                x, cache = block(x, cache, i)
                moved.append(cache)
            logits = norm(x) @ output + tf.one_hot(END, vocabulary) * haste * tf.cast(i, tf.float32)
            chances = tf.reshape(tf.nn.log_softmax(logits), [batch, beams, vocabulary])
            chances = tf.where(done[:, :, None], ended, chances)
            total = tf.reshape(score[:, :, None] + chances, [batch, beams * vocabulary])
            score, best = tf.math.top_k(total, beams)
            parent, token = best // vocabulary, best % vocabulary
            row = tf.reshape(tf.range(batch)[:, None] * beams + parent, [-1])
            caches = tuple(tf.gather(cache, row, axis=2) for cache in moved)
            done = tf.gather(done, parent, batch_dims=1) | (token == END)
            tokens, parents = tokens.write(i, token), parents.write(i, parent)
            return i + 1, token, done, score, caches, tokens, parents

        score = tf.tile(tf.constant([[0.0] + [-1e9] * (beams - 1)]), [batch, 1])
        arrays = [tf.TensorArray(tf.int32, steps, element_shape=[None, beams]) for _ in range(2)]
        first = (
            0,
            tf.tile(prompt[:, None], [1, beams]),
            tf.zeros([batch, beams], tf.bool),
            score,
            tuple(tf.zeros([2, steps, rows, width]) for _ in blocks),
            *arrays,
        )
        count, _, _, score, _, tokens, parents = tf.while_loop(going, body, first)

        def back(i: Any, at: Any, found: Any) -> Any:
            token = tf.gather(tokens.read(i), at, batch_dims=1)
            return i - 1, tf.gather(parents.read(i), at, batch_dims=1), found.write(i, token)

        at = tf.tile(tf.range(beams)[None], [batch, 1])
        found = tf.TensorArray(tf.int32, count, element_shape=[None, beams])
        found = tf.while_loop(lambda i, *_: i >= 0, back, (count - 1, at, found))[2]
        return {"tokens": tf.transpose(found.stack(), [1, 2, 0]), "score": score, "steps": count}

    module.serve = serve
    prompt = _ids(rng, vocabulary, batch)
    sizes = [(prompt, 0.02), (prompt, 0.6), (prompt[:1], 2.0), (prompt, 50.0)]
    return Application(module, [{"prompt": p, "haste": np.float32(h)} for p, h in sizes])


def _words(rng: np.random.Generator, count: int) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return sorted({"".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(count)})


def _sentences(rng: np.random.Generator, words: list[str], count: int, most: int) -> NDArray[Any]:
    marks = ["", "", "", "", ",", ".", "!", "'s", " -", "?"]
    ends = [" ", " ", " ", "  ", "\n", "\t"]
    found = []
    for _ in range(count):
        chosen = rng.choice(words, rng.integers(most * 3 // 4, most * 5 // 4 + 1))
        spelled = [w.capitalize() if rng.random() < 0.2 else w for w in chosen]
        parts = [w + rng.choice(marks) + rng.choice(ends) for w in spelled]
        found.append("".join(parts).encode())
    result = np.empty(count, object)
    result[:] = found
    return result


def _strings(*values: str | bytes) -> NDArray[Any]:
    result = np.empty(len(values), object)
    result[:] = [v.encode() if isinstance(v, str) else v for v in values]
    return result


def _served(model: keras.Model, feeds: list[Feed]) -> Application:
    """A Keras model behind a function of inputs that are named as its own."""
    module = tf.Module()
    module.model = model

    @tf.function
    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        fed = [inputs[tensor.name] for tensor in model.inputs]
        return {"result": model(fed if len(fed) > 1 else fed[0], training=False)}

    kinds = {"O": tf.string, "i": tf.int64, "f": tf.float32}
    specs = {
        name: tf.TensorSpec([None, *value.shape[1:]], kinds[value.dtype.kind], name)
        for name, value in feeds[0].items()
    }
    module.serve = serve.get_concrete_function(**specs)
    return Application(module, feeds)


def text(full: bool) -> Application:
    """Sentiment from raw strings: standardized, split, looked up, embedded, read by a GRU."""
    rng = _rng()
    size, width, batch, length = (10000, 64, 64, 40) if full else (90, 8, 4, 6)
    words = _words(rng, size + size // 10)
    vectors = layers.TextVectorization(output_sequence_length=length)
    vectors.set_vocabulary(list(rng.permutation(words)[: size - 2]))
    sentence = keras.Input((), dtype="string", name="sentence")
    x = layers.Embedding(size, width, mask_zero=True)(vectors(sentence))
    x = layers.GRU(width)(x)
    model = keras.Model(sentence, layers.Dense(3)(layers.Dense(width, activation="relu")(x)))
    feeds = [
        _sentences(rng, words, batch, length),
        _strings("", "  \t\n", "one", "UPPER, lower! (brackets) [more] {x} <y> a_b @c #d"),
        _strings(
            "\u00c9t\u00e9 na\u00efve \u00a0x", b"bad \xff\xfe bytes", "a\u2003b \u3042", "\0"
        ),
        _strings(),
    ]
    enliven(model, [tf.constant(feeds[0])])
    return _served(model, [{"sentence": f} for f in feeds])


def wide_and_deep(full: bool) -> Application:
    """Clicks from a table: features of every kind, crosses of two of them, and hashed ones."""
    rng = _rng()
    rows = 256 if full else 5
    space_of = keras.utils.FeatureSpace
    cities, shops = _words(rng, 40), _words(rng, 300)
    space = space_of(
        features={
            "city": space_of.string_categorical(num_oov_indices=1, output_mode="int"),
            "shop": space_of.string_hashed(num_bins=64, output_mode="int"),
            "day": space_of.integer_categorical(output_mode="int"),
            "product": space_of.integer_hashed(num_bins=128, output_mode="int"),
            "price": space_of.float_normalized(),
            "age": space_of.float_discretized(num_bins=8, output_mode="int"),
            "rate": space_of.float_rescaled(scale=0.1),
        },
        crosses=[
            space_of.cross(["city", "day"], crossing_dim=64, output_mode="int"),
            space_of.cross(["shop", "product"], crossing_dim=200, output_mode="int"),
        ],
        output_mode="dict",
    )

    def table(count: int) -> Feed:
        def chosen(names: list[str]) -> NDArray[Any]:
            return _strings(*rng.choice([*names, "somewhere", ""], count))

        return {
            "city": chosen(cities),
            "shop": chosen(shops),
            "day": rng.integers(0, 9, count),
            "product": rng.integers(-5, 10**12, count),
            "price": rng.lognormal(2, 1, count).astype(np.float32),
            "age": rng.integers(0, 100, count).astype(np.float32),
            "rate": rng.normal(0, 20, count).astype(np.float32),
        }

    seen = table(400)
    seen["city"] = _strings(*rng.choice(cities, 400))
    seen["day"] = rng.integers(0, 7, 400)
    space.adapt(tf.data.Dataset.from_tensor_slices(seen))
    inputs = space.get_inputs()
    encoded = space.get_encoded_features()
    widths = {
        name: 130 if name == "product" else 210 if "product" in name else 70 for name in encoded
    }
    wide, deep = [], []
    for name, feature in encoded.items():
        if "int" in feature.dtype:
            wide.append(layers.Flatten()(layers.Embedding(widths[name], 1)(feature)))
            deep.append(layers.Flatten()(layers.Embedding(widths[name], 16)(feature)))
        else:
            wide.append(layers.Dense(1)(feature))
            deep.append(feature)
    x = layers.Concatenate()(deep)
    for units in (128, 64) if full else (16, 8):
        x = layers.Dense(units, activation="relu")(x)
    crossed = layers.HashedCrossing(50, output_mode="one_hot")
    pair = crossed((inputs["city"], inputs["shop"]))
    model = keras.Model(
        list(inputs.values()), layers.Add()([*wide, layers.Dense(1)(pair), layers.Dense(1)(x)])
    )
    feeds = [table(rows), table(1), table(0)]
    feeds = [{n: v[:, None] for n, v in f.items()} for f in feeds]
    enliven(model, list(feeds[0].values()))
    return _served(model, feeds)


def _boxes(anchors: NDArray[np.float32], moves: tf.Tensor) -> tf.Tensor:
    """Corners of boxes, given centres and sizes of anchors and how far the boxes are off them."""
    centre = moves[..., :2] * anchors[:, 2:] * 0.3 + anchors[:, :2]
    size = tf.exp(moves[..., 2:] * 0.3) * anchors[:, 2:] / 2
    return tf.concat([centre - size, centre + size], -1)


def _anchors(cells: int, kinds: int) -> NDArray[np.float32]:
    at = (np.arange(cells) + 0.5) / cells
    y, x, k = np.meshgrid(at, at, np.arange(kinds), indexing="ij")
    size = 0.08 * 1.3**k
    ratio = np.where(k % 2, 1.3, 0.8)
    found = np.stack([y, x, size * ratio, size / ratio], -1).reshape(-1, 4)
    return found.astype(np.float32)


def _backbone(full: bool, kinds: int, classes: int) -> tuple[keras.Model, int]:
    """Convolutions, and a head of four moves and the classes' logits for every anchor."""
    side, width, depth = (128, 24, 3) if full else (24, 8, 2)
    image = x = keras.Input((side, side, 3))
    for level in range(depth):
        x = layers.Conv2D(width << level, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(width << depth, 3, padding="same", activation="relu")(x)
    head = layers.Conv2D(kinds * (4 + classes), 1)(x)
    model = keras.Model(image, layers.Reshape((-1, 4 + classes))(head))
    enliven(model, [_images(side, 4)])
    return model, side


def _images(side: int, count: int) -> NDArray[np.float32]:
    return _rng().normal(0, 2, (count, side, side, 3)).astype(np.float32)


def detector(full: bool) -> Application:
    """Boxes of all classes of a batch of images, suppressed together."""
    kinds, classes = 8, 10 if full else 3
    backbone, side = _backbone(full, kinds, classes)
    anchors = _anchors(side >> (3 if full else 2), kinds)
    module = tf.Module()
    module.backbone = backbone

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, side, side, 3], tf.float32, "image"),
            tf.TensorSpec([], tf.float32, "least"),
        ]
    )
    def serve(image: tf.Tensor, least: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = backbone(image, training=False)
        boxes = _boxes(anchors, raw[..., :4])[:, :, None]
        found = tf.image.combined_non_max_suppression(
            boxes, tf.sigmoid(raw[..., 4:]), 20, 50, iou_threshold=0.4, score_threshold=least
        )
        return dict(zip(("boxes", "scores", "classes", "valid"), found, strict=True))

    module.serve = serve
    images = _images(side, 2)
    sizes = [(images[:1], 0.55), (images, 0.55), (images, 2.0)]
    return Application(module, [{"image": i, "least": np.float32(s)} for i, s in sizes])


def soft_detector(full: bool) -> Application:
    """Boxes of one image, class by class; those that overlap are scored down, not dropped."""
    kinds, classes = 8, 5 if full else 2
    backbone, side = _backbone(full, kinds, classes)
    anchors = _anchors(side >> (3 if full else 2), kinds)
    module = tf.Module()
    module.backbone = backbone

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, side, side, 3], tf.float32, "image"),
            tf.TensorSpec([], tf.float32, "least"),
        ]
    )
    def serve(image: tf.Tensor, least: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = backbone(image, training=False)[0]
        boxes, scores = _boxes(anchors, raw[:, :4]), tf.sigmoid(raw[:, 4:])
        found: list[list[Any]] = [[], [], []]
        for number in range(classes):
            chosen, score = tf.image.non_max_suppression_with_scores(
                boxes, scores[:, number], 30, 0.5, least, soft_nms_sigma=0.5 * (number % 2)
            )
            for parts, part in zip(
                found,
                (tf.gather(boxes, chosen), score, tf.zeros_like(chosen) + number),
                strict=True,
            ):
                parts.append(part)
        best = tf.argsort(tf.concat(found[1], 0), direction="DESCENDING", stable=True)[:50]
        names = ("boxes", "scores", "classes")
        return {n: tf.gather(tf.concat(p, 0), best) for n, p in zip(names, found, strict=True)}

    module.serve = serve
    images = _images(side, 2)
    sizes = [(images[:1], 0.55), (images[1:], 0.7), (images[:1], 2.0)]
    return Application(module, [{"image": i, "least": np.float32(s)} for i, s in sizes])


def graph_net(full: bool) -> Application:
    """Messages along edges, three times, and a sum over the nodes of each graph of a batch."""
    rng = _rng()
    nodes, edges, graphs, width = (2000, 10000, 20, 64) if full else (30, 80, 4, 8)
    first = _weights(rng, 16, width)
    rounds = [
        [_weights(rng, *s) for s in ((2 * width, width), (width,), (2 * width, width), (width,))]
        for _ in range(3)
    ]
    last = _weights(rng, 3 * width, 5)
    module = tf.Module()
    module.kept = [first, rounds, last]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 16], tf.float32, "nodes"),
            tf.TensorSpec([None, 2], tf.int32, "edges"),
            tf.TensorSpec([None], tf.int32, "graph"),
        ]
    )
    def serve(nodes: tf.Tensor, edges: tf.Tensor, graph: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(nodes)[0]
        x = tf.tanh(nodes @ first)
        source, target = edges[:, 0], edges[:, 1]
        for number, (message, bias, update, shift) in enumerate(rounds):
            pairs = tf.concat([tf.gather(x, source), tf.gather(x, target)], 1)
            sent = tf.nn.relu(pairs @ message + bias)
            join = (
                tf.math.unsorted_segment_mean,
                tf.math.unsorted_segment_sum,
                tf.math.unsorted_segment_max,
            )[number]
            heard = tf.maximum(join(sent, target, count), -1.0)
            x += tf.tanh(tf.concat([x, heard], 1) @ update + shift)
        parts = [
            tf.math.segment_sum(x, graph),
            tf.math.segment_mean(x, graph),
            tf.math.segment_max(x, graph),
        ]
        return {"graphs": tf.concat(parts, 1) @ last, "nodes": x}

    module.serve = serve

    def drawn(nodes: int, edges: int, graphs: int) -> Feed:
        return {
            "nodes": rng.normal(size=(nodes, 16)).astype(np.float32),
            "edges": rng.integers(0, max(nodes, 1), (edges, 2)).astype(np.int32),
            "graph": np.sort(rng.integers(0, graphs, nodes)).astype(np.int32),
        }

    return Application(module, [drawn(nodes, edges, graphs), drawn(7, 0, 3), drawn(0, 0, 1)])


def spectrogram(full: bool) -> Application:
    """Keywords from sound: Fourier transforms of frames, mel bands, cepstra, convolutions."""
    rng = _rng()
    batch, length = (8, 16000) if full else (2, 2000)
    kernel, output = _weights(rng, 3 * 13, 32), _weights(rng, 32, 12)
    module = tf.Module()
    module.kept = [kernel, output]

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "sound")])
    def serve(sound: tf.Tensor) -> dict[str, tf.Tensor]:
        spectra = tf.abs(tf.signal.stft(sound, 400, 160, 512))
        mel = tf.signal.linear_to_mel_weight_matrix(40, 257, 16000, 80.0, 7600.0)
        bands = tf.math.log(tf.tensordot(spectra, mel, 1) + 1e-6)
        cepstra = tf.signal.mfccs_from_log_mel_spectrograms(bands)[..., :13]
        x = tf.nn.relu(tf.nn.conv1d(cepstra, tf.reshape(kernel, [3, 13, 32]), 1, "SAME"))
        return {"cepstra": cepstra, "classes": tf.reduce_mean(x, 1) @ output}

    module.serve = serve
    time = np.arange(length) / 16000
    tones = [np.sin(2 * np.pi * f * time) for f in rng.uniform(100, 4000, batch)]
    sound = (np.array(tones) * 0.4 + rng.normal(0, 0.1, (batch, length))).astype(np.float32)
    return Application(module, [{"sound": s} for s in (sound, sound[:1, :700])])


def cepstra(full: bool) -> Application:
    """The features of keyword spotting of TensorFlow 1: ops of their own for spectrum and MFCC."""
    rng = _rng()
    length = 16000 if full else 2000
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "sound")])
    def serve(sound: tf.Tensor) -> dict[str, tf.Tensor]:
        spectra = tf.raw_ops.AudioSpectrogram(
            input=sound, window_size=480, stride=160, magnitude_squared=True
        )
        found = tf.raw_ops.Mfcc(spectrogram=spectra, sample_rate=16000, filterbank_channel_count=40)
        return {"spectra": spectra, "cepstra": found}

    module.serve = serve
    sound = rng.normal(0, 0.2, (length, 2)).astype(np.float32)
    return Application(module, [{"sound": s} for s in (sound, sound[:700, :1])])


APPLICATIONS: dict[str, Callable[[bool], Application]] = {
    f.__name__: f
    for f in (
        greedy,
        beam,
        text,
        wide_and_deep,
        detector,
        soft_detector,
        graph_net,
        spectrogram,
        cepstra,
    )
}


def export(name: str, folder: Path, full: bool) -> None:
    """Writes ``saved_model``; ``feeds.npz``, whose ``N/NAME`` is input NAME of call N; and
    TensorFlow's ``answers.npz``, named likewise, into `folder`.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    module, feeds = APPLICATIONS[name](full)
    tf.saved_model.save(module, str(folder / "saved_model"), signatures=module.serve)
    inputs, outputs = {}, {}
    for i, feed in enumerate(feeds):
        found = module.serve(**{n: tf.constant(x) for n, x in feed.items()})
        inputs |= {f"{i}/{n}": x for n, x in feed.items()}
        outputs |= {f"{i}/{n}": y.numpy() for n, y in found.items()}
    np.savez(folder / "feeds.npz", **inputs)
    np.savez(folder / "answers.npz", **outputs)
