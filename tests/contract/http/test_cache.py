"""Rankings that are kept: never stale, never across permissions."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, unique

TEXT = b"The windmill of Brackwater grinds barley on Fridays."


class Asked:
    """A search that is asked again and again."""

    def __init__(self, client: LumiClient, path: str = "/search/quick", **body: Any) -> None:
        self.client, self.path = client, path
        self.body = {"query": f"the windmill of Brackwater {unique('')}", **body}

    def __call__(self) -> tuple[str, list[str]]:
        """What the cache says, and the names of the documents found."""
        response = self.client.post(self.path, json=self.body)
        assert response.status_code == 200, response.text
        return response.headers["x-cache"], [result["document_name"] for result in response.json()["results"]]


@pytest.fixture
def mill(api: LumiClient, kb_id: str) -> dict[str, Any]:
    return api.upload_ready(kb_id, "mill.txt", TEXT, tags="old")


@pytest.mark.parametrize("path", ["/search/quick", "/search"])
def test_the_same_search_is_known(api: LumiClient, kb_id: str, mill: dict[str, Any], path: str) -> None:
    ask = Asked(api, path, kb_ids=[kb_id])
    assert ask() == ("MISS", ["mill.txt"])
    first, second = (api.post(path, json=ask.body).json() for _ in range(2))
    assert ask() == ("HIT", ["mill.txt"])
    volatile = {"search_time_ms"}
    assert {k: v for k, v in first.items() if k not in volatile} == {
        k: v for k, v in second.items() if k not in volatile
    }


def test_another_parameter_is_another_search(api: LumiClient, kb_id: str, mill: dict[str, Any]) -> None:
    ask = Asked(api, kb_ids=[kb_id])
    ask()
    queries = [f"{ask.body['query']} -barn", f'{ask.body["query"]} "windmill"']
    others: list[dict[str, Any]] = [{"min_score": 0.01}, {"keyword_weight": 0.4}, {"hybrid": False}]
    others += [{"filters": {"tags": ["old"]}}, *({"query": query} for query in queries)]
    for change in others:
        assert api.post("/search/quick", json={**ask.body, **change}).headers["x-cache"] == "MISS"
    for change in ({"limit": 1}, {"facets": ["type"]}, {"max_per_document": 1}):
        assert api.post("/search/quick", json={**ask.body, **change}).headers["x-cache"] == "HIT"


def test_an_ingest_is_found_at_once(api: LumiClient, kb_id: str, mill: dict[str, Any]) -> None:
    ask = Asked(api, kb_ids=[kb_id])
    ask()
    api.upload_ready(kb_id, "second.txt", TEXT.replace(b"barley", b"rye"))
    state, names = ask()
    assert (state, set(names)) == ("MISS", {"mill.txt", "second.txt"})


def test_a_delete_and_its_undoing_are_seen_at_once(api: LumiClient, kb_id: str, mill: dict[str, Any]) -> None:
    ask = Asked(api, kb_ids=[kb_id])
    ask()
    path = f"/knowledge-bases/{kb_id}/documents/{mill['id']}"
    assert api.delete(path).status_code == 204
    assert ask() == ("MISS", [])
    assert api.post(f"{path}/restore").status_code == 200
    assert ask() == ("MISS", ["mill.txt"])


def test_a_new_version_is_found_at_once(api: LumiClient, kb_id: str, mill: dict[str, Any]) -> None:
    ask = Asked(api, kb_ids=[kb_id])
    ask()
    files = {"file": ("mill.txt", b"The windmill of Brackwater burned down.")}
    api.post(f"/knowledge-bases/{kb_id}/documents/{mill['id']}/reupload", files=files).raise_for_status()
    api.wait_until_ended(mill["id"])
    response = api.post("/search/quick", json=ask.body)
    assert response.headers["x-cache"] == "MISS"
    assert "burned" in response.json()["results"][0]["chunk_text"]


def test_a_knowledge_base_more_or_less_is_another_search(api: LumiClient, mill: dict[str, Any]) -> None:
    """Neither writes to the log of changes."""
    ask = Asked(api, limit=50)
    ask()
    other = api.create_kb(unique("Granted"))
    assert ask()[0] == "MISS"
    assert ask()[0] == "HIT"
    api.delete(f"/knowledge-bases/{other}")
    state, names = ask()
    assert state == "MISS" or "mill.txt" in names
    mills = Asked(api)
    mills()
    api.delete(f"/knowledge-bases/{mill['kb_id']}")
    state, names = mills()
    assert state == "MISS"
    assert "mill.txt" not in names


def test_a_ranking_is_not_for_others(
    api: LumiClient, other: LumiClient, library: Library, kb_id: str, mill: dict[str, Any], key_client: Any
) -> None:
    ask = Asked(api, limit=50)
    assert "mill.txt" in ask()[1]
    assert ask()[0] == "HIT"
    limited = Asked(key_client("read", kb_ids=[library.kb_id]), limit=50)
    limited.body = ask.body
    state, names = limited()
    assert state == "MISS"
    assert "mill.txt" not in names
    theirs = Asked(other)
    theirs.body = ask.body
    assert theirs()[0] == "MISS"


def test_names_and_filters_are_of_now(api: LumiClient, kb_id: str, mill: dict[str, Any]) -> None:
    """Changes of a document that its passages do not know of."""
    ask, old = Asked(api, kb_ids=[kb_id]), Asked(api, kb_ids=[kb_id], filters={"tags": ["old"]})
    named = Asked(api, kb_ids=[kb_id])
    named.body["query"] = "windmill title:mill"
    for search in (ask, old, named):
        assert search() == ("MISS", ["mill.txt"])
    path = f"/knowledge-bases/{kb_id}/documents/{mill['id']}"
    api.patch(path, json={"name": "renamed.txt", "tags": ["new"]}).raise_for_status()
    assert ask()[1] == ["renamed.txt"]
    assert old()[1] == named()[1] == []
    api.patch(path, json={"name": "mill.txt", "tags": ["old"]}).raise_for_status()
    assert old()[1] == named()[1] == ["mill.txt"]
    new_name = unique("Renamed")
    api.patch(f"/knowledge-bases/{kb_id}", json={"name": new_name}).raise_for_status()
    assert api.post("/search/quick", json=ask.body).json()["results"][0]["kb_name"] == new_name


def test_an_archived_document_is_gone_at_once(api: LumiClient, kb_id: str, mill: dict[str, Any]) -> None:
    ask = Asked(api, kb_ids=[kb_id])
    ask()
    bulk = {"action": "archive", "ids": [mill["id"]]}
    api.post(f"/knowledge-bases/{kb_id}/documents/bulk", json=bulk).raise_for_status()
    assert ask()[1] == []
