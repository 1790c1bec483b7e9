"""The embedding model on OpenVINO: twice the speed where the CPU multiplies bfloat16."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.embedder import Keep, Kept, Marks, Tier, WordTable, embed_in_passes, nothing
from lumikb.compute.embed.errors import EngineError
from lumikb.compute.embed.graph import DIMENSIONS, GraphFiles
from lumikb.compute.embed.memory import drop_mapped_pages
from lumikb.compute.embed.models import MODEL_ID
from lumikb.compute.embed.turns import Turns

# Large passes embed a sixth more texts a second, but a query waits for the pass it meets, and four times as long. So
# passes are large as long as nobody asks.
_PASS_TOKENS = 1024

# Shapes whose prepared code is kept: each costs megabytes, and sentences come in dozens of shapes.
_SHAPES_KEPT = 16

_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


class OpenVinoEmbedder:
    """An `Embedder`.

    `tier` `int8` takes a graph of such products; what else it computes is as exact as elsewhere.
    """

    model_id = MODEL_ID
    dimensions = DIMENSIONS

    def __init__(
        self, files: GraphFiles, table: WordTable, marks: Marks, turns: Turns, *, threads: int, tier: Tier
    ) -> None:
        import openvino

        self.tier: Tier = tier
        core = openvino.Core()
        # One stream over all threads: 127 texts/s against 131 with one a thread, but 25 MB smaller, and a query's pass
        # has all cores.
        try:
            self._model = core.compile_model(
                core.read_model(str(files.graph)),
                "CPU",
                {
                    "PERFORMANCE_HINT": "LATENCY",
                    "NUM_STREAMS": "1",
                    "INFERENCE_NUM_THREADS": threads,
                    "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES_KEPT,
                    "INFERENCE_PRECISION_HINT": "f32" if tier == "fp32" or not multiplies_bfloat16() else "bf16",
                },
            )
        except RuntimeError as exc:
            raise _failed(exc) from exc
        drop_mapped_pages(files.weights)
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
        # A request is no thread's to share, and cheap: it holds only input and output.
        request = self._model.create_infer_request()

        def forward(
            words: NDArray[np.float32], mask: NDArray[np.float32]
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            try:
                found = request.infer({"words": words, "mask": mask}, share_inputs=True, share_outputs=True)
            except RuntimeError as exc:
                raise _failed(exc) from exc
            return found[0], found[1]

        return embed_in_passes(
            token_ids,
            self._table,
            self._marks,
            forward,
            self._turns,
            keep,
            interactive=interactive,
            pass_tokens=_PASS_TOKENS,
        )


def _failed(exc: RuntimeError) -> EngineError:
    return EngineError(f"OpenVINO failed: {exc}", engine="openvino")


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for it. Only Linux says so in a file; elsewhere the answer is no."""
    return _has_any(_BFLOAT16_FLAGS)


def multiplies_int8() -> bool:
    """The same for products of 8-bit integers."""
    return _has_any(_INT8_FLAGS)


def _has_any(flags: frozenset[str]) -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(line.startswith("flags") and not flags.isdisjoint(line.split()) for line in text.splitlines())
