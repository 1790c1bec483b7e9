"""The model as the wheel carries it: `hatch_build.py` stores it as float16."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lumikb.compute.embed.embedder import Marks, WordTable, self_test
from lumikb.compute.embed.graph import ensure_graph
from lumikb.compute.embed.model_files import ModelFiles, read_weights
from lumikb.compute.embed.onnx_embedder import OnnxEmbedder
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.turns import Turns

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[4]


@pytest.fixture
def hatch_build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build hook. Hatchling itself is there at build time only."""
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.__dict__["BuildHookInterface"] = object
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def packed(hatch_build: ModuleType, model_files: ModelFiles, tmp_path: Path) -> ModelFiles:
    path = tmp_path / "model.safetensors"
    path.write_bytes(hatch_build.half_precision(model_files.weights.read_bytes()))
    return ModelFiles(path, model_files.tokenizer, model_files.config)


def test_the_packed_model_is_half_the_size_and_as_good(packed: ModelFiles, tmp_path: Path) -> None:
    files = ensure_graph(packed, tmp_path / "cache")
    tokenizer = Tokenizer(packed.tokenizer)
    marks = Marks(tokenizer.cls_id, tokenizer.sep_id)
    embedder = OnnxEmbedder(files, WordTable(files.words), marks, Turns(), threads=2)

    assert packed.weights.stat().st_size < 46_000_000
    assert self_test(embedder, tokenizer) > 0.999999


def test_the_packed_tensors_are_those_of_the_model(packed: ModelFiles, model_files: ModelFiles) -> None:
    original = read_weights(model_files.weights)
    half = read_weights(packed.weights)

    assert set(original) - set(half) == {"embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"}
    assert all(tensor.dtype == "float16" and tensor.shape == original[name].shape for name, tensor in half.items())


def test_the_pinned_hash_is_that_of_the_lock_file(hatch_build: ModuleType) -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    digest = hatch_build.REQUIREMENT.split("--hash=sha256:")[1].strip()

    assert f"sha256:{digest}" in lock
