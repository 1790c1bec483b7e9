"""The embedding model on ONNX Runtime: float32, on every CPU."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.embedder import Keep, Kept, Marks, Tier, WordTable, embed_in_passes, nothing
from lumikb.compute.embed.errors import EngineError
from lumikb.compute.embed.graph import DIMENSIONS, GraphFiles
from lumikb.compute.embed.models import MODEL_ID
from lumikb.compute.embed.turns import Turns

# As fast as any larger one (58 texts/s of 128 tokens), and the process peaks at 190 MB instead of 264 with 2,048.
_PASS_TOKENS = 512


class OnnxEmbedder:
    """An `Embedder`; the session is safe to share between threads."""

    model_id = MODEL_ID
    dimensions = DIMENSIONS
    tier: Tier = "fp32"

    def __init__(self, files: GraphFiles, table: WordTable, marks: Marks, turns: Turns, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # The arena keeps what a bulk run took: 203 MB for the process after 500 chunks, against 134 without.
        options.enable_cpu_mem_arena = False
        # Spinning threads take a core each from the rest of the process for milliseconds after every pass.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with _translated_errors():
            self._session = onnxruntime.InferenceSession(str(files.graph), options, providers=["CPUExecutionProvider"])
        self._table = table
        self._marks = marks
        self._turns = turns

    def embed(self, token_ids: Sequence[Sequence[int]], *, interactive: bool = False) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        return self.embed_tokens(token_ids, nothing, interactive=interactive)[0]

    def embed_tokens(
        self, token_ids: Sequence[Sequence[int]], keep: Keep[Kept], *, interactive: bool = False
    ) -> tuple[NDArray[np.float32], list[Kept]]:
        """See `Embedder.embed_tokens`."""
        return embed_in_passes(
            token_ids,
            self._table,
            self._marks,
            self._forward,
            self._turns,
            keep,
            interactive=interactive,
            pass_tokens=_PASS_TOKENS,
        )

    def _forward(
        self, words: NDArray[np.float32], mask: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with _translated_errors():
            embedding, tokens = self._session.run(["embedding", "tokens"], {"words": words, "mask": mask})
        return embedding, tokens


@contextmanager
def _translated_errors() -> Generator[None]:
    """ONNX Runtime's errors have no common base but `Exception`: these are the ones of a session and its runs."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        yield
    except (
        state.EPFail,
        state.EngineError,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    ) as exc:
        raise EngineError(f"ONNX Runtime failed: {exc}", engine="onnx") from exc
