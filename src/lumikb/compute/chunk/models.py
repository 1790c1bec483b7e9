"""What the chunker takes and gives."""

import hashlib
from enum import StrEnum

import msgspec


class ChunkStrategy(StrEnum):
    """Where chunks may begin and end.

    `headings` begins one at each heading, and ends it at a paragraph, a sentence or a word. `sentences` fills chunks
    across headings with whole sentences. `fixed` makes them all as large as allowed, and cuts between words.
    """

    HEADINGS = "headings"
    SENTENCES = "sentences"
    FIXED = "fixed"


class ChunkParams(msgspec.Struct, frozen=True):
    """How to cut: the largest chunk and the overlap of neighbours, in tokens of the embedding model, and where.

    `tokens_max` is at most 254: the model reads 256, two of which are its own marks.
    """

    tokens_max: int = 254
    overlap_tokens: int = 32
    strategy: ChunkStrategy = ChunkStrategy.HEADINGS


def text_sha256(text: str) -> str:
    """What tells whether two passages have the same text: the hash of its UTF-8 in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A passage: `text[char_start:char_end]` of the parsed text, exactly, in Unicode code points.

    `token_ids` are the model's own ids of that text, without its marks, so that a text is encoded once, `token_starts`
    where these begin in it, in code points from `char_start`.
    `page_number` is the page of the first character, None for formats without pages. `section_header` is the path of
    headings that hold the first letter or digit, joined by " > ", None outside of any.
    """

    ordinal: int
    char_start: int
    char_end: int
    token_ids: list[int]
    token_starts: list[int]
    text_sha256: str
    page_number: int | None = None
    section_header: str | None = None
