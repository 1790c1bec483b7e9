"""The part of OpenVINO that LumiKB uses; the package's own types are partly unknown."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

class Model: ...

class InferRequest:
    def infer(
        self, inputs: Mapping[str, NDArray[np.generic]], *, share_inputs: bool = ..., share_outputs: bool = ...
    ) -> Mapping[int, NDArray[np.float32]]: ...

class CompiledModel:
    def create_infer_request(self) -> InferRequest: ...

class Core:
    def read_model(self, model: str) -> Model: ...
    def compile_model(self, model: Model, device_name: str, config: Mapping[str, str | int]) -> CompiledModel: ...
