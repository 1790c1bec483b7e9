"""Conversations: one's own, with their turns."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import FACTS, Library, assert_error, unique
from .events import read_events

QUESTION = FACTS["lighthouse.txt"][0]


def test_a_conversation_lives_from_creation_to_deletion(api: LumiClient) -> None:
    created = api.post("/conversations", json={"title": "  About \n lamps "})
    assert created.status_code == 201
    conversation = created.json()
    assert set(conversation) == {"id", "title", "kb_ids", "created_at", "updated_at"}
    assert conversation["title"] == "About lamps"
    path = f"/conversations/{conversation['id']}"
    assert api.get(path).json() == {**conversation, "messages": []}
    assert api.patch(path, json={"title": "About light"}).json()["title"] == "About light"
    assert conversation["id"] in {item["id"] for item in api.get("/conversations").json()["data"]}
    assert api.delete(path).status_code == 204
    for response in (api.get(path), api.patch(path, json={"title": "x"}), api.delete(path)):
        assert_error(response, 404, "CONVERSATION_NOT_FOUND")
    assert conversation["id"] not in {item["id"] for item in api.get("/conversations").json()["data"]}


def test_a_conversation_is_not_moved_to_other_knowledge_bases(api: LumiClient, kb_id: str) -> None:
    conversation = api.post("/conversations", json={"title": "Here", "kb_ids": [kb_id]}).json()
    moved = api.patch(f"/conversations/{conversation['id']}", json={"title": "There", "kb_ids": []})
    assert_error(moved, 422, "VALIDATION_ERROR")


def test_turns_are_kept_in_order_with_their_citations(api: LumiClient, library: Library) -> None:
    first = api.ask(QUESTION, kb_ids=[library.kb_id])
    conversation_id = first["conversation_id"]
    second = api.ask("zqx vbnm wrtp?", kb_ids=[library.kb_id], conversation_id=conversation_id)
    assert second["conversation_id"] == conversation_id
    body = {"query": QUESTION, "kb_ids": [library.kb_id], "conversation_id": conversation_id}
    assert read_events(api, "POST", "/query", json=body)[0].data["conversation_id"] == conversation_id

    conversation = api.get(f"/conversations/{conversation_id}").json()
    assert conversation["title"] == QUESTION
    messages = conversation["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3
    assert messages[0]["content"] == QUESTION
    assert messages[1]["id"] == first["message_id"]
    assert messages[1]["content"] == first["answer"]
    assert messages[1]["citations"] == first["citations"]
    assert messages[1]["claims"] == first["claims"]
    assert messages[1]["confidence"] == first["confidence"]
    assert messages[3]["abstained"] is True
    assert messages[5]["content"] == first["answer"]


def test_the_conversation_used_last_comes_first(api: LumiClient, library: Library) -> None:
    older = api.post("/conversations", json={"title": unique("Older")}).json()["id"]
    newer = api.post("/conversations", json={"title": unique("Newer")}).json()["id"]

    def order() -> list[str]:
        listed = api.get("/conversations", params={"limit": 100}).json()["data"]
        return [item["id"] for item in listed if item["id"] in {older, newer}]

    assert order() == [newer, older]
    api.ask(QUESTION, kb_ids=[library.kb_id], conversation_id=older)
    assert order() == [older, newer]


def test_nobody_reads_anothers_conversation(api: LumiClient, other: LumiClient) -> None:
    """Not even an administrator."""
    conversation_id = api.post("/conversations", json={"title": "Private"}).json()["id"]
    path = f"/conversations/{conversation_id}"
    for response in (other.get(path), other.patch(path, json={"title": "x"}), other.delete(path)):
        assert_error(response, 404, "CONVERSATION_NOT_FOUND")
    assert conversation_id not in {item["id"] for item in other.get("/conversations").json()["data"]}
    assert api.get(path).json()["title"] == "Private"


@pytest.mark.parametrize(
    "body", [{}, {"title": ""}, {"title": " "}, {"title": "t" * 256}, {"title": 1}, {"title": "t", "x": 1}], ids=str
)
def test_a_title_that_breaks_the_schema_is_refused(api: LumiClient, body: dict[str, Any]) -> None:
    assert_error(api.post("/conversations", json=body), 422, "VALIDATION_ERROR")
    conversation_id = api.post("/conversations", json={"title": "Good"}).json()["id"]
    assert_error(api.patch(f"/conversations/{conversation_id}", json=body), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("params", [{"page": 0}, {"limit": 0}, {"limit": 101}, {"page": 10**20}], ids=str)
@pytest.mark.parametrize("path", ["/conversations", "/jobs", "/knowledge-bases", "/collections", "/documents"])
def test_pages_out_of_bounds_are_refused(api: LumiClient, path: str, params: dict[str, Any]) -> None:
    assert_error(api.get(path, params=params), 422, "VALIDATION_ERROR")
