"""What is common to all that reads a text for its facts: its words, and a bounded part of it."""

import re

# Marks that belong to the letter before them and that `\w` leaves out: accents that stand alone, vowel signs of Hebrew,
# Arabic, and of the scripts of India and Thailand, and the joiners between them.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u06d6-\u06dc\u0900-\u0dff\u0e00-\u0e7f\u200c\u200d"
_LETTER = r"[^\W\d_]"
WORD = rf"{_LETTER}[\w{_MARKS}]*"
WORDS = re.compile(WORD)


def sample(text: str, chars_max: int, pieces: int) -> str:
    """At most `chars_max` characters of `text`: all of it, or evenly spaced pieces, the first from its beginning.

    Pieces are set apart by a line end, so that no word runs from one to the next.
    """
    if len(text) <= chars_max:
        return text
    length = chars_max // pieces - 1
    starts = (at * (len(text) - length) // max(1, pieces - 1) for at in range(pieces))
    return "\n".join(text[start : start + length] for start in starts)
