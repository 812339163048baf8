"""The messages of TensorFlow that the readers look at: field names and numbers, nothing else.

Field names and numbers are those of tensorflow/core/framework/*.proto and tensorflow/core/protobuf/
(saved_model, meta_graph, saver, tensor_bundle, trackable_object_graph), tensorflow/core/util/
(saved_tensor_slice) and tensorflow/python/training/ (checkpoint_state).  Fields that no reader uses
are absent, and skipped.
"""

from __future__ import annotations

from ..dtypes import DTYPES, to_enum
from .wire import (
    BOOL,
    BYTES,
    DOUBLE,
    FIXED32,
    FLOAT,
    INT32,
    INT64,
    PUBLIC,
    STRING,
    UINT32,
    UINT64,
    VIEW,
    Schema,
    enum,
)

_SPELLINGS = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}
_DTYPE_NAMES = {f"DT_{_SPELLINGS.get(dtype, dtype.upper())}": to_enum(dtype) for dtype in DTYPES}
_DTYPE_NAMES |= {f"{name}_REF": number + 100 for name, number in _DTYPE_NAMES.items()}
DTYPE = enum({"DT_INVALID": 0, **_DTYPE_NAMES})

TENSOR_SHAPE = Schema(
    "TensorShapeProto",
    dim=(2, [Schema("TensorShapeProto.Dim", size=(1, INT64))]),
    unknown_rank=(3, BOOL),
)
TENSOR = Schema(
    "TensorProto",
    dtype=(1, DTYPE),
    tensor_shape=(2, TENSOR_SHAPE),
    tensor_content=(4, VIEW),
    float_val=(5, [FLOAT]),
    double_val=(6, [DOUBLE]),
    int_val=(7, [INT32]),
    string_val=(8, [BYTES]),
    scomplex_val=(9, [FLOAT]),
    int64_val=(10, [INT64]),
    bool_val=(11, [BOOL]),
    dcomplex_val=(12, [DOUBLE]),
    half_val=(13, [INT32]),
    uint32_val=(16, [UINT32]),
    uint64_val=(17, [UINT64]),
    float8_val=(18, BYTES),
)

ATTR_VALUE = Schema("AttrValue")
NAME_ATTR_LIST = Schema("NameAttrList", name=(1, STRING), attr=(2, {PUBLIC: ATTR_VALUE}))
ATTR_VALUE.define(
    list=(
        1,
        Schema(
            "AttrValue.ListValue",
            s=(2, [BYTES]),
            i=(3, [INT64]),
            f=(4, [FLOAT]),
            b=(5, [BOOL]),
            type=(6, [DTYPE]),
            shape=(7, [TENSOR_SHAPE]),
            tensor=(8, [TENSOR]),
            func=(9, [NAME_ATTR_LIST]),
        ),
    ),
    s=(2, BYTES),
    i=(3, INT64),
    f=(4, FLOAT),
    b=(5, BOOL),
    type=(6, DTYPE),
    shape=(7, TENSOR_SHAPE),
    tensor=(8, TENSOR),
    placeholder=(9, STRING),
    func=(10, NAME_ATTR_LIST),
)

NODE = Schema(
    "NodeDef",
    name=(1, STRING),
    op=(2, STRING),
    input=(3, [STRING]),
    attr=(5, {PUBLIC: ATTR_VALUE}),
)
_ARG = Schema(
    "OpDef.ArgDef",
    name=(1, STRING),
    type=(3, DTYPE),
    type_attr=(4, STRING),
    number_attr=(5, STRING),
    type_list_attr=(6, STRING),
)
FUNCTION = Schema(
    "FunctionDef",
    signature=(1, Schema("OpDef", name=(1, STRING), input_arg=(2, [_ARG]), output_arg=(3, [_ARG]))),
    node_def=(3, [NODE]),
    ret=(4, {STRING: STRING}),
    attr=(5, {PUBLIC: ATTR_VALUE}),
    control_ret=(6, {STRING: STRING}),
)
_GRADIENT = Schema("GradientDef", function_name=(1, STRING), gradient_func=(2, STRING))
GRAPH = Schema(
    "GraphDef",
    node=(1, [NODE]),
    library=(2, Schema("FunctionDefLibrary", function=(1, [FUNCTION]), gradient=(2, [_GRADIENT]))),
    version=(3, INT32),
    versions=(4, Schema("VersionDef", producer=(1, INT32))),
)

TENSOR_INFO = Schema("TensorInfo")
TENSOR_INFO.define(
    name=(1, STRING),
    dtype=(2, DTYPE),
    tensor_shape=(3, TENSOR_SHAPE),
    coo_sparse=(
        4,
        Schema(
            "TensorInfo.CooSparse",
            values_tensor_name=(1, STRING),
            indices_tensor_name=(2, STRING),
            dense_shape_tensor_name=(3, STRING),
        ),
    ),
    composite_tensor=(5, Schema("TensorInfo.CompositeTensor", components=(2, [TENSOR_INFO]))),
)
SIGNATURE = Schema(
    "SignatureDef",
    inputs=(1, {STRING: TENSOR_INFO}),
    outputs=(2, {STRING: TENSOR_INFO}),
    method_name=(3, STRING),
)
SAVER = Schema(
    "SaverDef",
    filename_tensor_name=(1, STRING),
    save_tensor_name=(2, STRING),
    restore_op_name=(3, STRING),
)
ASSET_FILE = Schema("AssetFileDef", tensor_info=(1, TENSOR_INFO), filename=(2, STRING))
_ANY = Schema("Any", type_url=(1, STRING), value=(2, BYTES))
COLLECTION = Schema(
    "CollectionDef",
    node_list=(1, Schema("CollectionDef.NodeList", value=(1, [STRING]))),
    bytes_list=(2, Schema("CollectionDef.BytesList", value=(1, [BYTES]))),
    any_list=(5, Schema("CollectionDef.AnyList", value=(1, [_ANY]))),
)
META_GRAPH = Schema(
    "MetaGraphDef",
    meta_info_def=(
        1,
        Schema("MetaGraphDef.MetaInfoDef", tags=(4, [STRING]), tensorflow_version=(5, STRING)),
    ),
    graph_def=(2, GRAPH),
    saver_def=(3, SAVER),
    collection_def=(4, {STRING: COLLECTION}),
    signature_def=(5, {STRING: SIGNATURE}),
    asset_file_def=(6, [ASSET_FILE]),
)
SAVED_MODEL = Schema(
    "SavedModel", saved_model_schema_version=(1, INT64), meta_graphs=(2, [META_GRAPH])
)

BUNDLE_HEADER = Schema(
    "BundleHeaderProto",
    num_shards=(1, INT32),
    endianness=(2, enum({"LITTLE": 0, "BIG": 1})),
)
_EXTENT = Schema("TensorSliceProto.Extent", start=(1, INT64), length=(2, INT64))
_SLICE = Schema("TensorSliceProto", extent=(1, [_EXTENT]))
BUNDLE_ENTRY = Schema(
    "BundleEntryProto",
    dtype=(1, DTYPE),
    shape=(2, TENSOR_SHAPE),
    shard_id=(3, INT32),
    offset=(4, INT64),
    size=(5, INT64),
    crc32c=(6, FIXED32),
    slices=(7, [_SLICE]),
)

_SLICE_META = Schema(
    "SavedSliceMeta",
    name=(1, STRING),
    shape=(2, TENSOR_SHAPE),
    type=(3, DTYPE),
    slice=(4, [_SLICE]),
)
SAVED_SLICES = Schema(
    "SavedTensorSlices",
    meta=(1, Schema("SavedTensorSliceMeta", tensor=(1, [_SLICE_META]))),
    data=(2, Schema("SavedSlice", name=(1, STRING), slice=(2, _SLICE), data=(3, TENSOR))),
)
CHECKPOINT_STATE = Schema("CheckpointState", model_checkpoint_path=(1, STRING))
_OBJECT = Schema(
    "TrackableObject",
    attributes=(
        2,
        [
            Schema(
                "SerializedTensor",
                name=(1, STRING),
                full_name=(2, STRING),
                checkpoint_key=(3, STRING),
            )
        ],
    ),
)
OBJECT_GRAPH = Schema("TrackableObjectGraph", nodes=(1, [_OBJECT]))
