"""A change of settings under load: the old answers until the new set switches at once, whatever happens between."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from support.exactly_once import only_needed_blobs, rows
from support.postgres import PostgresServer
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

DOCUMENTS = 30
SENTENCES = 60

ServerFactory = Callable[..., LumiServer]


def text_of(name: str) -> bytes:
    """Some thousand tokens."""
    sentences = (
        f"Heron {name} number {number} stands in the shallow water of the lake and waits for fish."
        for number in range(SENTENCES)
    )
    return f"# Document {name}\n\n{' '.join(sentences)}\n".encode()


def fill(api: LumiClient, kb_id: str, count: int = DOCUMENTS) -> list[str]:
    accepted = [api.upload(kb_id, f"{name}.md", text_of(f"d{name}"))["id"] for name in range(count)]
    for document_id in accepted:
        assert api.wait_until_ended(document_id)["status"] == "READY"
    return accepted


def settings_of(api: LumiClient, kb_id: str) -> dict[str, Any]:
    return api.get(f"/knowledge-bases/{kb_id}/settings").json()


def change(api: LumiClient, kb_id: str, **settings: Any) -> str:
    """Change settings; gives the job that brings them about."""
    response = api.patch(f"/knowledge-bases/{kb_id}/settings", json=settings)
    assert response.status_code == 200, response.text
    return response.json()["pending"]["job_id"]


def job_of(api: LumiClient, job_id: str) -> dict[str, Any]:
    return api.get(f"/jobs/{job_id}").json()


def until_progress(api: LumiClient, job_id: str, percent: float) -> None:
    poll(lambda: job_of(api, job_id)["progress"] >= percent, f"{percent} % of the reprocessing")


def until_completed(api: LumiClient, job_id: str) -> dict[str, Any]:
    job = poll(
        lambda: (job := job_of(api, job_id))["status"] not in {"queued", "processing"} and job,
        "the end of the reprocessing",
        180,
    )
    assert job["status"] == "completed", job
    return job


def until_clear(server: LumiServer) -> None:
    """Wait until every set answers, and none is left of what was before."""

    def clear() -> bool:
        sets = {row["id"] for row in rows(server, "chunk_sets")}
        return sets == {row["current_chunk_set_id"] for row in rows(server, "documents")}

    poll(clear, "the erasure of sets that answer nobody")
    assert {row["chunk_set_id"] for row in rows(server, "chunks")} == {row["id"] for row in rows(server, "chunk_sets")}


def chunk_ids(api: LumiClient, kb_id: str, document_ids: list[str]) -> set[str]:
    found: set[str] = set()
    for document_id in document_ids:
        page = 1
        while True:
            path = f"/knowledge-bases/{kb_id}/documents/{document_id}/chunks"
            body = api.get(path, params={"limit": 100, "page": page}).json()
            found |= {chunk["chunk_id"] for chunk in body["data"]}
            if page >= body["total_pages"]:
                break
            page += 1
    return found


def sound(api: LumiClient) -> bool:
    return not api.post("/operations/verify", json={"repair": False}).json()["findings"]


@contextmanager
def searching(server: LumiServer, kb_id: str) -> Any:
    """Search over and over in two threads; gives the list of what each search found."""
    found: list[list[str]] = []
    answers: list[bool] = []
    ended = threading.Event()

    def search(number: int) -> None:
        with server.client() as api:
            while not ended.is_set():
                hits = api.search(f"heron d{number} number {len(found) % 100} in the lake", kb_ids=[kb_id], limit=20)
                found.append([hit["chunk_id"] for hit in hits])
                time.sleep(0.03)

    def ask() -> None:
        with server.client() as api:
            while not ended.is_set():
                answers.append(api.ask("Where does heron d3 number 7 stand?", kb_ids=[kb_id])["abstained"])
                time.sleep(0.2)

    threads = [threading.Thread(target=search, args=(number,)) for number in (3, 4)] + [threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    try:
        yield found, answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_search_answers_from_the_old_set_or_from_the_new(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        kb_id = api.create_kb("Herons")
        accepted = fill(api, kb_id)
        other = api.create_kb("Storks")
        (kept,) = fill(api, other, 1)
        old, of_other = chunk_ids(api, kb_id, accepted), chunk_ids(api, other, [kept])
        with searching(server, kb_id) as (found, answers):
            job_id = change(api, kb_id, chunk_tokens=96)
            assert settings_of(api, kb_id)["chunk_tokens"] == 254
            shown = [0.0]
            while (job := job_of(api, job_id))["status"] in {"queued", "processing"}:
                shown.append(job["progress"])
                time.sleep(0.1)
            time.sleep(1)
        assert job["status"] == "completed", job
        assert shown == sorted(shown)
        assert len(set(shown)) > 5
        new = chunk_ids(api, kb_id, accepted)
        assert len(new) > 1.5 * len(old)
        assert not old & new
        kinds = ["old" if set(hits) <= old else "new" if set(hits) <= new else "mixed" for hits in found]
        assert all(len(hits) == 20 for hits in found), [len(hits) for hits in found]
        assert "mixed" not in kinds
        assert {"old", "new"} == set(kinds)
        assert answers
        assert not any(answers)
        state = settings_of(api, kb_id)
        assert (state["chunk_tokens"], state["documents_behind"], state["pending"]) == (96, 0, None)
        assert job["result"]["documents"] == DOCUMENTS
        assert job["result"]["chunks"] == len(new)
        assert chunk_ids(api, other, [kept]) == of_other
        until_clear(server)
        assert sound(api)


@pytest.mark.timeout(300)
def test_a_server_that_is_killed_goes_on_where_it_was(serve: ServerFactory) -> None:
    server = serve(embedding_threads=1)
    with server.client() as api:
        kb_id = api.create_kb("Killed")
        accepted = fill(api, kb_id, 12)
        old = chunk_ids(api, kb_id, accepted)
        job_id = change(api, kb_id, chunk_tokens=64, chunk_strategy="fixed")
    for percent in (10, 40, 70):
        with server.client() as api:
            until_progress(api, job_id, percent)
            made = sum(row["job_id"] == job_id for row in rows(server, "chunk_sets"))
        server.kill()
        assert {row["chunk_id"] for row in rows(server, "chunks")} > old
        server.start()
        with server.client() as api:
            assert chunk_ids(api, kb_id, accepted) == old
            assert sum(row["job_id"] == job_id for row in rows(server, "chunk_sets")) >= made
    with server.client() as api:
        until_completed(api, job_id)
        assert settings_of(api, kb_id)["chunk_strategy"] == "fixed"
        until_clear(server)
        assert not old & chunk_ids(api, kb_id, accepted)
        assert sound(api)
        assert only_needed_blobs(server)


@pytest.mark.timeout(240)
def test_a_job_that_is_cancelled_keeps_the_old(serve: ServerFactory) -> None:
    server = serve(embedding_threads=1)
    with server.client() as api:
        kb_id = api.create_kb("Cancelled")
        accepted = fill(api, kb_id, 10)
        old, before = chunk_ids(api, kb_id, accepted), settings_of(api, kb_id)
        job_id = change(api, kb_id, chunk_tokens=64)
        until_progress(api, job_id, 25)
        assert sound(api)  # what waits for the switch is no difference
        began = time.monotonic()
        assert api.post(f"/jobs/{job_id}/cancel").json()["status"] == "cancelled"
        assert settings_of(api, kb_id) == before
        assert time.monotonic() - began < 1
        until_clear(server)
        assert chunk_ids(api, kb_id, accepted) == old
        assert sound(api)
        # The same change again, and the job tried again, both come to their end.
        again = api.post(f"/jobs/{job_id}/retry").json()
        assert until_completed(api, again["id"])["result"]["documents"] == 10
        assert settings_of(api, kb_id)["chunk_tokens"] == 64


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_documents_that_come_change_and_go_meanwhile_are_right(
    serve: ServerFactory, database: str, request: pytest.FixtureRequest
) -> None:
    url = ""
    if database == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        url = postgres.new_database()
    server = serve(undo_seconds=600, database_url=url, embedding_threads=1)
    with server.client() as api:
        kb_id = api.create_kb("Busy")
        accepted = fill(api, kb_id, 8)
        path = f"/knowledge-bases/{kb_id}/documents"
        job_id = change(api, kb_id, chunk_tokens=64)
        until_progress(api, job_id, 30)
        come = api.upload(kb_id, "come.md", text_of("come"))["id"]
        api.delete(f"{path}/{accepted[0]}")
        api.delete(f"{path}/{accepted[7]}")
        renewed = api.post(f"{path}/{accepted[1]}/reupload", files={"file": ("1.md", text_of("renewed"))})
        assert renewed.status_code == 202, renewed.text
        until_completed(api, job_id)
        for document_id in (come, accepted[1]):
            poll(lambda document_id=document_id: api.document(document_id)["progress"] == 100, "the new documents")
        for restored in (accepted[0], accepted[7]):
            assert api.post(f"{path}/{restored}/restore").status_code == 200
        for document_id in [*accepted, come]:
            page = api.get(f"{path}/{document_id}/chunks", params={"limit": 100}).json()
            assert page["total"] > 15
            assert max(chunk["token_count"] for chunk in page["data"]) <= 64
        assert settings_of(api, kb_id)["documents_behind"] == 0
        assert api.search("heron renewed number 5", kb_ids=[kb_id])[0]["document_id"] == accepted[1]
        assert api.search("heron come number 5", kb_ids=[kb_id])[0]["document_id"] == come
        poll(lambda: sound(api), "a sound record")


@pytest.mark.timeout(240)
def test_uploads_go_before_a_reprocessing(serve: ServerFactory) -> None:
    server = serve(ingest_workers=1, embedding_threads=1)
    with server.client() as api:
        kb_id = api.create_kb("Slow")
        fill(api, kb_id, 15)
        job_id = change(api, kb_id, chunk_tokens=64)
        until_progress(api, job_id, 1)
        document = api.upload_ready(api.create_kb("Quick"), "note.md", b"# Note\n\nThe tower is eleven metres high.\n")
        assert job_of(api, document["job_id"])["finished_at"] < until_completed(api, job_id)["finished_at"]


@pytest.mark.timeout(240)
def test_a_knowledge_base_that_is_deleted_ends_its_reprocessing(serve: ServerFactory) -> None:
    server = serve(embedding_threads=1)
    with server.client() as api:
        kb_id = api.create_kb("Deleted")
        fill(api, kb_id, 6)
        job_id = change(api, kb_id, chunk_tokens=64)
        until_progress(api, job_id, 1)
        assert api.delete(f"/knowledge-bases/{kb_id}").status_code == 204
        poll(lambda: job_of(api, job_id)["status"] == "cancelled", "the end of the job")
        until_clear(server)


@pytest.mark.timeout(240)
def test_a_change_of_the_servers_settings_is_brought_to_old_documents_on_request(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        kb_id = api.create_kb("Follows")
        accepted = fill(api, kb_id, 2)
    server.stop()
    server.settings["chunk_tokens"] = 100
    server.start()
    with server.client() as api:
        state = settings_of(api, kb_id)
        assert (state["chunk_tokens"], state["documents_behind"], state["overridden"]) == (100, 2, [])
        started = api.post(f"/knowledge-bases/{kb_id}/reprocess")
        assert started.status_code == 202
        until_completed(api, started.json()["pending"]["job_id"])
        assert settings_of(api, kb_id)["documents_behind"] == 0
        page = api.get(f"/knowledge-bases/{kb_id}/documents/{accepted[0]}/chunks").json()
        assert max(chunk["token_count"] for chunk in page["data"]) <= 100
