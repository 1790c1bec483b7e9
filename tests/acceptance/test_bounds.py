"""What a server bounds and clears away by itself."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest
from support.server import LumiServer, poll

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]


def connected(server: LumiServer) -> socket.socket:
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=20)
    connection.settimeout(20)
    return connection


def test_headers_that_never_end_are_cut_off(serve: ServerFactory) -> None:
    server = serve(header_seconds_max=0.5)
    address = urlsplit(server.url)
    resting = HTTPConnection(address.hostname or "", address.port, timeout=20)
    with connected(server) as silent, connected(server) as slow, closing(resting):
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        resting.request("GET", "/health")
        resting.getresponse().read()
        connection = resting.sock
        assert (silent.recv(1), slow.recv(1)) == (b"", b"")
        resting.request("GET", "/health")  # a connection that rests between two requests stays
        assert resting.getresponse().status == 200
        assert resting.sock is connection


def test_headers_without_end_or_measure_are_refused(serve: ServerFactory) -> None:
    server = serve(header_bytes_max=10_000)
    for head in (b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 400_000, b"GET /" + b"y" * 20_000):
        with connected(server) as greedy:
            greedy.sendall(head)
            assert greedy.recv(4096).startswith(b"HTTP/1.1 431 ")
    with connected(server) as many:
        many.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: %s\r\n" % (b"y" * 1000) * 11 + b"\r\n")
        assert many.recv(4096).startswith(b"HTTP/1.1 431 ")
    with server.client() as api:
        assert api.get("/knowledge-bases", headers={"X": "y" * 5000}).status_code == 200


def test_a_client_that_leaves_in_the_middle_of_an_upload_is_no_error_of_the_server(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        kb_id = api.create_kb("Cut")
        with connected(server) as leaving:
            leaving.sendall(
                f"POST /api/v1/knowledge-bases/{kb_id}/documents HTTP/1.1\r\nHost: a\r\n"
                f"Authorization: Bearer {server.token}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                "Content-Length: 100000\r\n\r\n"
                '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf'.encode()
            )
            time.sleep(0.3)
        poll(lambda: "/documents" in server.printed(), "the request's end", 20)
        assert "Traceback" not in server.printed()
        assert "status=500" not in server.printed()
        assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 0


def test_what_a_dead_process_left_of_uploads_is_erased_by_the_next(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        kept = api.upload_ready(api.create_kb("Kept"), "kept.txt", b"This stays.")
    server.stop()
    orphan = server.data_dir / "blobs" / "aa" / "bb" / ("aabb" + "0" * 60)
    orphan.parent.mkdir(parents=True)
    unknown = orphan.with_name("aabb" + "1" * 60)
    unknown.write_bytes(b"of a record that is not this one")
    note = server.data_dir / "arriving" / orphan.name
    part = server.data_dir / "incoming" / "tmpcut.part"
    for path in (orphan, note, part):
        path.write_bytes(b"never accepted")
        os.utime(path, (time.time() - 60, time.time() - 60))
    server.start()
    poll(lambda: not any(path.exists() for path in (orphan, note, part)), "the clearing", 30)
    assert unknown.exists()
    with server.client() as api:
        assert api.get(f"/knowledge-bases/{kept['kb_id']}/documents/{kept['id']}/download").content == b"This stays."


def test_liveness_depends_on_nobody(serve: ServerFactory) -> None:
    """Whatever credentials a probe sends, they are not looked up."""
    server = serve()
    for path in ("/health", "/ready", "/metrics", "/api/v1/status"):
        for headers in ({"X-API-Key": "anything"}, {"Authorization": "Bearer nonsense"}):
            assert httpx.get(server.url + path, headers=headers, trust_env=False).status_code == 200
