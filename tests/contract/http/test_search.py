"""Search: streams, JSON, quick, similar."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error
from .events import read_events

RESULT = {
    "chunk_id", "document_id", "document_name", "version", "kb_id", "kb_name", "chunk_text", "content", "score",
    "relevance_score", "page_number", "section_header", "char_start", "char_end", "chunk_index", "total_chunks",
    "metadata",
}  # fmt: skip
QUERY = "how far the lamp of the lighthouse is seen"


def check_results(results: list[dict[str, Any]]) -> None:
    assert results
    assert all(set(result) == RESULT for result in results)
    scores = [result["score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= result["score"] <= 1 and 0 <= result["relevance_score"] <= 1 for result in results)
    assert len({result["chunk_id"] for result in results}) == len(results)


@pytest.mark.parametrize("name", ["lighthouse.txt", "observatory.pdf", "contract.docx", "glacier.html", "orchards.csv"])
def test_a_question_finds_its_document_first(api: LumiClient, library: Library, name: str) -> None:
    question, answer = library.facts[name]
    results = api.search(question, kb_ids=[library.kb_id])
    check_results(results)
    assert results[0]["document_name"] == name
    assert answer in results[0]["chunk_text"]


def test_quick_search_gives_results_without_an_answer(api: LumiClient, library: Library) -> None:
    body = api.post("/search/quick", json={"query": QUERY, "kb_ids": [library.kb_id], "limit": 3}).json()
    assert set(body) >= {"query", "results", "result_count", "search_time_ms"}
    assert body["query"] == QUERY
    assert body["result_count"] == len(body["results"]) == 3
    check_results(body["results"])


def test_search_gives_an_answer_with_its_results(api: LumiClient, library: Library) -> None:
    body = api.post("/search", json={"query": QUERY, "kb_ids": [library.kb_id]}).json()
    assert {"query", "answer", "citations", "confidence", "results", "result_count", "message"} <= set(body)
    assert "nineteen miles" in body["answer"]
    assert body["result_count"] == len(body["results"])
    assert body["citations"]
    check_results(body["results"])


def test_a_search_by_get_streams_results_and_then_its_end(api: LumiClient, library: Library) -> None:
    params = {"query": QUERY, "kb_ids": library.kb_id, "limit": 4}
    events = read_events(api, "GET", "/search", params=params)
    assert [event.name for event in events] == ["result"] * 4 + ["done"]
    assert all(event.data["type"] == event.name for event in events)
    as_json = api.get("/search", params=params, headers={"Accept": "application/json"})
    assert as_json.headers["content-type"] == "application/json"
    streamed = [event.data for event in events[:-1]]
    assert [result["chunk_id"] for result in streamed] == [result["chunk_id"] for result in as_json.json()["results"]]
    assert all(set(result) >= RESULT for result in streamed)
    assert events[-1].data["result_count"] == 4
    assert events[-1].data["search_time_ms"] >= 0


def test_several_knowledge_bases_may_be_named_either_way(api: LumiClient, library: Library, kb_id: str) -> None:
    headers = {"Accept": "application/json"}
    commas = api.get("/search", params={"query": QUERY, "kb_ids": f"{library.kb_id},{kb_id}"}, headers=headers)
    repeated = api.get("/search", params={"query": QUERY, "kb_ids": [library.kb_id, kb_id]}, headers=headers)
    assert [hit["chunk_id"] for hit in commas.json()["results"]] == [
        hit["chunk_id"] for hit in repeated.json()["results"]
    ]


def test_without_names_all_that_the_caller_may_read_is_searched(api: LumiClient, library: Library) -> None:
    assert library.text["id"] in {hit["document_id"] for hit in api.search("the lighthouse of Farrowhead")}


def test_an_empty_knowledge_base_finds_nothing(api: LumiClient, kb_id: str) -> None:
    assert api.search(QUERY, kb_ids=[kb_id]) == []
    body = api.post("/search", json={"query": QUERY, "kb_ids": [kb_id]}).json()
    assert (body["results"], body["citations"], body["abstained"]) == ([], [], True)


def test_a_bound_on_relevance_leaves_out_what_is_below(api: LumiClient, library: Library) -> None:
    everything = api.search(QUERY, kb_ids=[library.kb_id])
    bound = sorted(hit["relevance_score"] for hit in everything)[len(everything) // 2]
    bounded = api.search(QUERY, kb_ids=[library.kb_id], min_score=bound)
    assert 0 < len(bounded) < len(everything)
    assert all(hit["relevance_score"] >= bound for hit in bounded)
    assert api.search("zzzz qqqq", kb_ids=[library.kb_id], min_score=1.0) == []


def test_words_alone_and_meaning_alone_are_the_ends_of_the_weight(api: LumiClient, library: Library) -> None:
    words = api.search("rapeseed", kb_ids=[library.kb_id], keyword_weight=1.0)
    assert words[0]["document_name"] == "lighthouse.txt"
    assert words[0]["score"] == 1.0
    meaning = api.search(QUERY, kb_ids=[library.kb_id], keyword_weight=0.0)
    dense = api.search(QUERY, kb_ids=[library.kb_id], hybrid=False)
    assert [hit["chunk_id"] for hit in meaning] == [hit["chunk_id"] for hit in dense]
    relevance = [hit["relevance_score"] for hit in dense]
    assert relevance == sorted(relevance, reverse=True)


def test_filters_narrow_the_results(api: LumiClient, library: Library) -> None:
    def names(**filters: Any) -> set[str]:
        found = api.search(QUERY, kb_ids=[library.kb_id], limit=50, filters=filters)
        return {hit["document_name"] for hit in found}

    everything = names()
    assert len(everything) == len(library.documents)
    assert names(document_ids=[library.text["id"]]) == {"lighthouse.txt"}
    assert names(document_ids=[]) == set()
    assert names(document_ids=["nope"]) == set()
    assert names(tags=["contract"]) == everything
    assert names(tags=["contract", "absent"]) == set()
    assert names(mime_types=["application/pdf", "text/csv"]) == {"observatory.pdf", "orchards.csv"}
    assert names(date_from="2000-01-01T00:00:00Z", date_to="2100-01-01T00:00:00Z") == everything
    assert names(date_to="2000-01-01T00:00:00Z") == set()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "  "},
        {"query": None},
        {"query": "a" * 501},
        {"query": "a", "limit": 0},
        {"query": "a", "limit": 51},
        {"query": "a", "limit": "many"},
        {"query": "a", "limit": "5"},
        {"query": "a", "hybrid": "true"},
        {"query": "a", "colour": "red"},
        {"query": "a", "min_score": -0.1},
        {"query": "a", "min_score": 2},
        {"query": "a", "keyword_weight": 1.5},
        {"query": "a", "kb_ids": "all"},
        {"query": "a", "filters": {"colour": "red"}},
        {"query": "a", "filters": {"date_from": "yesterday"}},
        {"query": "a", "filters": {"date_from": "2024-01-01T00:00:00"}},
        {"query": "a", "filters": {"language": "in German"}},
        {"query": "a", "filters": {"author": ["Anna"]}},
        {"query": "a", "filters": {"metadata": {"shelf": ["north"]}}},
        {"query": "a", "filters": {"metadata": {"shelf": 2**64}}},
        {"query": "a", "filters": {"metadata": {str(number): 1 for number in range(21)}}},
        {"query": "a", "filters": {"tags": [str(number) for number in range(2000)]}},
        {"query": "a", "filters": {"document_ids": ["x"] * 5000}},
    ],
    ids=lambda body: str(body)[:50],
)
@pytest.mark.parametrize("path", ["/search", "/search/quick", "/search?stream=true"])
def test_a_search_that_breaks_the_schema_is_refused(api: LumiClient, path: str, body: dict[str, Any]) -> None:
    assert_error(api.post(path, json=body), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "a", "limit": "5"}, "limit"),
        ({"query": "a", "limit": 51}, "limit"),
        ({"query": "a", "colour": "red"}, "colour"),
        ({"query": "a", "filters": {"tags": ["x", 5]}}, "filters.tags[1]"),
        ({"query": "a", "filters": {"colour": "red"}}, "filters.colour"),
        ({"limit": 5}, "query"),
    ],
    ids=str,
)
def test_a_refused_body_names_its_field(api: LumiClient, body: dict[str, Any], field: str) -> None:
    response = api.post("/search/quick", json=body)
    assert_error(response, 422, "VALIDATION_ERROR")
    assert [item["loc"] for item in response.json()["detail"]] == [["body", field]]


@pytest.mark.parametrize("params", [{"limit": 51}, {"limit": "x"}, {"min_score": 2}], ids=str)
def test_a_refused_parameter_of_the_address_is_named_as_one(api: LumiClient, params: dict[str, Any]) -> None:
    for path, more in (("/search", {"query": "a"}), ("/search/similar", {"document_id": "a"})):
        if path == "/search" or "limit" in params:
            response = api.get(path, params={**more, **params})
            assert_error(response, 422, "VALIDATION_ERROR")
            assert [item["loc"] for item in response.json()["detail"]] == [["query", *params]]


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_knowledge_bases_that_were_left_empty_do_not_mean_all(api: LumiClient, library: Library, value: str) -> None:
    refused = api.get("/search", params={"query": QUERY, "kb_ids": value})
    assert_error(refused, 422, "VALIDATION_ERROR")
    assert refused.json()["detail"][0]["loc"] == ["query", "kb_ids"]
    similar = {"document_id": library.text["id"], "kb_ids": value}
    assert_error(api.get("/search/similar", params=similar), 422, "VALIDATION_ERROR")
    assert api.search(QUERY, kb_ids=[]) == []


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json", "*/*"])
def test_a_search_by_get_needs_a_query_within_bounds(api: LumiClient, accept: str) -> None:
    headers = {"Accept": accept}
    assert_error(api.get("/search", headers=headers), 400, "QUERY_MISSING")
    assert_error(api.get("/search", params={"query": " "}, headers=headers), 400, "QUERY_MISSING")
    assert_error(api.get("/search", params={"query": "a", "limit": 51}, headers=headers), 422, "VALIDATION_ERROR")
    assert_error(api.get("/search", params={"query": "a", "min_score": "nan"}, headers=headers), 422)
    assert_error(api.get("/search", params={"query": "a" * 501}, headers=headers), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("path", ["/search", "/search/quick"])
def test_an_unknown_knowledge_base_lists_some_that_there_are(api: LumiClient, library: Library, path: str) -> None:
    response = api.post(path, json={"query": "a", "kb_ids": ["nope", library.kb_id]})
    assert assert_error(response, 404, "KB_NOT_FOUND")["details"]["available"]


@pytest.mark.parametrize(
    "query", ["AND OR NOT", '"unbalanced', "title:x +y -z", "(((", "\U0001f30a", "a/b\\c", "*", "\u202e"]
)
def test_a_query_is_words_and_never_syntax(api: LumiClient, library: Library, query: str) -> None:
    response = api.post("/search/quick", json={"query": query, "kb_ids": [library.kb_id]})
    assert response.status_code == 200, response.text


# Neighbours


def test_neighbours_of_a_document_leave_itself_out(api: LumiClient, library: Library) -> None:
    by_get = api.get("/search/similar", params={"document_id": library.text["id"], "kb_ids": library.kb_id}).json()
    assert set(by_get) == {"results", "total_count"}
    assert by_get["total_count"] == len(by_get["results"]) <= 10
    check_results(by_get["results"])
    assert library.text["id"] not in {hit["document_id"] for hit in by_get["results"]}
    body = {"document_id": library.text["id"], "kb_ids": [library.kb_id]}
    assert api.post("/search/similar", json=body).json() == by_get


def test_neighbours_of_a_passage_leave_itself_out(api: LumiClient, library: Library) -> None:
    chunk = api.get(f"{library.path()}/chunks").json()["data"][0]
    params = {"chunk_id": chunk["chunk_id"], "kb_ids": library.kb_id, "limit": 3}
    found = api.get("/search/similar", params=params).json()
    assert len(found["results"]) == 3
    assert chunk["chunk_id"] not in {hit["chunk_id"] for hit in found["results"]}


def test_neighbours_need_something_to_compare_with(api: LumiClient) -> None:
    assert_error(api.get("/search/similar"), 400, "DOCUMENT_ID_MISSING")
    assert_error(api.post("/search/similar", json={}), 400, "DOCUMENT_ID_MISSING")
    assert_error(api.get("/search/similar", params={"document_id": "nope"}), 404, "DOCUMENT_NOT_FOUND")
    assert_error(api.get("/search/similar", params={"chunk_id": "nope"}), 404, "DOCUMENT_NOT_FOUND")


@pytest.mark.parametrize("limit", [0, 51, -1])
def test_neighbours_are_bounded(api: LumiClient, library: Library, limit: int) -> None:
    params = {"document_id": library.text["id"], "limit": limit}
    assert_error(api.get("/search/similar", params=params), 422, "VALIDATION_ERROR")
