"""A language model behind any endpoint in OpenAI's format: OpenAI, vLLM, Ollama, LM Studio, a LiteLLM proxy."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from lumikb import __version__
from lumikb.kit.errors import LumiError
from lumikb.kit.telemetry import get_logger
from lumikb.llm.completions import Piece, bad_json, read_piece, refused_parameter, request_body
from lumikb.llm.errors import ModelFailedError, ModelTimedOutError, ModelUnavailableError
from lumikb.llm.lines import begin_of, lines_of, whole
from lumikb.llm.port import ChatMessage, Delta, Ended
from lumikb.llm.thinking import ThinkingSplitter

Result = TypeVar("Result")

TRIES_MAX = 2
RETRY_PAUSE_SECONDS = 0.25
CONNECT_SECONDS_MAX = 10.0
CONNECTIONS_MAX = 500
ERROR_BYTES_MAX = 65_536

_FIELDS = (b":", b"event:", b"id:", b"retry:")

log = get_logger(__name__)


class _TryAgainError(Exception):
    """A try that failed before the first piece, and may do better after a pause in seconds."""

    def __init__(self, error: LumiError, pause: float = RETRY_PAUSE_SECONDS) -> None:
        super().__init__()
        self.error = error
        self.pause = pause


class _Time:
    """What a call has left until its first piece, and until its end."""

    def __init__(self, first_seconds: float, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._seconds = seconds
        self._first_seconds = min(first_seconds, seconds)
        self.told = False

    def left(self) -> float:
        """Seconds that are left for what comes next."""
        bound = self._seconds if self.told else self._first_seconds
        return self._begun + bound - self._loop.time()

    async def within(self, step: Awaitable[Result]) -> Result:
        """The step's result; raises `ModelTimedOutError` when the time is over."""
        try:
            async with asyncio.timeout(self.left()):
                return await step
        except TimeoutError:
            if self.told:
                message = f"The language model did not end its answer within {self._seconds:g} s."
                raise ModelTimedOutError(f"{message} Ask for less, or raise LUMIKB_LLM_TIMEOUT_SECONDS.") from None
            message = f"The language model did not begin to answer within {self._first_seconds:g} s."
            raise ModelTimedOutError(f"{message} Try again, or raise LUMIKB_LLM_FIRST_TOKEN_TIMEOUT_SECONDS.") from None


class OpenAiLanguageModel:
    """See `LanguageModel`. `base_url` is what `/chat/completions` is below. No proxy and no redirect is followed.

    `open` before the first call, `close` after the last. Neither the key nor what is asked or answered is logged.
    """

    def __init__(
        self, base_url: str, api_key: str, name: str, *, seconds_max: float, first_token_seconds_max: float
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._name = name
        self._seconds_max = seconds_max
        self._first_token_seconds_max = first_token_seconds_max
        # Parameters that this model was found to refuse.
        self._refused: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """See `LanguageModel`."""
        return self._name

    def open(self) -> None:
        """Make the client; connects at the first call."""
        headers = {"User-Agent": f"LumiKB/{__version__}", "Accept-Encoding": "identity"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            # All other waiting is bounded by `_Time`.
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS_MAX),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """End calls that are under way, and let go of all connections."""
        await self._client.aclose()

    async def stream(
        self, messages: Sequence[ChatMessage], *, tokens_max: int, temperature: float
    ) -> AsyncGenerator[Delta | Ended]:
        """See `LanguageModel`."""
        try:
            async with aclosing(self._tries(messages, tokens_max, temperature)) as pieces:
                async for piece in pieces:
                    yield piece
        except LumiError as error:
            log.warning("model failed", code=error.stable_code, **error.details)
            raise

    async def _tries(
        self, messages: Sequence[ChatMessage], tokens_max: int, temperature: float
    ) -> AsyncGenerator[Delta | Ended]:
        time = _Time(self._first_token_seconds_max, self._seconds_max)
        tries = 0
        while True:
            body = request_body(self._name, messages, tokens_max, temperature, self._refused)
            try:
                async with aclosing(self._try(body, time)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except _TryAgainError as again:
                tries += again.pause > 0
                if tries >= TRIES_MAX or again.pause >= time.left():
                    raise again.error from again.__cause__
                if again.pause > 0:
                    log.warning("model asked again", code=again.error.stable_code, **again.error.details)
                    await asyncio.sleep(again.pause)

    async def _try(self, body: dict[str, object], time: _Time) -> AsyncGenerator[Delta | Ended]:
        async with self._sent(body, time) as response:
            try:
                if response.status_code != 200:
                    await self._raise_for_status(response, body, time)
                async with aclosing(_pieces(response)) as pieces, aclosing(_told(pieces, time)) as told:
                    async for delta in told:
                        yield delta
            except httpx.TransportError as exc:
                error = ModelFailedError("The language model's answer broke off. Try again.", "cut_off")
                raise (error if time.told else _TryAgainError(error)) from exc

    @asynccontextmanager
    async def _sent(self, body: dict[str, object], time: _Time) -> AsyncGenerator[httpx.Response]:
        request = self._client.build_request("POST", f"{self._base_url}/chat/completions", json=body)
        try:
            response = await time.within(self._client.send(request, stream=True))
        except httpx.TransportError as exc:
            raise _TryAgainError(
                ModelUnavailableError(
                    "The language model's server cannot be reached. Is it running, and LUMIKB_LLM_BASE_URL right?",
                    "unreachable",
                )
            ) from exc
        try:
            yield response
        finally:
            await response.aclose()

    async def _raise_for_status(self, response: httpx.Response, body: dict[str, object], time: _Time) -> None:
        status = response.status_code
        if status == 400:
            name = refused_parameter(await time.within(begin_of(response.aiter_raw(), ERROR_BYTES_MAX)))
            if name is not None and name in body:
                self._refused |= {name}
                raise _TryAgainError(_status_error(status), pause=0)
        if status == 429:
            after = _retry_after(response)
            error = ModelUnavailableError(
                "The language model's server has too much to do, or its quota is used up. Try again later.",
                "rate_limited",
                None if after is None else max(1, round(after)),
            )
            raise _TryAgainError(error, after or RETRY_PAUSE_SECONDS)
        if status >= 500:
            raise _TryAgainError(_status_error(status), _retry_after(response) or RETRY_PAUSE_SECONDS)
        raise _status_error(status)


async def _told(pieces: AsyncIterator[Piece], time: _Time) -> AsyncGenerator[Delta | Ended]:
    """The pieces as deltas, then the end; raises when there was no end, or nothing before it."""
    splitter = ThinkingSplitter()
    finish: str | None = None
    ended, said = Ended(), False
    while (piece := await time.within(anext(pieces, None))) is not None:
        finish = finish or piece.finish
        if piece.usage is not None:
            ended = Ended(False, piece.usage.prompt_tokens, piece.usage.completion_tokens)
        thought = [Delta(piece.thought, thinking=True)] if piece.thought else []
        for delta in [*thought, *splitter.feed(piece.text)]:
            time.told = True
            said = said or (not delta.thinking and not delta.text.isspace())
            yield delta
    if finish is None:
        raise ModelFailedError("The language model's answer broke off. Try again.", "cut_off")
    for delta in splitter.end():
        said = said or not delta.thinking
        yield delta
    cut = finish == "length"
    if not said:
        hint = "Raise LUMIKB_LLM_ANSWER_TOKENS_MAX: its reasoning took all of them." if cut else "Try again."
        raise ModelFailedError(f"The language model gave an empty answer. {hint}", "empty")
    yield Ended(cut, ended.prompt_tokens, ended.completion_tokens)


async def _pieces(response: httpx.Response) -> AsyncGenerator[Piece]:
    """What the answer says, event by event; of a server that does not stream the whole. An end mark finishes it."""
    if "json" in response.headers.get("content-type", ""):
        yield read_piece(await whole(response.aiter_raw()))
        return
    async for line in lines_of(response.aiter_raw()):
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data == b"[DONE]":
                yield Piece(finish="stop")
                return
            if data:
                yield read_piece(data)
        elif line and not line.startswith(_FIELDS):
            raise bad_json()


def _status_error(status: int) -> ModelFailedError:
    """What a status means to the person who runs LumiKB. What the server says of it may repeat key or question."""
    told = {
        401: "does not take our key: set LUMIKB_LLM_API_KEY",
        403: "does not take our key: set LUMIKB_LLM_API_KEY",
        404: "knows no such address or model: check LUMIKB_LLM_BASE_URL and LUMIKB_LLM_MODEL",
        400: "refuses the request: it may be longer than the model's window, then lower LUMIKB_LLM_CONTEXT_TOKENS",
        413: "refuses the request: it may be longer than the model's window, then lower LUMIKB_LLM_CONTEXT_TOKENS",
    }.get(status, "fails: look at its own log, and try again" if status >= 500 else "refuses the request")
    return ModelFailedError(f"The language model's server {told} (status {status}).", "status", status)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, section 10.2.3), if it does."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
