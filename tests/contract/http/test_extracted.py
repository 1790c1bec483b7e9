"""What documents tell about themselves: on their facts, in lists, as filters, and when a version takes over."""

import json
from typing import Any

import pytest
from support import documents
from support.server import LumiClient, poll

from .conftest import assert_error, unique

GERMAN = (
    "Die Mühle von Ostwald\n\n"
    "Die Mühle von Ostwald mahlt jeden Tag siebzig Säcke Roggen, und der Müller trägt das Mehl in die Stadt. "
    "Wenn der Wind nicht weht, dann steht die Mühle still, und der Müller wartet auf einen besseren Tag.\n"
)
ENGLISH = documents.make_html(
    "<h1>Mills</h1><p>The windmill of Karsholm grinds barley for the town and for all of its bakers. "
    "When the wind is too strong, the miller takes the sails off the windmill and waits.</p>",
    title="The windmill of Karsholm",
    head='<meta name="author" content="Åsa Lindqvist"><meta name="article:published_time" content="2019-06-01">',
)
PDF = documents.make_pdf(["The watermill of Brede has two wheels."], title="Watermills", author="Anna Weiß")


@pytest.fixture(scope="module")
def mills(api: LumiClient) -> dict[str, dict[str, Any]]:
    """A knowledge base with three documents, READY, by their names."""
    kb_id = api.create_kb(unique("Mills"))
    files = {"mühle.txt": GERMAN.encode(), "windmill.html": ENGLISH, "watermill.pdf": PDF}
    metadata = {
        "mühle.txt": {"shelf": "north", "rank": 1},
        "windmill.html": {"shelf": "south", "rank": 2.5, "lent": True},
        "watermill.pdf": {},
    }
    uploaded = {
        name: api.upload(kb_id, name, data, metadata=json.dumps(metadata[name]))["id"] for name, data in files.items()
    }
    return {name: api.wait_until_ended(document_id) for name, document_id in uploaded.items()}


def path_of(document: dict[str, Any]) -> str:
    return f"/knowledge-bases/{document['kb_id']}/documents/{document['id']}"


def test_a_document_tells_about_itself(api: LumiClient, mills: dict[str, dict[str, Any]]) -> None:
    german, english = mills["mühle.txt"]["extracted"], mills["windmill.html"]["extracted"]
    assert set(german) == {"source", "version", "title", "author", "language", "date", "keywords", "summary"}
    assert [german[name] for name in ("source", "version", "title", "author", "language", "date")] == [
        "extracted",
        1,
        "Die Mühle von Ostwald",
        None,
        "de",
        None,
    ]
    assert [english[name] for name in ("title", "author", "language", "date")] == [
        "The windmill of Karsholm",
        "Åsa Lindqvist",
        "en",
        "2019-06-01T00:00:00Z",
    ]
    assert mills["mühle.txt"]["document_date"] is None
    assert mills["windmill.html"]["document_date"] == english["date"]
    assert (mills["watermill.pdf"]["extracted"]["title"], mills["watermill.pdf"]["metadata"]) == ("Watermills", {})


def test_keywords_and_summary_stand_in_the_text(api: LumiClient, mills: dict[str, dict[str, Any]]) -> None:
    for document in mills.values():
        text = api.get(f"{path_of(document)}/content").json()["text"]
        extracted = document["extracted"]
        assert extracted["keywords"]
        assert all(phrase in text for phrase in extracted["keywords"])
        for sentence in extracted["summary"]:
            places = {"version": extracted["version"], "start": sentence["char_start"], "end": sentence["char_end"]}
            assert api.get(f"{path_of(document)}/content", params=places).json()["text"] == sentence["text"]
    assert len(mills["mühle.txt"]["extracted"]["summary"]) == 2


LIST_FILTERS = [
    ({"language": "de"}, {"mühle.txt"}),
    ({"language": "DE-at"}, {"mühle.txt"}),
    ({"language": "fi"}, set()),
    ({"author": "åsa LIND"}, {"windmill.html"}),
    ({"author": "anna weiss"}, {"watermill.pdf"}),
    ({"author": "%"}, set()),
    ({"author": "lindqvist", "language": "de"}, set()),
    ({"date_from": "2019-05-31T00:00:00Z", "date_to": "2019-06-01T00:00:00Z"}, {"windmill.html"}),
]


@pytest.mark.parametrize(
    ("filters", "found"), LIST_FILTERS, ids=lambda value: str(value) if isinstance(value, dict) else ""
)
def test_lists_and_searches_filter_by_it(
    api: LumiClient, mills: dict[str, dict[str, Any]], filters: dict[str, Any], found: set[str]
) -> None:
    kb_id = mills["mühle.txt"]["kb_id"]
    listed = api.get(f"/knowledge-bases/{kb_id}/documents", params=filters).json()["data"]
    assert {document["name"] for document in listed} == found
    hits = api.search("mill", kb_ids=[kb_id], filters=filters)
    assert {hit["document_name"] for hit in hits} == found
    if "date_from" not in filters:
        params = {"query": "mill", "kb_ids": kb_id, **filters}
        body = api.get("/search", params=params, headers={"Accept": "application/json"}).json()
        assert {hit["document_name"] for hit in body["results"]} == found
        listed = api.get("/documents", params={"limit": 100, **filters}).json()["data"]
        assert {document["name"] for document in listed if document["kb_id"] == kb_id} == found


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"shelf": "north"}, {"mühle.txt"}),
        ({"shelf": "south", "lent": True}, {"windmill.html"}),
        ({"shelf": "north", "lent": True}, set()),
        ({"rank": 1}, {"mühle.txt"}),
        ({"rank": 2.5}, {"windmill.html"}),
        ({"rank": "1"}, set()),
        ({"lent": 1}, set()),
        ({}, {"mühle.txt", "windmill.html", "watermill.pdf"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_searches_filter_by_metadata(
    api: LumiClient, mills: dict[str, dict[str, Any]], metadata: dict[str, Any], found: set[str]
) -> None:
    hits = api.search("mill", kb_ids=[mills["mühle.txt"]["kb_id"]], filters={"metadata": metadata})
    assert {hit["document_name"] for hit in hits} == found


@pytest.mark.parametrize("path", ["/documents?language=in%20German", "/search?query=a&language=%20"])
def test_what_is_no_language_is_refused(api: LumiClient, path: str) -> None:
    assert_error(api.get(path, headers={"Accept": "application/json"}), 422)


def test_a_date_that_a_user_gives_goes_before_the_files_own(api: LumiClient, kb_id: str) -> None:
    document = api.upload(kb_id, "windmill.html", ENGLISH, document_date="1899-03-01T12:00:00+02:00")
    assert (document["document_date"], document["extracted"]) == ("1899-03-01T10:00:00Z", None)
    document = api.wait_until_ended(document["id"])
    assert (document["document_date"], document["extracted"]["date"][:10]) == (
        "1899-03-01T10:00:00Z",
        "2019-06-01",
    )

    def names(**params: Any) -> set[str]:
        found = api.get(f"/knowledge-bases/{kb_id}/documents", params=params).json()["data"]
        return {one["name"] for one in found}

    assert names(date_to="1900-01-01T00:00:00Z") == {"windmill.html"}
    changed = api.patch(path_of(document), json={"document_date": "2001-01-01T00:00:00Z"}).json()
    assert changed["document_date"] == "2001-01-01T00:00:00Z"
    assert api.patch(path_of(document), json={"name": "mill.html"}).json()["document_date"] == changed["document_date"]
    changed = api.patch(path_of(document), json={"document_date": None}).json()
    assert changed["document_date"] == changed["extracted"]["date"]
    assert names(date_to="2001-01-01T00:00:00Z") == set()
    for wrong in ("yesterday", "2001-01-01", "2001-01-01T00:00:00", 5):
        assert_error(api.patch(path_of(document), json={"document_date": wrong}), 422, "VALIDATION_ERROR")
    response = api.post(
        f"/knowledge-bases/{kb_id}/documents",
        files={"file": ("a.txt", b"Some text.")},
        data={"document_date": "yesterday"},
    )
    assert_error(response, 422)


def test_a_version_that_does_not_answer_is_not_told_of(api: LumiClient, kb_id: str) -> None:
    document = api.upload_ready(kb_id, "mill.html", ENGLISH)
    locked = documents.make_pdf(["Nobody reads this."], encrypted=True)
    api.post(f"{path_of(document)}/reupload", files={"file": ("mill.pdf", locked)})
    failed = poll(
        lambda: next((one for one in [api.document(document["id"])] if one["last_error"]), None), "the failure"
    )
    assert (failed["version"], failed["extracted"]) == (2, document["extracted"])

    api.post(f"{path_of(document)}/reupload", files={"file": ("mühle.txt", GERMAN.encode())})
    waiting = api.document(document["id"])
    assert waiting["extracted"]["version"] == (1 if waiting["progress"] < 100 else 3)
    api.wait_until_ended(document["id"])
    changed = api.document(document["id"])
    assert [changed["extracted"][name] for name in ("version", "language", "author", "date")] == [3, "de", None, None]
    assert api.search("Mühle", kb_ids=[kb_id], filters={"author": "Lindqvist"}) == []
    assert api.search("Mühle", kb_ids=[kb_id], filters={"language": "de"})
