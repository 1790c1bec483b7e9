"""The port to a language model."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class ChatMessage:
    """What a model is told, by whom."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Delta:
    """The next piece of an answer, never empty, or of the reasoning before it (`thinking`)."""

    text: str
    thinking: bool = False


@dataclass(frozen=True)
class Ended:
    """The end of an answer: whether the bound on its tokens cut it, and what the server counted, if it tells.

    Counts are in the model's own tokens; `completion_tokens` includes those of its reasoning.
    """

    cut: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class LanguageModel(Protocol):
    """A model that answers messages. Use it from one event loop; several answers may be under way at once."""

    @property
    def name(self) -> str:
        """What it is called, as `model_id` of a request may name it."""
        ...

    def stream(
        self, messages: Sequence[ChatMessage], *, tokens_max: int, temperature: float
    ) -> AsyncGenerator[Delta | Ended]:
        """The answer piece by piece as it comes, then one `Ended`.

        An answer has text that is not white space, of at most `tokens_max` tokens; what the model reasons counts among
        these. Before the first piece a call that failed may be tried once more; after it never. Closing the generator,
        or cancelling whoever waits for it, ends the call at once. Each call has a bound on the time to its first piece,
        on its whole time and on its bytes.

        Raises `ModelUnavailableError`, `ModelTimedOutError`, `ModelFailedError`, `ModelRefusedError`.
        """
        ...
