"""The client of OpenAI's format against the stand-in, in every way that a model fails."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from support.model_server import Behaviour, ModelServer
from support.server import poll

from lumikb.kit.errors import LumiError
from lumikb.llm.errors import ModelFailedError, ModelRefusedError, ModelTimedOutError, ModelUnavailableError
from lumikb.llm.openai_model import OpenAiLanguageModel
from lumikb.llm.port import ChatMessage, Delta, Ended

pytestmark = pytest.mark.anyio

MakeModel = Callable[..., OpenAiLanguageModel]

MESSAGES = [ChatMessage("system", "Be brief."), ChatMessage("user", "Wie weit? \U0001f30a")]


async def ask(model: OpenAiLanguageModel, tokens_max: int = 50) -> tuple[str, str, Ended]:
    """Text, reasoning and end of an answer."""
    text = thought = ""
    end: Ended | None = None
    async with aclosing(model.stream(MESSAGES, tokens_max=tokens_max, temperature=0.1)) as pieces:
        async for piece in pieces:
            assert end is None, "nothing comes after the end"
            if isinstance(piece, Ended):
                end = piece
            elif piece.thinking:
                thought += piece.text
            else:
                text += piece.text
                assert piece.text
    assert end is not None
    return text, thought, end


async def failing(model: OpenAiLanguageModel, error: type[LumiError]) -> LumiError:
    """The error of an answer that fails; it names the service, and never the key."""
    with pytest.raises(error) as raised:
        await ask(model)
    assert raised.value.details["service"] == "llm"
    assert "secret" not in raised.value.message
    return raised.value


async def test_the_request_is_in_openais_format(server: ModelServer, make_model: MakeModel) -> None:
    await ask(make_model(key="secret-key"), 77)
    (asked,) = server.asked
    assert asked.headers["authorization"] == "Bearer secret-key"
    assert asked.body == {
        "model": "stand-in:",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wie weit? \U0001f30a"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 77,
        "temperature": 0.1,
    }


async def test_without_a_key_none_is_sent(server: ModelServer, make_model: MakeModel) -> None:
    await ask(make_model())
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("behaviour", ["", "split=1", "split=7", "whole", "first_ms=30,pace_ms=2"])
async def test_the_pieces_joined_are_the_answer(server: ModelServer, make_model: MakeModel, behaviour: str) -> None:
    server.text = "Neunzehn Meilen \u2014 \U0001f30a caf\u00e9 e\u0301. [1]\n\nUnd weiter."
    text, thought, end = await ask(make_model(behaviour))
    assert (text, thought) == (server.text, "")
    assert not end.cut
    assert end.prompt_tokens
    assert end.completion_tokens


async def test_an_answer_without_usage_says_so(make_model: MakeModel) -> None:
    assert (await ask(make_model("no_usage")))[2] == Ended(False, None, None)


async def test_an_answer_that_was_cut_by_its_bound_says_so(make_model: MakeModel) -> None:
    assert (await ask(make_model("length")))[2].cut


@pytest.mark.parametrize("how", ["reasoning_content", "reasoning", "tags"])
@pytest.mark.parametrize("split", ["", ",split=3"])
async def test_reasoning_is_told_apart(server: ModelServer, make_model: MakeModel, how: str, split: str) -> None:
    text, thought, _ = await ask(make_model(f"think={how}{split}"))
    assert (text, thought) == (server.text, server.thought)


# Failures


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_is_tried_once_more_and_then_told(
    server: ModelServer, make_model: MakeModel, status: int
) -> None:
    error = await failing(make_model(f"status={status}"), ModelFailedError)
    assert (error.details["reason"], error.details["status"]) == ("status", status)
    assert len(server.asked) == 2


@pytest.mark.parametrize("behaviour", ["status=500", "status=429", "status=503,retry_after=0", "drop"])
async def test_a_first_try_that_fails_is_not_noticed(
    server: ModelServer, make_model: MakeModel, behaviour: str
) -> None:
    assert (await ask(make_model(f"{behaviour},failures=1")))[0] == server.text
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 302])
async def test_what_will_not_change_is_not_tried_again(server: ModelServer, make_model: MakeModel, status: int) -> None:
    error = await failing(make_model(f"status={status}", key="secret-key"), ModelFailedError)
    assert error.details["status"] == status
    assert len(server.asked) == 1


async def test_a_key_that_is_refused_is_told_but_not_shown(
    server: ModelServer, make_model: MakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.api_key = "another"
    error = await failing(make_model(key="secret-key"), ModelFailedError)
    assert "LUMIKB_LLM_API_KEY" in error.message
    assert "secret-key" not in caplog.text
    assert "Wie weit" not in caplog.text


async def test_too_many_requests_are_no_fault_and_say_when(server: ModelServer, make_model: MakeModel) -> None:
    error = await failing(make_model("status=429,retry_after=3600"), ModelUnavailableError)
    assert (error.details["reason"], error.details["retry_after_seconds"]) == ("rate_limited", 3600)
    assert len(server.asked) == 1, "an hour is longer than anybody waits"
    server.asked.clear()
    await failing(make_model("status=429"), ModelUnavailableError)
    assert len(server.asked) == 2


async def test_retry_after_is_waited_for(server: ModelServer, make_model: MakeModel) -> None:
    begun = time.monotonic()
    await ask(make_model("status=503,retry_after=1,failures=1"))
    assert time.monotonic() - begun >= 1


async def test_a_date_in_retry_after_is_read(make_model: MakeModel, server: ModelServer) -> None:
    server.behaviour = Behaviour(status=429, retry_after="Fri, 31 Dec 2100 23:59:59 GMT")
    error = await failing(make_model(), ModelUnavailableError)
    assert error.details["retry_after_seconds"] > 1_000_000
    server.behaviour = Behaviour(status=429, retry_after="Sun, 06 Nov 1994 08:49:37 GMT", failures=3)
    assert (await failing(make_model(), ModelUnavailableError)).details["retry_after_seconds"] == 1


async def test_a_server_that_is_not_there_is_unavailable(make_model: MakeModel) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        error = await failing(make_model(url=url), ModelUnavailableError)
    assert error.details["reason"] == "unreachable"


async def test_a_connection_that_is_dropped_is_unavailable(server: ModelServer, make_model: MakeModel) -> None:
    await failing(make_model("drop"), ModelUnavailableError)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("bad_json", "bad_json"),
        ("html", "bad_json"),
        ("cut_after=2", "cut_off"),
        ("cut_after=0", "cut_off"),
        ("end_after=2", "cut_off"),
        ("error_after=2", "error"),
        ("empty", "empty"),
        ("empty,whole", "empty"),
        ("empty,think=tags", "empty"),
        ("flood=17", "too_large"),
        ("long_line=2", "too_large"),
    ],
)
async def test_a_wrong_answer_is_named(make_model: MakeModel, behaviour: str, reason: str) -> None:
    error = await failing(make_model(behaviour), ModelFailedError)
    assert error.details["reason"] == reason


async def test_an_answer_that_only_reasoned_says_what_to_raise(make_model: MakeModel) -> None:
    error = await failing(make_model("empty,length,think=reasoning"), ModelFailedError)
    assert "LUMIKB_LLM_ANSWER_TOKENS_MAX" in error.message


async def test_after_the_first_token_nothing_is_tried_again(server: ModelServer, make_model: MakeModel) -> None:
    await failing(make_model("cut_after=3"), ModelFailedError)
    assert len(server.asked) == 1


async def test_what_broke_off_before_the_first_token_is_tried_again(server: ModelServer, make_model: MakeModel) -> None:
    await failing(make_model("cut_after=0"), ModelFailedError)
    assert len(server.asked) == 2


@pytest.mark.parametrize("behaviour", ["refuse", "refuse,whole", "filtered"])
async def test_a_refusal_is_named(server: ModelServer, make_model: MakeModel, behaviour: str) -> None:
    await failing(make_model(behaviour), ModelRefusedError)
    assert len(server.asked) == 1


@pytest.mark.parametrize("behaviour", ["hang", "stall", "first_ms=60000"])
async def test_an_answer_that_does_not_begin_is_given_up(
    server: ModelServer, make_model: MakeModel, behaviour: str
) -> None:
    error = await failing(make_model(behaviour, first_seconds=0.3), ModelTimedOutError)
    assert "FIRST_TOKEN" in error.message
    poll(lambda: server.left, "the end of the call")


async def test_an_answer_that_does_not_end_is_given_up(server: ModelServer, make_model: MakeModel) -> None:
    error = await failing(make_model("pace_ms=400", seconds=0.6, first_seconds=0.5), ModelTimedOutError)
    assert "LUMIKB_LLM_TIMEOUT_SECONDS" in error.message
    poll(lambda: server.left, "the end of the call")


@pytest.mark.parametrize("name", ["max_tokens", "temperature", "stream_options"])
async def test_a_parameter_that_the_model_refuses_is_left_out_from_then_on(
    server: ModelServer, make_model: MakeModel, name: str
) -> None:
    model = make_model(f"refuses={name}")
    for _ in range(2):
        assert (await ask(model, 77))[0] == server.text
    assert [name in asked.body for asked in server.asked] == [True, False, False]
    assert server.asked[-1].body.get("max_completion_tokens") == (77 if name == "max_tokens" else None)


async def test_several_calls_may_find_a_refused_parameter_at_once(server: ModelServer, make_model: MakeModel) -> None:
    model = make_model("refuses=max_tokens")
    found = await asyncio.gather(*(ask(model) for _ in range(3)))
    assert [text for text, _, _ in found] == [server.text] * 3


async def test_another_parameter_that_is_refused_is_an_error(server: ModelServer, make_model: MakeModel) -> None:
    await failing(make_model("refuses=messages"), ModelFailedError)
    assert len(server.asked) == 1


# Leaving


@pytest.mark.parametrize("behaviour", ["hang", "stall", "pace_ms=30000"])
async def test_who_is_cancelled_ends_the_call(server: ModelServer, make_model: MakeModel, behaviour: str) -> None:
    task = asyncio.create_task(ask(make_model(behaviour)))
    await asyncio.to_thread(poll, lambda: server.asked, "the call")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(poll, lambda: server.left, "the end of the call")


async def test_who_closes_the_answer_ends_the_call(server: ModelServer, make_model: MakeModel) -> None:
    answer = make_model("pace_ms=30000").stream(MESSAGES, tokens_max=9, temperature=0)
    server.behaviour = Behaviour(pace_ms=200)
    assert isinstance(await anext(answer), Delta)
    await answer.aclose()
    await asyncio.to_thread(poll, lambda: server.left, "the end of the call")


async def test_two_answers_come_at_once(server: ModelServer, make_model: MakeModel) -> None:
    def say(asked: Any) -> str:
        return f"{asked.body['max_tokens']} " * 20

    server.text = say
    model = make_model("pace_ms=2")
    first, second = await asyncio.gather(ask(model, 111), ask(model, 222))
    assert first[0].split() == ["111"] * 20
    assert second[0].split() == ["222"] * 20
