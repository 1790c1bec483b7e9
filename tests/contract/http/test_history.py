"""One's own searches."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error, unique


def past(client: LumiClient) -> list[dict[str, Any]]:
    response = client.get("/search/history", params={"limit": 100})
    assert response.status_code == 200, response.text
    return response.json()["data"]


@pytest.fixture(autouse=True)
def forgotten(api: LumiClient) -> None:
    assert api.delete("/search/history").status_code == 204


def test_searches_are_noted_newest_first_and_each_once(api: LumiClient, library: Library) -> None:
    body = {"kb_ids": [library.kb_id], "limit": 2}
    api.post("/search/quick", json={"query": "  the \n lamp ", **body})
    api.post("/search", json={"query": "honey", **body})
    api.get("/search", params={"query": "glacier"}, headers={"Accept": "application/json"})
    api.post("/search?stream=true", json={"query": "ferry", **body}).read()
    api.post("/search/quick", json={"query": "the lamp", **body})
    found = past(api)
    assert [one["query"] for one in found] == ["the lamp", "ferry", "glacier", "honey"]
    assert set(found[0]) == {"id", "query", "kb_ids", "result_count", "created_at"}
    assert (found[0]["kb_ids"], found[0]["result_count"]) == ([library.kb_id], 2)
    assert found[2]["kb_ids"] is None


def test_further_pages_questions_and_refused_searches_are_not_noted(api: LumiClient, library: Library) -> None:
    body: dict[str, Any] = {"query": "lighthouse", "kb_ids": [library.kb_id], "limit": 1}
    cursor = api.post("/search/quick", json=body).json()["next_cursor"]
    api.post("/search/quick", json={**body, "cursor": cursor})
    api.post("/search/quick", json={**body, "query": "barn", "cursor": "nonsense"})
    api.ask("How many frames?", kb_ids=[library.kb_id])
    assert [one["query"] for one in past(api)] == ["lighthouse"]


def test_who_types_on_leaves_one_search(api: LumiClient) -> None:
    for query in ("ligh", "lighthou", "lighthouse"):
        api.post("/search/quick", json={"query": query})
        past(api)
    assert [one["query"] for one in past(api)] == ["lighthouse"]


def test_searches_are_forgotten_one_by_one_or_all(api: LumiClient) -> None:
    for query in ("first", "second", "third"):
        api.post("/search/quick", json={"query": query})
    second = past(api)[1]
    assert api.delete(f"/search/history/{second['id']}").status_code == 204
    assert [one["query"] for one in past(api)] == ["third", "first"]
    for missing in (second["id"], "nope", 2**70):
        assert_error(api.delete(f"/search/history/{missing}"), 404, "PAST_SEARCH_NOT_FOUND")
    api.post("/search/quick", json={"query": "fourth"})
    assert api.delete("/search/history").status_code == 204
    assert past(api) == []


def test_a_history_is_its_owners(
    api: LumiClient, other: LumiClient, anonymous: LumiClient, library: Library, kb_id: str, key_client: Any
) -> None:
    secret = unique("secret")
    api.post("/search/quick", json={"query": secret})
    api.post("/search/quick", json={"query": "named", "kb_ids": [library.kb_id]})
    number = past(api)[0]["id"]
    assert secret not in other.get("/search/history").text
    assert_error(other.delete(f"/search/history/{number}"), 404, "PAST_SEARCH_NOT_FOUND")
    assert_error(anonymous.get("/search/history"), 401)
    limited = key_client("read", "write", kb_ids=[library.kb_id])
    limited.post("/search/quick", json={"query": "by key"})
    assert [one["query"] for one in past(limited)] == ["by key", "named"]
    assert past(key_client("read", kb_ids=[kb_id])) == []
    assert limited.delete("/search/history").status_code == 204
    assert [one["query"] for one in past(api)] == [secret]
    assert_error(key_client("read").delete("/search/history"), 403, "NOT_ALLOWED")
