"""A server with a language model, told by its settings alone: by the stand-in's name, and by one that is not there."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.model_server import running_model_server
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]

PATHS = ["/chat", "/query", "/chat/stream", "/search?stream=true"]
# Long enough that a failing model has failed.
PATIENT = 50


@contextmanager
def filled(server: LumiServer) -> Generator[LumiClient]:
    with server.client() as api:
        kb_id = api.create_kb("Mill")
        api.upload_ready(kb_id, "note.md", b"# Tower\n\nThe tower of the mill is eleven metres high.\n")
        yield api


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("status=500", 502, "MODEL_FAILED"),
        ("refuse", 502, "MODEL_REFUSED"),
        ("drop", 503, "MODEL_UNAVAILABLE"),
        ("stall", 504, "MODEL_TIMED_OUT"),
    ],
)
def test_a_stream_whose_model_fails_before_its_first_token_is_an_error(
    serve: ServerFactory, behaviour: str, status: int, code: str
) -> None:
    with running_model_server() as model:
        server = serve(
            llm_base_url=model.url,
            llm_model=f"stand-in:{behaviour}",
            llm_first_token_timeout_seconds=1,
            stream_hold_seconds=PATIENT,
        )
        with filled(server) as api:
            for path in PATHS:
                response = api.post(path, json={"query": "How high is the tower of the mill?"})
                assert response.status_code == status, (path, response.text)
                assert response.headers["content-type"] == "application/json"
                assert response.json()["error"]["code"] == code


def test_a_model_that_is_not_there_disturbs_nothing_else(serve: ServerFactory) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with filled(serve(llm_base_url=url, llm_model="absent", stream_hold_seconds=PATIENT)) as api:
            assert api.search("tower of the mill")
            for path in PATHS:
                response = api.post(path, json={"query": "How high is the tower of the mill?"})
                assert (response.status_code, response.json()["error"]["code"]) == (503, "MODEL_UNAVAILABLE")


def test_who_leaves_before_the_first_byte_ends_the_models_call(serve: ServerFactory) -> None:
    with running_model_server() as model:
        server = serve(llm_base_url=model.url, llm_model="stand-in:hang", stream_hold_seconds=PATIENT)
        with filled(server) as api:
            with pytest.raises(httpx.ReadTimeout):
                api.post("/query", json={"query": "How high is the tower?"}, timeout=3)
            poll(lambda: model.left, "the end of the call")


def test_without_a_model_extraction_answers(serve: ServerFactory) -> None:
    with filled(serve()) as api:
        assert "language-model" not in api.get("/status").json()["capabilities"]
        answer = api.ask("How high is the tower of the mill?", model_id="gpt-77")
        assert (answer["answered_by"], answer["model_id"]) == ("extraction", None)


def test_the_command_line_marks_what_no_passage_supports(serve: ServerFactory) -> None:
    with running_model_server() as model:
        model.text = "The tower of the mill is eleven metres high. [1] It was painted green by pirates."
        server = serve(llm_base_url=model.url, llm_model="stand-in")
        with filled(server):
            told = subprocess.run(
                [Path(sys.executable).with_name("lumikb"), "ask", "How high is the tower of the mill?"],
                env=os.environ | {"LUMIKB_DATA_DIR": str(server.data_dir)},
                cwd=server.data_dir.parent,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
    assert told.startswith(model.text)
    assert "Not supported by the passages: \u201cIt was painted green by pirates.\u201d" in told
    assert "[1] note.md" in told
