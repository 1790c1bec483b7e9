"""Knowledge bases, by id and by name."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error, unique

FIELDS = {
    "id", "name", "description", "owner_id", "status", "document_count", "total_size_bytes", "permission_level",
    "created_at", "updated_at",
}  # fmt: skip
ROUTES = ["/knowledge-bases", "/collections"]


def address(route: str, kb: dict[str, str]) -> str:
    return f"{route}/{quote(kb['name']) if route == '/collections' else kb['id']}"


@pytest.mark.parametrize("route", ROUTES)
def test_a_knowledge_base_lives_from_creation_to_deletion(api: LumiClient, route: str) -> None:
    name = unique("Caf\u00e9 & \U0001f4da")
    created = api.post(route, json={"name": name, "description": "About books"})
    assert created.status_code == 201
    kb = created.json()
    assert set(kb) == FIELDS
    assert (kb["name"], kb["description"], kb["document_count"], kb["total_size_bytes"]) == (name, "About books", 0, 0)
    assert kb["created_at"].endswith("Z")

    assert api.get(address(route, kb)).json() == kb
    renamed = api.patch(address(route, kb), json={"name": name + "!"})
    assert renamed.status_code == 200
    kb = renamed.json()
    assert (kb["name"], kb["description"]) == (name + "!", "About books")
    assert api.patch(address(route, kb), json={"description": ""}).json()["description"] == ""

    assert api.delete(address(route, kb)).status_code == 204
    assert_error(api.get(address(route, kb)), 404, "KB_NOT_FOUND")
    assert_error(api.delete(address(route, kb)), 404, "KB_NOT_FOUND")
    assert api.post(route, json={"name": name + "!"}).status_code == 201  # the name is free again


@pytest.mark.parametrize("route", ROUTES)
def test_a_name_in_use_is_refused_in_any_case(api: LumiClient, route: str) -> None:
    name = unique("Taken")
    api.create_kb(name)
    assert_error(api.post(route, json={"name": name.upper()}), 409, "KB_NAME_TAKEN")
    another = api.create_kb(unique("Another"))
    assert_error(api.patch(f"/knowledge-bases/{another}", json={"name": name.lower()}), 409, "KB_NAME_TAKEN")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": None},
        {"name": 5},
        {"name": ""},
        {"name": "   "},
        {"name": "a\x00b"},
        {"name": "a\nb"},
        {"name": "a/b"},
        {"name": "a" * 256},
        {"name": "a", "description": "d" * 2001},
        {"name": "a", "surprise": 1},
        [],
        "text",
    ],
    ids=str,
)
@pytest.mark.parametrize("route", ROUTES)
def test_a_knowledge_base_that_breaks_the_schema_is_refused(api: LumiClient, route: str, body: object) -> None:
    assert_error(api.post(route, json=body), 422, "VALIDATION_ERROR")


def test_the_longest_name_and_description_are_accepted(api: LumiClient) -> None:
    name = (unique("Long ") + "\u00fc" * 255)[:255]
    created = api.post("/knowledge-bases", json={"name": name, "description": "d" * 2000})
    assert created.status_code == 201
    assert created.json()["name"] == name


@pytest.mark.parametrize("route", ROUTES)
def test_the_list_is_paged_by_name(api: LumiClient, key_client: Callable[..., LumiClient], route: str) -> None:
    names = [unique("Paged") for _ in range(5)]
    reader = key_client("read", kb_ids=[api.create_kb(name) for name in reversed(names)])
    listed: list[str] = []
    for page in (1, 2, 3):
        body = reader.get(route, params={"page": page, "limit": 2}).json()
        assert set(body) == {"data", "total", "page", "limit", "total_pages"}
        assert (body["page"], body["limit"], body["total"], body["total_pages"]) == (page, 2, 5, 3)
        listed += [kb["name"] for kb in body["data"]]
    assert listed == sorted(names, key=str.casefold)
    assert reader.get(route, params={"page": 4, "limit": 2}).json()["data"] == []


@pytest.mark.parametrize("suffix", ["", "/stats"])
def test_an_unknown_name_lists_some_that_the_caller_may_read(
    api: LumiClient, key_client: Callable[..., LumiClient], library: Library, suffix: str
) -> None:
    error = assert_error(api.get(f"/collections/{unique('Nowhere')}{suffix}"), 404, "KB_NOT_FOUND")
    assert 0 < len(error["details"]["available"]) <= 20
    narrowed = key_client("read", kb_ids=[library.kb_id])
    error = assert_error(narrowed.get(f"/collections/{unique('Nowhere')}{suffix}"), 404, "KB_NOT_FOUND")
    assert error["details"]["available"] == [library.kb_name]


def test_stats_count_what_is_there(api: LumiClient, library: Library) -> None:
    documents = library.documents.values()
    stats = api.get(f"/knowledge-bases/{library.kb_id}/stats").json()
    assert stats["documents"] == len(documents)
    assert stats["documents_by_status"]["READY"] == len(documents)
    assert stats["chunks"] == stats["vectors"] == sum(document["chunk_count"] for document in documents)
    assert stats["total_size_bytes"] == sum(document["file_size_bytes"] for document in documents)
    assert api.get(f"/collections/{quote(library.kb_name)}/stats").json() == stats
    kb = api.get(f"/knowledge-bases/{library.kb_id}").json()
    assert (kb["document_count"], kb["total_size_bytes"]) == (stats["documents"], stats["total_size_bytes"])


@pytest.mark.parametrize("purge", ["false", "true"])
def test_what_a_deleted_knowledge_base_held_is_found_no_more(api: LumiClient, purge: str) -> None:
    kb_id = api.create_kb(unique("Doomed"))
    word = f"xylophone{kb_id.replace('-', '')}"
    document = api.upload_ready(kb_id, "doomed.txt", f"The {word} stands in the hall of mirrors.".encode())
    assert api.search(word)[0]["document_id"] == document["id"]
    assert api.delete(f"/knowledge-bases/{kb_id}", params={"purge": purge}).status_code == 204
    assert document["id"] not in {hit["document_id"] for hit in api.search(word)}
    assert_error(api.get(f"/documents/{document['id']}"), 404)
    assert_error(api.get(f"/knowledge-bases/{kb_id}/documents"), 404, "KB_NOT_FOUND")
    assert_error(api.post("/search", json={"query": word, "kb_ids": [kb_id]}), 404, "KB_NOT_FOUND")
    assert document["id"] not in {item["id"] for item in api.get("/documents").json()["data"]}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("kb", ["nope", "01890000-0000-7000-8000-000000000000", "..", "a%27b", "\u00fc"])
def test_an_unknown_id_is_not_found(api: LumiClient, method: str, kb: str) -> None:
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    assert_error(api.request(method, f"/knowledge-bases/{kb.replace('..', '%2E%2E')}", **body), 404)
