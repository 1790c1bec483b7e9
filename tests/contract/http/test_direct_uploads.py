"""Direct uploads: begin, send, go on after a break, complete."""

import hashlib
import re
from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support import documents
from support.server import LumiClient

from .conftest import Library, Target, assert_error, unique
from .test_documents import FIELDS

TEXT = b"The crane on the quay lifts forty tonnes. Its driver climbs ninety steps.\n" * 300
SHA256 = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(scope="module")
def sender() -> Generator[httpx.Client]:
    """Somebody who holds a link and no credentials."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


def begin(api: LumiClient, kb_id: str, **wanted: Any) -> dict[str, Any]:
    body = {"kb_id": kb_id, "filename": "crane.txt", "size_bytes": len(TEXT)} | wanted
    response = api.post("/documents/presign", json=body)
    assert response.status_code == 201, response.text
    return response.json()


def complete(api: LumiClient, ticket: dict[str, Any]) -> httpx.Response:
    return api.post(f"/documents/{ticket['document_id']}/complete")


def test_an_upload_by_link_becomes_a_document(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    ticket = begin(api, kb_id, sha256=SHA256, tags=["quay"], metadata={"shelf": 3}, priority=5)
    assert set(ticket) == {"document_id", "url", "headers", "parts", "expires_at"}
    assert ticket["parts"] == []
    assert_error(api.get(f"/documents/{ticket['document_id']}"), 404, "DOCUMENT_NOT_FOUND")
    sent = sender.put(ticket["url"], content=TEXT, headers=ticket["headers"])
    assert (sent.status_code, sent.json()) == (200, {"received_bytes": len(TEXT), "size_bytes": len(TEXT)})
    completed = complete(api, ticket)
    assert completed.status_code == 202, completed.text
    document = completed.json()
    assert set(document) == FIELDS
    assert (document["id"], document["sha256"], document["duplicate_of"]) == (ticket["document_id"], SHA256, None)
    assert (document["tags"], document["metadata"]) == (["quay"], {"shelf": 3})
    assert api.get(f"/jobs/{document['job_id']}").json()["priority"] == 5
    assert api.wait_until_ended(document["id"])["status"] == "READY"
    assert api.get(f"/knowledge-bases/{kb_id}/documents/{document['id']}/download").content == TEXT
    again = complete(api, ticket)
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["job_id"]) == (document["id"], document["job_id"])
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 1


def test_an_announcement_says_all_that_an_upload_does(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    ticket = begin(api, kb_id, filename="../quay/crane.txt", document_date="2019-03-04T00:00:00Z")
    sender.put(ticket["url"], content=TEXT)
    document = complete(api, ticket).json()
    assert (document["original_filename"], document["document_date"]) == ("crane.txt", "2019-03-04T00:00:00Z")
    assert document["warnings"] == ["NAME_CHANGED: ../quay/crane.txt"]
    assert api.wait_until_ended(document["id"])["warnings"] == document["warnings"]


def test_a_collection_is_as_good_as_an_id(api: LumiClient) -> None:
    name = unique("Harbour")
    kb_id = api.create_kb(name)
    body = {"collection": name, "filename": "a.txt", "size_bytes": 5}
    for path in ("/documents", "/documents/presign"):
        assert api.post(path, json=body).status_code == 201
    form = {"files": {"file": ("crane.txt", TEXT)}, "data": {"collection": name, "tags": "quay"}}
    uploaded = api.post("/documents", **form)
    assert uploaded.status_code == 202, uploaded.text
    assert (uploaded.json()["kb_id"], uploaded.json()["tags"]) == (kb_id, ["quay"])
    form["data"] = {"kb_id": kb_id}
    assert api.post("/documents", **form).json()["duplicate_of"] == uploaded.json()["id"]


def test_a_form_without_its_knowledge_base_leaves_nothing(api: LumiClient) -> None:
    for data, status in (({}, 422), ({"kb_id": "nope"}, 404), ({"collection": "nope"}, 404)):
        response = api.post("/documents", files={"file": ("a.txt", b"Into the void.")}, data=data)
        assert_error(response, status)
    assert api.post("/operations/verify", json={}).json()["findings"] == []


def test_a_broken_upload_goes_on_where_it_was(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    ticket = begin(api, kb_id, sha256=SHA256)
    total = len(TEXT)
    assert sender.head(ticket["url"]).headers["upload-offset"] == "0"
    sender.put(ticket["url"], content=TEXT[:1000], headers={"Content-Range": f"bytes 0-999/{total}"})
    assert_error(complete(api, ticket), 409, "UPLOAD_INCOMPLETE")
    seen = sender.get(ticket["url"])
    assert (seen.json()["received_bytes"], seen.headers["upload-offset"]) == (1000, "1000")
    gap = sender.put(ticket["url"], content=TEXT[1001:], headers={"Content-Range": f"bytes 1001-{total - 1}/{total}"})
    assert assert_error(gap, 409, "UPLOAD_INCOMPLETE")["details"] == {"received_bytes": 1000}
    rest = sender.put(ticket["url"], content=TEXT[900:], headers={"Content-Range": f"bytes 900-{total - 1}/{total}"})
    assert rest.json()["received_bytes"] == total
    assert complete(api, ticket).json()["sha256"] == SHA256


def test_the_whole_file_may_be_sent_anew(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    ticket = begin(api, kb_id, sha256=SHA256)
    sender.put(ticket["url"], content=TEXT[::-1])
    sender.put(ticket["url"], content=TEXT)
    assert complete(api, ticket).json()["sha256"] == SHA256


def test_bytes_that_were_not_announced_are_a_mismatch(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    ticket = begin(api, kb_id, sha256="0" * 64)
    assert_error(sender.put(ticket["url"], content=TEXT + b"x"), 409, "UPLOAD_MISMATCH")
    other = {"Content-Range": f"bytes 0-{len(TEXT)}/{len(TEXT) + 1}"}
    assert_error(sender.put(ticket["url"], content=TEXT + b"x", headers=other), 409, "UPLOAD_MISMATCH")
    assert sender.put(ticket["url"], content=TEXT).status_code == 200
    for _ in range(2):
        assert_error(complete(api, ticket), 409, "UPLOAD_MISMATCH")
    assert_error(sender.put(ticket["url"], content=TEXT), 410, "UPLOAD_EXPIRED")
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 0


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("crane", documents.MP3, 415, "UNSUPPORTED_FILE_TYPE"),
        ("crane.pdf", TEXT, 400, "MIME_TYPE_MISMATCH"),
    ],
)
def test_what_an_upload_refuses_is_refused_when_it_is_complete(
    api: LumiClient, sender: httpx.Client, kb_id: str, name: str, data: bytes, status: int, code: str
) -> None:
    ticket = begin(api, kb_id, filename=name, size_bytes=len(data))
    assert sender.put(ticket["url"], content=data).status_code == 200
    for _ in range(2):
        assert_error(complete(api, ticket), status, code)


def test_the_same_bytes_are_one_document(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    first = api.upload(kb_id, "first.txt", TEXT)
    ticket = begin(api, kb_id)
    sender.put(ticket["url"], content=TEXT)
    for _ in range(2):
        document = complete(api, ticket).json()
        assert document["id"] == document["duplicate_of"] == first["id"]
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 1


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"size_bytes": 0}, 400, "EMPTY_FILE"),
        ({"size_bytes": -1}, 422, "VALIDATION_ERROR"),
        ({"size_bytes": "5"}, 422, "VALIDATION_ERROR"),
        ({"size_bytes": 10**14}, 413, "FILE_TOO_LARGE"),
        ({"sha256": "XYZ"}, 422, "VALIDATION_ERROR"),
        ({"filename": ""}, 422, "VALIDATION_ERROR"),
        ({"filename": "///"}, 422, "VALIDATION_ERROR"),
        ({"kb_id": "nope"}, 404, "KB_NOT_FOUND"),
        ({"kb_id": None}, 422, "VALIDATION_ERROR"),
        ({"collection": "both"}, 422, "VALIDATION_ERROR"),
        ({"surprise": 1}, 422, "VALIDATION_ERROR"),
        ({"priority": 0}, 422, "VALIDATION_ERROR"),
    ],
    ids=str,
)
def test_an_upload_that_could_not_be_accepted_is_not_begun(
    api: LumiClient, kb_id: str, wanted: dict[str, Any], status: int, code: str
) -> None:
    body = {"kb_id": kb_id, "filename": "crane.txt", "size_bytes": len(TEXT)} | wanted
    for path in ("/documents", "/documents/presign"):
        assert_error(api.post(path, json=body), status, code)


def test_a_body_that_is_neither_form_is_refused(api: LumiClient) -> None:
    assert_error(api.post("/documents", content=b"{", headers={"Content-Type": "application/json"}), 400)
    assert_error(api.post("/documents", content=b"x", headers={"Content-Type": "text/plain"}), 415)


def test_a_link_is_good_for_its_upload_alone(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    ticket, other = begin(api, kb_id), begin(api, kb_id)
    url = ticket["url"]
    forged = [
        url.replace(ticket["document_id"], other["document_id"]),
        re.sub(r"expires=\d+", "expires=99999999999", url),
        re.sub(r"signature=\w+", "signature=" + "0" * 64, url),
        re.sub(r"signature=\w+", "signature=%C3%BC", url),
        url.partition("?")[0],
    ]
    for link in forged:
        assert_error(sender.put(link, content=TEXT), 403, "BAD_UPLOAD_LINK")
        assert_error(sender.get(link), 403, "BAD_UPLOAD_LINK")
    signature = re.search(r"signature=(\w+)", url)
    assert signature is not None
    origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/api/v1"
    headers = {"Authorization": f"Bearer {signature[1]}"}
    assert_error(sender.post(f"{origin}/documents/{ticket['document_id']}/complete", headers=headers), 401)
    assert_error(sender.delete(url), 405)
    assert sender.head(url).headers["upload-offset"] == "0"


@pytest.mark.parametrize(
    "given", ["bytes 5-4/22200", "bytes 0-22200/22200", "bytes 0-/22200", "pages 1-2/3", "bytes 0-1/*", "x" * 5000]
)
def test_a_content_range_that_is_none_is_refused(api: LumiClient, sender: httpx.Client, kb_id: str, given: str) -> None:
    ticket = begin(api, kb_id)
    assert_error(sender.put(ticket["url"], content=TEXT, headers={"Content-Range": given}), 422, "VALIDATION_ERROR")


def test_only_who_may_write_begins_and_completes(
    api: LumiClient,
    anonymous: LumiClient,
    sender: httpx.Client,
    key_client: Callable[..., LumiClient],
    kb_id: str,
    library: Library,
) -> None:
    ticket = begin(api, kb_id)
    sender.put(ticket["url"], content=TEXT)
    body = {"kb_id": kb_id, "filename": "a.txt", "size_bytes": 5}
    elsewhere = key_client("read", "write", kb_ids=[library.kb_id])
    for client, begun, completed in ((anonymous, 401, 401), (key_client("read"), 403, 403), (elsewhere, 404, 404)):
        assert_error(client.post("/documents/presign", json=body), begun)
        assert_error(client.post("/documents", json=body), begun)
        assert_error(complete(client, ticket), completed)
    writer = key_client("write", kb_ids=[kb_id])
    assert writer.post("/documents/presign", json=body).status_code == 201
    assert complete(writer, ticket).status_code == 202
    assert_error(complete(elsewhere, ticket), 404, "DOCUMENT_NOT_FOUND")


def test_an_upload_that_is_none_is_not_found(api: LumiClient, library: Library) -> None:
    for upload_id in ("nope", "01890000-0000-7000-8000-000000000000", library.text["id"]):
        assert_error(api.post(f"/documents/{upload_id}/complete"), 404, "DOCUMENT_NOT_FOUND")


def test_an_upload_into_a_knowledge_base_that_went_away_is_not_found(api: LumiClient, sender: httpx.Client) -> None:
    gone = api.create_kb(unique("Gone"))
    ticket = begin(api, gone)
    sender.put(ticket["url"], content=TEXT)
    api.delete(f"/knowledge-bases/{gone}")
    assert_error(complete(api, ticket), 404, "DOCUMENT_NOT_FOUND")


def test_an_encrypted_upload_is_completed_with_its_password(api: LumiClient, sender: httpx.Client, kb_id: str) -> None:
    data = documents.make_pdf(["The vault opens at nine."], encrypted=True)
    ticket = begin(api, kb_id, filename="vault.pdf", size_bytes=len(data))
    sender.put(ticket["url"], content=data).raise_for_status()
    path = f"/documents/{ticket['document_id']}/complete"
    assert_error(api.post(path, json={"password": "x" * 256}), 422)
    assert api.post(path, json={"password": "secret"}).status_code == 202
    assert api.wait_until_ended(ticket["document_id"])["status"] == "READY"


def test_a_link_names_the_server_as_the_client_does(target: Target, api: LumiClient, kb_id: str) -> None:
    assert begin(api, kb_id)["url"].startswith(f"{target.url}/api/v1/uploads/")


def test_a_name_that_would_be_refused_begins_no_upload(api: LumiClient, kb_id: str) -> None:
    body = {"kb_id": kb_id, "filename": "tool.exe", "size_bytes": 100}
    assert_error(api.post("/documents/presign", json=body), 415, "UNSUPPORTED_FILE_TYPE")
