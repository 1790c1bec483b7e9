"""What proves a citation: the text of its document, read from the blob store."""

from collections.abc import Iterable
from functools import lru_cache

from lumikb.compute.parse.models import ParsedText
from lumikb.kit.telemetry import get_logger
from lumikb.knowledge.derived import get_parsed, without_text
from lumikb.retrieval.models import Passage
from lumikb.store.blobs.errors import BlobNotFoundError
from lumikb.store.blobs.port import BlobStore

MAPS_CACHED = 64
# Some 200 bytes each.
PROVEN_MAX = 20_000

log = get_logger(__name__)


class Proofs:
    """Maps of texts, and passages that were compared with theirs. A text never changes under its key: both are kept."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._proven: set[tuple[str, int, int, str]] = set()

        def read_map(key: str) -> ParsedText:
            return without_text(get_parsed(blobs, key))

        self._map_of = lru_cache(MAPS_CACHED)(read_map)

    def map_of(self, passage: Passage) -> ParsedText:
        """Pages and headings of the passage's document. Raises `BlobNotFoundError`."""
        return self._map_of(passage.parsed_sha256)

    def legible(self, passage: Passage) -> bool:
        """Whether the document's text is there; if not, which is told, nobody could open the proof."""
        try:
            self._map_of(passage.parsed_sha256)
        except BlobNotFoundError as error:
            _tell_unreadable(passage, error)
            return False
        return True

    def proven(self, passages: Iterable[Passage]) -> set[int]:
        """Keys of the passages that stand in their texts, at their places; each text is read once for what is new."""
        by_text: dict[str, dict[int, Passage]] = {}
        for passage in passages:
            by_text.setdefault(passage.parsed_sha256, {})[passage.key] = passage
        return {key for sha256, some in by_text.items() for key in self._proven_in(sha256, some)}

    def _proven_in(self, parsed_sha256: str, passages: dict[int, Passage]) -> set[int]:
        new = {key: passage for key, passage in passages.items() if _place(passage) not in self._proven}
        failed: set[int] = set()
        if new:
            try:
                text = get_parsed(self._blobs, parsed_sha256).text
            except BlobNotFoundError as error:
                _tell_unreadable(next(iter(new.values())), error)
                failed = set(new)
            else:
                if len(self._proven) + len(new) > PROVEN_MAX:
                    self._proven.clear()
                for key, passage in new.items():
                    if text[passage.char_start : passage.char_end] == passage.text:
                        self._proven.add(_place(passage))
                    else:
                        document_id, chunk_id = passage.document_id, passage.chunk_id
                        log.error("passage damaged", document_id=document_id, chunk_id=chunk_id, part="place")
                        failed.add(key)
        return passages.keys() - failed


def _tell_unreadable(passage: Passage, error: BlobNotFoundError) -> None:
    """Log that a document's text cannot be read."""
    log.error("document unreadable", document_id=passage.document_id, code=error.stable_code, **error.details)


def _place(passage: Passage) -> tuple[str, int, int, str]:
    return passage.parsed_sha256, passage.char_start, passage.char_end, passage.text_sha256
