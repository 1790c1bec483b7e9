"""A stand-in for a language model's server: real HTTP in OpenAI's format, for tests and benches, never a fake success.

In a test: `with running_model_server() as model:`, on a port of its own. On its own, from the folder `tests`:

    python -m support.model_server --port 9999

The model's name says how it behaves: `stand-in:first_ms=500,pace_ms=20,cut_after=3`. A name without such words answers
at once. See `Behaviour` for the words; a test may also set `server.behaviour` and what is said, `server.text`.
"""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import uvicorn

BODY_BYTES_MAX = 16 << 20
START_SECONDS_MAX = 20
NAME = "stand-in"
TEXT = "This is the stand-in of a language model. [1]"


@dataclass(frozen=True)
class Behaviour:
    """What the server does. Times in milliseconds; a flag is a word alone, as in `stand-in:echo,split`."""

    first_ms: float = 0  # before the first token, after the headers
    header_ms: float = 0  # before the headers
    pace_ms: float = 0  # between tokens
    status: int = 200  # an error with this status instead of an answer
    failures: int = 0  # so many requests fail, and those after them do not; 0: all
    retry_after: str = ""  # the header of that name, of an error
    drop: bool = False  # closes the connection instead of an answer; heeds `failures`
    hang: bool = False  # takes the request and never answers
    stall: bool = False  # sends headers and never a token
    cut_after: int = -1  # breaks the connection off after so many tokens
    end_after: int = -1  # ends the stream in order after so many tokens, but without its end mark
    error_after: int = -1  # tells an error within the stream after so many tokens
    bad_json: bool = False  # sends what is no JSON
    html: bool = False  # answers with a page, as a proxy in between does
    refuse: bool = False  # declines by OpenAI's `refusal`
    filtered: bool = False  # ends by the finish reason `content_filter`
    length: bool = False  # ends by the finish reason `length`
    empty: bool = False  # answers in order, and nothing
    echo: bool = False  # says the messages that it was sent
    think: str = ""  # reasons first: `reasoning_content`, `reasoning` or `tags` (<think>…</think> in the text)
    whole: bool = False  # answers in one JSON body though a stream was asked for
    no_usage: bool = False  # tells no usage
    refuses: str = ""  # answers 400 to requests that have this parameter
    split: int = 0  # bytes of each piece that is sent, wherever that cuts
    flood: int = 0  # megabytes of tokens
    long_line: int = 0  # megabytes in one line


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """All that the model was told."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])


Says = str | Callable[[Asked], str]


@dataclass
class ModelServer:
    """What the server does next, and what it saw. May be changed and read from any thread."""

    url: str = ""
    behaviour: Behaviour | None = None  # instead of what the model's name says
    text: Says = TEXT
    thought: str = "Let me see which passage says it."
    api_key: str | None = None
    asked: list[Asked] = field(default_factory=list[Asked])
    # When a client went before its answer had ended, by `time.monotonic`.
    left: list[float] = field(default_factory=list[float])
    ended: int = 0
    _failed: int = 0

    def reset(self) -> None:
        """Behave as the names say, and forget what was seen."""
        self.behaviour, self.text, self.api_key = None, TEXT, None
        self.asked.clear()
        self.left.clear()
        self.ended = self._failed = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            error = {"message": f"Wrong key: {headers.get('authorization')}", "code": "invalid_api_key"}
            await _send_json(send, 401, {"error": error})
        elif (scope["method"], scope["path"]) == ("GET", "/v1/models"):
            await _send_json(send, 200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})
        elif (scope["method"], scope["path"]) == ("POST", "/v1/chat/completions"):
            asked = Asked(scope["path"], headers, json.loads(await _body(receive)))
            self.asked.append(asked)
            await self._answer_while_there(asked, receive, send)
        else:
            await _send_json(send, 404, {"error": {"message": "There is nothing here."}})

    async def _answer_while_there(self, asked: Asked, receive: Any, send: Any) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        answer = asyncio.ensure_future(self._answer(asked, send))
        await asyncio.wait({gone, answer}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.left.append(time.monotonic())
        gone.cancel()
        answer.cancel()
        await asyncio.wait({gone, answer})
        if not answer.cancelled():
            answer.result()
            self.ended += 1

    async def _answer(self, asked: Asked, send: Any) -> None:
        does = self.behaviour or behaviour_of(asked.body["model"])
        await asyncio.sleep(does.header_ms / 1000)
        if does.hang:
            await asyncio.Event().wait()
        if does.refuses and does.refuses in asked.body:
            error = {"message": "Unsupported parameter.", "param": does.refuses, "code": "unsupported_parameter"}
            await _send_json(send, 400, {"error": error})
        elif (does.status != 200 or does.drop) and (does.failures == 0 or self._failed < does.failures):
            self._failed += 1
            if does.drop:
                # An application that raises before its headers is answered for, by a 500: this is uvicorn's own socket.
                send.__self__.transport.abort()
                return
            error = {"message": "The stand-in fails as it was told to.", "code": "told_to_fail"}
            await _send_json(send, does.status, {"error": error}, {"Retry-After": does.retry_after})
        elif does.html:
            await _send(send, b"<html><body>Welcome</body></html>", content_type="text/html")
        elif does.whole or not asked.body.get("stream"):
            await asyncio.sleep(does.first_ms / 1000)
            await _send_json(send, 200, self._whole(asked, does))
        else:
            await self._stream(asked, does, send)

    def _said(self, asked: Asked, does: Behaviour) -> str:
        if does.empty or does.refuse or does.filtered:
            return ""
        if does.echo:
            return asked.prompt
        return self.text if isinstance(self.text, str) else self.text(asked)

    def _whole(self, asked: Asked, does: Behaviour) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._said(asked, does)}
        if does.refuse:
            message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
        choice = {"index": 0, "message": message, "finish_reason": _finish(does)}
        usage = {} if does.no_usage else {"usage": _usage(asked, str(message["content"]))}
        return {"object": "chat.completion", "choices": [choice]} | usage

    async def _stream(self, asked: Asked, does: Behaviour, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": begin\n\n", "more_body": True})
        if does.stall:
            await asyncio.Event().wait()
        await asyncio.sleep(does.first_ms / 1000)
        said = self._said(asked, does)
        for at, line in enumerate(self._lines(said, does)):
            if at and does.pace_ms:
                await asyncio.sleep(does.pace_ms / 1000)
            if at == does.cut_after:
                raise _BrokenOffError
            if at == does.error_after:
                line = _data({"error": {"message": "out of memory", "code": "server_error"}})
            await _send_in_pieces(send, line, does.split)
            if at + 1 == does.end_after or at == does.error_after:
                await send({"type": "http.response.body", "body": b""})
                return
        last = _data({"choices": [{"index": 0, "delta": {}, "finish_reason": _finish(does)}]})
        if not does.no_usage:
            last += _data({"choices": [], "usage": _usage(asked, said)})
        await _send_in_pieces(send, last + b"data: [DONE]\n\n", does.split)
        await send({"type": "http.response.body", "body": b""})

    def _lines(self, said: str, does: Behaviour) -> Generator[bytes]:
        yield _delta(role="assistant", content="")
        if does.bad_json:
            yield b"data: {'choices': [\n\n"
        if does.refuse:
            yield _delta(refusal="I cannot help with that.")
        for _ in range(does.flood):
            yield _delta(content="flood " * (1 << 17)) + b"\n" * (1 << 18)
        if does.long_line:
            yield b"data: " + b"x" * (does.long_line << 20)
        if does.think == "tags":
            said = f"<think>{self.thought}</think>\n\n{said}"
        elif does.think:
            for token in _tokens(self.thought):
                yield _delta(**{does.think: token})
        for token in _tokens(said):
            yield _delta(content=token)


class _BrokenOffError(Exception):
    """Breaks the connection off: uvicorn closes it when an application raises."""


def behaviour_of(model: str) -> Behaviour:
    """What a model's name says; raises `ValueError` for a word that is none."""
    words = [word for word in model.partition(":")[2].split(",") if word]
    kinds = {item.name: type(item.default) for item in fields(Behaviour)}
    behaviour = Behaviour()
    for word in words:
        name, _, value = word.partition("=")
        if name not in kinds:
            raise ValueError(f"{name} is no word for a behaviour")
        behaviour = replace(behaviour, **{name: True if kinds[name] is bool else kinds[name](value)})
    return behaviour


def _tokens(text: str) -> list[str]:
    """Pieces of a few characters that cut words and marks apart, as a model's tokens do."""
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def _delta(**delta: str) -> bytes:
    return _data({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def _data(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def _finish(does: Behaviour) -> str:
    return "content_filter" if does.filtered else "length" if does.length else "stop"


def _usage(asked: Asked, said: str) -> dict[str, int]:
    prompt, completion = len(asked.prompt) // 4 + 1, len(said) // 4 + 1
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def _send_in_pieces(send: Any, data: bytes, size: int) -> None:
    for at in range(0, len(data), size or len(data)):
        await send({"type": "http.response.body", "body": data[at : at + (size or len(data))], "more_body": True})
        if size:
            await asyncio.sleep(0)  # so that each piece is a write of its own


async def _send_json(send: Any, status: int, value: object, headers: dict[str, str] | None = None) -> None:
    await _send(send, json.dumps(value).encode(), status=status, headers=headers)


async def _send(
    send: Any,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> None:
    given = {"Content-Type": content_type, "Content-Length": str(len(body))} | (headers or {})
    wire = [(name.lower().encode(), value.encode()) for name, value in given.items() if value]
    await send({"type": "http.response.start", "status": status, "headers": wire})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            raise ValueError("the request is larger than any test sends")
    return body


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def running_model_server(port: int = 0) -> Generator[ModelServer]:
    """A server on this machine, in a thread of its own."""
    model = ModelServer()
    config = uvicorn.Config(
        model, host="127.0.0.1", port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="model-server", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS_MAX
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the stand-in does not start")
        time.sleep(0.01)
    listening = server.servers[0].sockets[0].getsockname()
    model.url = f"http://127.0.0.1:{listening[1]}/v1"
    yield model
    server.should_exit = True
    thread.join()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9999)
    options = parser.parse_args()
    with running_model_server(options.port) as model:
        print(f"The stand-in answers on {model.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
