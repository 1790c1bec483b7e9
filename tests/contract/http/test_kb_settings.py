"""Settings of a knowledge base: what they are, who changes them, what comes of a change."""

from collections.abc import Callable
from typing import Any

import pytest
from support.server import LumiClient, poll

from .conftest import Library, assert_error

FIELDS = {
    "chunk_tokens", "chunk_overlap", "chunk_strategy", "ocr_languages", "embedding_model", "token_vectors",
    "overridden", "documents_behind", "pending",
}  # fmt: skip
TEXT = b"# Herons\n\n" + b"Herons stand in the shallow water of the lake and wait for fish. " * 60


def path_of(kb_id: str) -> str:
    return f"/knowledge-bases/{kb_id}/settings"


def ended(api: LumiClient, job_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job = api.get(f"/jobs/{job_id}").json()
        return None if job["status"] in {"queued", "processing"} else job

    return poll(look, "the end of the reprocessing")


def test_settings_follow_the_server_until_they_are_set(api: LumiClient, kb_id: str) -> None:
    before = api.get(path_of(kb_id)).json()
    assert set(before) == FIELDS
    assert (before["overridden"], before["pending"], before["documents_behind"]) == ([], None, 0)
    assert before["embedding_model"] == "all-MiniLM-L6-v2"
    changed = api.patch(path_of(kb_id), json={"chunk_tokens": 100, "chunk_strategy": "fixed"})
    assert changed.status_code == 200
    assert changed.json() == {
        **before, "chunk_tokens": 100, "chunk_strategy": "fixed", "overridden": ["chunk_strategy", "chunk_tokens"],
    }  # fmt: skip
    assert api.get(path_of(kb_id)).json() == changed.json()
    assert api.patch(path_of(kb_id), json={}).json() == changed.json()
    back = api.patch(path_of(kb_id), json={"chunk_tokens": None, "chunk_strategy": None})
    assert back.json() == before


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"chunk_tokens": 15}, "chunk_tokens", "between 16 and 254"),
        ({"chunk_tokens": 255}, "chunk_tokens", "between 16 and 254"),
        ({"chunk_tokens": "100"}, "chunk_tokens", "int"),
        ({"chunk_tokens": 100.5}, "chunk_tokens", "int"),
        ({"chunk_overlap": -1}, "chunk_overlap", "half of chunk_tokens"),
        ({"chunk_tokens": 60, "chunk_overlap": 31}, "chunk_overlap", "here 30"),
        ({"chunk_strategy": "magic"}, "chunk_strategy", "magic"),
        ({"ocr_languages": "tlh"}, "ocr_languages", "tlh"),
        ({"ocr_languages": "../eng"}, "ocr_languages", "Tesseract"),
        ({"ocr_languages": ""}, "ocr_languages", "Tesseract"),
        ({"embedding_model": "another"}, "embedding_model", "another"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused(
    api: LumiClient, kb_id: str, body: dict[str, Any], field: str, said: str
) -> None:
    before = api.get(path_of(kb_id)).json()
    response = api.patch(path_of(kb_id), json=body)
    code = "OCR_LANGUAGE_MISSING" if field == "ocr_languages" else "VALIDATION_ERROR"
    assert said in assert_error(response, 422, code)["message"]
    assert response.json()["detail"][0]["loc"] == ["body", field]
    assert api.get(path_of(kb_id)).json() == before


@pytest.mark.thorough
def test_another_embedding_model_embeds_the_same_passages_again(api: LumiClient, kb_id: str) -> None:
    document = api.upload_ready(kb_id, "herons.md", TEXT)
    path = f"/knowledge-bases/{kb_id}/documents/{document['id']}/chunks"
    before = api.get(path).json()["data"]
    pending = api.patch(path_of(kb_id), json={"embedding_model": "all-MiniLM-L6-v2-int8"}).json()["pending"]
    assert pending["embedding_model"] == "all-MiniLM-L6-v2-int8"
    assert ended(api, pending["job_id"])["status"] == "completed"
    assert api.get(path_of(kb_id)).json()["embedding_model"] == "all-MiniLM-L6-v2-int8"
    after = api.get(path).json()["data"]
    assert [chunk["content"] for chunk in after] == [chunk["content"] for chunk in before]
    assert {chunk["chunk_id"] for chunk in after}.isdisjoint(chunk["chunk_id"] for chunk in before)
    assert api.search("Where do herons wait?", kb_ids=[kb_id])
    api.upload_ready(kb_id, "storks.md", b"# Storks\n\nStorks nest on the roofs of the village.")
    assert api.get(path_of(kb_id)).json()["documents_behind"] == 0


@pytest.mark.thorough
def test_a_change_processes_documents_again_and_switches_when_all_are_done(api: LumiClient, kb_id: str) -> None:
    document = api.upload_ready(kb_id, "herons.md", TEXT)
    state = api.patch(path_of(kb_id), json={"chunk_tokens": 48}).json()
    assert (state["chunk_tokens"], state["documents_behind"]) == (254, 0)
    pending = state["pending"]
    assert set(pending) == FIELDS - {"overridden", "documents_behind", "pending"} | {"job_id", "progress"}
    assert (pending["chunk_tokens"], pending["chunk_overlap"]) == (48, 24)
    assert_error(api.patch(path_of(kb_id), json={"chunk_tokens": 64}), 409, "REPROCESS_OPEN")
    job = ended(api, pending["job_id"])
    assert (job["type"], job["status"], job["progress"], job["kb_id"]) == ("kb.reprocess", "completed", 100.0, kb_id)
    after = api.get(path_of(kb_id)).json()
    assert (after["chunk_tokens"], after["pending"], after["documents_behind"]) == (48, None, 0)
    chunks = api.get(f"/knowledge-bases/{kb_id}/documents/{document['id']}/chunks", params={"limit": 100}).json()
    assert chunks["total"] == job["result"]["chunks"] > document["chunk_count"]
    assert max(chunk["token_count"] for chunk in chunks["data"]) <= 48
    assert api.get("/jobs", params={"type": "kb.reprocess", "kb_id": kb_id}).json()["total"] == 1
    assert_error(api.post(f"/jobs/{job['id']}/cancel"), 409, "NOT_CANCELLABLE")
    assert_error(api.post(f"/jobs/{job['id']}/retry"), 409, "NOT_RETRYABLE")


def test_processing_again_what_is_up_to_date_does_nothing(api: LumiClient, library: Library) -> None:
    response = api.post(f"/knowledge-bases/{library.kb_id}/reprocess")
    assert response.status_code == 202
    assert (response.json()["pending"], response.json()["documents_behind"]) == (None, 0)


def test_who_may_not_manage_a_knowledge_base_has_no_part_in_its_settings(
    api: LumiClient, library: Library, kb_id: str, key_client: Callable[..., LumiClient]
) -> None:
    reader, elsewhere = key_client("read", "write"), key_client("read", "write", "admin", kb_ids=[kb_id])
    for client, status in ((reader, 403), (elsewhere, 404)):
        assert_error(client.get(path_of(library.kb_id)), status)
        assert_error(client.patch(path_of(library.kb_id), json={"chunk_tokens": 64}), status)
        assert_error(client.post(f"/knowledge-bases/{library.kb_id}/reprocess"), status)
    assert elsewhere.get(path_of(kb_id)).status_code == 200
    assert_error(api.get(path_of("nope")), 404, "KB_NOT_FOUND")
