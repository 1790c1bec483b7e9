"""Writes `int8.npz`, what the 8-bit graph knows about the numbers that go into its products.

    python -m bench.int8_calibration

The texts are paragraphs of this repository's documentation; a value beyond their range is cut to it.
"""

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import BENCH
from lumikb.compute.embed.embedder import TEXT_TOKENS_MAX, Marks, WordTable, embed_in_passes, nothing
from lumikb.compute.embed.graph import GraphBuilder, ensure_graph
from lumikb.compute.embed.model_files import find_model_files, read_weights
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.turns import Turns

ROOT = BENCH.parent
TARGET = ROOT / "src" / "lumikb" / "compute" / "embed" / "int8.npz"
TEXTS = 200
CHARACTERS_MIN = 120
# How much of the unevenness the weights take over. Of .5 to .85 this gave the best vectors: mean cosine .998.
ALPHA = 0.75
TINY = 1e-3


class Products(GraphBuilder):
    """The float graph, and what it multiplies."""

    def __init__(self, tensors: dict[str, NDArray[np.generic]]) -> None:
        super().__init__(tensors)
        self.inputs: list[tuple[str, NDArray[np.float32]]] = []

    def product(self, value: str, weight: str, output: str) -> str:
        self.inputs.append((value, self.initializers[weight].astype(np.float32)))
        return super().product(value, weight, output)


def read_texts() -> list[str]:
    paragraphs = [
        paragraph
        for folder in (ROOT / "docs", ROOT / "src")
        for path in sorted(folder.rglob("*.md"))
        for paragraph in path.read_text(encoding="utf-8").split("\n\n")
        if len(paragraph) >= CHARACTERS_MIN
    ]
    return random.Random(1).sample(paragraphs, TEXTS)


def activations(model: Any, names: list[str], cache: Path) -> dict[str, NDArray[np.float32]]:
    """Rows of what each named value is for all tokens of the texts."""
    import onnx
    import onnxruntime

    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    files = find_model_files()
    tokenizer = Tokenizer(files.tokenizer)
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}

    outputs = ["embedding", "tokens", *names]

    def forward(
        words: NDArray[np.float32], mask: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        embedding, tokens, *values = session.run(outputs, {"words": words, "mask": mask})
        for name, value in zip(names, values, strict=True):
            seen[name].append(value[mask > 0])
        return embedding, tokens

    ids = [tokens.ids[:TEXT_TOKENS_MAX] for tokens in tokenizer.encode_batch(read_texts())]
    table = WordTable(ensure_graph(files, cache).words)
    marks = Marks(tokenizer.cls_id, tokenizer.sep_id)
    embed_in_passes(ids, table, marks, forward, Turns(), nothing, interactive=False, pass_tokens=512)
    return {name: np.concatenate(rows) for name, rows in seen.items()}


def main() -> None:
    builder = Products(read_weights(find_model_files().weights))
    model = builder.build()
    with tempfile.TemporaryDirectory() as cache:
        values = activations(model, [name for name, _ in builder.inputs], Path(cache))
    smoothing: list[NDArray[np.float16]] = []
    ranges: list[tuple[float, float]] = []
    for name, weights in builder.inputs:
        large = np.maximum(np.abs(values[name]).max(axis=0), TINY)
        steep = np.maximum(np.abs(weights).max(axis=1), TINY)
        factors = (large**ALPHA / steep ** (1 - ALPHA)).astype(np.float16)
        even = values[name] / factors.astype(np.float32)
        smoothing.append(factors)
        ranges.append((float(even.min()), float(even.max())))
    np.savez_compressed(TARGET, smoothing=np.concatenate(smoothing), ranges=np.array(ranges, np.float32))
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes, {len(ranges)} products")


if __name__ == "__main__":
    main()
