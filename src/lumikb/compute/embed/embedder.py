"""The port of the embedding engines, and what they share: word rows, batches, and the check of an engine's numbers."""

import base64
import json
import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.errors import TextTooLongError
from lumikb.compute.embed.graph import DIMENSIONS, TOKENS_MAX
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.turns import Turns
from lumikb.kit.memory import return_freed_memory

Tier = Literal["fp32", "bf16", "int8"]
Kept = TypeVar("Kept")
Keep = Callable[[NDArray[np.float32]], Kept]
"""What to make of the last hidden states of a text's tokens, (tokens, dimensions) without the marks.

It must not hold on to them: the next pass writes there.
"""

# The model reads 256 tokens, two of which are its own marks.
TEXT_TOKENS_MAX = TOKENS_MAX - 2

# Lowest cosine of a reference text to its vector at which an engine may be used. A correct engine in bfloat16 reaches
# .99994 on a sentence; on a single word only .99987, so that no reference text is one.
COSINE_MIN = 0.9999
# The same for 8-bit integers.
COSINE_MIN_INT8 = 0.98

# Of a pass while people ask: a query waits for the one that it meets.
PASS_TOKENS_ASKED = 256

# From this many texts on, a call is a bulk run, whose memory goes back to the system.
_BULK_TEXTS = 64


class Embedder(Protocol):
    """Turns token ids into vectors, with one model, on one engine.

    `embed` takes the ids of any number of texts, without the model's marks, each of at most `TEXT_TOKENS_MAX` ids, and
    returns float32 of shape (texts, `dimensions`) in the order given, each row at unit length. The same ids give the
    same vector up to rounding whatever else is in the call. No texts give shape (0, `dimensions`);
    no ids give the vector of the empty text. Raises `TextTooLongError`. Calls may come from several threads at once.
    `interactive` says that somebody waits for it: its passes go before those that nobody waits for.
    `tier` is the arithmetic of the engine; vectors of different tiers may be compared with each other.

    `embed_tokens` does the same in the same pass and gives, too, what `keep` makes of each text's tokens.
    """

    @property
    def model_id(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def tier(self) -> Tier: ...

    def embed(self, token_ids: Sequence[Sequence[int]], *, interactive: bool = False) -> NDArray[np.float32]: ...

    def embed_tokens(
        self, token_ids: Sequence[Sequence[int]], keep: Keep[Kept], *, interactive: bool = False
    ) -> tuple[NDArray[np.float32], list[Kept]]: ...


@dataclass(frozen=True)
class Marks:
    """Ids that frame every text."""

    cls_id: int
    sep_id: int


class WordTable:
    """The word embeddings, mapped from their file: a row for each id of the vocabulary."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._rows = np.frombuffer(self._map, np.float16).reshape(-1, DIMENSIONS)

    def rows(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """The rows of these ids, one dimension deeper than `ids`."""
        return self._rows[ids].astype(np.float32)

    def unload(self) -> None:
        """Unload the pages read so far; they stay in the system's page cache.

        The system maps the neighbours of a page that is read, too: a hundred queries would map the whole table, 22 MB.
        Reading a query's rows again costs microseconds.
        """
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


Pass = Callable[[NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""One forward pass: words and mask, as the graph takes them, to embeddings and tokens."""


def embed_in_passes(
    token_ids: Sequence[Sequence[int]],
    table: WordTable,
    marks: Marks,
    forward: Pass,
    turns: Turns,
    keep: Keep[Kept],
    *,
    interactive: bool,
    pass_tokens: int,
) -> tuple[NDArray[np.float32], list[Kept]]:
    """`Embedder.embed_tokens` by means of `forward`: texts of like length go together, results are in the order given.

    Each pass waits for its turn. It has at most `pass_tokens`, padding included, and few while people ask.
    """
    longest = max(map(len, token_ids), default=0)
    if longest > TEXT_TOKENS_MAX:
        raise TextTooLongError(
            f"A text to embed has {longest} tokens; the model reads {TEXT_TOKENS_MAX}.",
            tokens=longest,
            tokens_max=TEXT_TOKENS_MAX,
        )
    vectors = np.empty((len(token_ids), DIMENSIONS), np.float32)
    kept: dict[int, Kept] = {}

    def tokens_max() -> int:
        return PASS_TOKENS_ASKED if turns.asked_lately else pass_tokens

    for texts, width in plan_passes([len(ids) + 2 for ids in token_ids], tokens_max):
        ids = np.zeros((len(texts), width), np.int32)
        mask = np.zeros((len(texts), width), np.float32)
        for row, text in enumerate(texts):
            framed = [marks.cls_id, *token_ids[text], marks.sep_id]
            ids[row, : len(framed)] = framed
            mask[row, : len(framed)] = 1
        words = table.rows(ids)
        with turns.turn(interactive=interactive):
            vectors[texts], states = forward(words, mask)
        for row, text in enumerate(texts):
            kept[text] = keep(states[row, 1 : len(token_ids[text]) + 1])
    table.unload()
    if len(token_ids) >= _BULK_TEXTS:
        return_freed_memory()
    return vectors, [kept[text] for text in range(len(token_ids))]


def nothing(states: NDArray[np.float32]) -> None:
    """To `keep` no tokens."""


def plan_passes(lengths: Sequence[int], pass_tokens: Callable[[], int]) -> Iterator[tuple[list[int], int]]:
    """Texts of each forward pass by index, and its width in tokens; `lengths` include the marks.

    Widths and numbers of texts come from a short list, because an engine prepares and keeps code and buffers for
    every shape it meets: some 500 chunks and 100 queries in their own shapes cost OpenVINO 200 MB, and the first query
    of a new shape took 9 ms instead of 2.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    at = 0
    while at < len(order):
        width = _width(lengths[order[at]])
        count = min(pass_tokens() // width, len(order) - at)
        count = 1 << (count.bit_length() - 1)
        yield order[at : at + count], width
        at += count


def _width(length: int) -> int:
    step = 16 if length <= 64 else 32
    return -(-length // step) * step


def self_test(embedder: Embedder, tokenizer: Tokenizer) -> float:
    """Lowest cosine between this engine's vectors of the reference texts and the reference vectors.

    These were computed by sentence-transformers on torch in float32: see `bench/golden.py`.
    """
    texts, reference = golden_vectors()
    vectors = embedder.embed([tokens.ids[:TEXT_TOKENS_MAX] for tokens in tokenizer.encode_batch(texts)])
    cosines: NDArray[np.float32] = (vectors * reference).sum(axis=1)
    # A NaN must fail: it compares false with everything, and `min` hands it on.
    return float(cosines.min())


def golden_vectors() -> tuple[list[str], NDArray[np.float32]]:
    """The reference texts, and their vectors as float32 of shape (texts, 384)."""
    golden = json.loads(resources.files("lumikb.compute.embed").joinpath("golden.json").read_text(encoding="utf-8"))
    vectors = np.frombuffer(base64.b64decode(golden["vectors"]), "<f4").reshape(-1, DIMENSIONS)
    return golden["texts"], vectors
