"""Documents: list, upload, facts, status, text, passages, retry, delete."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import documents
from support.server import LumiClient

from .conftest import FACTS, Library, assert_error

FIELDS = {
    "id", "kb_id", "name", "original_filename", "mime_type", "file_size_bytes", "sha256", "status", "current_step",
    "progress", "last_error", "warnings", "retry_count", "version", "page_count", "chunk_count", "tags", "metadata",
    "document_date", "extracted", "allowed_group_ids", "duplicate_of", "job_id", "created_by", "created_at",
    "updated_at",
}  # fmt: skip


def send(api: LumiClient, kb_id: str, filename: str, data: bytes, **fields: str) -> Any:
    return api.post(f"/knowledge-bases/{kb_id}/documents", files={"file": (filename, data)}, data=fields)


# Upload


def test_an_upload_is_accepted_before_it_is_processed(api: LumiClient, kb_id: str) -> None:
    response = send(api, kb_id, "note.txt", b"A short note about herons.", tags="birds, water", metadata='{"year": 1}')
    assert response.status_code == 202
    document = response.json()
    assert set(document) == FIELDS
    assert (document["status"], document["progress"], document["chunk_count"]) == ("PENDING", 0.0, 0)
    assert (document["name"], document["mime_type"], document["version"]) == ("note.txt", "text/plain", 1)
    assert document["sha256"] == hashlib.sha256(b"A short note about herons.").hexdigest()
    assert document["tags"] == ["birds", "water"]
    assert document["metadata"] == {"year": 1}
    job = api.get(f"/jobs/{document['job_id']}").json()
    assert (job["type"], job["document_id"], job["kb_id"]) == ("document.ingest", document["id"], kb_id)
    assert job["priority"] == 9  # small

    ready = api.wait_until_ended(document["id"])
    assert (ready["status"], ready["current_step"], ready["progress"]) == ("READY", "ready", 100.0)
    assert ready["chunk_count"] == 1
    assert ready["last_error"] is None
    assert api.get(f"/jobs/{document['job_id']}").json()["status"] == "completed"


def test_tags_may_come_as_json(api: LumiClient, kb_id: str) -> None:
    document = send(api, kb_id, "note.txt", b"A note with commas.", tags='["a, b", "c"]').json()
    assert document["tags"] == ["a, b", "c"]


def test_the_same_bytes_are_one_document(api: LumiClient, kb_id: str) -> None:
    first = api.upload(kb_id, "one.txt", b"The same bytes, twice.")
    second = api.upload(kb_id, "two.txt", b"The same bytes, twice.")
    assert first["duplicate_of"] is None
    assert second["id"] == second["duplicate_of"] == first["id"]
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 1


def test_bytes_of_a_deleted_document_are_a_new_one(api: LumiClient, kb_id: str) -> None:
    first = api.upload_ready(kb_id, "one.txt", b"Deleted and uploaded again.")
    api.delete(f"/documents/{first['id']}")
    second = api.upload_ready(kb_id, "one.txt", b"Deleted and uploaded again.")
    assert second["id"] != first["id"]
    assert second["duplicate_of"] is None


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("folder/a.txt", "a.txt"),
        ("\u00fcber \U0001f4da.txt", "\u00fcber \U0001f4da.txt"),
        ('quote".txt', 'quote".txt'),
        ("a" * 300 + ".txt", "a" * 251 + ".txt"),
    ],
    ids=["path", "drive", "folder", "unicode", "quote", "long"],
)
def test_a_file_name_is_a_name_and_no_path(api: LumiClient, kb_id: str, filename: str, shown: str) -> None:
    accepted = api.upload(kb_id, filename, b"What is in a name? A few words.")
    document = api.wait_until_ended(accepted["id"])
    assert document["original_filename"] == document["name"] == shown
    sent = filename.replace("\\", "\\\\")  # as httpx writes it
    told = [] if shown == filename else [f"NAME_CHANGED: {sent[:255]}"]
    assert accepted["warnings"] == document["warnings"] == told
    download = api.get(f"/knowledge-bases/{kb_id}/documents/{document['id']}/download")
    assert "\n" not in download.headers["content-disposition"]
    assert download.headers["content-disposition"].startswith('attachment; filename="')


@pytest.mark.parametrize(
    ("filename", "data", "status", "code"),
    [
        ("empty.txt", b"", 400, "EMPTY_FILE"),
        ("program.exe", b"MZ\x90\x00" + bytes(60), 415, "UNSUPPORTED_FILE_TYPE"),
        ("song.mp3", documents.MP3, 415, "UNSUPPORTED_FILE_TYPE"),
        ("text.pdf", b"This is plain text.", 400, "MIME_TYPE_MISMATCH"),
        ("paper.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", 400, "MIME_TYPE_MISMATCH"),
        ("archive.7z", b"7z\xbc\xaf\x27\x1c" + bytes(60), 415, "UNSUPPORTED_FILE_TYPE"),
        ("...", b"Just dots for a name.", 422, "VALIDATION_ERROR"),
        ("folder/", b"Just a path for a name.", 422, "VALIDATION_ERROR"),
    ],
)
def test_a_file_that_no_parser_could_read_is_refused(
    api: LumiClient, kb_id: str, filename: str, data: bytes, status: int, code: str
) -> None:
    assert_error(send(api, kb_id, filename, data), status, code)
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": "[1]"},
        {"metadata": "{"},
        {"metadata": json.dumps({"a": "b" * 20_000})},
        {"metadata": '{"a": ' + "[" * 5000 + "]" * 5000 + "}"},
        {"tags": "[1]"},
        {"tags": ",".join(str(number) for number in range(51))},
        {"tags": "t" * 101},
        {"priority": "soon"},
        {"priority": "0"},
        {"priority": "-1"},
        {"priority": "2147483648"},
        {"priority": "99999999999999999999"},
    ],
    ids=lambda fields: str(fields)[:30],
)
def test_fields_out_of_bounds_are_refused(api: LumiClient, kb_id: str, fields: dict[str, str]) -> None:
    error = assert_error(send(api, kb_id, "note.txt", b"A note with a bad field.", **fields), 422, "VALIDATION_ERROR")
    assert [error["details"]["field"]] == list(fields)
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 0


def test_a_file_over_the_limit_is_refused(api: LumiClient, kb_id: str) -> None:
    limit = api.get("/status").json()["limits"]["upload_bytes_max"]
    block = b"A line of text that is repeated.\n" * 2048

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n'
        yield from (block for _ in range(limit // len(block) + 1))
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = api.post(f"/knowledge-bases/{kb_id}/documents", content=body(), headers=headers)
    assert_error(response, 413, "FILE_TOO_LARGE")
    assert api.get(f"/knowledge-bases/{kb_id}/documents").json()["total"] == 0


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("multipart/form-data", b"--b--", "BAD_MULTIPART"),
        ("multipart/form-data; boundary=b", b"", "BAD_MULTIPART"),
        ("multipart/form-data; boundary=b", b"nonsense", "BAD_MULTIPART"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\ncut off',
            "BAD_MULTIPART",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nx\r\n--b--\r\n',
            "FILE_MISSING",
        ),
    ],
)
def test_a_body_that_is_no_upload_is_refused(
    api: LumiClient, kb_id: str, content_type: str, body: bytes, code: str
) -> None:
    path, headers = f"/knowledge-bases/{kb_id}/documents", {"Content-Type": content_type}
    assert_error(api.post(path, content=body, headers=headers), 400, code)


def test_an_upload_to_nowhere_is_not_found(api: LumiClient) -> None:
    assert_error(send(api, "nope", "note.txt", b"Into the void."), 404, "KB_NOT_FOUND")


@pytest.mark.parametrize("name", FACTS)
def test_a_file_of_every_format_becomes_ready(library: Library, name: str) -> None:
    document = library.documents[name]
    assert document["status"] == "READY"
    assert document["chunk_count"] >= 1
    assert document["file_size_bytes"] == len(library.files[name])
    assert document["page_count"] == (2 if name.endswith((".pdf", ".pptx")) else document["page_count"])


def test_an_archive_is_one_document_whose_passages_know_their_member_and_page(api: LumiClient, kb_id: str) -> None:
    report = documents.make_pdf(["The first page.", "The zeppelin lands at noon."])
    data = documents.make_zip({"trip/report.pdf": report, "notes.rtf": rb"{\rtf1 Notes.}", "song.mp3": documents.MP3})
    document = api.upload_ready(kb_id, "trip.zip", data)
    assert document["mime_type"] == "application/zip"
    assert document["warnings"] == ["MEMBER_SKIPPED: song.mp3: UNSUPPORTED_FILE_TYPE"]
    (hit,) = api.search("zeppelin", kb_ids=[kb_id], limit=1)
    assert hit["section_header"] == "trip/report.pdf"


# List


def test_the_list_filters_by_every_field(api: LumiClient, library: Library) -> None:
    def names(**params: Any) -> set[str]:
        response = api.get(f"/knowledge-bases/{library.kb_id}/documents", params={"limit": 100, **params})
        assert response.status_code == 200, response.text
        return {document["name"] for document in response.json()["data"]}

    assert names() == set(FACTS)
    assert names(search="LIGHT") == {"lighthouse.txt"}
    assert names(search="%") == set()
    assert names(status="READY") == set(FACTS)
    assert names(status="FAILED") == set()
    assert names(status=["FAILED", "READY"]) == names(status=["READY", "FAILED"]) == set(FACTS)
    assert names(mime_type="application/pdf") == {"observatory.pdf"}
    assert names(tags="contract") == set(FACTS)
    assert names(tags="contract,absent") == set()
    assert names(date_from="2000-01-01T00:00:00Z", date_to="2100-01-01T00:00:00+02:00") == set(FACTS)
    assert names(date_from="2100-01-01T00:00:00Z") == set()


@pytest.mark.parametrize("sort_by", ["name", "created_at", "updated_at", "file_size_bytes", "status"])
def test_the_list_sorts_both_ways(api: LumiClient, library: Library, sort_by: str) -> None:
    def values(order: str) -> list[Any]:
        params = {"sort_by": sort_by, "sort_order": order}
        data = api.get(f"/knowledge-bases/{library.kb_id}/documents", params=params).json()["data"]
        return [document[sort_by] for document in data]

    assert values("asc") == sorted(values("asc"))
    assert values("desc") == sorted(values("asc"), reverse=True)


@pytest.mark.parametrize(
    "params",
    [
        {"page": 0},
        {"page": -1},
        {"page": "x"},
        {"page": 99999999999999999999},
        {"limit": 0},
        {"limit": 101},
        {"sort_by": "sha256"},
        {"sort_by": ""},
        {"status": "BOGUS"},
        {"status": "ready"},
        {"status": ""},
        {"sort_order": "up"},
        {"date_from": "yesterday"},
        {"date_from": "2024-01-01T00:00:00"},
        {"tags": ",".join(str(number) for number in range(2000))},
    ],
    ids=lambda params: str(params)[:40],
)
def test_a_list_out_of_bounds_is_refused(api: LumiClient, library: Library, params: dict[str, Any]) -> None:
    assert_error(api.get(f"/knowledge-bases/{library.kb_id}/documents", params=params), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ({"status": "BOGUS"}, "PENDING, PROCESSING, READY, FAILED, ARCHIVED"),
        ({"sort_by": "sha256"}, "name, created_at, updated_at, file_size_bytes, status"),
        ({"sort_order": "up"}, "asc, desc"),
        ({"limit": 101}, "between 1 and 100"),
        ({"page": "x"}, "int"),
        ({"tags": ",".join(str(number) for number in range(60))}, "50"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_refused_parameter_is_named_with_what_it_may_be(
    api: LumiClient, library: Library, params: dict[str, Any], allowed: str
) -> None:
    response = api.get(f"/knowledge-bases/{library.kb_id}/documents", params=params)
    assert_error(response, 422, "VALIDATION_ERROR")
    (field,) = response.json()["detail"]
    assert field["loc"] == ["query", *params]
    assert allowed in field["msg"]


def test_documents_are_listed_across_knowledge_bases_and_by_collection(
    api: LumiClient, library: Library, kb_id: str
) -> None:
    mine = api.upload_ready(kb_id, "elsewhere.txt", b"A document somewhere else.")
    everywhere = api.get("/documents", params={"limit": 100}).json()
    assert {mine["id"], library.text["id"]} <= {document["id"] for document in everywhere["data"]}
    there = api.get("/documents", params={"collection": library.kb_name, "limit": 100, "status": "READY"}).json()
    assert {document["name"] for document in there["data"]} == set(FACTS)
    assert_error(api.get("/documents", params={"collection": "nowhere at all"}), 404, "KB_NOT_FOUND")
    assert_error(api.get("/documents", params={"status": "BOGUS"}), 422, "VALIDATION_ERROR")


# One document


def test_facts_are_the_same_by_both_addresses(api: LumiClient, library: Library) -> None:
    document = api.get(library.path()).json()
    assert set(document) == FIELDS
    assert api.get(f"/documents/{document['id']}").json() == document


def test_status_is_the_status_part(api: LumiClient, library: Library) -> None:
    status = api.get(f"{library.path()}/status").json()
    assert set(status) == {
        "id", "status", "current_step", "progress", "last_error", "warnings", "retry_count", "chunk_count",
        "updated_at",
    }  # fmt: skip
    assert (status["status"], status["progress"]) == ("READY", 100.0)


def test_a_blank_file_is_ready_with_a_warning(api: LumiClient, kb_id: str) -> None:
    document = api.upload_ready(kb_id, "blank.docx", documents.make_docx())
    assert document["warnings"] == ["NO_TEXT"]
    assert document["chunk_count"] == 0
    content = api.get(f"/knowledge-bases/{kb_id}/documents/{document['id']}/content").json()
    assert content["text"].strip() == ""


@pytest.mark.parametrize("name", FACTS)
def test_every_passage_is_the_text_at_its_offsets(api: LumiClient, library: Library, name: str) -> None:
    text = api.get(f"{library.path(name)}/content").json()["text"]
    page = api.get(f"{library.path(name)}/chunks", params={"limit": 100}).json()
    assert page["total"] == len(page["data"]) == library.documents[name]["chunk_count"]
    for at, chunk in enumerate(page["data"]):
        assert chunk["chunk_index"] == at
        assert chunk["total_chunks"] == page["total"]
        assert chunk["chunk_text"] == chunk["content"] == text[chunk["char_start"] : chunk["char_end"]]
        assert chunk["token_count"] > 0
        assert chunk["document_name"] == name
        assert chunk["kb_name"] == library.kb_name
        assert chunk["metadata"] == {"shelf": "north"}


def test_offsets_of_text_count_code_points(api: LumiClient, library: Library) -> None:
    whole = api.get(f"{library.path()}/content").json()
    assert whole["total_chars"] == len(whole["text"])
    at = whole["text"].index("\U0001f30a")
    part = api.get(f"{library.path()}/content", params={"start": at, "end": at + 2}).json()
    assert part == {"text": "\U0001f30a ", "start": at, "end": at + 2, "total_chars": whole["total_chars"]}


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0, 0, (0, 0)), (10**6, None, None), (0, 10**30, None), (10**30, 10**30, None)]
)
def test_text_beyond_the_end_is_empty(
    api: LumiClient, library: Library, start: int, end: int | None, expected: tuple[int, int] | None
) -> None:
    params = {"start": start} if end is None else {"start": start, "end": end}
    part = api.get(f"{library.path()}/content", params=params).json()
    total = part["total_chars"]
    assert (part["start"], part["end"]) == (expected or (min(start, total), total))
    assert len(part["text"]) == part["end"] - part["start"]


@pytest.mark.parametrize("params", [{"start": -1}, {"start": 5, "end": 4}, {"start": "x"}], ids=str)
def test_offsets_that_make_no_stretch_are_refused(api: LumiClient, library: Library, params: dict[str, Any]) -> None:
    assert_error(api.get(f"{library.path()}/content", params=params), 422, "VALIDATION_ERROR")


# Where text stands


def test_text_of_a_page_is_found_on_it(api: LumiClient, library: Library) -> None:
    path = library.path("observatory.pdf")
    text = api.get(f"{path}/content").json()["text"]
    start = text.index("every second Thursday")
    (place,) = api.get(f"{path}/locate", params={"start": start, "end": start + 21}).json()
    assert place["page"] == 2
    ((x0, y0, x1, y1),) = place["rects"]
    assert 0 < x0 < x1 < 1
    assert 0 < y0 < y1 < 0.5
    both = api.get(f"{path}/locate", params={"start": 0, "end": len(text)}).json()
    assert [place["page"] for place in both] == [1, 2]
    assert api.get(f"{library.path()}/locate", params={"start": 0, "end": 10}).json() == []


@pytest.mark.parametrize("params", [{}, {"start": 5, "end": 4}, {"start": -1, "end": 4}, {"start": 0, "end": 100_001}])
def test_a_stretch_that_is_none_is_refused(api: LumiClient, library: Library, params: dict[str, int]) -> None:
    assert_error(api.get(f"{library.path('observatory.pdf')}/locate", params=params), 422)


# Delete and retry


@pytest.mark.parametrize("across", [True, False])
def test_a_deleted_document_is_gone_for_readers_at_once(api: LumiClient, kb_id: str, across: bool) -> None:
    word = f"theremin{kb_id.replace('-', '')}"
    document = api.upload_ready(kb_id, "gone.txt", f"A {word} hums behind the curtain at night.".encode())
    assert api.search(word)[0]["document_id"] == document["id"]
    path = f"/knowledge-bases/{kb_id}/documents/{document['id']}"
    assert api.delete(f"/documents/{document['id']}" if across else path).status_code == 204
    assert document["id"] not in {hit["document_id"] for hit in api.search(word)}
    for part in ("", "/status", "/content", "/chunks", "/download"):
        assert_error(api.get(path + part), 404, "DOCUMENT_NOT_FOUND")
    assert_error(api.delete(path), 404, "DOCUMENT_NOT_FOUND")
    assert_error(api.post(f"{path}/retry"), 404, "DOCUMENT_NOT_FOUND")
    assert api.get(f"/knowledge-bases/{kb_id}").json()["document_count"] == 0


def test_a_document_that_is_deleted_in_the_middle_of_its_ingestion_stays_gone(api: LumiClient, kb_id: str) -> None:
    document = api.upload(kb_id, "hasty.txt", b"Deleted before it was read. " * 500)
    assert api.delete(f"/documents/{document['id']}").status_code == 204
    assert api.get(f"/jobs/{document['job_id']}").json()["status"] == "cancelled"
    follower = api.upload_ready(kb_id, "follower.txt", b"Whatever comes after is processed as ever.")
    assert {item["id"] for item in api.get(f"/knowledge-bases/{kb_id}/documents").json()["data"]} == {follower["id"]}
    assert api.get(f"/jobs/{document['job_id']}").json()["status"] == "cancelled"


def test_only_a_failed_document_is_tried_again(api: LumiClient, library: Library) -> None:
    assert_error(api.post(f"{library.path()}/retry"), 409, "NOT_RETRYABLE")


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.get("/documents/nope"),
        lambda api: api.delete("/documents/nope"),
        lambda api: api.get("/documents/01890000-0000-7000-8000-000000000000"),
    ],
)
def test_an_unknown_document_is_not_found(api: LumiClient, call: Callable[[LumiClient], Any]) -> None:
    assert_error(call(api), 404, "DOCUMENT_NOT_FOUND")


def test_a_form_tells_what_it_has_no_use_for(api: LumiClient, kb_id: str) -> None:
    path = f"/knowledge-bases/{kb_id}/documents"
    two = [("file", ("one.txt", b"One file.")), ("file", ("two.txt", b"Another file."))]
    assert api.post(path, files=two).json()["detail"][0]["loc"][-1] == "file"
    one = {"file": ("one.txt", b"One file of its own.")}
    unknown = api.post(path, files=one, data={"colour": "blue"})
    assert (unknown.status_code, unknown.json()["detail"][0]["loc"][-1]) == (422, "colour")
    assert api.get(path).json()["total"] == 0
    ignored = api.post(path, files=one, data={"chunk_size": "100"})
    assert (ignored.status_code, ignored.json()["warnings"]) == (202, ["FIELD_IGNORED: chunk_size"])
    assert api.wait_until_ended(ignored.json()["id"])["warnings"] == ["FIELD_IGNORED: chunk_size"]
