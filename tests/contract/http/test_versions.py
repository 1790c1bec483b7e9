"""New versions, undoing a delete, names and tags, and changing many documents at once."""

from collections.abc import Callable
from typing import Any

import pytest
from support import documents
from support.server import LumiClient, poll

from .conftest import assert_error

PARAGRAPHS = [
    f"Paragraph {number} tells that the mill of Ostwald grinds {number} sacks of rye a day. " * 12
    for number in range(8)
]
FIRST = "\n\n".join(PARAGRAPHS)
SECOND = "\n\n".join([*PARAGRAPHS[:-1], "The last paragraph is about the windlass of Karsholm. " * 12])


@pytest.fixture
def mill(api: LumiClient, kb_id: str) -> dict[str, Any]:
    """A document of one version, READY."""
    return api.upload_ready(kb_id, "mill.txt", FIRST.encode())


def path_of(document: dict[str, Any]) -> str:
    return f"/knowledge-bases/{document['kb_id']}/documents/{document['id']}"


def reupload(api: LumiClient, document: dict[str, Any], filename: str, data: bytes) -> dict[str, Any]:
    response = api.post(f"{path_of(document)}/reupload", files={"file": (filename, data)})
    assert response.status_code == 202, response.text
    return response.json()


def found(api: LumiClient, document: dict[str, Any], query: str) -> bool:
    hits = api.search(query, kb_ids=[document["kb_id"]], keyword_weight=1.0)
    return document["id"] in {hit["document_id"] for hit in hits}


def test_a_new_version_replaces_the_old_one_and_keeps_what_stayed_the_same(
    api: LumiClient, mill: dict[str, Any]
) -> None:
    accepted = reupload(api, mill, "mill-2.txt", SECOND.encode())
    assert (accepted["id"], accepted["version"], accepted["status"]) == (mill["id"], 2, "READY")
    document = api.wait_until_ended(mill["id"])
    assert (document["status"], document["version"], document["original_filename"]) == ("READY", 2, "mill-2.txt")
    assert found(api, mill, "windlass")
    result = api.get(f"/jobs/{document['job_id']}").json()["result"]
    assert result["chunks"] == document["chunk_count"]
    assert 0 < result["embeddings_copied"] < result["chunks"]
    versions = api.get(f"{path_of(mill)}/versions").json()["data"]
    assert [(item["version"], item["current"], item["status"]) for item in versions] == [
        (2, True, "READY"),
        (1, False, "READY"),
    ]
    for number, text in ((None, SECOND), (1, FIRST), (2, SECOND)):
        params = {} if number is None else {"version": number}
        assert api.get(f"{path_of(mill)}/content", params=params).json()["text"] == text
        assert api.get(f"{path_of(mill)}/download", params=params).content == text.encode()
    for wrong in (3, 0, -1, 2**31, 2**63, 2**200):
        assert_error(api.get(f"{path_of(mill)}/content", params={"version": wrong}), 404, "VERSION_NOT_FOUND")
    chunks = api.get(f"{path_of(mill)}/chunks", params={"limit": 100}).json()["data"]
    assert {chunk["version"] for chunk in chunks} == {2}
    assert all(SECOND[chunk["char_start"] : chunk["char_end"]] == chunk["content"] for chunk in chunks)


def test_a_version_that_cannot_be_read_leaves_the_old_one_answering(api: LumiClient, mill: dict[str, Any]) -> None:
    reupload(api, mill, "mill.pdf", documents.make_pdf(["Nobody reads this."], encrypted=True))
    document = poll(lambda: next((one for one in [api.document(mill["id"])] if one["last_error"]), None), "the failure")
    assert (document["status"], document["version"]) == ("READY", 2)
    assert found(api, mill, "mill of Ostwald")
    for mime_type, answers in {"text/plain": True, "application/pdf": False}.items():
        filters = {"mime_types": [mime_type]}
        assert bool(api.search("mill of Ostwald", kb_ids=[mill["kb_id"]], filters=filters)) == answers
    assert api.get(f"{path_of(mill)}/content").json()["text"] == FIRST
    assert api.post(f"{path_of(mill)}/retry").status_code == 202
    api.wait_until_ended(mill["id"])
    document = api.upload(mill["kb_id"], "other.txt", b"Another document altogether.")
    assert_error(
        api.post(f"{path_of(mill)}/reupload", files={"file": ("a.txt", b"Another document altogether.")}),
        409,
        "DUPLICATE_DOCUMENT",
    )
    reupload(api, mill, "mill.txt", SECOND.encode())
    document = api.wait_until_ended(mill["id"])
    assert (document["status"], document["version"], document["last_error"]) == ("READY", 3, None)


def test_the_same_bytes_make_no_version(api: LumiClient, mill: dict[str, Any]) -> None:
    again = reupload(api, mill, "renamed.txt", FIRST.encode())
    assert (again["version"], again["duplicate_of"]) == (1, mill["id"])


def test_of_two_versions_in_a_row_the_last_one_stays(api: LumiClient, mill: dict[str, Any]) -> None:
    for number in range(3):
        reupload(api, mill, "mill.txt", f"{FIRST}\n\nRevision {number} names the Quern.".encode())
    document = api.wait_until_ended(mill["id"])
    assert document["version"] == 4
    assert api.get(f"{path_of(mill)}/content").json()["text"].endswith("Revision 2 names the Quern.")


def test_a_delete_can_be_undone(api: LumiClient, mill: dict[str, Any]) -> None:
    assert api.delete(path_of(mill)).status_code == 204
    assert not found(api, mill, "mill of Ostwald")
    restored = api.post(f"{path_of(mill)}/restore")
    assert restored.status_code == 200, restored.text
    assert found(api, mill, "mill of Ostwald")
    assert_error(api.post(f"{path_of(mill)}/restore"), 404, "DOCUMENT_NOT_FOUND")


def test_a_document_that_was_deleted_while_it_was_read_is_read_after_all(api: LumiClient, kb_id: str) -> None:
    document = api.upload(kb_id, "hasty.txt", FIRST.encode())
    assert api.delete(path_of(document)).status_code == 204
    assert api.post(f"{path_of(document)}/restore").status_code == 200
    assert api.wait_until_ended(document["id"])["status"] == "READY"


def test_a_delete_is_not_undone_beside_a_second_upload(api: LumiClient, mill: dict[str, Any]) -> None:
    api.delete(path_of(mill))
    assert api.upload(mill["kb_id"], "mill.txt", FIRST.encode())["id"] != mill["id"]
    assert_error(api.post(f"{path_of(mill)}/restore"), 409, "DUPLICATE_DOCUMENT")


def test_name_tags_and_metadata_are_changed(api: LumiClient, mill: dict[str, Any]) -> None:
    changed = api.patch(path_of(mill), json={"name": "Rye mill.txt", "tags": ["b", "a", "a"]}).json()
    assert (changed["name"], changed["tags"], changed["metadata"]) == ("Rye mill.txt", ["a", "b"], {})
    changed = api.patch(path_of(mill), json={"metadata": {"shelf": 3}}).json()
    assert (changed["name"], changed["tags"], changed["metadata"]) == ("Rye mill.txt", ["a", "b"], {"shelf": 3})
    assert api.search("mill", kb_ids=[mill["kb_id"]])[0]["document_name"] == "Rye mill.txt"
    for wrong in ("", " ", "...", "a/"):
        assert assert_error(api.patch(path_of(mill), json={"name": wrong}), 422)["details"] == {"field": "name"}
    assert_error(api.patch(path_of(mill), json={"nome": "x"}), 422)
    assert_error(api.patch(path_of(mill), json={"metadata": {"a": "\0"}}), 422)


def test_a_name_that_is_not_kept_as_it_is_says_so_until_the_next_one(api: LumiClient, mill: dict[str, Any]) -> None:
    changed = api.patch(path_of(mill), json={"name": "Q1/Q2 \u202emill\n.txt"}).json()
    assert (changed["name"], changed["warnings"]) == ("Q2 mill.txt", ["NAME_CHANGED: Q1/Q2 \ufffdmill\ufffd.txt"])
    changed = api.patch(path_of(mill), json={"tags": ["rye"]}).json()
    assert changed["warnings"] == ["NAME_CHANGED: Q1/Q2 \ufffdmill\ufffd.txt"]
    changed = api.patch(path_of(mill), json={"name": "Mill.txt"}).json()
    assert (changed["name"], changed["warnings"]) == ("Mill.txt", [])
    again = reupload(api, mill, "rye/mill.txt", SECOND.encode())
    assert (again["name"], again["original_filename"]) == ("Mill.txt", "mill.txt")
    assert api.wait_until_ended(mill["id"])["warnings"] == ["NAME_CHANGED: rye/mill.txt"]


def test_many_documents_are_changed_each_for_itself(api: LumiClient, kb_id: str) -> None:
    birds = [api.upload_ready(kb_id, f"{name}.txt", f"The {name} sings at dawn.".encode()) for name in ("wren", "lark")]
    ids = [document["id"] for document in birds]
    path = f"/knowledge-bases/{kb_id}/documents/bulk"

    def bulk(action: str, *ids: str, **more: Any) -> list[tuple[bool, str | None]]:
        response = api.post(path, json={"action": action, "ids": list(ids), **more})
        assert response.status_code == 200, response.text
        results = response.json()["results"]
        assert [result["id"] for result in results] == list(ids)
        return [(result["ok"], result["error"] and result["error"]["code"]) for result in results]

    assert bulk("tag", ids[0], "nope", tags=["bird"]) == [(True, None), (False, "DOCUMENT_NOT_FOUND")]
    assert api.document(ids[0])["tags"] == ["bird"]
    assert bulk("retry", *ids) == [(False, "NOT_RETRYABLE"), (False, "NOT_RETRYABLE")]
    assert bulk("archive", ids[0]) == [(True, None)]
    assert not found(api, birds[0], "wren")
    assert api.document(ids[0])["status"] == "ARCHIVED"
    assert bulk("archive", ids[0]) == [(False, "VALIDATION_ERROR")]
    assert bulk("unarchive", ids[0]) == [(True, None)]
    assert found(api, birds[0], "wren")
    assert bulk("delete", *ids) == [(True, None), (True, None)]
    for wrong in ({"action": "burn", "ids": ids}, {"action": "tag", "ids": ids}, {"action": "delete", "ids": []}):
        assert_error(api.post(path, json=wrong), 422)
    assert_error(api.post(path, json={"action": "delete", "ids": ["x"] * 501}), 422)


def test_a_knowledge_base_is_emptied_by_its_name(api: LumiClient, mill: dict[str, Any]) -> None:
    path = f"/knowledge-bases/{mill['kb_id']}/documents"
    name = api.get(f"/knowledge-bases/{mill['kb_id']}").json()["name"]
    assert_error(api.delete(path), 422)
    assert_error(api.delete(path, params={"confirm": "another"}), 422, "NOT_CONFIRMED")
    assert api.delete(path, params={"confirm": name}).json() == {"deleted": 1}
    assert not found(api, mill, "mill of Ostwald")


def test_a_reader_changes_nothing(key_client: Callable[..., LumiClient], mill: dict[str, Any]) -> None:
    reader = key_client("read")
    for call in (
        reader.patch(path_of(mill), json={"name": "x"}),
        reader.post(f"{path_of(mill)}/reupload", files={"file": ("a.txt", b"x")}),
        reader.post(f"{path_of(mill)}/restore"),
        reader.post(f"/knowledge-bases/{mill['kb_id']}/documents/bulk", json={"action": "delete", "ids": [mill["id"]]}),
        reader.delete(f"/knowledge-bases/{mill['kb_id']}/documents", params={"confirm": "x"}),
    ):
        assert_error(call, 403)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://127.0.0.1:9/a.txt"}, 422, "URL_REFUSED"),
        ({"url": "http://[::ffff:169.254.169.254]/latest"}, 422, "URL_REFUSED"),
        ({"url": "file:///etc/passwd"}, 422, "URL_REFUSED"),
        ({"url": 7}, 422, "VALIDATION_ERROR"),
        ({"uri": "http://example.org"}, 422, "VALIDATION_ERROR"),
        ({}, 422, "VALIDATION_ERROR"),
        *(
            ({"url": "http://127.0.0.1:9/a.txt", field: value}, 422, "VALIDATION_ERROR")
            for field, value in (
                ("name", ""),
                ("name", "..."),
                ("name", 7),
                ("priority", 10**30),
                ("tags", ["x" * 101]),
            )
        ),
    ],
)
def test_only_the_public_web_is_fetched(
    api: LumiClient, kb_id: str, body: dict[str, Any], status: int, code: str
) -> None:
    error = assert_error(api.post(f"/knowledge-bases/{kb_id}/documents", json=body), status, code)
    assert error["details"]["field"] == (list(body)[-1] if body else "url")


def test_what_was_uploaded_is_not_fetched_again(api: LumiClient, mill: dict[str, Any]) -> None:
    assert_error(api.post(f"{path_of(mill)}/refetch"), 409, "NO_SOURCE_URL")
