"""The part of onnx that LumiKB uses: writing a graph down. Protobuf messages stay untyped."""

from typing import Any

from . import helper as helper
from . import numpy_helper as numpy_helper

class TensorProto:
    FLOAT: int

def save(
    proto: Any, f: str, *, save_as_external_data: bool = ..., location: str | None = ..., size_threshold: int = ...
) -> None: ...
