"""Freezes the graph of every case in the op tests of tfdeploy 0.4.2, with TensorFlow's answers.

Runs under Python 3.6 and TensorFlow 1.0.1, with the checkout of release 0.4.2 (``tfdeploy.py`` and
``tests/``) as the working folder: ``python make_ops_04.py`` writes ``ops_04.tar.xz`` beside itself.
It holds ``CASE.pb``, whose one sink is the result, and ``CASE.npy``.  Random numbers of the cases
are rounded, so that they compress.
"""

import io
import os
import sys
import tarfile
import unittest

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.getcwd())
import tensorflow as tf

from tests import ops

FILES = {}


class Recorder(ops.OpsTestCase):
    """The cases, with a check that writes down what it is given."""

    def random(self, *shapes, **kwargs):
        if not all(isinstance(i, int) for i in shapes):
            return tuple(self.random(*shape) for shape in shapes)
        values = np.round(np.random.rand(*shapes) * 254 + 1) / 256
        if kwargs.get("complex", False):
            return (values + 1j * values[::-1]).astype(np.complex64)
        return values

    def check(self, tensors, **kwargs):
        self.sess.run(tf.global_variables_initializer())
        for tensor in tensors if isinstance(tensors, (tuple, list)) else (tensors,):
            case = self.id().rpartition("test_")[2]
            number = sum(name.startswith(case + "-") for name in FILES) // 2
            result = tf.identity(tensor)
            graph = tf.graph_util.convert_variables_to_constants(
                self.sess, tf.get_default_graph().as_graph_def(), [result.op.name]
            )
            value = np.asarray(result.eval(session=self.sess))
            buffer = io.BytesIO()
            np.save(buffer, value.astype("S") if value.dtype == object else value)
            FILES["%s-%d.pb" % (case, number)] = graph.SerializeToString()
            FILES["%s-%d.npy" % (case, number)] = buffer.getvalue()


def main():
    np.random.seed(1)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Recorder)
    unittest.TextTestRunner(verbosity=0).run(suite)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops_04.tar.xz")
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for name in sorted(FILES):
            info = tarfile.TarInfo(name)
            info.size = len(FILES[name])
            archive.addfile(info, io.BytesIO(FILES[name]))
    sys.stdout.write("%s: %d files, %d bytes\n" % (path, len(FILES), os.path.getsize(path)))


if __name__ == "__main__":
    main()
