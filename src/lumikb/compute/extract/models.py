"""What is taken out of a document about the document."""

from datetime import datetime
from typing import Literal

import msgspec


class SummarySentence(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of the document, verbatim: `text` stands at `[char_start, char_end)` of its text, in code points."""

    text: str
    char_start: int
    char_end: int
    page_number: int | None


class Extracted(msgspec.Struct, frozen=True, kw_only=True):
    """What a version's file says of itself, or its text shows, without any model; None and empty where neither does.

    `language` is an ISO 639-1 code where there is one. `date` is the document's own: when it was written or sent.
    `keywords` stand in the text so, the most telling first; `summary` is in the order of the text.
    """

    source: Literal["extracted"] = "extracted"
    title: str | None = None
    author: str | None = None
    language: str | None = None
    date: datetime | None = None
    keywords: list[str] = []
    summary: list[SummarySentence] = []
