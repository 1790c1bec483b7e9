"""The client against an HTTP transport that answers by a function."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lumikb.cli.client import Body, Client, Place, UnreachableError, connect
from lumikb.cli.data_dir import DataDir, DataDirBusyError
from lumikb.cli.uploads import Outcome, Upload, upload_files
from lumikb.kit import errors
from lumikb.settings import SettingError, load_settings

Answer = Callable[[httpx.Request], httpx.Response]


def call(answer: Answer, work: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with httpx.AsyncClient(base_url="http://there", transport=httpx.MockTransport(answer)) as http:
            return await work(Client(http, Place("remote", "http://there")))

    return asyncio.run(run())


def error_body(code: str, message: str, **details: Any) -> Body:
    return {"error": {"code": code, "message": message, "details": details, "request_id": "r"}, "detail": message}


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (400, errors.MalformedRequestError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (422, errors.InvalidInputError),
        (429, errors.BusyError),
        (500, errors.LumiError),
        (503, errors.UnavailableError),
    ],
)
def test_an_error_of_the_server_keeps_its_code_and_sentence(status: int, category: type[errors.LumiError]) -> None:
    with pytest.raises(category, match="Do this") as raised:
        call(lambda _: httpx.Response(status, json=error_body("CODE", "Do this.")), lambda client: client.get("/x"))
    assert raised.value.stable_code == "CODE"
    assert raised.value.request_id == "r"


def test_a_key_that_is_refused_is_named() -> None:
    with pytest.raises(errors.UnauthenticatedError, match="LUMIKB_API_KEY"):
        call(lambda _: httpx.Response(401, json=error_body("C", "Sign in.")), lambda client: client.get("/x"))


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(502, text="Bad Gateway"),
        httpx.Response(302, headers={"location": "https://elsewhere"}),
        httpx.Response(404, json={"detail": "Not Found"}),
    ],
)
def test_what_is_not_lumikb_is_recognised(response: httpx.Response) -> None:
    with pytest.raises(UnreachableError, match="not LumiKB"):
        call(lambda _: response, lambda client: client.get("/x"))


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (httpx.ConnectError("x"), "No connection to the server at http://there"),
        (httpx.ReadTimeout("x"), "No answer from the server at http://there in time"),
        (httpx.RemoteProtocolError("x"), "broke off"),
    ],
)
def test_a_broken_connection_is_a_sentence(failure: httpx.TransportError, said: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(UnreachableError, match=said):
        call(fail, lambda client: client.get("/x"))


def test_a_missing_knowledge_base_is_told_with_those_there_are() -> None:
    body = error_body("KB_NOT_FOUND", "There is no such knowledge base.", available=["Law", "Tax"])
    with pytest.raises(errors.NotFoundError, match=r"called Lore\. There are: Law, Tax\."):
        call(lambda _: httpx.Response(404, json=body), lambda client: client.get_kb("Lore"))


def test_a_long_list_is_read_page_by_page_up_to_its_bound() -> None:
    asked: list[tuple[int, int]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        page, limit = int(request.url.params["page"]), int(request.url.params["limit"])
        asked.append((page, limit))
        rows = [{"id": number} for number in range((page - 1) * limit, min(page * limit, 250))]
        body = {"data": rows, "total": 250, "page": page, "limit": limit, "total_pages": 3}
        return httpx.Response(200, json=body)

    body = call(answer, lambda client: client.list_rows("/x", 220))
    assert [row["id"] for row in body["data"]] == list(range(220))
    assert (body["total"], body["limit"], body["total_pages"]) == (250, 220, 2)
    assert asked == [(1, 100), (2, 100), (3, 100)]


def upload(answer: Answer, files: list[Path], *, wait: bool = True) -> list[Outcome]:
    return call(answer, lambda client: upload_files(client, "kb", [Upload(file) for file in files], wait=wait))


def document(request: httpx.Request, **facts: Any) -> Body:
    """The document that an upload gives; its id is the content of the file."""
    content = request.content.split(b"filename=", 1)[1].split(b"\r\n\r\n", 1)[1].split(b"\r\n", 1)[0].decode()
    body: Body = {"id": content, "status": "PENDING", "current_step": None, "progress": 0.0, "duplicate_of": None}
    return {**body, "chunk_count": 0, "warnings": [], "last_error": None, **facts}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.txt" for name in ("good", "bad", "refused", "known")]
    for path in paths:
        path.write_text(path.stem)
    return paths


def server(request: httpx.Request) -> httpx.Response:
    ready: Body = {"status": "READY", "chunk_count": 2, "warnings": ["NO_TEXT"]}
    failed: Body = {"status": "FAILED", "last_error": {"code": "ENCRYPTED", "message": "It needs a password."}}
    if request.method == "POST":
        body = document(request)
        if body["id"] == "refused":
            return httpx.Response(415, json=error_body("UNSUPPORTED_FILE_TYPE", "It cannot be read."))
        return httpx.Response(
            202, json={**body, **(ready | {"duplicate_of": "known"} if body["id"] == "known" else {})}
        )
    id_ = request.url.path.split("/")[-2]
    body: Body = {
        "id": id_,
        "current_step": None,
        "progress": 1.0,
        "chunk_count": 0,
        "warnings": [],
        "last_error": None,
    }
    return httpx.Response(200, json={**body, **(failed if id_ == "bad" else ready)})


def test_each_file_has_its_outcome_in_the_order_given(files: list[Path]) -> None:
    good, bad, refused, known = upload(server, files)
    assert (good.result, good.passages, good.warnings, good.duplicate) == ("ready", 2, ("NO_TEXT",), False)
    assert (bad.result, bad.error) == ("failed", {"code": "ENCRYPTED", "message": "It needs a password."})
    assert (refused.result, refused.document_id) == ("failed", None)
    assert refused.error == {"code": "UNSUPPORTED_FILE_TYPE", "message": "It cannot be read."}
    assert (known.result, known.duplicate) == ("ready", True)


def test_without_waiting_a_document_stays_pending(files: list[Path]) -> None:
    assert [outcome.result for outcome in upload(server, files[:2], wait=False)] == ["pending", "pending"]


def test_a_file_that_cannot_be_read_fails_alone(files: list[Path]) -> None:
    files[1].unlink()
    assert [outcome.result for outcome in upload(server, files[:2])] == ["ready", "failed"]


def test_a_refused_key_ends_the_whole_upload(files: list[Path]) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        upload(lambda _: httpx.Response(401, json=error_body("C", "Sign in.")), files)


def connected(environ: dict[str, str]) -> Place:
    async def run() -> Place:
        async with connect(load_settings(environ)) as client:
            return client.place

    return asyncio.run(run())


def test_the_named_server_comes_first() -> None:
    environ = {"LUMIKB_URL": "http://there:1/", "LUMIKB_API_KEY": "k", "LUMIKB_DATA_DIR": "/nowhere/at/all"}
    assert connected(environ) == Place("remote", "http://there:1")


def test_a_named_server_needs_a_key() -> None:
    with pytest.raises(SettingError, match="LUMIKB_API_KEY"):
        connected({"LUMIKB_URL": "http://there:1"})


def test_a_held_data_directory_leads_to_its_server(tmp_path: Path) -> None:
    holder = DataDir(tmp_path)
    holder.acquire()
    try:
        with pytest.raises(DataDirBusyError, match="Another lumikb command"):
            connected({"LUMIKB_DATA_DIR": str(tmp_path)})
        holder.announce("http://127.0.0.1:1")
        assert connected({"LUMIKB_DATA_DIR": str(tmp_path)}) == Place("local", "http://127.0.0.1:1")
    finally:
        holder.release()
