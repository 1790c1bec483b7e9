"""Reasoning that a model writes into its text, between `<think>` and `</think>`."""

from collections.abc import Iterator

from lumikb.llm.port import Delta

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkingSplitter:
    """Tells the reasoning at the beginning of a text from the answer after it, however the text is cut into pieces."""

    def __init__(self) -> None:
        self._state = "begin"
        self._held = ""

    def feed(self, piece: str) -> Iterator[Delta]:
        """What can be told of the text so far; holds back what may be a part of a tag."""
        text, self._held = self._held + piece, ""
        if self._state == "begin":
            text = text.lstrip()
            if len(text) < len(_OPEN) and _OPEN.startswith(text):
                self._held = text
                return
            self._state = "thinking" if text.startswith(_OPEN) else "text"
            text = text.removeprefix(_OPEN)
        if self._state == "thinking":
            thought, closed, text = text.partition(_CLOSE)
            if not closed:
                keep = _overlap(thought)
                thought, self._held = thought[: len(thought) - keep], thought[len(thought) - keep :]
            if thought:
                yield Delta(thought, thinking=True)
            if not closed:
                return
            self._state = "gap"
        if self._state == "gap":
            text = text.lstrip()
            self._state = "text" if text else "gap"
        if text:
            yield Delta(text)

    def end(self) -> Iterator[Delta]:
        """What was held back, when there is no more."""
        if self._held:
            yield Delta(self._held, thinking=self._state == "thinking")
            self._held = ""


def _overlap(text: str) -> int:
    """How many characters at the end of the text begin the closing tag."""
    return next((size for size in range(min(len(text), len(_CLOSE) - 1), 0, -1) if _CLOSE.startswith(text[-size:])), 0)
