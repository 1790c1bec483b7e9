"""Passages of one document together, and what is said twice shown once."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import assert_error, unique

NOTICE = "The harbour master of Wenlow closes the northern basin in every storm from the west, and tells it by a bell."
FILES = {
    "notice.txt": NOTICE,
    "copy.txt": f"  {NOTICE.upper()}\n",
    "later.txt": NOTICE.replace("bell", "horn"),
    "invoice-1.txt": "The harbour of Wenlow asks 1,200 crowns for the berth of the barge Anna in the northern basin.",
    "invoice-2.txt": "The harbour of Wenlow asks 1,300 crowns for the berth of the barge Anna in the northern basin.",
    "book.md": "".join(f"# Chapter {at}\n\nThe harbour of Wenlow has {at} basins.\n\n" for at in range(8)),
}


@pytest.fixture(scope="module")
def harbour(api: LumiClient) -> str:
    kb_id = api.create_kb(unique("Harbour"))
    api.patch(f"/knowledge-bases/{kb_id}/settings", json={"chunk_tokens": 32, "chunk_overlap": 0}).raise_for_status()
    uploaded = [api.upload(kb_id, name, text.encode())["id"] for name, text in FILES.items()]
    assert {api.wait_until_ended(document_id)["status"] for document_id in uploaded} == {"READY"}
    return kb_id


@pytest.fixture
def quick(api: LumiClient, harbour: str) -> Any:
    def search(**options: Any) -> dict[str, Any]:
        body = {"query": "the harbour of Wenlow", "kb_ids": [harbour], "limit": 50, **options}
        response = api.post("/search/quick", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return search


def names(results: list[dict[str, Any]]) -> list[str]:
    return [result["document_name"] for result in results]


def test_a_plain_list_is_neither_grouped_nor_folded(quick: Any) -> None:
    plain = quick()
    assert (plain["groups"], plain["folded_count"]) == (None, 0)
    assert set(names(plain["results"])) == set(FILES)
    assert names(plain["results"]).count("book.md") > 5
    assert all("folded" not in result for result in plain["results"])


def test_passages_are_grouped_by_their_document(quick: Any) -> None:
    plain, grouped = quick(), quick(group_by="document")
    assert names(grouped["results"]) == list(dict.fromkeys(names(plain["results"])))
    assert grouped["message"] == f"{len(FILES)} documents found."
    groups = {group["document_name"]: group for group in grouped["groups"]}
    assert list(groups) == names(grouped["results"])
    book = groups["book.md"]
    assert book["passage_count"] == names(plain["results"]).count("book.md")
    assert len(book["results"]) == 5
    scores = [result["score"] for result in book["results"]]
    assert scores == sorted(scores, reverse=True)
    assert book["score"] == scores[0]
    assert [group["results"][0] for group in grouped["groups"]] == grouped["results"]


def test_groups_have_pages(quick: Any) -> None:
    whole, first = quick(group_by="document"), quick(group_by="document", limit=4)
    second = quick(group_by="document", limit=4, cursor=first["next_cursor"])
    assert names(first["results"]) + names(second["results"]) == names(whole["results"])
    assert second["next_cursor"] is None


def test_a_document_gives_so_many_passages_at_most(quick: Any) -> None:
    plain, bounded = quick(), quick(max_per_document=2)
    assert names(bounded["results"]).count("book.md") == 2
    assert set(names(bounded["results"])) == set(FILES)
    best = [result["chunk_id"] for result in plain["results"] if result["document_name"] == "book.md"][:2]
    assert [result["chunk_id"] for result in bounded["results"] if result["document_name"] == "book.md"] == best


def test_what_is_said_twice_is_shown_once(quick: Any) -> None:
    folded = quick(fold_duplicates=True)
    found = names(folded["results"])
    assert len({"notice.txt", "copy.txt"} & set(found)) == 1
    assert {"invoice-1.txt", "invoice-2.txt", "later.txt"} <= set(found)
    assert folded["folded_count"] == 1
    assert [result["folded"] for result in folded["results"] if "folded" in result] == [1]


@pytest.mark.parametrize("options", [{"group_by": "kb"}, {"max_per_document": 0}, {"fold_duplicates": "yes"}], ids=str)
def test_a_shape_that_there_is_not_is_refused(api: LumiClient, options: dict[str, Any]) -> None:
    assert_error(api.post("/search/quick", json={"query": "a", **options}), 422, "VALIDATION_ERROR")
