"""Encrypted files, with their password and without."""

from typing import Any

import pytest
from support import documents
from support.locked import lock_office
from support.server import LumiClient

from .conftest import Library, assert_error

OPENING = "The vault opens at nine."
LOCKED = {
    "vault.pdf": documents.make_pdf([OPENING], encrypted=True, password="secret"),
    "vault.docx": lock_office(documents.make_docx([("Normal", OPENING)]), "secret"),
}


def test_an_encrypted_file_fails_with_a_reason_and_can_be_tried_again(api: LumiClient, kb_id: str) -> None:
    data = documents.make_pdf(["Nobody may read this."], encrypted=True)
    failed = api.wait_until_ended(api.upload(kb_id, "secret.pdf", data)["id"])
    assert failed["status"] == "FAILED"
    assert failed["last_error"]["code"] == "ENCRYPTED"
    assert failed["last_error"]["message"]
    job = api.get(f"/jobs/{failed['job_id']}").json()
    assert (job["status"], job["error"]) == ("failed", failed["last_error"])

    path = f"/knowledge-bases/{kb_id}/documents/{failed['id']}"
    assert_error(api.get(f"{path}/content"), 409, "DOCUMENT_NOT_READY")
    assert api.get(f"{path}/chunks").json()["data"] == []
    assert api.get(f"{path}/download").content == data

    retried = api.post(f"{path}/retry")
    assert retried.status_code == 202
    assert retried.json()["retry_count"] == 1
    assert retried.json()["job_id"] != failed["job_id"]
    assert retried.json()["last_error"] is None
    again = api.wait_until_ended(failed["id"])
    assert (again["status"], again["last_error"]["code"]) == ("FAILED", "ENCRYPTED")
    # The same bytes again try the failed document once more, and are still one document.
    assert api.upload(kb_id, "secret.pdf", data)["id"] == failed["id"]
    assert api.wait_until_ended(failed["id"])["retry_count"] == 2


@pytest.mark.parametrize("name", LOCKED)
def test_an_upload_with_its_password_is_read(api: LumiClient, kb_id: str, name: str) -> None:
    document = api.upload_ready(kb_id, name, LOCKED[name], password="secret")
    assert "secret" not in str(document)
    (hit,) = api.search("When does the vault open?", kb_ids=[kb_id], limit=1)
    assert hit["document_id"] == document["id"]


@pytest.mark.parametrize("name", LOCKED)
def test_a_password_is_given_with_a_retry(api: LumiClient, kb_id: str, name: str) -> None:
    failed = api.wait_until_ended(api.upload(kb_id, name, LOCKED[name], password="wrong guess")["id"])
    assert (failed["status"], failed["last_error"]["code"]) == ("FAILED", "ENCRYPTED")
    assert "wrong guess" not in str(failed) + api.get(f"/jobs/{failed['job_id']}").text
    path = f"/knowledge-bases/{kb_id}/documents/{failed['id']}"
    assert api.post(f"{path}/retry").status_code == 202  # without one it is what it was
    assert api.wait_until_ended(failed["id"])["last_error"]["code"] == "ENCRYPTED"
    assert api.post(f"{path}/retry", json={"password": "secret"}).status_code == 202
    assert api.wait_until_ended(failed["id"])["status"] == "READY"


def test_uploading_an_encrypted_file_again_with_its_password_is_a_retry(api: LumiClient, kb_id: str) -> None:
    data = documents.make_pdf(["The vault is empty."], encrypted=True)
    failed = api.wait_until_ended(api.upload(kb_id, "vault.pdf", data)["id"])
    again = api.upload_ready(kb_id, "vault.pdf", data, password="secret")
    assert again["id"] == failed["id"]


@pytest.mark.parametrize("body", [{"password": 5}, {"password": "x" * 256}, {"pass": "secret"}], ids=str)
def test_a_password_that_is_none_is_refused_and_not_repeated(
    api: LumiClient, library: Library, body: dict[str, Any]
) -> None:
    response = api.post(f"{library.path()}/retry", json=body)
    assert_error(response, 422, "VALIDATION_ERROR")
    assert "xxxx" not in response.text
