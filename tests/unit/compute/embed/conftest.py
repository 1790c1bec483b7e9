from pathlib import Path

import pytest

from lumikb.compute.embed.graph import GraphFiles, ensure_graph
from lumikb.compute.embed.model_files import ModelFiles, find_model_files
from lumikb.compute.embed.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def model_files() -> ModelFiles:
    return find_model_files()


@pytest.fixture(scope="session")
def tokenizer(model_files: ModelFiles) -> Tokenizer:
    return Tokenizer(model_files.tokenizer)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def graph_files(model_files: ModelFiles, cache_dir: Path) -> GraphFiles:
    return ensure_graph(model_files, cache_dir)
