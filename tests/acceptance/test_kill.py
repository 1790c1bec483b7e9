"""A server that dies in the middle of ingestion: every accepted document ends READY, once."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import documents
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

DOCUMENTS = 5
PAGES = 12
TABLES = ("documents", "document_versions", "chunk_sets", "chunks", "change_log", "jobs")

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


def rows(server: LumiServer, table: str) -> list[dict[str, Any]]:
    """The rows of a table of the embedded record."""
    connection = sqlite3.connect(f"file:{server.data_dir / 'lumikb.sqlite3'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
    finally:
        connection.close()


def only_needed_blobs(server: LumiServer) -> bool:
    """Whether the store holds what versions refer to, and nothing that steps left for each other."""
    versions = rows(server, "document_versions")
    needed = {version[name] for version in versions for name in ("sha256", "parsed_sha256")}
    return {path.name for path in (server.data_dir / "blobs").rglob("*") if path.is_file()} == needed


def check_exactly_once(server: LumiServer, accepted: list[dict[str, Any]]) -> None:
    """Each document is READY with one chunk set, its chunks are there once, and the log tells of each once."""
    found = {name: rows(server, name) for name in TABLES}
    by_id = {document["id"]: document for document in found["documents"]}
    assert len(accepted) == len({document["id"] for document in accepted}) == len(by_id)
    for document in accepted:
        row = by_id[document["id"]]
        assert row["status"] == "READY", row
        assert row["error_code"] is None
        (chunk_set,) = [one for one in found["chunk_sets"] if one["document_id"] == row["id"]]
        assert row["current_chunk_set_id"] == chunk_set["id"]
        ordinals = [chunk["ordinal"] for chunk in found["chunks"] if chunk["document_id"] == row["id"]]
        assert sorted(ordinals) == list(range(chunk_set["chunk_count"]))
        assert chunk_set["chunk_count"] > 0
        (job,) = [job for job in found["jobs"] if job["document_id"] == row["id"]]
        assert (job["id"], job["status"]) == (row["job_id"], "completed")
    assert [change["op"] for change in found["change_log"]] == ["add"] * len(accepted)
    logged = [key for change in found["change_log"] for key in np.frombuffer(change["chunk_keys"], "<i8").tolist()]
    assert sorted(logged) == sorted(chunk["key"] for chunk in found["chunks"])


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
