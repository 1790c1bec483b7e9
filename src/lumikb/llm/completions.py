"""OpenAI's wire format of chat completions: what is asked, and what an answer's pieces say.

https://platform.openai.com/docs/api-reference/chat. Reasoning comes as `reasoning_content` (DeepSeek, vLLM, LM Studio)
or `reasoning` (Ollama, OpenRouter).
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from lumikb.llm.errors import ModelFailedError, ModelRefusedError
from lumikb.llm.port import ChatMessage

# Parameters that some models refuse, and by what they are replaced.
ADAPTABLE = frozenset({"max_tokens", "temperature", "stream_options"})


class _Text(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None
    finish_reason: str | None = None


class TokenCounts(msgspec.Struct):
    """What the server counted."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: TokenCounts | None = None
    error: Any = None


class _ErrorInfo(msgspec.Struct):
    param: str | None = None


class _Error(msgspec.Struct):
    error: _ErrorInfo


class Piece(msgspec.Struct, frozen=True):
    """What one event of a stream says, or a whole answer."""

    text: str = ""
    thought: str = ""
    finish: str | None = None
    usage: TokenCounts | None = None


_decode = msgspec.json.Decoder(_Completion).decode
_decode_error = msgspec.json.Decoder(_Error).decode


def request_body(
    model: str, messages: Sequence[ChatMessage], tokens_max: int, temperature: float, refused: Collection[str]
) -> dict[str, Any]:
    """The request; parameters that the model was found to refuse are left out, or go by their newer name."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": tokens_max,
        "temperature": temperature,
    }
    for name in refused:
        del body[name]
    if "max_tokens" in refused:
        body["max_completion_tokens"] = tokens_max
    return body


def read_piece(data: bytes) -> Piece:
    """Decode one event's data, or a whole answer; raises `ModelFailedError` and `ModelRefusedError`."""
    try:
        found = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise bad_json() from exc
    if found.error is not None:
        raise ModelFailedError("The language model's server broke its answer off with an error. Try again.", "error")
    choice = found.choices[0] if found.choices else _Choice()
    said = choice.delta or choice.message or _Text()
    if said.refusal:
        raise ModelRefusedError("The language model declined to answer. Ask in another way.")
    if choice.finish_reason == "content_filter":
        raise ModelRefusedError("A filter of the language model's server stopped the answer. Ask in another way.")
    thought = said.reasoning_content or said.reasoning or ""
    return Piece(said.content or "", thought, choice.finish_reason, found.usage)


def bad_json() -> ModelFailedError:
    """The error for what is no answer in this format."""
    return ModelFailedError(
        "What answers at LUMIKB_LLM_BASE_URL does not speak OpenAI's format. Check the address: it mostly ends in /v1.",
        "bad_json",
    )


def refused_parameter(data: bytes) -> str | None:
    """The parameter that an error with status 400 is about, if it is one that can be done without."""
    try:
        name = _decode_error(data).error.param
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return name if name in ADAPTABLE else None
