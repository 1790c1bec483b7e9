"""One entry: what a parsed document tells about itself."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.extract.facts import author_of, date_of, title_of
from lumikb.compute.extract.keywords import Terms, keywords
from lumikb.compute.extract.language import detect_language, language_code
from lumikb.compute.extract.models import Extracted, SummarySentence
from lumikb.compute.extract.summary import summary_spans
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.models import ParsedText

# A text of this length contradicts the file, whose tag is often its program's default and not its author's word.
LANGUAGE_CHARS_SURE = 500

# Formats whose text begins with a title; that of others begins with a key, the name of a member, a row.
_PROSE = {
    kind.mime_type
    for kind in (
        Format.PDF,
        Format.DOCX,
        Format.PPTX,
        Format.ODT,
        Format.ODP,
        Format.RTF,
        Format.EPUB,
        Format.HTML,
        Format.MARKDOWN,
        Format.TEXT,
    )
}


def extract(
    parsed: ParsedText,
    mime_type: str,
    chunks: Sequence[tuple[int, int]],
    vectors: NDArray[np.floating],
    *,
    now: datetime,
) -> Extracted:
    """What the file says of itself, and what its text shows; raises nothing, whatever the text.

    `chunks` are the passages' `[start, end)` in order, and `vectors` has a unit row for each. Source code has no
    language, keywords and summary. The time is bounded whatever the length, but for the passages' number.
    """
    told = language_code(parsed.metadata.get("language", ""))
    source = mime_type == Format.SOURCE.mime_type
    language = None if source else _language(parsed.text, told)
    terms = Terms("" if source else parsed.text, language)
    return Extracted(
        title=title_of(parsed, prose=mime_type in _PROSE),
        author=author_of(parsed.metadata),
        language=language,
        date=date_of(parsed.metadata, now),
        keywords=keywords(terms, [heading.title for heading in parsed.headings]),
        summary=[] if source else _summary(parsed, terms, chunks, vectors),
    )


def _language(text: str, told: str | None) -> str | None:
    if told is not None and len(text) < LANGUAGE_CHARS_SURE:
        return told
    return detect_language(text) or told


def _summary(
    parsed: ParsedText, terms: Terms, chunks: Sequence[tuple[int, int]], vectors: NDArray[np.floating]
) -> list[SummarySentence]:
    return [
        SummarySentence(text=parsed.text[start:end], char_start=start, char_end=end, page_number=parsed.page_at(start))
        for start, end in summary_spans(parsed.text, terms, chunks, vectors)
    ]
