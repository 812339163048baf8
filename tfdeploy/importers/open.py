"""Which reader a path is for."""

from __future__ import annotations

import os

from ..errors import ConversionError
from . import archive, checkpoint, graphdef, savedmodel
from .raw import RawModel

_KERAS = (".keras", ".h5", ".hdf5")


def read_path(path: str) -> RawModel:
    """The model at `path`: a folder, a file of any kind that has a reader, a checkpoint's prefix.

    Raises ConversionError where nothing is there or a model of another kind, FormatError where it
    is damaged.
    """
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, checkpoint.STATE)):
        return savedmodel.read_saved_model(path)
    if path.lower().endswith(_KERAS) and os.path.exists(path):
        from . import tf_objects

        return tf_objects.load_keras_file(path)
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return savedmodel.read_saved_model(path)
    prefix = checkpoint.prefix_of(path)
    if prefix is not None:
        return checkpoint.read_checkpoint(prefix)
    if not os.path.exists(path):
        raise ConversionError(f"{path}: no such file or folder")
    if archive.is_archive(path):
        return archive.read_archive(path)
    with open(path, "rb") as file:
        head = file.read(16)
    if head[8:9] == b"{":
        raise ConversionError(
            f"{path}: this is a tfdeploy file already; open it with tfdeploy.Model(path)"
        )
    return graphdef.read_graph_file(path)
