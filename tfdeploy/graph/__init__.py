"""The intermediate representation: nodes by index, typed values, subgraphs, effects."""

from .graph import Graph, Node, Ref, SignatureDef
from .types import Dim, Extent, Shape, ValueType

__all__ = ["Dim", "Extent", "Graph", "Node", "Ref", "Shape", "SignatureDef", "ValueType"]
