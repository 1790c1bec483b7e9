"""Counting documents by what they are."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error

ALL = ["kb", "type", "tag", "year"]


@pytest.mark.parametrize("path", ["/search", "/search/quick"])
def test_documents_are_counted_beyond_the_page(api: LumiClient, library: Library, path: str) -> None:
    body = {"query": "the lighthouse", "kb_ids": [library.kb_id], "limit": 1, "facets": ALL}
    facets = api.post(path, json=body).json()["facets"]
    count = len(library.documents)
    assert list(facets) == ALL
    assert facets["kb"] == [{"value": library.kb_id, "label": library.kb_name, "count": count}]
    assert facets["tag"] == [{"value": "contract", "label": "contract", "count": count}]
    types = {item["value"]: (item["label"], item["count"]) for item in facets["type"]}
    assert types["application/pdf"] == ("pdf", 1)
    assert sum(number for _, number in types.values()) == count
    assert str(datetime.now(UTC).year) in {item["value"] for item in facets["year"]}
    assert sum(item["count"] for item in facets["year"]) == count


def test_facets_obey_filters_and_the_bound_on_relevance(api: LumiClient, library: Library) -> None:
    def types(**options: Any) -> list[str]:
        body = {"query": "the lighthouse", "kb_ids": [library.kb_id], "facets": ["type"], **options}
        return [item["value"] for item in api.post("/search/quick", json=body).json()["facets"]["type"]]

    assert types(filters={"mime_types": ["application/pdf"]}) == ["application/pdf"]
    assert types(filters={"tags": ["absent"]}) == []
    assert types(filters={"document_ids": []}) == []
    assert set(types(min_score=0.4)) < set(types())


def test_facets_are_absent_unless_asked_for(api: LumiClient, library: Library) -> None:
    assert api.post("/search/quick", json={"query": "a", "kb_ids": [library.kb_id]}).json()["facets"] is None
    for facets in (["colour"], ["kb"] * 5, "kb"):
        assert_error(api.post("/search/quick", json={"query": "a", "facets": facets}), 422, "VALIDATION_ERROR")


def test_a_key_counts_what_it_may_read(api: LumiClient, library: Library, kb_id: str, key_client: Any) -> None:
    api.upload_ready(kb_id, "hidden.txt", b"The lighthouse of somebody else.", tags="secret")
    body = {"query": "the lighthouse", "facets": ALL}
    assert "secret" not in key_client("read", kb_ids=[library.kb_id]).post("/search/quick", json=body).text
    assert "secret" in api.post("/search/quick", json=body).text
