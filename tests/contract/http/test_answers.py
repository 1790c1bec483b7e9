"""Answers: JSON and streams, what is cited, and how a client chooses."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import FACTS, Library, assert_error
from .events import Event, read_events

QUESTION = FACTS["lighthouse.txt"][0]
CITATION = {
    "number", "document_id", "document_name", "version", "chunk_id", "page_number", "section_header", "excerpt",
    "quoted_text", "char_start", "char_end", "relevance_score", "confidence", "verdict",
}  # fmt: skip
ANSWER = {
    "answer", "answered_by", "abstained", "citations", "claims", "confidence", "confidence_counts", "results",
    "conversation_id", "message_id", "run_id", "model_id", "usage",
}  # fmt: skip
UNANSWERABLE = "zqx vbnm wrtp?"


def check_citations(api: LumiClient, library: Library, citations: list[dict[str, Any]]) -> None:
    """Each quotes the document's text at its offsets, exactly."""
    assert [citation["number"] for citation in citations] == list(range(1, len(citations) + 1))
    for citation in citations:
        assert set(citation) >= CITATION
        path = f"/knowledge-bases/{library.kb_id}/documents/{citation['document_id']}/content"
        content = api.get(path, params={"start": citation["char_start"], "end": citation["char_end"]}).json()
        assert content["text"] == citation["quoted_text"]
        assert (content["start"], content["end"]) == (citation["char_start"], citation["char_end"])
        assert citation["quoted_text"] in citation["excerpt"]
        assert citation["document_name"] == library.documents[citation["document_name"]]["name"]
        assert 0 <= citation["relevance_score"] <= 1
        assert 0 <= citation["confidence"] <= 1


def check_answer(answer: dict[str, Any]) -> None:
    """Claims stand in the answer, each followed by the numbers of its citations."""
    numbers = {citation["number"] for citation in answer["citations"]}
    for claim in answer["claims"]:
        marks = " ".join(f"[{number}]" for number in claim["citations"])
        assert answer["answer"][claim["end"] :].startswith(f" {marks}")
        assert claim["verdict"] == "supported"
        assert set(claim["citations"]) <= numbers
    assert answer["confidence_counts"]["supported"] == len(answer["claims"])
    assert 0 <= answer["confidence"] <= 1


@pytest.mark.parametrize("name", FACTS)
def test_every_citation_is_the_documents_own_text_in_every_format(api: LumiClient, library: Library, name: str) -> None:
    question, fact = library.facts[name]
    answer = api.ask(question, kb_ids=[library.kb_id])
    assert set(answer) == ANSWER
    assert answer["abstained"] is False
    assert answer["answered_by"] == "extraction"
    assert fact in answer["answer"]
    assert name in {citation["document_name"] for citation in answer["citations"]}
    check_answer(answer)
    check_citations(api, library, answer["citations"])
    assert 0 < len(answer["results"]) <= 10


def test_a_citation_names_page_and_heading(api: LumiClient, library: Library) -> None:
    def cited(name: str) -> dict[str, Any]:
        citations = api.ask(library.facts[name][0], kb_ids=[library.kb_id])["citations"]
        return next(citation for citation in citations if library.facts[name][1] in citation["quoted_text"])

    assert cited("observatory.pdf")["page_number"] == 2
    assert "Visitors" in cited("observatory.pdf")["section_header"]
    assert "Hives" in cited("beekeeping.md")["section_header"]
    assert "Payment" in cited("contract.docx")["section_header"]
    assert cited("lighthouse.txt")["page_number"] is None


def test_what_no_document_supports_is_not_answered(api: LumiClient, library: Library) -> None:
    answer = api.ask(UNANSWERABLE, kb_ids=[library.kb_id])
    assert answer["abstained"] is True
    assert answer["answer"] == "Not found in your documents."
    assert (answer["citations"], answer["claims"], answer["confidence"]) == ([], [], 0.0)


def test_search_with_an_answer_cites_exactly_too(api: LumiClient, library: Library) -> None:
    answer = api.post("/search", json={"query": QUESTION, "kb_ids": [library.kb_id]}).json()
    assert answer["citations"]
    check_answer(answer)
    check_citations(api, library, answer["citations"])
    assert answer["conversation_id"] is None


# Which form the answer has


def form_of(api: LumiClient, path: str, body: dict[str, Any], accept: str | None) -> str:
    headers = {"Accept": accept} if accept else {}
    with api.stream("POST", path, json=body, headers=headers) as response:
        response.read()
        assert response.status_code == 200
        return "stream" if response.headers["content-type"] == "text/event-stream" else "json"


@pytest.mark.parametrize(
    ("path", "field", "accept", "expected"),
    [
        ("/chat", "message", None, "json"),
        ("/chat", "query", None, "stream"),
        ("/chat", "message", "*/*", "json"),
        ("/chat", "query", "*/*", "stream"),
        ("/chat", "message", "text/event-stream", "stream"),
        ("/chat", "query", "application/json", "json"),
        ("/chat?stream=true", "message", None, "stream"),
        ("/chat?stream=false", "query", None, "json"),
        ("/query", "message", None, "stream"),
        ("/query", "query", "application/json", "stream"),
        ("/chat/stream", "message", "application/json", "stream"),
        ("/search", "query", None, "json"),
        ("/search", "query", "text/event-stream", "stream"),
        ("/search?stream=true", "query", None, "stream"),
        ("/search?stream=false", "query", None, "json"),
    ],
)
def test_path_body_and_accept_choose_the_form(
    api: LumiClient, library: Library, path: str, field: str, accept: str | None, expected: str
) -> None:
    assert form_of(api, path, {field: QUESTION, "kb_ids": [library.kb_id]}, accept) == expected


@pytest.mark.parametrize(("field", "stream"), [("message", True), ("query", False)])
def test_the_body_may_choose_the_form_too(api: LumiClient, library: Library, field: str, stream: bool) -> None:
    body = {field: QUESTION, "kb_ids": [library.kb_id], "stream": stream}
    assert form_of(api, "/chat", body, None) == ("stream" if stream else "json")


def test_one_knowledge_base_may_be_named_alone(api: LumiClient, library: Library, kb_id: str) -> None:
    assert not api.ask(QUESTION, kb_id=library.kb_id)["abstained"]
    assert api.ask(QUESTION, kb_id=kb_id)["abstained"]


# Streams


def joined(events: list[Event], name: str) -> str:
    return "".join(event.data["content"] for event in events if event.name == name)


@pytest.mark.parametrize(("path", "field"), [("/chat", "query"), ("/query", "query"), ("/query", "message")])
def test_an_answer_is_told_in_chunks(api: LumiClient, library: Library, path: str, field: str) -> None:
    events = read_events(api, "POST", path, json={field: QUESTION, "kb_ids": [library.kb_id]})
    assert events[0].name == "context"
    assert events[0].data["results"]
    assert {event.name for event in events[1:-1]} == {"chunk"}
    chunks = [event.data for event in events[1:-1]]
    assert all(chunk["type"] == "CHUNK_TYPE_TEXT" for chunk in chunks)
    assert [chunk["is_final"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    check_citations(api, library, [citation for chunk in chunks for citation in chunk["citations"]])
    answer = api.ask(QUESTION, kb_ids=[library.kb_id])
    assert joined(events, "chunk") == answer["answer"]
    done = events[-1].data
    assert events[-1].name == "done"
    assert done["conversation_id"] == events[0].data["conversation_id"]
    assert done["confidence"] == answer["confidence"]
    assert done["citations_count"] == len(answer["citations"])
    assert "usage" in done


@pytest.mark.parametrize(("path", "field"), [("/chat/stream", "message"), ("/search?stream=true", "query")])
def test_an_answer_is_told_claim_by_claim(api: LumiClient, library: Library, path: str, field: str) -> None:
    events = read_events(api, "POST", path, json={field: QUESTION, "kb_ids": [library.kb_id]})
    names = [event.name for event in events]
    assert names[0] == "status"
    assert names[-1] == "done"
    assert set(names) == {"status", "token", "citation", "claim", "done"}
    answer = joined(events, "token")
    check_citations(api, library, [event.data for event in events if event.name == "citation"])
    for event in events:
        if event.name == "claim":
            claim = event.data
            assert answer[claim["end"] :].startswith(f" [{claim['citations'][0]}]")
            assert {"start", "end", "verdict", "citations", "reason"} <= set(claim)


@pytest.mark.parametrize("path", ["/chat", "/query", "/chat/stream", "/search?stream=true"])
def test_a_stream_that_abstains_ends_as_every_other(api: LumiClient, library: Library, path: str) -> None:
    events = read_events(api, "POST", path, json={"query": UNANSWERABLE, "kb_ids": [library.kb_id]})
    assert events[-1].name == "done"
    assert joined(events, "chunk") + joined(events, "token") == "Not found in your documents."


@pytest.mark.parametrize("path", ["/chat", "/chat/stream", "/query"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"message": "a" * 501},
        {"message": 5},
        {"message": "a", "limit": "5"},
        {"message": "a", "colour": "red"},
        {"message": "a", "limit": 0},
        {"message": "a", "limit": 51},
        {"message": "a", "kb_ids": "all"},
        {"message": "a", "filters": {"colour": "red"}},
    ],
    ids=str,
)
def test_a_question_that_breaks_the_schema_is_refused(api: LumiClient, path: str, body: dict[str, Any]) -> None:
    assert_error(api.post(path, json=body), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("path", ["/chat", "/chat/stream", "/query"])
def test_a_conversation_that_is_not_ones_own_is_not_found(api: LumiClient, other: LumiClient, path: str) -> None:
    for conversation_id in ("nope", other.post("/conversations", json={"title": "Mine"}).json()["id"]):
        body = {"query": QUESTION, "conversation_id": conversation_id}
        assert_error(api.post(path, json=body), 404, "CONVERSATION_NOT_FOUND")
