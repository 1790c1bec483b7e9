import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lumikb.compute.embed.embedder import (
    COSINE_MIN,
    COSINE_MIN_INT8,
    TEXT_TOKENS_MAX,
    Embedder,
    Marks,
    WordTable,
    golden_vectors,
    plan_passes,
    self_test,
)
from lumikb.compute.embed.errors import TextTooLongError
from lumikb.compute.embed.graph import GraphFiles
from lumikb.compute.embed.int8_graph import ensure_int8_graph
from lumikb.compute.embed.model_files import ModelFiles
from lumikb.compute.embed.onnx_embedder import OnnxEmbedder
from lumikb.compute.embed.openvino_embedder import OpenVinoEmbedder, multiplies_bfloat16
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.turns import Turns

pytestmark = pytest.mark.thorough

Make = Callable[[GraphFiles, WordTable, Marks], Embedder]

ENGINES: dict[str, Make] = {
    "onnx": lambda files, table, marks: OnnxEmbedder(files, table, marks, Turns(), threads=2),
    "openvino-fp32": lambda files, table, marks: OpenVinoEmbedder(files, table, marks, Turns(), threads=2, tier="fp32"),
    "openvino-int8": lambda files, table, marks: OpenVinoEmbedder(files, table, marks, Turns(), threads=2, tier="int8"),
    "openvino-bf16": lambda files, table, marks: OpenVinoEmbedder(files, table, marks, Turns(), threads=2, tier="bf16"),
}


@pytest.fixture(scope="module", params=ENGINES)
def embedder(
    request: pytest.FixtureRequest,
    graph_files: GraphFiles,
    tokenizer: Tokenizer,
    model_files: ModelFiles,
    cache_dir: Path,
) -> Embedder:
    """Every engine that this platform has."""
    if request.param.startswith("openvino") and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("OpenVINO is a dependency on x86-64 only")
    if request.param == "openvino-bf16" and not multiplies_bfloat16():
        pytest.skip("this CPU does not multiply bfloat16")
    marks = Marks(tokenizer.cls_id, tokenizer.sep_id)
    if request.param == "openvino-int8":
        graph_files = ensure_int8_graph(model_files, graph_files, cache_dir)
    return ENGINES[request.param](graph_files, WordTable(graph_files.words), marks)


def _cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return (left * right).sum(axis=1)


def test_vectors_are_those_of_sentence_transformers(embedder: Embedder, tokenizer: Tokenizer) -> None:
    floor = {"fp32": 0.999999, "bf16": COSINE_MIN, "int8": COSINE_MIN_INT8}[embedder.tier]

    assert self_test(embedder, tokenizer) >= floor


def test_shape_type_and_length_of_the_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed([[2748], [], [1037] * TEXT_TOKENS_MAX])

    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_order_is_kept_and_neighbours_do_not_matter(embedder: Embedder, tokenizer: Tokenizer) -> None:
    texts, _ = golden_vectors()
    ids = [tokens.ids[:TEXT_TOKENS_MAX] for tokens in tokenizer.encode_batch(texts)] * 8
    alone = np.concatenate([embedder.embed([each]) for each in ids[: len(texts)]])

    together = embedder.embed(ids)

    assert _cosines(together, np.tile(alone, (8, 1))).min() > COSINE_MIN


def test_a_text_longer_than_the_model_reads_is_refused(embedder: Embedder) -> None:
    with pytest.raises(TextTooLongError) as caught:
        embedder.embed([[2748], [2748] * (TEXT_TOKENS_MAX + 1)])

    assert caught.value.details == {"tokens": TEXT_TOKENS_MAX + 1, "tokens_max": TEXT_TOKENS_MAX}


def test_threads_share_an_embedder(embedder: Embedder) -> None:
    inputs = [[[1000 + 7 * thread] * (thread + 1)] * 3 for thread in range(16)]
    alone = [embedder.embed(ids) for ids in inputs]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(embedder.embed, inputs))

    assert all(_cosines(left, right).min() > COSINE_MIN for left, right in zip(alone, together, strict=True))


def test_passes_hold_every_text_once_and_fit() -> None:
    lengths = [2 + (7 * number) % 255 for number in range(300)]

    passes = list(plan_passes(lengths, lambda: 1024))

    assert sorted(text for texts, _ in passes for text in texts) == list(range(300))
    assert all(lengths[text] <= width <= 256 for texts, width in passes for text in texts)
    assert all(len(texts) * width <= 1024 for texts, width in passes)
    assert len({(len(texts), width) for texts, width in passes}) < 40


def test_passes_grow_and_shrink_on_the_way() -> None:
    sizes = iter([256, 1024, 256, 512, 1024])

    passes = list(plan_passes([128] * 24, lambda: next(sizes)))

    assert [len(texts) for texts, _ in passes] == [2, 8, 2, 4, 8]
    assert sorted(text for texts, _ in passes for text in texts) == list(range(24))


def test_each_text_gets_the_states_of_its_own_tokens(embedder: Embedder) -> None:
    texts = [[2748], [1037] * TEXT_TOKENS_MAX, [], [2023, 2003, 1037, 3231]]

    vectors, states = embedder.embed_tokens(texts, np.copy)
    (alone,) = embedder.embed_tokens([texts[3]], np.copy)[1]

    assert [kept.shape for kept in states] == [(len(ids), embedder.dimensions) for ids in texts]
    assert (_cosines(vectors, embedder.embed(texts)) > 0.9999).all()
    assert ((states[3] > 0) == (alone > 0)).mean() > 0.99
