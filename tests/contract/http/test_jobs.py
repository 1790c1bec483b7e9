"""Jobs: who sees them, what they tell, cancelling and trying again, the queue."""

from collections.abc import Callable
from typing import Any

import pytest
from support.server import LumiClient, poll

from .conftest import Library, assert_error

JOB = {
    "id", "type", "status", "priority", "progress", "message", "attempts", "error", "result", "kb_id", "document_id",
    "created_at", "updated_at", "started_at", "finished_at",
}  # fmt: skip

# Some seconds of work, where a busy machine has some.
LONG_TEXT = b" ".join(b"Heron number %d stands in the shallow water of the lake." % number for number in range(1_500))


def test_jobs_are_listed_newest_first_and_filtered(api: LumiClient, library: Library) -> None:
    page = api.get("/jobs", params={"kb_id": library.kb_id, "limit": 100}).json()
    assert set(page) == {"data", "total", "page", "limit", "total_pages"}
    jobs = page["data"]
    assert all(set(job) == JOB for job in jobs)
    assert {job["document_id"] for job in jobs} == {document["id"] for document in library.documents.values()}
    assert [job["created_at"] for job in jobs] == sorted((job["created_at"] for job in jobs), reverse=True)

    def ids(**params: str | list[str]) -> set[str]:
        return {
            job["id"]
            for job in api.get("/jobs", params={"kb_id": library.kb_id, "limit": 100, **params}).json()["data"]
        }

    everything = {job["id"] for job in jobs}
    assert ids(type="document.ingest", status="completed") == everything
    assert ids(type="document.purge") == set()
    assert ids(status="failed") == set()
    assert ids(status=["completed", "failed"]) == ids(status=["failed", "completed"]) == everything


@pytest.mark.parametrize(
    ("params", "allowed"),
    [({"status": "done"}, "completed"), ({"type": "ingest"}, "document.ingest, document.purge, kb.reprocess")],
)
def test_a_filter_of_jobs_that_fits_none_is_refused(api: LumiClient, params: dict[str, str], allowed: str) -> None:
    response = api.get("/jobs", params=params)
    assert allowed in assert_error(response, 422, "VALIDATION_ERROR")["message"]
    assert response.json()["detail"][0]["loc"] == ["query", *params]


def test_a_completed_job_shows_what_it_did(api: LumiClient, library: Library) -> None:
    job = api.get(f"/jobs/{library.text['job_id']}").json()
    assert set(job) == JOB
    assert (job["type"], job["status"], job["progress"]) == ("document.ingest", "completed", 100.0)
    assert (job["attempts"], job["error"], job["document_id"]) == (1, None, library.text["id"])
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]


def test_an_unknown_job_is_not_found(api: LumiClient) -> None:
    assert_error(api.get("/jobs/nope"), 404, "JOB_NOT_FOUND")


def job_of(api: LumiClient, document: dict[str, Any]) -> dict[str, Any]:
    return api.get(f"/jobs/{document['job_id']}").json()


@pytest.fixture
def begun(api: LumiClient, kb_id: str) -> dict[str, Any]:
    """A document in the middle of its ingestion."""
    document = api.upload(kb_id, "long.txt", LONG_TEXT, priority="30")
    poll(lambda: job_of(api, document)["progress"] >= 30, "the embedding's begin")
    return document


@pytest.mark.thorough
@pytest.mark.parametrize("prefix", ["", "/admin"])
def test_a_cancelled_job_leaves_a_document_that_can_be_tried_again(
    api: LumiClient, begun: dict[str, Any], prefix: str
) -> None:
    response = api.post(f"{prefix}/jobs/{begun['job_id']}/cancel")
    assert response.status_code == 200, response.text
    job = response.json()
    assert (job["status"], job["error"]["code"]) == ("cancelled", "CANCELLED")
    document = api.document(begun["id"])
    assert (document["status"], document["last_error"]["code"]) == ("FAILED", "CANCELLED")
    assert_error(api.post(f"{prefix}/jobs/{begun['job_id']}/cancel"), 409, "NOT_CANCELLABLE")
    again = api.post(f"{prefix}/jobs/{begun['job_id']}/retry")
    assert again.status_code == 202, again.text
    assert again.json()["id"] != begun["job_id"]
    assert again.json()["priority"] == job["priority"] == 30
    assert api.wait_until_ended(begun["id"])["status"] == "READY"
    assert job_of(api, begun)["status"] == "cancelled"


@pytest.mark.thorough
def test_a_queued_job_is_cancelled_before_its_turn(api: LumiClient, kb_id: str, begun: dict[str, Any]) -> None:
    waiting = [api.upload(kb_id, f"{number}.txt", b"Wait. %d " % number + LONG_TEXT) for number in range(4)]
    assert api.post(f"/jobs/{waiting[-1]['job_id']}/cancel").status_code == 200
    assert api.document(waiting[-1]["id"])["status"] == "FAILED"
    for document in (begun, *waiting[:-1]):
        assert api.post(f"/jobs/{document['job_id']}/cancel").status_code == 200


def test_an_erasure_is_not_cancelled(api: LumiClient, kb_id: str) -> None:
    document = api.upload_ready(kb_id, "gone.txt", b"Gone before long.")
    api.delete(f"/documents/{document['id']}")
    jobs = api.get("/jobs", params={"type": "document.purge", "kb_id": kb_id}).json()["data"]
    assert_error(api.post(f"/jobs/{jobs[0]['id']}/cancel"), 409, "NOT_CANCELLABLE")


def test_only_what_did_not_end_well_is_tried_again(api: LumiClient, library: Library, begun: dict[str, Any]) -> None:
    assert_error(api.post(f"/jobs/{library.text['job_id']}/retry"), 409, "NOT_RETRYABLE")
    assert_error(api.post(f"/jobs/{begun['job_id']}/retry"), 409, "NOT_RETRYABLE")
    assert_error(api.post("/jobs/nope/retry"), 404, "JOB_NOT_FOUND")
    assert_error(api.post("/jobs/nope/cancel"), 404, "JOB_NOT_FOUND")
    api.post(f"/jobs/{begun['job_id']}/cancel")


@pytest.mark.thorough
def test_jobs_are_changed_by_who_may_write_in_their_knowledge_base(
    key_client: Callable[..., LumiClient], kb_id: str, begun: dict[str, Any], library: Library, api: LumiClient
) -> None:
    path = f"/jobs/{begun['job_id']}/cancel"
    assert_error(key_client("read").post(path), 403)
    assert_error(key_client("read", "write", kb_ids=[library.kb_id]).post(path), 404, "JOB_NOT_FOUND")
    assert key_client("write", kb_ids=[kb_id]).post(path).status_code == 200
    assert api.document(begun["id"])["status"] == "FAILED"


@pytest.mark.parametrize("path", ["/operations/queue/status", "/admin/queue/status"])
@pytest.mark.thorough
def test_the_queue_shows_its_depth_and_age(
    api: LumiClient, key_client: Callable[..., LumiClient], begun: dict[str, Any], path: str
) -> None:
    body = api.get(path).json()
    assert set(body) == {"queues", "workers"}
    assert body["workers"] >= 1
    (entry,) = [
        entry for entry in body["queues"] if (entry["type"], entry["status"]) == ("document.ingest", "processing")
    ]
    assert entry["count"] >= 1
    assert entry["oldest_seconds"] >= 0
    assert_error(key_client("read").get(path), 403)
    api.post(f"/jobs/{begun['job_id']}/cancel")
