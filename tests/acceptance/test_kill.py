"""A server that dies in the middle of ingestion: every accepted document ends READY, once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import documents
from support.exactly_once import check_exactly_once, only_needed_blobs
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

DOCUMENTS = 5
PAGES = 12

ServerFactory = Callable[..., LumiServer]


def upload_some(api: LumiClient, kb_id: str, mark: str) -> list[dict[str, Any]]:
    """Documents of several pages, long enough that a kill meets them in different steps."""
    accepted: list[dict[str, Any]] = []
    for number in range(DOCUMENTS):
        pages = [
            f"Document {mark}{number} page {page}. " + "Herons stand in shallow water and wait for fish. " * 30
            for page in range(PAGES)
        ]
        accepted.append(api.upload(kb_id, f"{mark}{number}.pdf", documents.make_pdf(pages)))
    return accepted


def jobs_of(api: LumiClient) -> list[dict[str, Any]]:
    return api.get("/jobs", params={"limit": 100}).json()["data"]


def all_completed(api: LumiClient) -> bool:
    return {job["status"] for job in jobs_of(api)} == {"completed"}


def until_busy(api: LumiClient, progress: float) -> None:
    """Wait until some job has come that far, or all have ended."""

    def busy() -> bool:
        going = [job for job in jobs_of(api) if job["status"] in {"queued", "processing"}]
        return not going or any(job["progress"] >= progress for job in going)

    poll(busy, f"a job at {progress} %")


def check_served(api: LumiClient, accepted: list[dict[str, Any]]) -> None:
    """Each document is read and found."""
    for document in accepted:
        name = document["name"].removesuffix(".pdf")
        assert document["id"] in {hit["document_id"] for hit in api.search(f"Document {name} page 3", limit=50)}


@pytest.mark.timeout(240)
def test_a_killed_server_loses_and_doubles_nothing(serve: ServerFactory) -> None:
    server = serve()
    accepted: list[dict[str, Any]] = []
    with server.client() as api:
        kb_id = api.create_kb("Killed")
    for mark, progress in (("a", 0.0), ("b", 30.0), ("c", 65.0)):
        with server.client() as api:
            accepted += upload_some(api, kb_id, mark)
            until_busy(api, progress)
        server.kill()
        server.start()
        with server.client() as api:
            for document in accepted:
                assert api.wait_until_ended(document["id"])["status"] == "READY"
            poll(lambda: all_completed(api), "all jobs completed")
            check_served(api, accepted)
            poll(lambda: only_needed_blobs(server), "the end of temporary blobs")
    server.stop()
    check_exactly_once(server, accepted)


@pytest.mark.timeout(240)
def test_a_server_that_is_stopped_goes_on_where_it_was_and_counts_no_attempt(serve: ServerFactory) -> None:
    server = serve(drain_seconds=0)
    accepted: list[dict[str, Any]] = []
    with server.client() as api:
        kb_id = api.create_kb("Stopped")
        accepted = upload_some(api, kb_id, "s")
    for progress in (0.0, 12.0, 31.0, 61.0):  # more stops than attempts are allowed
        with server.client() as api:
            until_busy(api, progress)
        assert server.stop() == 0, server.printed()[-4000:]
        server.start()
    with server.client() as api:
        for document in accepted:
            assert api.wait_until_ended(document["id"])["status"] == "READY"
        poll(lambda: all_completed(api), "all jobs completed")
        assert {job["attempts"] for job in jobs_of(api)} == {1}
        check_served(api, accepted)
        poll(lambda: only_needed_blobs(server), "the end of temporary blobs")
    server.stop()
    check_exactly_once(server, accepted)


def test_a_kill_leaves_no_process_behind(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        upload_some(api, api.create_kb("Orphans"), "o")
        until_busy(api, 0.0)
    children = poll(lambda: children_of(server.pid), "a parser's process")
    server.kill()
    poll(lambda: not any(is_running(child) for child in children), "the end of the parsers", 20)


def process(pid: int) -> tuple[str, int] | None:
    """State and parent of a process (proc(5)), None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def children_of(pid: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [child for child in pids if (found := process(child)) is not None and found[1] == pid]


def is_running(pid: int) -> bool:
    found = process(pid)
    return found is not None and found[0] != "Z"
