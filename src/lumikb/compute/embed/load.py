"""From a cache directory to models that are ready and checked."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Literal

from lumikb.compute.embed.embedder import COSINE_MIN, COSINE_MIN_INT8, Embedder, Marks, WordTable, self_test
from lumikb.compute.embed.errors import EngineError
from lumikb.compute.embed.graph import ensure_graph
from lumikb.compute.embed.int8_graph import ensure_int8_graph
from lumikb.compute.embed.model_files import find_model_files
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.compute.embed.onnx_embedder import OnnxEmbedder
from lumikb.compute.embed.openvino_embedder import OpenVinoEmbedder, multiplies_bfloat16, multiplies_int8
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.turns import Turns
from lumikb.kit.telemetry import get_logger

Engine = Literal["auto", "onnx", "openvino"]

_log = get_logger(__name__)


class Models:
    """The tokeniser and the embedding engines, each of which loads when it is first asked for.

    One engine for queries and documents: a second one would cost 70 MB, and a query waits for one pass of documents at
    most, some 20 ms. Knowledge bases that choose `EmbeddingModel.INT8` have one more, if `make_int8` gives one.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        make: Callable[[], Embedder],
        make_int8: Callable[[], Embedder | None] = lambda: None,
    ) -> None:
        self.tokenizer = tokenizer
        self._make = make
        self._make_int8 = make_int8
        self._embedder: Embedder | None = None
        self._int8: Embedder | None = None
        self._lock = Lock()

    @property
    def embedder(self) -> Embedder:
        """The engine. Raises `EngineError` when none computes correct vectors."""
        with self._lock:
            return self._exact()

    def embedder_of(self, model: EmbeddingModel) -> Embedder:
        """The engine for passages of a knowledge base: where there is none for 8-bit integers the exact one."""
        with self._lock:
            if model is EmbeddingModel.FULL:
                return self._exact()
            if self._int8 is None:
                self._int8 = self._make_int8() or self._exact()
            return self._int8

    def _exact(self) -> Embedder:
        if self._embedder is None:
            self._embedder = self._make()
        return self._embedder


def load_models(cache_dir: Path, *, threads: int, engine: Engine) -> Models:
    """Prepare the embedding model; the first call on a machine builds its graph in `cache_dir` (about a second).

    `auto` takes OpenVINO where the CPU multiplies bfloat16, and ONNX Runtime elsewhere, where both are equally fast. An
    engine whose numbers are wrong on this machine is refused with a warning in the log, and the other one is tried.
    Raises `ModelMissingError`.
    """
    model = find_model_files()
    files = ensure_graph(model, cache_dir)
    tokenizer = Tokenizer(model.tokenizer)
    marks = Marks(tokenizer.cls_id, tokenizer.sep_id)
    table = WordTable(files.words)
    turns = Turns()
    bfloat16 = multiplies_bfloat16()
    tier = "bf16" if bfloat16 else "fp32"

    makers: dict[str, Callable[[], Embedder]] = {
        "onnx": lambda: OnnxEmbedder(files, table, marks, turns, threads=threads),
        "openvino": lambda: OpenVinoEmbedder(files, table, marks, turns, threads=threads, tier=tier),
    }
    first = engine if engine != "auto" else "openvino" if bfloat16 else "onnx"

    def embedder() -> Embedder:
        for name in sorted(makers, key=lambda name: name != first):
            usable = _try_engine(name, makers[name], tokenizer)
            if usable is not None:
                return usable
        raise EngineError("No embedding engine computes correct vectors here: see the log for reasons.")

    def int8_embedder() -> Embedder | None:
        if not multiplies_int8():
            _log.warning("embedding.engine_refused", engine="int8", reason="this CPU does not multiply 8-bit integers")
            return None
        graph = ensure_int8_graph(model, files, cache_dir)
        make = partial(OpenVinoEmbedder, graph, table, marks, turns, threads=threads, tier="int8")
        return _try_engine("int8", make, tokenizer, COSINE_MIN_INT8)

    return Models(tokenizer, embedder, int8_embedder)


def _try_engine(
    name: str, make: Callable[[], Embedder], tokenizer: Tokenizer, cosine_min: float = COSINE_MIN
) -> Embedder | None:
    try:
        embedder = make()
        cosine = self_test(embedder, tokenizer)
    except (ImportError, EngineError) as exc:
        # No wheel for this platform, a system library is missing, or a kernel that this CPU cannot run.
        _log.warning("embedding.engine_refused", engine=name, reason=str(exc))
        return None
    if not cosine >= cosine_min:
        _log.warning("embedding.engine_refused", engine=name, reason="wrong reference vectors", cosine=cosine)
        return None
    _log.info("embedding.engine_ready", engine=name, tier=embedder.tier, cosine=cosine)
    return embedder
