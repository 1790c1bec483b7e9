import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lumikb.compute.embed import load, model_files
from lumikb.compute.embed.embedder import COSINE_MIN, COSINE_MIN_INT8, Embedder, Marks, WordTable, self_test
from lumikb.compute.embed.errors import EngineError, ModelCacheError, ModelMissingError
from lumikb.compute.embed.graph import GraphFiles, ensure_graph
from lumikb.compute.embed.load import Engine, load_models
from lumikb.compute.embed.model_files import ModelFiles, find_model_files, read_weights
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.compute.embed.onnx_embedder import OnnxEmbedder
from lumikb.compute.embed.openvino_embedder import OpenVinoEmbedder, multiplies_int8
from lumikb.compute.embed.turns import Turns

pytestmark = pytest.mark.thorough


class WrongEmbedder(OpenVinoEmbedder):
    def embed(self, token_ids: Sequence[Sequence[int]], *, interactive: bool = False) -> NDArray[np.float32]:
        return np.roll(super().embed(token_ids), 1, axis=1)


class NanEmbedder(OpenVinoEmbedder):
    def embed(self, token_ids: Sequence[Sequence[int]], *, interactive: bool = False) -> NDArray[np.float32]:
        return np.full_like(super().embed(token_ids), np.nan)


class BrokenOnnxEmbedder(OnnxEmbedder):
    def __init__(self, *arguments: object, **options: object) -> None:
        raise EngineError("illegal instruction")


@pytest.mark.parametrize("engine", ["auto", "onnx", "openvino"])
def test_each_engine_loads_and_passes_its_check(cache_dir: Path, engine: Engine) -> None:
    models = load_models(cache_dir, threads=2, engine=engine)

    assert models.embedder.model_id == "all-MiniLM-L6-v2"
    assert self_test(models.embedder, models.tokenizer) >= COSINE_MIN


@pytest.mark.skipif(not multiplies_int8(), reason="this CPU does not multiply 8-bit integers")
def test_passages_may_have_vectors_of_integers(cache_dir: Path) -> None:
    models = load_models(cache_dir, threads=2, engine="auto")

    embedder = models.embedder_of(EmbeddingModel.INT8)

    assert embedder.tier == "int8"
    assert self_test(embedder, models.tokenizer) >= COSINE_MIN_INT8
    assert models.embedder_of(EmbeddingModel.INT8) is embedder
    assert models.embedder_of(EmbeddingModel.FULL) is models.embedder


def test_where_integers_cannot_be_multiplied_vectors_are_exact(
    cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "multiplies_int8", lambda: False)
    models = load_models(cache_dir, threads=2, engine="auto")

    assert models.embedder_of(EmbeddingModel.INT8) is models.embedder


@pytest.mark.parametrize("double", [WrongEmbedder, NanEmbedder])
def test_an_engine_with_wrong_numbers_is_replaced(
    cache_dir: Path, monkeypatch: pytest.MonkeyPatch, double: type[OpenVinoEmbedder]
) -> None:
    monkeypatch.setattr(load, "OpenVinoEmbedder", double)

    models = load_models(cache_dir, threads=2, engine="openvino")

    assert isinstance(models.embedder, OnnxEmbedder)


def test_no_usable_engine_is_an_error(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "OpenVinoEmbedder", WrongEmbedder)
    monkeypatch.setattr(load, "OnnxEmbedder", BrokenOnnxEmbedder)

    models = load_models(cache_dir, threads=2, engine="auto")

    with pytest.raises(EngineError):
        _ = models.embedder


def test_a_missing_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(model_files, "_packed_folder", lambda: tmp_path)
    monkeypatch.setattr(model_files, "_wheel_folder", lambda: None)

    with pytest.raises(ModelMissingError, match="uv sync"):
        find_model_files()


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 4, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"[]", b"\x04" + b"\x00" * 7 + b"null"]
)
def test_damaged_weights_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    with pytest.raises(ModelMissingError, match="damaged"):
        read_weights(path)


def test_the_graph_is_built_once_and_leaves_no_rubbish(model_files: ModelFiles, tmp_path: Path) -> None:
    first = ensure_graph(model_files, tmp_path)
    written = first.graph.stat().st_mtime_ns

    second = ensure_graph(model_files, tmp_path)

    assert second == first
    assert second.graph.stat().st_mtime_ns == written
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_a_passing_outage(model_files: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"no folder")

    with pytest.raises(ModelCacheError, match=str(tmp_path)) as caught:
        ensure_graph(model_files, tmp_path / "models")

    assert caught.value.retryable


def test_importing_the_package_loads_no_engine() -> None:
    engines = "{'onnx', 'onnxruntime', 'openvino', 'torch'}"
    script = f"import sys, lumikb.compute.embed.load; print(sorted({engines} & set(sys.modules)))"

    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert output.strip() == "[]"


@pytest.mark.parametrize("make", [OnnxEmbedder, partial(OpenVinoEmbedder, tier="fp32")])
def test_a_damaged_graph_is_the_engines_own_error(
    cache_dir: Path, model_files: ModelFiles, tmp_path: Path, make: Callable[..., Embedder]
) -> None:
    files = ensure_graph(model_files, cache_dir)
    damaged = GraphFiles(tmp_path / "encoder.onnx", tmp_path / "encoder.weights", files.words)
    damaged.graph.write_bytes(b"no graph")

    with pytest.raises(EngineError):
        make(damaged, WordTable(files.words), Marks(101, 102), Turns(), threads=1)
