"""`Idempotency-Key`: what was created is not created again."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import assert_error, unique


def post(api: LumiClient, path: str, key: str, **options: Any) -> Any:
    return api.post(path, headers={"Idempotency-Key": key}, **options)


def test_a_post_that_is_sent_again_gives_the_first_answer_again(api: LumiClient) -> None:
    key, body = unique("key"), {"name": unique("Once")}
    first = post(api, "/knowledge-bases", key, json=body)
    again = [post(api, "/knowledge-bases", key, json=body) for _ in range(5)]
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    for response in again:
        assert response.status_code == 201, response.text
        assert response.json() == first.json()
        assert response.headers["idempotency-replayed"] == "true"


def test_an_upload_that_is_sent_again_is_one_document(api: LumiClient, kb_id: str) -> None:
    key, path = unique("key"), f"/knowledge-bases/{kb_id}/documents"
    first, second = (post(api, path, key, files={"file": ("a.txt", b"Sent twice.")}) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert api.get(path).json()["total"] == 1


def test_what_failed_may_be_tried_again_with_the_same_key(api: LumiClient) -> None:
    key = unique("key")
    assert_error(post(api, "/knowledge-bases", key, json={"name": ""}), 422)
    assert post(api, "/knowledge-bases", key, json={"name": unique("Then right")}).status_code == 201


def test_a_key_belongs_to_its_user_and_one_address(api: LumiClient, other: LumiClient) -> None:
    key = unique("key")
    mine = post(api, "/conversations", key, json={"title": "Mine"}).json()
    theirs = post(other, "/conversations", key, json={"title": "Theirs"}).json()
    assert mine["id"] != theirs["id"]
    assert_error(post(api, "/knowledge-bases", key, json={"name": unique("x")}), 422, "IDEMPOTENCY_KEY_REUSED")


def test_another_body_is_told_and_not_lost(api: LumiClient) -> None:
    key, first, second = unique("key"), unique("First"), unique("Second")
    made = post(api, "/knowledge-bases", key, json={"name": first}).json()
    refused = post(api, "/knowledge-bases", key, json={"name": second})
    assert "new key" in assert_error(refused, 422, "IDEMPOTENCY_KEY_REUSED")["message"]
    assert refused.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"]
    assert api.get(f"/collections/{second}").status_code == 404
    assert post(api, "/knowledge-bases", key, json={"name": first}).json() == made
    assert post(api, "/knowledge-bases", unique("key"), json={"name": second}).status_code == 201


def test_another_file_or_field_is_another_upload(api: LumiClient, kb_id: str) -> None:
    key, path = unique("key"), f"/knowledge-bases/{kb_id}/documents"
    first = post(api, path, key, files={"file": ("a.txt", b"The first file.")}, data={"tags": "a"})
    others: list[dict[str, Any]] = [
        {"files": {"file": ("a.txt", b"The second file.")}, "data": {"tags": "a"}},
        {"files": {"file": ("b.txt", b"The first file.")}, "data": {"tags": "a"}},
        {"files": {"file": ("a.txt", b"The first file.")}, "data": {"tags": "b"}},
    ]
    for other in others:
        assert_error(post(api, path, key, **other), 422, "IDEMPOTENCY_KEY_REUSED")
    assert [document["id"] for document in api.get(path).json()["data"]] == [first.json()["id"]]


def test_an_api_key_is_made_once_and_its_secret_not_given_again(api: LumiClient) -> None:
    key, body = unique("key"), {"name": unique("Robot"), "scopes": ["read"]}
    made = post(api, "/api-keys", key, json=body)
    again = post(api, "/api-keys", key, json=body)
    assert made.status_code == 201
    assert assert_error(again, 409, "SECRET_SHOWN_ONCE")["details"] == {"id": made.json()["id"]}
    assert made.json()["key"] not in again.text
    assert [item["name"] for item in api.get("/api-keys").json()["data"]].count(body["name"]) == 1
    assert_error(post(api, "/api-keys", key, json={**body, "scopes": ["write"]}), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(api: LumiClient, key: str) -> None:
    assert_error(post(api, "/conversations", key, json={"title": "x"}), 422, "VALIDATION_ERROR")
