"""Direct uploads that are cut off, on a server that dies: nothing is lost, and nothing is left behind."""

import hashlib
import os
import socket
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.exactly_once import check_exactly_once, only_needed_blobs, rows
from support.server import LumiClient, LumiServer, poll

with warnings.catch_warnings():
    # moto's own dependencies warn about each other on import.
    warnings.simplefilter("ignore")
    from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]

# A few megabytes to send, and a sentence to embed.
TEXT = b"<p>The ferry to Tamsel leaves at noon.</p><!--" + os.urandom(2_000_000).hex().encode() + b"-->"
SHA256 = hashlib.sha256(TEXT).hexdigest()


def begin(api: LumiClient, kb_id: str, **wanted: Any) -> dict[str, Any]:
    body = {"kb_id": kb_id, "filename": "ferry.html", "size_bytes": len(TEXT), "sha256": SHA256} | wanted
    response = api.post("/documents/presign", json=body)
    assert response.status_code == 201, response.text
    return response.json()


def complete(api: LumiClient, ticket: dict[str, Any]) -> httpx.Response:
    return api.post(f"/documents/{ticket['document_id']}/complete")


def link(server: LumiServer, ticket: dict[str, Any]) -> str:
    """The ticket's link, on the port that the server has now."""
    parts = urlsplit(ticket["url"])
    return f"{server.url}{parts.path}?{parts.query}"


def send_half(server: LumiServer, ticket: dict[str, Any]) -> socket.socket:
    """Send half of the file, and no more; gives the connection, which still stands."""
    parts = urlsplit(link(server, ticket))
    connection = socket.create_connection((parts.hostname or "", parts.port or 0))
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(TEXT)}\r\n\r\n"
    connection.sendall(head.encode() + TEXT[: len(TEXT) // 2])
    return connection


def offset(server: LumiServer, ticket: dict[str, Any]) -> int:
    with httpx.Client(trust_env=False) as client:
        return int(client.head(link(server, ticket)).headers["upload-offset"])


def go_on(server: LumiServer, ticket: dict[str, Any]) -> None:
    """Send what is missing."""
    start = offset(server, ticket)
    headers = {"Content-Range": f"bytes {start}-{len(TEXT) - 1}/{len(TEXT)}"}
    with httpx.Client(trust_env=False, timeout=60) as client:
        answer = client.put(link(server, ticket), content=TEXT[start:], headers=headers)
        assert answer.json() == {"received_bytes": len(TEXT), "size_bytes": len(TEXT)}


def check_ready(server: LumiServer, document: dict[str, Any]) -> None:
    """The document is READY, once, with the file's bytes; nothing else is there."""
    with server.client() as api:
        ready = api.wait_until_ended(document["id"])
        assert (ready["status"], ready["sha256"]) == ("READY", SHA256), ready["last_error"]
        path = f"/knowledge-bases/{ready['kb_id']}/documents/{ready['id']}/download"
        assert api.get(path).content == TEXT
        poll(lambda: only_needed_blobs(server), "the end of temporary blobs")
        assert api.post("/operations/verify", json={}).json()["findings"] == []
    assert left_behind(server) == []
    check_exactly_once(server, [ready])


def left_behind(server: LumiServer) -> list[Path]:
    return [path for name in ("uploads", "incoming") for path in (server.data_dir / name).iterdir()]


def test_a_broken_put_goes_on_and_ends_ready(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        ticket = begin(api, api.create_kb("Ferry"))
        connection = send_half(server, ticket)
        poll(lambda: offset(server, ticket) > 0, "the first bytes")
        connection.close()
        poll(lambda: offset(server, ticket) == len(TEXT) // 2, "what arrived before the break")
        assert complete(api, ticket).json()["error"]["code"] == "UPLOAD_INCOMPLETE"
        go_on(server, ticket)
        document = complete(api, ticket).json()
    check_ready(server, document)


def test_a_client_goes_on_before_the_server_has_noticed_the_break(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        ticket = begin(api, api.create_kb("Ferry"))
        connection = send_half(server, ticket)
        poll(lambda: offset(server, ticket) > 0, "the first bytes")
        go_on(server, ticket)
        connection.sendall(TEXT[len(TEXT) // 2 :])
        document = complete(api, ticket).json()
        connection.close()
    check_ready(server, document)


@pytest.mark.timeout(240)
def test_a_server_killed_between_all_steps_of_an_upload_loses_nothing(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        ticket = begin(api, api.create_kb("Ferry"))
    connection = send_half(server, ticket)
    poll(lambda: offset(server, ticket) > 0, "the first bytes")
    server.kill()
    connection.close()
    server.start()
    assert 0 < offset(server, ticket) <= len(TEXT) // 2
    go_on(server, ticket)
    server.kill()
    server.start()
    with server.client() as api:
        assert api.post("/operations/verify", json={"repair": True}).json()["findings"] == []
        document = complete(api, ticket).json()
    server.kill()
    server.start()
    with server.client() as api:
        assert complete(api, ticket).json()["id"] == document["id"]
    check_ready(server, document)


def test_an_upload_that_is_never_completed_leaves_nothing(serve: ServerFactory) -> None:
    server = serve(upload_open_seconds=2)
    with server.client() as api:
        kb_id = api.create_kb("Ferry")
        half, whole = begin(api, kb_id), begin(api, kb_id)
        connection = send_half(server, half)
        with httpx.Client(trust_env=False) as client:
            client.put(link(server, whole), content=TEXT).raise_for_status()
        server.kill()
        connection.close()
    server.start()
    poll(lambda: not rows(server, "uploads") and not left_behind(server), "the sweep", 20)
    with server.client() as api:
        for ticket in (half, whole):
            assert complete(api, ticket).status_code == 404
        assert api.post("/operations/verify", json={}).json()["findings"] == []
    assert only_needed_blobs(server)
    abandoned = [row["resource_id"] for row in rows(server, "audit_events") if row["action"] == "upload.abandoned"]
    assert sorted(abandoned) == sorted([half["document_id"], whole["document_id"]])


def test_verify_names_abandoned_uploads_and_knows_those_under_way(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        begin(api, api.create_kb("Ferry"))
        sound = api.post("/operations/verify", json={}).json()
        assert (sound["findings"], sound["checked"]["uploads"]) == ([], 1)
        orphan = server.data_dir / "uploads" / "01a1fe2a-f488-7000-8000-000000000000"
        orphan.write_bytes(b"left by a crash")
        os.utime(orphan, (1, 1))
        foreign = server.data_dir / "uploads" / "notes.txt"
        foreign.write_bytes(b"not ours")
        os.utime(foreign, (1, 1))
        for repair in (False, True):
            (finding,) = api.post("/operations/verify", json={"repair": repair}).json()["findings"]
            assert (finding["kind"], finding["id"]) == ("upload.abandoned", orphan.name)
            assert finding["repaired"] is repair
        assert api.post("/operations/verify", json={}).json()["findings"] == []
        assert not orphan.exists()
        assert foreign.exists()


# In the bucket itself


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    for name in [name for name in os.environ if name.lower() in {"http_proxy", "https_proxy", "all_proxy"}]:
        monkeypatch.delenv(name)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with httpx.Client(trust_env=False) as client:
        client.put(f"http://{host}:{port}/originals").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


def keys_below(endpoint: str, text: str) -> int:
    """How many objects and multipart uploads of the bucket have `text` in their key."""
    with httpx.Client(trust_env=False) as client:
        listed = client.get(f"{endpoint}/originals").text + client.get(f"{endpoint}/originals?uploads").text
    return sum(text in piece.partition("</Key>")[0] for piece in listed.split("<Key>")[1:])


@pytest.mark.timeout(240)
def test_a_file_sent_to_the_bucket_ends_ready_and_leaves_nothing(serve: ServerFactory, endpoint: str) -> None:
    big = TEXT * 17  # two parts
    server = serve(
        blob_url="s3://originals/kb",
        s3_endpoint=endpoint,
        s3_access_key_id="test",
        s3_secret_access_key="test",
    )
    with server.client() as api:
        kb_id = api.create_kb("Ferry")
        ticket = begin(api, kb_id)
        assert ticket["url"].startswith(f"{endpoint}/originals/kb/uploads/{ticket['document_id']}?")
        assert complete(api, ticket).json()["error"]["details"]["missing_parts"] == [1]
        with httpx.Client(trust_env=False) as client:
            client.put(ticket["url"], content=TEXT).raise_for_status()
            server.kill()
            server.start()
        with server.client() as again:
            document = complete(again, ticket).json()
            assert document["sha256"] == SHA256
            assert complete(again, ticket).json()["id"] == document["id"]
            parts = begin(again, kb_id, size_bytes=len(big), sha256=None)
            assert parts["url"] is None
            with httpx.Client(trust_env=False, timeout=60) as client:
                for part in parts["parts"]:
                    client.put(part["url"], content=big[part["start"] : part["end"]]).raise_for_status()
                assert complete(again, parts).json()["sha256"] == hashlib.sha256(big).hexdigest()
                refused = client.put(parts["parts"][0]["url"], content=b"something else")
                assert refused.is_error
    assert keys_below(endpoint, "uploads/") == 0


def test_what_is_abandoned_in_the_bucket_is_swept(serve: ServerFactory, endpoint: str) -> None:
    server = serve(
        blob_url="s3://originals/kb",
        s3_endpoint=endpoint,
        s3_access_key_id="test",
        s3_secret_access_key="test",
        upload_open_seconds=3,
    )
    with server.client() as api:
        ticket = begin(api, api.create_kb("Ferry"))
    with httpx.Client(trust_env=False) as client:
        client.put(ticket["url"], content=TEXT).raise_for_status()
        client.put(f"{endpoint}/originals/kb/uploads/report.csv", content=b"not ours").raise_for_status()
    assert keys_below(endpoint, ticket["document_id"]) == 1
    poll(lambda: keys_below(endpoint, ticket["document_id"]) == 0, "the sweep", 20)
    assert keys_below(endpoint, "report.csv") == 1
