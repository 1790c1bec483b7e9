"""From a cache directory to models that are ready and checked."""

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Literal

from lumikb.compute.embed.embedder import COSINE_MIN, Embedder, Marks, WordTable, self_test
from lumikb.compute.embed.errors import EngineError
from lumikb.compute.embed.graph import ensure_graph
from lumikb.compute.embed.model_files import find_model_files
from lumikb.compute.embed.onnx_embedder import OnnxEmbedder
from lumikb.compute.embed.openvino_embedder import OpenVinoEmbedder, multiplies_bfloat16
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.kit.telemetry import get_logger

Engine = Literal["auto", "onnx", "openvino"]

_log = get_logger(__name__)


class Models:
    """The tokeniser, the engine for queries and the engine for documents; each engine loads when it is first asked for.

    Queries have ONNX Runtime to themselves, so that none waits for a pass of documents: while documents are embedded a
    query takes 7 ms at the median, and 24 to 66 on a shared engine. Documents go to OpenVINO where the CPU multiplies
    bfloat16, and share the queries' engine elsewhere, where both are equally fast.
    """

    def __init__(self, tokenizer: Tokenizer, query: Callable[[], Embedder], bulk: Callable[[], Embedder]) -> None:
        self.tokenizer = tokenizer
        self._makers = {"query": query, "bulk": bulk}
        self._engines: dict[str, Embedder] = {}
        self._lock = RLock()

    @property
    def query(self) -> Embedder:
        """The engine for a few short texts."""
        return self._engine("query")

    @property
    def bulk(self) -> Embedder:
        """The engine for many texts."""
        return self._engine("bulk")

    def _engine(self, role: str) -> Embedder:
        with self._lock:
            if role not in self._engines:
                self._engines[role] = self._makers[role]()
            return self._engines[role]


def load_models(cache_dir: Path, *, threads: int, engine: Engine) -> Models:
    """Prepare the embedding model; the first call on a machine builds its graph in `cache_dir` (about a second).

    `auto` takes OpenVINO for documents where the CPU multiplies bfloat16. An engine whose numbers are wrong on this
    machine is refused with a warning in the log, and the other one is tried. Raises `ModelMissingError`; an engine
    that is asked for raises `EngineError` when none passes.
    """
    model = find_model_files()
    files = ensure_graph(model, cache_dir)
    tokenizer = Tokenizer(model.tokenizer)
    marks = Marks(tokenizer.cls_id, tokenizer.sep_id)
    table = WordTable(files.words)
    bfloat16 = multiplies_bfloat16()

    wants_openvino = engine == "openvino" or (engine == "auto" and bfloat16)

    def openvino() -> Embedder | None:
        tier = "bf16" if bfloat16 else "fp32"
        return _try_engine(
            "openvino", lambda: OpenVinoEmbedder(files, table, marks, threads=threads, tier=tier), tokenizer
        )

    def query() -> Embedder:
        onnx = _try_engine("onnx", lambda: OnnxEmbedder(files, table, marks, threads=threads), tokenizer)
        usable = onnx or openvino()
        if usable is None:
            raise EngineError("No embedding engine computes correct vectors here: see the log for reasons.")
        return usable

    def bulk() -> Embedder:
        return (openvino() if wants_openvino else None) or models.query

    models = Models(tokenizer, query, bulk)
    return models


def _try_engine(name: str, make: Callable[[], Embedder], tokenizer: Tokenizer) -> Embedder | None:
    try:
        embedder = make()
        cosine = self_test(embedder, tokenizer)
    except (ImportError, EngineError) as exc:
        # No wheel for this platform, a system library is missing, or a kernel that this CPU cannot run.
        _log.warning("embedding.engine_refused", engine=name, reason=str(exc))
        return None
    if not cosine >= COSINE_MIN:
        _log.warning("embedding.engine_refused", engine=name, reason="wrong reference vectors", cosine=cosine)
        return None
    _log.info("embedding.engine_ready", engine=name, tier=embedder.tier, cosine=cosine)
    return embedder
