"""A key that is limited to knowledge bases sees nothing of the others, by whatever route."""

from collections.abc import Generator

import pytest
from support.server import LumiClient

from lumikb.kit.ids import new_id


@pytest.fixture
def two_kbs(api: LumiClient) -> tuple[str, str]:
    return api.create_kb(f"mine {new_id()}"), api.create_kb(f"other {new_id()}")


@pytest.fixture
def limited(api: LumiClient, two_kbs: tuple[str, str]) -> Generator[LumiClient]:
    key = api.create_api_key("read", "write", kb_ids=[two_kbs[0]])
    with LumiClient(str(api.base_url).removesuffix("/api/v1/"), key) as client:
        yield client


def test_jobs_of_other_knowledge_bases_are_hidden(
    api: LumiClient, limited: LumiClient, two_kbs: tuple[str, str]
) -> None:
    mine = api.upload_ready(two_kbs[0], "mine.md", b"# Mine\n\nThe mill belongs to me.\n")
    other = api.upload_ready(two_kbs[1], "other.md", b"# Other\n\nThe barn belongs to somebody else.\n")
    listed = {job["id"] for job in limited.get("/jobs", params={"limit": 100}).json()["data"]}
    assert mine["job_id"] in listed
    assert other["job_id"] not in listed
    assert limited.get(f"/jobs/{other['job_id']}").status_code == 404
    assert limited.get(f"/jobs/{mine['job_id']}").status_code == 200


def test_conversations_about_other_knowledge_bases_are_hidden(
    api: LumiClient, limited: LumiClient, two_kbs: tuple[str, str]
) -> None:
    api.upload_ready(two_kbs[0], "mine.md", b"# Mine\n\nThe mill belongs to me.\n")
    secret = api.ask("Who owns the barn?")["conversation_id"]
    named = api.ask("Who owns the mill?", kb_ids=[two_kbs[0]])["conversation_id"]
    own = limited.ask("Who owns the mill?")["conversation_id"]
    listed = {item["id"] for item in limited.get("/conversations", params={"limit": 100}).json()["data"]}
    assert {named, own} <= listed
    assert secret not in listed
    assert limited.get(f"/conversations/{secret}").status_code == 404
    assert limited.get(f"/conversations/{own}").status_code == 200
    assert limited.post("/chat", json={"message": "x", "conversation_id": secret}).status_code == 404


def test_a_run_of_a_wider_key_is_hidden(api: LumiClient, limited: LumiClient) -> None:
    with api.stream("POST", "/query", json={"query": "Who owns the barn?"}) as response:
        run_id = response.headers["x-run-id"]
        response.read()
    assert api.get(f"/runs/{run_id}/events").status_code == 200
    assert limited.get(f"/runs/{run_id}/events").status_code == 404
    assert limited.post(f"/runs/{run_id}/cancel").status_code == 404


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_key_without_the_admin_scope_manages_no_keys(api: LumiClient, scope: str) -> None:
    with LumiClient(str(api.base_url).removesuffix("/api/v1/"), api.create_api_key(scope)) as client:
        assert client.post("/api-keys", json={"name": "more", "scopes": [scope]}).status_code == 403
        listed = api.get("/api-keys").json()["data"]
        assert client.delete(f"/api-keys/{listed[0]['id']}").status_code == 403


def test_a_key_makes_no_key_that_may_more_or_lives_longer(api: LumiClient, two_kbs: tuple[str, str]) -> None:
    soon = "2099-01-01T00:00:00Z"
    form = {"name": "limited", "scopes": ["read", "admin"], "expires_at": soon}
    secret = api.post("/api-keys", json=form).json()["key"]
    with LumiClient(str(api.base_url).removesuffix("/api/v1/"), secret) as client:
        assert client.post("/api-keys", json={"name": "wider", "scopes": ["write"]}).status_code == 422
        child = client.post("/api-keys", json={"name": "child", "scopes": ["read"], "kb_ids": list(two_kbs)})
        assert child.status_code == 201, child.text
        assert child.json()["kb_ids"] == list(two_kbs)
        assert child.json()["expires_at"] == soon


def test_a_key_that_names_knowledge_bases_has_no_part_in_keys(api: LumiClient, two_kbs: tuple[str, str]) -> None:
    secret = api.create_api_key("read", "write", "admin", kb_ids=[two_kbs[0]])
    other = api.post("/api-keys", json={"name": "other", "scopes": ["read"]}).json()["id"]
    with LumiClient(str(api.base_url).removesuffix("/api/v1/"), secret) as client:
        form = {"name": "child", "scopes": ["read"], "kb_ids": [two_kbs[0]]}
        for response in (
            client.get("/api-keys"),
            client.post("/api-keys", json=form),
            client.delete(f"/api-keys/{other}"),
        ):
            assert response.status_code == 403
            assert response.json()["error"]["code"] == "NOT_ALLOWED"


@pytest.mark.parametrize("path", ["/chat", "/query", "/chat/stream", "/search?stream=true"])
def test_a_stream_about_an_unknown_knowledge_base_is_a_404_and_no_event(api: LumiClient, path: str) -> None:
    response = api.post(path, json={"query": "mill", "kb_ids": [new_id()]})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "KB_NOT_FOUND"


def test_a_conversation_stays_with_its_knowledge_bases(api: LumiClient, two_kbs: tuple[str, str]) -> None:
    api.upload_ready(two_kbs[1], "other.md", b"# Other\n\nThe barn belongs to somebody else.\n")
    form = {"title": "mine", "kb_ids": [two_kbs[0]]}
    conversation_id = api.post("/conversations", json=form).json()["id"]
    assert api.ask("Who owns the barn?", conversation_id=conversation_id)["abstained"]
    wider = {"message": "Who owns the barn?", "conversation_id": conversation_id, "kb_ids": [two_kbs[1]]}
    assert api.post("/chat", json=wider).status_code == 422
    assert api.post("/conversations", json={"title": "t", "kb_ids": [new_id()]}).status_code == 404


def test_a_hidden_knowledge_base_answers_like_a_missing_one(
    api: LumiClient, limited: LumiClient, two_kbs: tuple[str, str]
) -> None:
    hidden = limited.get(f"/knowledge-bases/{two_kbs[1]}").json()["error"]
    missing = limited.get(f"/knowledge-bases/{new_id()}").json()["error"]
    assert {**hidden, "request_id": ""} == {**missing, "request_id": ""}
    document = api.upload_ready(two_kbs[1], "other.md", b"# Other\n\nThe barn belongs to somebody else.\n")
    assert limited.get(f"/documents/{document['id']}").json()["error"]["code"] == "DOCUMENT_NOT_FOUND"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_the_ends_of_the_calendar_are_dates_too(api: LumiClient, moment: str) -> None:
    body = {"query": "mill", "filters": {"date_to": moment}}
    assert api.post("/search/quick", json=body).status_code == 200
