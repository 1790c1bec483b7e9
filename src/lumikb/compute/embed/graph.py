"""The model as an ONNX graph, built once from its weights and kept in a cache directory.

The word embeddings stay outside the graph, in a file of float16 rows that every engine shares through one mapping:
half of the model's weights would otherwise lie in each engine's memory. A graph takes

- `words`: float32 (texts, tokens, 384), the rows of that file for each token,
- `mask`: float32 (texts, tokens), 1 for a token and 0 for padding,

and gives

- `embedding`: float32 (texts, 384), the mean over a text's tokens at unit length,
- `tokens`: float32 (texts, tokens, 384), the last hidden state of each token.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.errors import ModelCacheError
from lumikb.compute.embed.model_files import ModelFiles, read_weights

# Part of the cache's key: raise it with every change to what this module writes.
GRAPH_VERSION = 2

DIMENSIONS = 384
TOKENS_MAX = 256

_LAYERS = 6
_HEADS = 12
_HEAD_SIZE = DIMENSIONS // _HEADS
_EPSILON = 1e-12
# Added to the attention scores of padding. exp(-30000) is 0 in float32, and the number fits bfloat16 and float16.
_MASKED = 30_000.0

# 20 is the first opset with Gelu; LayerNormalization is there since 17. Both are single kernels in both engines.
_OPSET = 20
_IR_VERSION = 10


@dataclass(frozen=True)
class GraphFiles:
    """What the engines read: the graph, its weights beside it, and the table of word embeddings."""

    graph: Path
    weights: Path
    words: Path


def ensure_graph(model: ModelFiles, cache_dir: Path) -> GraphFiles:
    """The graph of these weights, built now (about a second) unless the cache has it."""
    folder = cache_dir / f"graph-{GRAPH_VERSION}-{digest_of(model)}"
    files = GraphFiles(folder / "encoder.onnx", folder / "encoder.weights", folder / "words.f16")

    def write(building: Path) -> None:
        tensors = read_weights(model.weights)
        tensors["embeddings.word_embeddings.weight"].astype(np.float16).tofile(building / files.words.name)
        save_graph(GraphBuilder(tensors).build(), building / files.graph.name, files.weights.name)

    build_once(folder, write)
    return files


def digest_of(model: ModelFiles) -> str:
    """What tells these weights from others in the names of the cache."""
    with model.weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def build_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill the folder, unless it is there. Processes may race: the first to rename its own wins.

    Raises `ModelCacheError` when the files cannot be written.
    """
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory("", "building-", folder.parent, ignore_cleanup_errors=True) as name:
            building = Path(name)
            write(building)
            for path in building.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            _rename_unless_there(building, folder)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise ModelCacheError(
            f"The embedding model cannot be prepared in {folder.parent}: {reason}. It needs some 50 MB there.",
            service="models",
        ) from exc


def save_graph(model: Any, path: Path, weights: str) -> None:
    """Write an `onnx.ModelProto`, its weights in a file of their own beside it."""
    import onnx

    onnx.save(model, str(path), save_as_external_data=True, location=weights, size_threshold=1024)


def _rename_unless_there(building: Path, folder: Path) -> None:
    try:
        building.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


class GraphBuilder:
    """Writes down BERT's encoder, layer by layer; value names are the builder's own and unique."""

    def __init__(self, tensors: dict[str, NDArray[np.generic]]) -> None:
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.initializers: dict[str, NDArray[np.generic]] = {}

    def build(self) -> Any:
        """The finished `onnx.ModelProto`."""
        from onnx import TensorProto, helper, numpy_helper

        hidden = self._embeddings()
        padding = self._padding()
        for layer in range(_LAYERS):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden, padding)
        self._pool(hidden)
        graph = helper.make_graph(
            self.nodes,
            "all-minilm-l6-v2",
            [
                helper.make_tensor_value_info("words", TensorProto.FLOAT, ["texts", "tokens", DIMENSIONS]),
                helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["texts", "tokens"]),
            ],
            [
                helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", DIMENSIONS]),
                helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["texts", "tokens", DIMENSIONS]),
            ],
            [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in self.initializers.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)

    def _tensor(self, name: str) -> NDArray[np.float32]:
        return self.tensors[name].astype(np.float32)

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers[name] = value
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _embeddings(self) -> str:
        # Every text is one segment, so the first segment's embedding is a constant of the position.
        segment = self._tensor("embeddings.token_type_embeddings.weight")[0]
        positions = self._tensor("embeddings.position_embeddings.weight")[:TOKENS_MAX] + segment
        self.node("Shape", ["mask"], "length", start=1, end=2)
        self.node(
            "Slice",
            [
                self.constant("positions", positions[None]),
                self.constant("zero", np.array([0])),
                "length",
                self.constant("axis_tokens", np.array([1])),
            ],
            "places",
        )
        self.node("Add", ["words", "places"], "embeddings.sum")
        return self._norm("embeddings.LayerNorm", "embeddings.sum")

    def _padding(self) -> str:
        self.node("Sub", ["mask", self.constant("one", np.array(1, np.float32))], "mask.minus")
        self.node("Mul", ["mask.minus", self.constant("masked", np.array(_MASKED, np.float32))], "mask.scores")
        return self.node("Unsqueeze", ["mask.scores", self.constant("axes_heads", np.array([1, 2]))], "padding")

    def _layer(self, prefix: str, hidden: str, padding: str) -> str:
        attended = self._attention(prefix + "attention.", hidden, padding)
        wide = self._linear(prefix + "intermediate.dense", attended)
        active = self.node("Gelu", [wide], prefix + "gelu")
        narrow = self._linear(prefix + "output.dense", active)
        self.node("Add", [narrow, attended], prefix + "residual")
        return self._norm(prefix + "output.LayerNorm", prefix + "residual")

    def _attention(self, prefix: str, hidden: str, padding: str) -> str:
        mixed = self._query_key_value(prefix, hidden)
        self.constant("split_heads", np.array([0, 0, _HEADS, _HEAD_SIZE]))
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            heads = self.node("Reshape", [mixed[part], "split_heads"], f"{prefix}{part}.heads")
            self.node("Transpose", [heads], f"{prefix}{part}.turned", perm=order)
        scores = self.node("MatMul", [f"{prefix}query.turned", f"{prefix}key.turned"], prefix + "scores")
        self.node("Add", [scores, padding], prefix + "scores.masked")
        shares = self.node("Softmax", [prefix + "scores.masked"], prefix + "shares", axis=-1)
        context = self.node("MatMul", [shares, f"{prefix}value.turned"], prefix + "context")
        turned = self.node("Transpose", [context], prefix + "context.turned", perm=[0, 2, 1, 3])
        joined = self.constant("join_heads", np.array([0, 0, DIMENSIONS]))
        self.node("Reshape", [turned, joined], prefix + "context.joined")
        output = self._linear(prefix + "output.dense", prefix + "context.joined")
        self.node("Add", [output, hidden], prefix + "residual")
        return self._norm(prefix + "output.LayerNorm", prefix + "residual")

    def _query_key_value(self, prefix: str, hidden: str) -> dict[str, str]:
        """One product for all three: 58 texts/s in ONNX Runtime, against 51 with three.

        The scores' division by the root of the head size is folded into the query's weights.
        """
        from onnx import helper

        parts = ("query", "key", "value")
        scales = {"query": np.float32(_HEAD_SIZE**-0.5), "key": np.float32(1), "value": np.float32(1)}
        weight = np.concatenate([self._tensor(f"{prefix}self.{part}.weight") * scales[part] for part in parts]).T
        bias = np.concatenate([self._tensor(f"{prefix}self.{part}.bias") * scales[part] for part in parts])
        product = self.product(hidden, self.constant(prefix + "self.weight", weight), prefix + "product")
        mixed = self.node("Add", [product, self.constant(prefix + "self.bias", bias)], prefix + "mixed")
        outputs = {part: prefix + part for part in parts}
        self.nodes.append(helper.make_node("Split", [mixed], list(outputs.values()), axis=-1, num_outputs=3))
        return outputs

    def _linear(self, name: str, value: str) -> str:
        weight = self.constant(name + ".weight", self._tensor(name + ".weight").T)
        bias = self.constant(name + ".bias", self._tensor(name + ".bias"))
        product = self.product(value, weight, name + ".product")
        return self.node("Add", [product, bias], name)

    def product(self, value: str, weight: str, output: str) -> str:
        """`value` times a constant of shape (inputs, outputs)."""
        return self.node("MatMul", [value, weight], output)

    def _norm(self, name: str, value: str) -> str:
        weight = self.constant(name + ".weight", self._tensor(name + ".weight"))
        bias = self.constant(name + ".bias", self._tensor(name + ".bias"))
        return self.node("LayerNormalization", [value, weight, bias], name, axis=-1, epsilon=_EPSILON)

    def _pool(self, hidden: str) -> None:
        # The sum has the mean's direction, and unit length is all that is left of it.
        row = self.constant("axis_row", np.array([1]))
        weights = self.node("Unsqueeze", ["mask", row], "mask.row")
        total = self.node("MatMul", [weights, hidden], "total")
        flat = self.node("Squeeze", [total, row], "total.flat")
        self.node("LpNormalization", [flat], "embedding", axis=-1, p=2)
        self.node("Identity", [hidden], "tokens")
