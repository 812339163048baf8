"""SavedModel folders: signatures, assets, init ops, and the value of each variable."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from tests import tf_graphs
from tests.damage import mutations, refusals
from tfdeploy.errors import ConversionError, FormatError, TfdeployError, UnsupportedError
from tfdeploy.importers.graphdef import read_graph_file
from tfdeploy.importers.raw import TensorInfo
from tfdeploy.importers.savedmodel import read_saved_model

v1 = tf.compat.v1


class Twins(tf.Module):
    """Two variables of one name, in an order that their names do not tell; a table; a counter."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.second = tf.Variable([3.0, 4.0], name="v")
        self.first = tf.Variable([1.0, 2.0], name="v")
        self.counter = tf.Variable(7, name="counter", dtype=tf.int64)
        self.inner = [tf.Variable([[5.0]], name="v"), tf.Variable("text", name="words")]
        self.table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(vocabulary),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def f(self, x):
        self.counter.assign_add(1)
        words = self.table.lookup(tf.constant(["b"]))
        return {"y": x * self.first - self.second + self.inner[0], "words": words}


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    vocabulary = folder / "vocabulary.txt"
    vocabulary.write_text("a\nb\n")
    module = Twins(vocabulary)
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.f)
    return folder / "saved"


@pytest.fixture(scope="module")
def keras_model(tmp_path_factory):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 6, 3), name="image")
    number = keras.Input((4,), name="number")
    y = keras.layers.Conv2D(4, 3, activation="relu")(image)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    y = keras.layers.Dropout(0.3)(y)
    y = keras.layers.Concatenate()([y, keras.layers.Dense(4)(number)])
    y = keras.layers.LSTM(3)(keras.layers.Reshape((2, 4))(y))
    model = keras.Model([image, number], {"a": keras.layers.Dense(2)(y), "b": y})
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(random.normal(size=weight.shape))
    folder = tmp_path_factory.mktemp("keras") / "saved"
    model.export(folder, verbose=False)
    return model, folder


def captured(folder, raw):
    """Node names and values of the variables that the default signature captures, by TensorFlow.

    The top graph passes captured handles to the signature's function by the order of its captures.
    """
    loaded = tf.saved_model.load(str(folder))  # which holds the variables
    function = loaded.signatures["serving_default"]
    target = raw.signatures["serving_default"].outputs
    call = next(iter(target.values())).name.partition(":")[0]
    node = next(node for node in raw.graph.nodes if node.name == call)
    inputs = node.inputs[-len(function.captured_inputs) :]
    by_handle = {id(variable.handle): variable for variable in function.variables}
    return {
        name: by_handle[id(handle)].numpy()
        for name, handle in zip(inputs, function.captured_inputs, strict=True)
        if id(handle) in by_handle
    }


def test_twins_get_their_own_values(module_folder):
    raw = read_saved_model(module_folder)
    expected = captured(module_folder, raw)
    assert len(expected) == 4
    for name, value in expected.items():
        assert np.array_equal(raw.variables[name], value), name
    floats = [value.sum() for value in expected.values() if value.dtype == np.float32]
    assert sorted(floats) == [3, 5, 7]


def test_keras_variables(keras_model):
    model, folder = keras_model
    raw = read_saved_model(folder)
    expected = captured(folder, raw)
    assert len(expected) == len([w for w in model.weights if "seed" not in w.path])
    for name, value in expected.items():
        assert raw.variables[name].dtype == value.dtype
        assert np.array_equal(raw.variables[name], value), name


def test_graph_signatures_assets_and_init_ops(module_folder):
    raw = read_saved_model(module_folder)
    proto = saved_model_pb2.SavedModel.FromString((module_folder / "saved_model.pb").read_bytes())
    meta = proto.meta_graphs[0]
    tf_graphs.assert_same_graph(raw.graph, meta.graph_def)
    assert list(raw.signatures) == ["serving_default"]
    signature = raw.signatures["serving_default"]
    assert signature.method == "tensorflow/serving/predict"
    assert signature.inputs == {"x": TensorInfo("serving_default_x:0", "float32", (None, 2))}
    for name, info in meta.signature_def["serving_default"].outputs.items():
        shape = tuple(tf.TensorShape(info.tensor_shape).as_list())
        shape = tuple(None if size == -1 else size for size in shape)
        dtype = tf.as_dtype(info.dtype).name
        assert signature.outputs[name] == TensorInfo(info.name, dtype, shape)
    (asset,) = raw.assets
    assert asset == meta.asset_file_def[0].tensor_info.name
    assert raw.assets[asset] == b"a\nb\n"
    assert raw.init_ops == ["NoOp"]
    (holder,) = [
        node.name
        for node in raw.graph.nodes
        if node.op == "VarHandleOp" and node.attrs["dtype"] == "string" and not node.attrs["shape"]
        if raw.variables[node.name] == asset.encode()
    ]
    assert raw.variables[holder].shape == ()


def test_keras_signatures_keep_their_names(keras_model):
    _, folder = keras_model
    raw = read_saved_model(folder)
    assert set(raw.signatures) == {"serve", "serving_default"}
    assert set(raw.signatures["serve"].inputs) == {"image", "number"}
    assert set(raw.signatures["serve"].outputs) == {"a", "b"}


def build_v1(folder, resource, tags=("serve",), asset=None):
    """A SavedModel of graph mode with partitioned variables, and the values that it has."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 10], name="x")
        with v1.variable_scope(
            "scope", partitioner=v1.fixed_size_partitioner(3), use_resource=resource
        ):
            w = v1.get_variable("w", [10, 4], initializer=v1.random_normal_initializer(seed=1))
        b = v1.get_variable("b", [4], initializer=v1.ones_initializer(), use_resource=resource)
        y = tf.identity(tf.matmul(x, tf.convert_to_tensor(w)) + b, name="y")
        main = None
        if asset:
            name = tf.constant(str(asset), name="asset")
            v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, name)
            table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(name, tf.string, -2, tf.int64, -1), -1
            )
            y = y + tf.cast(table.lookup(tf.constant(["a"])), tf.float32)
            main = v1.tables_initializer(name="main")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session,
            list(tags),
            {"serving_default": signature},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=main,
        )
        if len(tags) > 1:
            builder.add_meta_graph(["other"], {"another": signature})
            builder.add_meta_graph(["serve", "tpu"], {"third": signature})
        builder.save()
        return {v.op.name: session.run(v) for v in v1.global_variables()}


@pytest.mark.parametrize("resource", [False, True])
def test_graph_mode_and_partitioned_variables(tmp_path, resource):
    values = build_v1(tmp_path / "saved", resource)
    assert sorted(values) == ["b", *(f"scope/w/part_{i}" for i in range(3))]
    raw = read_saved_model(tmp_path / "saved")
    assert sorted(raw.variables) == sorted(values)
    for name, value in values.items():
        assert np.array_equal(raw.variables[name], value)
    assert raw.signatures["serving_default"].inputs["x"].name == "x:0"


def test_assets_and_main_op_of_graph_mode(tmp_path):
    (tmp_path / "words.txt").write_text("a\nb")
    build_v1(tmp_path / "saved", True, asset=tmp_path / "words.txt")
    raw = read_saved_model(tmp_path / "saved")
    assert raw.assets == {"asset:0": b"a\nb"}
    assert raw.init_ops == ["main"]


def test_meta_graphs_are_chosen_by_tags(tmp_path):
    build_v1(tmp_path / "saved", True, tags=("train", "gpu"))
    read = lambda tags=None: list(read_saved_model(tmp_path / "saved", tags).signatures)  # noqa: E731
    assert read() == ["third"]  # none is tagged "serve" alone
    assert read("other") == read(["other"]) == ["another"]
    assert read({"gpu", "train"}) == ["serving_default"]
    with pytest.raises(ConversionError, match=r"the tags gpu; .*: gpu, train; other; serve, tpu"):
        read("gpu")


def test_the_only_meta_graph_needs_no_tag(tmp_path):
    build_v1(tmp_path / "saved", False, tags=("mine",))
    assert list(read_saved_model(tmp_path / "saved").signatures) == ["serving_default"]


def test_sharded_checkpoints(tmp_path):
    """The variables folder of a model, its checkpoint rewritten in three shards."""
    values = build_v1(tmp_path / "saved", False)
    prefix = str(tmp_path / "saved" / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    w = reader.get_tensor("scope/w")
    pieces = [(["b"], [""], [reader.get_tensor("b")])]
    pieces += [(["scope/w"], [f"10 4 {i},5:0,4"], [w[i : i + 5]]) for i in (0, 5)]
    parts = [str(tmp_path / f"part{number}") for number in range(3)]
    for part, (names, slices, arrays) in zip(parts, pieces, strict=True):
        tf.raw_ops.SaveV2(prefix=part, tensor_names=names, shape_and_slices=slices, tensors=arrays)
    for path in Path(prefix).parent.iterdir():
        path.unlink()
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix)
    raw = read_saved_model(tmp_path / "saved")
    for name, value in values.items():  # the saved pieces are not those of the variables
        assert np.array_equal(raw.variables[name], value)
    os.remove(prefix + ".data-00002-of-00003")
    raw = read_saved_model(tmp_path / "saved")
    assert np.array_equal(raw.variables["b"], values["b"])
    with pytest.raises(FormatError, match=r"part_2'.*data-00002-of-00003: cannot be opened"):
        raw.variables["scope/w/part_2"]


def rewrite(folder, target, change):
    """A copy of a SavedModel with its message changed."""
    shutil.copytree(folder, target, symlinks=True)
    path = target / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(proto.meta_graphs[0])
    path.write_bytes(proto.SerializeToString())
    return read_saved_model(target)


def test_without_restore_op_the_checkpoint_s_object_names_decide(module_folder, tmp_path):
    raw = rewrite(module_folder, tmp_path / "x", lambda meta: meta.ClearField("saver_def"))
    expected = captured(module_folder, read_saved_model(module_folder))
    names = {
        node.attrs["shared_name"]: node.name for node in raw.graph.nodes if node.op == "VarHandleOp"
    }
    assert raw.variables[names["counter"]] == expected[names["counter"]]
    with pytest.raises(ConversionError, match=r"variable 'v'.*several tensors of that name"):
        raw.variables["v"]


def test_without_restore_op_names_in_the_checkpoint_decide(tmp_path):
    values = build_v1(tmp_path / "saved", True)
    raw = rewrite(tmp_path / "saved", tmp_path / "x", lambda meta: meta.ClearField("saver_def"))
    assert np.array_equal(raw.variables["b"], values["b"])


def test_handles_of_one_shared_name_are_one_variable(tmp_path):
    values = build_v1(tmp_path / "saved", True)

    def change(meta):
        node = meta.graph_def.node.add()
        node.CopyFrom(next(node for node in meta.graph_def.node if node.name == "b"))
        node.name = "again"

    raw = rewrite(tmp_path / "saved", tmp_path / "x", change)
    assert np.array_equal(raw.variables["again"], values["b"])


def test_a_nested_restore_function_is_followed(module_folder, tmp_path):
    """A call of a call, by PartitionedCall and by the function's own name."""

    def change(meta):
        library = meta.graph_def.library
        restore = next(f for f in library.function if "traced_restore" in f.signature.name)
        call = next(n for n in meta.graph_def.node if n.name == meta.saver_def.restore_op_name)
        for depth, op in enumerate(["PartitionedCall", "outer_0"]):
            outer = library.function.add()
            outer.signature.CopyFrom(restore.signature)
            outer.signature.name = f"outer_{depth}"
            for argument in outer.signature.input_arg:
                argument.name = f"{argument.name}_{depth}"
            node = outer.node_def.add(name="inner", op=op)
            node.input.extend(argument.name for argument in outer.signature.input_arg)
            if op == "PartitionedCall":
                node.attr["f"].func.name = restore.signature.name
            for output in outer.signature.output_arg:
                outer.ret[output.name] = "inner:output:0"
        call.attr["f"].func.name = "outer_1"

    raw = rewrite(module_folder, tmp_path / "x", change)
    for name, value in captured(module_folder, read_saved_model(module_folder)).items():
        assert np.array_equal(raw.variables[name], value), name


def test_a_variable_without_value_is_named(tmp_path):
    values = build_v1(tmp_path / "saved", True)

    def change(meta):
        node = meta.graph_def.node.add(name="bb", op="VarHandleOp")
        node.attr["dtype"].type = 1
        node.attr["shared_name"].s = b"bb"

    raw = rewrite(tmp_path / "saved", tmp_path / "x", change)
    assert np.array_equal(raw.variables["b"], values["b"])
    with pytest.raises(ConversionError, match=r"variable 'bb' has no value in .*near: b$"):
        raw.variables["bb"]
    with pytest.raises(ConversionError, match="no variable 'scope/w/part_9'; near: scope/w"):
        raw.variables["scope/w/part_9"]


def test_a_variable_that_the_checkpoint_lacks_is_named(tmp_path):
    build_v1(tmp_path / "saved", True)
    prefix = str(tmp_path / "saved" / "variables" / "variables")
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=["c"], shape_and_slices=[""], tensors=[tf.ones(4)]
    )
    raw = read_saved_model(tmp_path / "saved")
    with pytest.raises(ConversionError, match=r"variable 'b': checkpoint .* no tensor 'b'"):
        raw.variables["b"]


@pytest.mark.parametrize(
    ("tensor", "words"),
    [(tf.ones(5), r"shape \(4,\), its value 'b' has \(5,\)"), (tf.ones(4, tf.int32), "int32")],
)
def test_values_that_do_not_fit_are_refused(tmp_path, tensor, words):
    build_v1(tmp_path / "saved", True)
    prefix = str(tmp_path / "saved" / "variables" / "variables")
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=["b"], shape_and_slices=[""], tensors=[tensor])
    with pytest.raises(ConversionError, match=words):
        read_saved_model(tmp_path / "saved").variables["b"]


def test_a_missing_checkpoint(tmp_path):
    build_v1(tmp_path / "saved", True)
    shutil.rmtree(tmp_path / "saved" / "variables")
    raw = read_saved_model(tmp_path / "saved")
    with pytest.raises(ConversionError, match=r"variable 'b' has no value: .*does not exist"):
        raw.variables["b"]


def test_text_form_and_the_file_itself(module_folder, tmp_path):
    expected = read_saved_model(module_folder)
    by_file = read_graph_file(module_folder / "saved_model.pb")
    assert by_file.signatures == expected.signatures
    shutil.copytree(module_folder, tmp_path / "x")
    path = tmp_path / "x" / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    path.unlink()
    path.with_suffix(".pbtxt").write_text(text_format.MessageToString(proto))
    raw = read_saved_model(tmp_path / "x")
    tf_graphs.assert_same_graph(raw.graph, proto.meta_graphs[0].graph_def)
    assert raw.signatures == expected.signatures
    for name in captured(module_folder, expected):
        assert np.array_equal(raw.variables[name], expected.variables[name])
    assert read_graph_file(path.with_suffix(".pbtxt")).signatures == expected.signatures


def test_folders_that_are_no_saved_model(tmp_path):
    with pytest.raises(FormatError, match="nothing: not a folder"):
        read_saved_model(tmp_path / "nothing")
    with pytest.raises(FormatError, match="neither saved_model"):
        read_saved_model(tmp_path)
    (tmp_path / "saved_model.cpb").touch()
    with pytest.raises(UnsupportedError, match="chunked"):
        read_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(FormatError, match=r"saved_model\.pb: a SavedModel without meta graphs"):
        read_saved_model(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "..", "a/../../secret", "link"])
def test_assets_outside_the_model_are_refused(module_folder, tmp_path, name):
    shutil.copytree(module_folder, tmp_path / "m")
    (tmp_path / "m" / "secret").write_text("secret")
    (tmp_path / "m" / "assets" / "link").symlink_to(tmp_path / "m" / "secret")

    def change(meta):
        meta.asset_file_def[0].filename = name

    with pytest.raises(FormatError, match=r"asset .* does not lie in"):
        rewrite(tmp_path / "m", tmp_path / "x", change)


def test_a_missing_asset(module_folder, tmp_path):
    def change(meta):
        meta.asset_file_def[0].filename = "other.txt"

    with pytest.raises(FormatError, match=r"assets/other\.txt: cannot be read"):
        rewrite(module_folder, tmp_path / "x", change)


def test_sparse_and_composite_inputs_are_their_parts(module_folder, tmp_path):
    def change(meta):
        inputs = meta.signature_def["serving_default"].inputs
        sparse = inputs["s"]
        sparse.dtype = 1
        sparse.tensor_shape.dim.add(size=-1)
        sparse.tensor_shape.dim.add(size=5)
        sparse.coo_sparse.values_tensor_name = "v:0"
        sparse.coo_sparse.indices_tensor_name = "i:0"
        sparse.coo_sparse.dense_shape_tensor_name = "d:0"
        for name in ("flat", "splits"):
            part = inputs["r"].composite_tensor.components.add(name=f"{name}:0", dtype=3)
            part.tensor_shape.unknown_rank = True

    inputs = rewrite(module_folder, tmp_path / "x", change).signatures["serving_default"].inputs
    assert inputs["s/indices"] == TensorInfo("i:0", "int64", (None, 2))
    assert inputs["s/values"] == TensorInfo("v:0", "float32", (None,))
    assert inputs["s/dense_shape"] == TensorInfo("d:0", "int64", (2,))
    assert inputs["r/0"] == TensorInfo("flat:0", "int32", None)
    assert inputs["r/1"] == TensorInfo("splits:0", "int32", None)


def test_mutated_models_give_only_our_errors(module_folder, tmp_path):
    shutil.copytree(module_folder, tmp_path / "x")
    data = (module_folder / "saved_model.pb").read_bytes()
    proto = saved_model_pb2.SavedModel.FromString(data)
    proto.meta_graphs[0].ClearField("object_graph_def")
    proto.meta_graphs[0].meta_info_def.ClearField("stripped_op_list")
    data = proto.SerializeToString()

    def read(variant):
        (tmp_path / "x" / "saved_model.pb").write_bytes(variant)
        raw = read_saved_model(tmp_path / "x")
        for name in raw.variables:
            with contextlib.suppress(TfdeployError):
                raw.variables[name]

    assert refusals(read, mutations(data, 800, seed=6)) > 300
