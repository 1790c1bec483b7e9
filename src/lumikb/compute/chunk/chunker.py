"""A parsed text to passages of bounded size: one pass over the model's tokens, cut at the best boundary in reach."""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from lumikb.compute.chunk.models import Chunk, ChunkParams, ChunkStrategy, text_sha256
from lumikb.compute.chunk.places import Places
from lumikb.compute.chunk.sections import group_sections, short_tokens
from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.compute.embed.tokenizer import Tokenizer, Tokens
from lumikb.compute.parse.models import ParsedText
from lumikb.kit.errors import InvalidInputError

TOKENS_MAX_LIMIT = 254
# One character may be several tokens that must stay together (a Hangul syllable: three), and an overlap needs room.
TOKENS_MAX_FLOOR = 16

# A chunk ends in the last 40 % of its window: further back, chunks would be half empty for the sake of a paragraph.
_EARLIEST_CUT = 0.6

# The model reads a "word" of more than 100 characters (base64, a minified file) as one unknown token, however long.
# Such a token is split, so that a passage stays readable and a citation lands near its claim.
_TOKEN_CHARS_MAX = 1000

_PARAGRAPH = re.compile(r"(?>\r\n?|\n)[ \t\f\v]*(?>\r\n?|\n)\s*")


@dataclass(frozen=True)
class _Tokens:
    """Tokens of a text in columns, and the token index of every place where a chunk may begin."""

    ids: list[int]
    starts: list[int]
    ends: list[int]
    sections: list[int]
    paragraphs: list[int]
    sentences: list[int]


def chunk_text(parsed: ParsedText, tokenizer: Tokenizer, params: ChunkParams) -> list[Chunk]:
    """Passages of `parsed.text` in order, which together hold every character that is not white space.

    Each has 1 to `params.tokens_max` tokens, starts after its predecessor's start and is trimmed of white space, and
    overlaps with its predecessor by at most `params.overlap_tokens`. By the strategy `headings`, chunks begin at
    headings (sections of a few tokens join a neighbour), end at the best of paragraph, sentence and word in reach, and
    overlap from a sentence start on if one is in reach, never across a heading; for the others see `ChunkStrategy`.
    Raises `InvalidInputError` for sizes that the model or the overlap do not allow.
    """
    _check(params)
    text = parsed.text
    encoded = _split_long_tokens(tokenizer.encode(text))
    if not encoded.ids:
        return _whole(parsed, tokenizer.unknown_id)
    starts = [start for start, _ in encoded.offsets]
    headings = parsed.headings if params.strategy is ChunkStrategy.HEADINGS else []
    section_starts = _token_indexes(starts, [heading.start for heading in headings])
    paragraphs, sentences = _boundaries(text, params.strategy)
    tokens = _Tokens(
        ids=encoded.ids,
        starts=starts,
        ends=[end for _, end in encoded.offsets],
        sections=section_starts,
        paragraphs=_token_indexes(starts, paragraphs),
        sentences=_token_indexes(starts, sentences),
    )
    levels = [heading.level for heading in headings]
    windows: list[tuple[int, int]] = []
    for first, last in group_sections(section_starts, levels, len(starts), params.tokens_max):
        windows += _windows(text, tokens, first, last, params)
    return _chunks(parsed, tokens, windows)


def _check(params: ChunkParams) -> None:
    if not TOKENS_MAX_FLOOR <= params.tokens_max <= TOKENS_MAX_LIMIT:
        raise InvalidInputError(
            f"a chunk has {TOKENS_MAX_FLOOR} to {TOKENS_MAX_LIMIT} tokens", tokens_max=params.tokens_max
        )
    if not 0 <= params.overlap_tokens <= params.tokens_max // 2:
        raise InvalidInputError(
            "the overlap is at most half of a chunk", overlap_tokens=params.overlap_tokens, tokens_max=params.tokens_max
        )


def _boundaries(text: str, strategy: ChunkStrategy) -> tuple[list[int], list[int]]:
    """Where paragraphs and sentences begin, as far as the strategy heeds them."""
    if strategy is ChunkStrategy.FIXED:
        return [], []
    sentences = [start for start, _ in sentence_spans(text)]
    if strategy is ChunkStrategy.SENTENCES:
        return [], sentences
    return [match.end() for match in _PARAGRAPH.finditer(text)], sentences


def _token_indexes(starts: list[int], offsets: list[int]) -> list[int]:
    return [bisect_left(starts, offset) for offset in offsets]


def _split_long_tokens(tokens: Tokens) -> Tokens:
    if all(end - start <= _TOKEN_CHARS_MAX for start, end in tokens.offsets):
        return tokens
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    for token_id, (start, end) in zip(tokens.ids, tokens.offsets, strict=True):
        for left in range(start, end, _TOKEN_CHARS_MAX):
            ids.append(token_id)
            offsets.append((left, min(left + _TOKEN_CHARS_MAX, end)))
    return Tokens(ids, offsets)


def _windows(text: str, tokens: _Tokens, first: int, last: int, params: ChunkParams) -> list[tuple[int, int]]:
    """Token ranges that cover `[first, last)`; none is short but for a range that is short as a whole."""
    short = short_tokens(params.tokens_max)
    windows: list[tuple[int, int]] = []
    at = covered = first
    while covered < last:
        if at + params.tokens_max >= last:
            windows.append((at, last))
            break
        earliest = max(at + int(params.tokens_max * _EARLIEST_CUT), covered + 1)
        limit = min(at + params.tokens_max, last - short)
        cut = _best_cut(text, tokens, earliest, limit)
        windows.append((at, cut))
        covered = cut
        at = _overlap_start(text, tokens, cut, params.overlap_tokens)
    return windows


def _best_cut(text: str, tokens: _Tokens, earliest: int, limit: int) -> int:
    """The last heading in `[earliest, limit]`, else the last paragraph, sentence, or word."""
    for boundaries in (tokens.sections, tokens.paragraphs, tokens.sentences):
        at = bisect_right(boundaries, limit) - 1
        if at >= 0 and boundaries[at] >= earliest and not _splits_character(tokens, boundaries[at]):
            return boundaries[at]
    for at in range(limit, earliest - 1, -1):
        if _begins_word(text, tokens, at):
            return at
    # One word fills the window: any place will do that does not split a character between two chunks.
    for at in range(limit, earliest - 1, -1):
        if not _splits_character(tokens, at):
            return at
    return limit


def _overlap_start(text: str, tokens: _Tokens, cut: int, overlap_tokens: int) -> int:
    """Where the chunk after `cut` begins: up to `overlap_tokens` before it, in the same section."""
    section = bisect_right(tokens.sections, cut) - 1
    earliest = max(cut - overlap_tokens, tokens.sections[section] if section >= 0 else 0)
    at = bisect_left(tokens.sentences, earliest)
    if (
        at < len(tokens.sentences)
        and tokens.sentences[at] < cut
        and not _splits_character(tokens, tokens.sentences[at])
    ):
        return tokens.sentences[at]
    for token in range(earliest, cut):
        if _begins_word(text, tokens, token):
            return token
    return cut


def _begins_word(text: str, tokens: _Tokens, at: int) -> bool:
    """Whether no letter or digit touches the token's first character from the left."""
    start = tokens.starts[at]
    return tokens.ends[at - 1] <= start and not (text[start - 1].isalnum() and text[start].isalnum())


def _splits_character(tokens: _Tokens, at: int) -> bool:
    return at > 0 and tokens.starts[at] < tokens.ends[at - 1]


def _chunks(parsed: ParsedText, tokens: _Tokens, windows: list[tuple[int, int]]) -> list[Chunk]:
    places = Places(parsed)
    chunks: list[Chunk] = []
    text = parsed.text
    for ordinal, (first, last) in enumerate(windows):
        start = tokens.starts[first] if ordinal else 0
        # Characters that belong to no token go with the token before them, or else with the first.
        end = tokens.starts[last] if last < len(tokens.starts) else len(text)
        start, end = _trim(text, start, end)
        page, path = places.of(start, end)
        chunks.append(
            Chunk(
                ordinal=ordinal,
                char_start=start,
                char_end=end,
                token_ids=tokens.ids[first:last],
                token_starts=[max(at - start, 0) for at in tokens.starts[first:last]],
                text_sha256=text_sha256(text[start:end]),
                page_number=page,
                section_header=path,
            )
        )
    return chunks


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[end - 1].isspace():
        end -= 1
    while start < end and text[start].isspace():
        start += 1
    return start, end


def _whole(parsed: ParsedText, unknown_id: int) -> list[Chunk]:
    """One chunk for a text of nothing but characters that the model drops; none for white space."""
    start, end = _trim(parsed.text, 0, len(parsed.text))
    if start == end:
        return []
    page, path = Places(parsed).of(start, end)
    return [
        Chunk(
            ordinal=0,
            char_start=start,
            char_end=end,
            token_ids=[unknown_id],
            token_starts=[0],
            text_sha256=text_sha256(parsed.text[start:end]),
            page_number=page,
            section_header=path,
        )
    ]
