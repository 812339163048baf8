"""Writes models of tfdeploy 0.4.2 with their answers.

Runs under Python 2.7 and 3.6 with TensorFlow 1.0.1 and the ``tfdeploy.py`` of release 0.4.2 on the
path: ``python make_pickles.py`` writes ``pickles/pyNN/NAME.pkl`` and ``answers.npz`` beside itself.
The arrays of the latter are called ``NAME/feed/TENSOR`` and ``NAME/fetch/TENSOR``; the answers are
those of tfdeploy 0.4.2.
"""

import os
import pickle
import sys

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import tfdeploy as td

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pickles")
FOLDER = os.path.join(HERE, "py%d%d" % sys.version_info[:2])
RNG = np.random.RandomState(3)
ANSWERS = {}


class LRN(td.Operation):
    """Local response normalisation, which 0.4.2 lacks: a user's op with attributes."""

    types = ("LRN",)
    attrs = ("depth_radius", "bias", "alpha", "beta")

    @staticmethod
    def func(a, radius, bias, alpha, beta):
        squares = np.pad(np.square(a), [(0, 0)] * 3 + [(radius, radius)], "constant")
        total = sum(squares[..., i : i + a.shape[-1]] for i in range(2 * radius + 1))
        return (a / (bias + alpha * total) ** beta,)


class Floor2(td.Operation):
    """A user's op without attributes and of its own name."""

    types = ("Softsign",)

    @staticmethod
    def func(a):
        return (np.floor(a / 2),)


def floats(*shape):
    return RNG.randn(*shape).astype(np.float32)


def variable(*shape):
    return tf.Variable(floats(*shape) * 0.3)


def dense(seed):
    global RNG
    RNG = np.random.RandomState(seed)
    x = tf.placeholder("float", [None, 10], name="input")
    h = tf.nn.relu(tf.matmul(x, variable(10, 8)) + variable(8))
    return tf.nn.softmax(tf.matmul(h, variable(8, 4)) + variable(4), name="output")


def image():
    x = tf.placeholder("float", [None, 8, 6, 3], name="input")
    y = tf.nn.bias_add(tf.nn.conv2d(x, variable(3, 3, 3, 5), [1, 1, 1, 1], "SAME"), variable(5))
    y = tf.nn.max_pool(tf.nn.elu(y), [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    y = tf.nn.avg_pool(y, [1, 2, 1, 1], [1, 2, 1, 1], "VALID")
    y = tf.reshape(y, tf.stack([-1, 30]))
    return tf.matmul(y, variable(30, 3), name="output")


def many():
    """Ops with attributes, several outputs, dtypes and shared inputs."""
    x = tf.placeholder("float", [4, 6], name="input")
    first, second = tf.split(x, 2, axis=1)
    both = tf.concat([tf.sigmoid(first), tf.tanh(second)], 1)
    rows = tf.stack(tf.unstack(both, axis=0), axis=1)
    total = tf.reduce_sum(rows, [0], keep_dims=True)
    best = tf.cast(tf.argmax(rows, 0), tf.float32)
    scaled = tf.divide(total - best, tf.constant(3.0)) ** 2.0
    product = tf.matmul(x, x, transpose_b=True)
    padded = tf.pad(tf.expand_dims(tf.squeeze(scaled), 1), [[0, 0], [1, 2]])
    wide = tf.tile(tf.transpose(padded), [2, 1])
    return tf.reduce_max(tf.matmul(wide, product), 1, name="output")


def custom():
    x = tf.placeholder("float", [None, 2, 2, 6], name="input")
    y = tf.nn.softsign(x * 3)
    return tf.nn.lrn(y, 2, bias=1.0, alpha=0.1, beta=0.5, name="output")


def write(name, build, shape, after=False, protocols=()):
    td.reset()
    with tf.Graph().as_default(), tf.Session() as session:
        root = build()
        session.run(tf.global_variables_initializer())
        model = td.Model()
        model.add(root, session)
        model.add(root.op.inputs[0], session, key="below" if name == "keys" else 5)
        inp, out = model.get("input", "output")
        feed = floats(*shape)
        if after:
            out.eval({inp: floats(*shape)})
        path = os.path.join(FOLDER, name)
        model.save(path + ".pkl")
        for protocol in protocols:
            with open("%s-%d.pkl" % (path, protocol), "wb") as file:
                pickle.dump(model.roots, file, protocol)
        loaded = td.Model(path + ".pkl")
        inp, out = loaded.get("input", "output")
        ANSWERS[name + "/feed/input"] = feed
        ANSWERS[name + "/fetch/output"] = out.eval({inp: feed})


def main():
    if not os.path.isdir(FOLDER):
        os.makedirs(FOLDER)
    write("before", lambda: dense(1), (5, 10), protocols=(0, 1, 2))
    write("after", lambda: dense(2), (5, 10), after=True, protocols=(0, 2))
    write("image", image, (2, 8, 6, 3))
    write("many", many, (4, 6))
    write("keys", many, (4, 6), after=True)
    write("custom", custom, (3, 2, 2, 6))
    ensemble = td.Ensemble([os.path.join(FOLDER, n + ".pkl") for n in ("before", "after")])
    inp, out = ensemble.get("input", "output")
    feed = floats(5, 10)
    ANSWERS["ensemble/feed/input"], ANSWERS["ensemble/fetch/output"] = feed, out.eval({inp: feed})
    np.savez(os.path.join(FOLDER, "answers.npz"), **ANSWERS)


if __name__ == "__main__":
    main()
