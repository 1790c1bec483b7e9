"""Why a passage has its place."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import LIGHTHOUSE, Library, assert_error

QUERY = "how far the lamps of the lighthouse are seen"


def explained(api: LumiClient, chunk_id: str, query: str = QUERY, **body: Any) -> dict[str, Any]:
    response = api.post("/search/explain", json={"query": query, "chunk_id": chunk_id, **body})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("options", [{}, {"keyword_weight": 0.2}, {"hybrid": False}, {"min_score": 0.1}], ids=str)
def test_the_parts_are_those_of_the_score(api: LumiClient, library: Library, options: dict[str, Any]) -> None:
    results = api.search(QUERY, kb_ids=[library.kb_id], limit=50, **options)
    for rank, result in enumerate(results, 1):
        found = explained(api, result["chunk_id"], kb_ids=[library.kb_id], **options)
        assert (found["rank"], found["candidates"]) == (rank, len(results))
        assert found["score"] == pytest.approx(result["score"], abs=1e-5)
        legs = ("dense", "keyword", "tokens")
        assert sum(found[leg]["part"] for leg in legs) == pytest.approx(found["score"], abs=1e-5)
        assert sum(found[leg]["weight"] for leg in legs) == pytest.approx(1, abs=1e-5)
        assert found["relevance_score"] == pytest.approx(result["relevance_score"], abs=1e-5)
        for leg in legs:
            scaled = found[leg]["scaled"] or 0
            assert 0 <= scaled <= 1
            assert found[leg]["part"] == pytest.approx(scaled * found[leg]["weight"], abs=1e-5)
        same = ("document_id", "document_name", "version", "section_header", "page_number", "char_start", "char_end")
        assert all(found[name] == result[name] for name in same)
        assert found["reason"] is None


def test_matching_terms_are_shown_where_they_stand(api: LumiClient, library: Library) -> None:
    chunk = api.search(QUERY, kb_ids=[library.kb_id])[0]
    found = explained(api, chunk["chunk_id"], f'{QUERY} "rapeseed oil" café', kb_ids=[library.kb_id])
    places = {
        (one["term"], one["exact"]): [LIGHTHOUSE[place["char_start"] : place["char_end"]] for place in one["places"]]
        for one in found["matched_terms"]
    }
    assert places[("lamp", False)] == ["lamp"]
    assert places[("lighthous", False)] == ["lighthouse", "lighthouse"]
    assert places[("rapeseed oil", True)] == ["rapeseed oil"]
    assert places[("cafe", False)] == ["Caf\u00e9"]
    assert "far" not in {term for term, _ in places}
    total = sum(one["score"] for one in found["matched_terms"])
    assert found["keyword"]["value"] == pytest.approx(total, abs=1e-4)


def test_a_guess_is_shown_as_what_was_meant(api: LumiClient, library: Library) -> None:
    chunk = api.search("Odegaard", kb_ids=[library.kb_id])[0]
    found = explained(api, chunk["chunk_id"], "Odegard", kb_ids=[library.kb_id])
    assert [(one["term"], one["exact"], one["boost"]) for one in found["matched_terms"]] == [("odegaard", True, 0.5)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"min_score": 1.0}, "min_score"),
        ({"filters": {"tags": ["absent"]}}, "filters"),
        ({"query": f"{QUERY} -rapeseed"}, "left out"),
        ({"query": f'{QUERY} "two frames"'}, None),
        ({"query": f'{QUERY} "eleven frames"'}, "required"),
        ({"kb_ids": []}, "none of the knowledge bases"),
    ],
    ids=str,
)
def test_what_is_no_candidate_is_told_why(
    api: LumiClient, library: Library, options: dict[str, Any], reason: str | None
) -> None:
    chunk = api.search(QUERY, kb_ids=[library.kb_id])[0]
    found = explained(api, chunk["chunk_id"], **{"kb_ids": [library.kb_id], **options})
    if reason is None:
        assert (found["rank"], found["reason"]) == (1, None)
        return
    assert (found["rank"], found["score"]) == (None, None)
    assert reason in found["reason"]
    assert found["dense"]["value"] > 0


def test_a_passage_that_one_may_not_read_is_missing(
    api: LumiClient, library: Library, kb_id: str, key_client: Any, anonymous: LumiClient
) -> None:
    chunk_id = api.search(QUERY, kb_ids=[library.kb_id])[0]["chunk_id"]
    body = {"query": QUERY, "chunk_id": chunk_id}
    limited = key_client("read", kb_ids=[kb_id])
    hidden = assert_error(limited.post("/search/explain", json=body), 404, "PASSAGE_NOT_FOUND")
    missing = assert_error(api.post("/search/explain", json={**body, "chunk_id": "nope"}), 404, "PASSAGE_NOT_FOUND")
    assert hidden["message"] == missing["message"]
    assert_error(limited.post("/search/explain", json={**body, "kb_ids": [library.kb_id]}), 404)
    assert_error(anonymous.post("/search/explain", json=body), 401)
    assert_error(api.post("/search/explain", json={"query": QUERY}), 422, "VALIDATION_ERROR")
    assert_error(api.post("/search/explain", json={"query": "", "chunk_id": chunk_id}), 422, "VALIDATION_ERROR")


def test_neighbours_of_a_text_are_found(api: LumiClient, library: Library, key_client: Any, kb_id: str) -> None:
    text = "The beacon burns oil and can be seen from many miles away. " * 100
    found = api.post("/search/similar", json={"text": text, "kb_ids": [library.kb_id], "limit": 2}).json()
    assert found["results"][0]["document_name"] == "lighthouse.txt"
    assert found["total_count"] == 2
    hidden = key_client("read", kb_ids=[kb_id]).post("/search/similar", json={"text": text})
    assert hidden.json()["results"] == []
    both = {"text": text, "document_id": library.text["id"]}
    assert_error(api.post("/search/similar", json=both), 422, "VALIDATION_ERROR")
    assert_error(api.post("/search/similar", json={"text": "a" * 20_001}), 422, "VALIDATION_ERROR")
    assert_error(api.post("/search/similar", json={"text": " "}), 400, "DOCUMENT_ID_MISSING")
