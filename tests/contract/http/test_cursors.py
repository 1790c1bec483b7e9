"""Pages of a search, one after the other."""

import base64
from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error, unique

SECTIONS = 260


@pytest.fixture(scope="module")
def long_kb(api: LumiClient) -> str:
    """More passages than a search brings candidates."""
    kb_id = api.create_kb(unique("Long"))
    settings = api.patch(f"/knowledge-bases/{kb_id}/settings", json={"chunk_tokens": 16, "chunk_overlap": 0})
    assert settings.status_code == 200, settings.text
    text = "".join(
        f"# Part {number}\n\nThe lighthouse number {number} stands on rock {number % 7}.\n\n"
        for number in range(SECTIONS)
    )
    assert api.upload_ready(kb_id, "long.md", text.encode())["chunk_count"] >= SECTIONS
    return kb_id


def pages(api: LumiClient, limit: int = 50, path: str = "/search/quick", **body: Any) -> list[list[dict[str, Any]]]:
    """All pages of a search."""
    found: list[list[dict[str, Any]]] = []
    asked = {"query": "lighthouse on rock 3", "limit": limit, **body}
    while True:
        answer = api.post(path, json=asked).json()
        found.append(answer["results"])
        if answer["next_cursor"] is None:
            return found
        asked["cursor"] = answer["next_cursor"]


def ids(results: list[dict[str, Any]]) -> list[str]:
    return [result["chunk_id"] for result in results]


def test_pages_go_down_to_the_last_passage(api: LumiClient, long_kb: str) -> None:
    found = pages(api, kb_ids=[long_kb])
    flat = [result for page in found for result in page]
    assert {len(page) for page in found[:-1]} == {50}
    assert len(set(ids(flat))) == len(flat) == flat[0]["total_chunks"]
    scores = [result["score"] for result in flat]
    assert scores == sorted(scores, reverse=True)
    assert [ids(page) for page in pages(api, kb_ids=[long_kb])] == [ids(page) for page in found]
    # Whatever the size of the pages, the order is one.
    assert ids([result for page in pages(api, 37, kb_ids=[long_kb]) for result in page]) == ids(flat)


def test_a_first_page_is_that_of_a_search_without_pages(api: LumiClient, library: Library) -> None:
    first = pages(api, 3, kb_ids=[library.kb_id])[0]
    assert ids(first) == ids(api.search("lighthouse on rock 3", kb_ids=[library.kb_id], limit=50))[:3]


def test_an_answer_is_the_same_on_every_page(api: LumiClient, library: Library) -> None:
    body: dict[str, Any] = {
        "query": "how far the lamp of the lighthouse is seen",
        "kb_ids": [library.kb_id],
        "limit": 2,
    }
    first = api.post("/search", json=body).json()
    second = api.post("/search", json={**body, "cursor": first["next_cursor"]}).json()
    assert "nineteen miles" in first["answer"] == second["answer"]
    assert not set(ids(first["results"])) & set(ids(second["results"]))
    assert second["result_count"] == 2


@pytest.mark.parametrize("path", ["/search", "/search/quick"])
def test_a_cursor_is_good_for_its_search_alone(
    api: LumiClient, library: Library, key_client: Any, kb_id: str, path: str
) -> None:
    body: dict[str, Any] = {"query": "the lighthouse", "kb_ids": [library.kb_id], "limit": 2}
    cursor = api.post(path, json=body).json()["next_cursor"]
    assert cursor
    assert api.post(path, json={**body, "cursor": cursor, "limit": 7, "facets": ["kb"]}).status_code == 200
    others = ({"query": "the lighthouses"}, {"min_score": 0.1}, {"filters": {"tags": ["contract"]}}, {"hybrid": False},
              {"kb_ids": [library.kb_id, kb_id]}, {"keyword_weight": 0.4})  # fmt: skip
    for other in others:
        assert_error(api.post(path, json={**body, "cursor": cursor, **other}), 400, "BAD_CURSOR")
    # Without names the readable ones are meant, and a key that reads others has other pages.
    everything = {"query": "the lighthouse", "limit": 2}
    limited = key_client("read", kb_ids=[library.kb_id])
    wide = api.post(path, json=everything).json()["next_cursor"]
    assert_error(limited.post(path, json={**everything, "cursor": wide}), 400, "BAD_CURSOR")


def test_a_cursor_ends_with_the_right_to_read(api: LumiClient, library: Library, kb_id: str, key_client: Any) -> None:
    limited = key_client("read", kb_ids=[library.kb_id, kb_id])
    body = {"query": "the lighthouse", "limit": 2}
    cursor = limited.post("/search/quick", json=body).json()["next_cursor"]
    assert limited.post("/search/quick", json={**body, "cursor": cursor}).status_code == 200
    api.delete(f"/knowledge-bases/{kb_id}")
    assert_error(limited.post("/search/quick", json={**body, "cursor": cursor}), 400, "BAD_CURSOR")


NOT_OURS = base64.urlsafe_b64encode(b'[99999999999,"x"]').decode()


@pytest.mark.parametrize("cursor", ["", "nonsense", "\u00fc", "a" * 5000, "W10", "bnVsbA==", NOT_OURS, "WzEsICJhIl0"])
def test_what_is_no_cursor_is_refused(api: LumiClient, library: Library, cursor: str) -> None:
    body = {"query": "the lighthouse", "kb_ids": [library.kb_id], "cursor": cursor}
    error = assert_error(api.post("/search/quick", json=body), 400, "BAD_CURSOR")
    assert "cursor" in error["message"]
