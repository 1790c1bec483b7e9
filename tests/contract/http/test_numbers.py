"""Numbers that no database column holds: refused or passed over, never a crash."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, Target, assert_error

# Past 64 bits, past what Python reads of digits, past what a float holds.
NUMBERS = [str(10**30), str(2**63), str(-(2**63) - 1), "9" * 4400, "1e999"]


@pytest.fixture
def whole(target: Target) -> Iterator[LumiClient]:
    """An administrator, below the root."""
    with LumiClient(target.url, target.token, prefix="") as client:
        yield client


@pytest.fixture
def ids(api: LumiClient, library: Library) -> dict[str, str]:
    conversation = api.post("/conversations", json={"title": "Numbers"}).json()["id"]
    return {
        "kb_id": library.kb_id,
        "document_id": library.text["id"],
        "job_id": library.text["job_id"],
        "conversation_id": conversation,
        "name": library.kb_name,
    }


def operations(client: LumiClient, ids: dict[str, str], *methods: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path with real ids, and description of every operation but sign-in."""
    for path, item in client.get("/openapi.json").json()["paths"].items():
        for method in item.keys() & set(methods):
            if "/auth/" not in path:
                filled = path.format_map(dict.fromkeys(("key_id", "run_id", "file_name"), "x") | ids)
                yield method, filled, item[method]


@pytest.mark.thorough
def test_no_parameter_of_an_address_takes_a_number_that_is_too_large(whole: LumiClient, ids: dict[str, str]) -> None:
    needed = {"query": "lamp", "document_id": ids["document_id"], "start": 0, "end": 1}
    tried: set[str] = set()
    for _, path, operation in operations(whole, ids, "get"):
        names = {item["name"] for item in operation.get("parameters", []) if item["in"] == "query"}
        for name in names:
            for number in NUMBERS:
                params = {key: value for key, value in needed.items() if key in names} | {name: number}
                response = whole.get(path, params=params, headers={"Accept": "application/json"})
                assert response.status_code < 500, (path, name, number, response.text)
                if name in {"page", "limit"}:
                    assert_error(response, 422, "VALIDATION_ERROR")
                    assert response.json()["detail"][0]["loc"] == ["query", name]
            tried.add(name)
    assert tried >= {"page", "limit", "version", "start", "end", "min_score"}


@pytest.mark.thorough
def test_no_body_takes_a_number_that_is_too_large(whole: LumiClient, ids: dict[str, str]) -> None:
    schemas = whole.get("/openapi.json").json()["components"]["schemas"]
    tried: set[str] = set()
    for method, path, operation in operations(whole, ids, "post", "patch"):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        properties = schemas.get(body.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        needed = {"query": "lamp", "document_id": ids["document_id"], "action": "tag", "ids": [], "scopes": []}
        for name in properties:
            for number in NUMBERS:
                fields = {key: json.dumps(value) for key, value in needed.items() if key in properties} | {name: number}
                raw = "{" + ", ".join(f'"{key}": {value}' for key, value in fields.items()) + "}"
                headers = {"Content-Type": "application/json"}
                response = whole.request(method, path, content=raw, headers=headers)
                assert response.status_code in {400, 404, 422}, (path, name, number, response.text)
            tried.add(f"{method} {name}")
    assert tried >= {"patch name", "patch tags", "patch metadata", "patch title", "post limit", "post keyword_weight"}


def test_metadata_keeps_whole_numbers_of_any_size(api: LumiClient, kb_id: str) -> None:
    document = api.upload_ready(kb_id, "large.txt", b"A number beyond all columns.", metadata=f'{{"a": {10**30}}}')
    assert document["metadata"] == {"a": 10**30}
    path = f"/knowledge-bases/{kb_id}/documents/{document['id']}"
    changed = api.patch(path, json={"metadata": {"b": -(10**40)}})
    assert changed.json()["metadata"] == {"b": -(10**40)}
    assert api.search("number", kb_ids=[kb_id])[0]["metadata"] == {"b": -(10**40)}
