"""Who listens to an answer while it is made."""

from dataclasses import dataclass
from typing import Protocol

from lumikb.answering.models import Answer
from lumikb.llm.port import Delta
from lumikb.retrieval.models import Found, Hit


@dataclass(frozen=True)
class Answered:
    """An answer with the passages that are shown beside it."""

    answer: Answer
    found: Found

    @property
    def hits(self) -> list[Hit]:
        """The passages, best first."""
        return self.found.hits


class Listener(Protocol):
    """Is told what is known of an answer before it is whole: the passages once, then text and reasoning as they come.

    An answer that is not made piece by piece is told by none.
    """

    def found(self, hits: list[Hit]) -> None:
        """The passages, best first."""
        ...

    def heard(self, delta: Delta) -> None:
        """The next piece of the text, as readers are to see it, or of the reasoning."""
        ...


class NobodyListens:
    """For answers that are given whole."""

    def found(self, hits: list[Hit]) -> None:
        """Nothing."""

    def heard(self, delta: Delta) -> None:
        """Nothing."""
