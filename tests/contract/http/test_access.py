"""Who gets what: nobody, another's, a key's scopes and knowledge bases, sign-in by cookie and token."""

import re
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.server import LumiClient, poll

from lumikb.http.permission import Permission

from .conftest import Library, Target, assert_error, unique

PUBLIC = {
    ("GET", "/health"),
    ("GET", "/healthz"),
    ("GET", "/ready"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/status"),
    ("POST", "/api/v1/auth/setup"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
    # The signature of the link is asked for instead.
    ("GET", "/api/v1/uploads/x"),
    ("PUT", "/api/v1/uploads/x"),
}


def operations(root: LumiClient) -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI document, with its parameters filled in."""
    paths = root.get("/openapi.json").json()["paths"]
    return [(method.upper(), re.sub(r"\{\w+\}", "x", path)) for path, item in paths.items() for method in item]


@pytest.fixture
def browser(target: Target) -> Generator[LumiClient]:
    """The other administrator with a cookie, as a browser has it."""
    with LumiClient(target.url) as client:
        signed_in = client.post("/auth/login", data={"username": target.email, "password": target.password})
        assert signed_in.status_code == 204, signed_in.text
        yield client


def test_anonymous_gets_401_on_every_route_that_is_not_public(root: LumiClient) -> None:
    found = operations(root)
    assert len(found) > 30
    assert set(found) >= PUBLIC
    for method, path in found:
        if (method, path) not in PUBLIC:
            assert_error(root.request(method, path), 401, "NOT_SIGNED_IN")
            if method == "GET":
                assert root.head(path).status_code == 401


def test_a_refusal_says_which_scheme_is_asked_for(anonymous: LumiClient) -> None:
    assert anonymous.get("/users/me").headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer lkb_nonsense"},
        {"X-API-Key": "lkb_nonsense"},
        {"Cookie": "lumikb_auth=nonsense"},
        {"Cookie": "lumikb_auth="},
        {"Authorization": "Bearer " + "a" * 5000},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
    ids=str,
)
def test_credentials_that_do_not_hold_are_none(anonymous: LumiClient, headers: Any) -> None:
    assert_error(anonymous.get("/users/me", headers=headers), 401, "NOT_SIGNED_IN")


def test_an_invalid_credential_falls_through_to_the_next(api: LumiClient, anonymous: LumiClient) -> None:
    key = api.create_api_key("read")
    headers = {"Cookie": "lumikb_auth=nonsense", "Authorization": "Bearer nonsense", "X-API-Key": key}
    assert anonymous.get("/users/me", headers=headers).status_code == 200


@pytest.mark.parametrize("neighbour", ['prefs={"a":1}', "note=a b", "x=\u00fc", "a=1; b=2", "broken"])
def test_cookies_of_other_applications_do_not_end_the_session(browser: LumiClient, neighbour: str) -> None:
    """Cookies do not know ports: on localhost every application's arrive together."""
    ours = browser.cookies["lumikb_auth"]
    browser.cookies.clear()
    for cookie in (f"{neighbour}; lumikb_auth={ours}", f"lumikb_auth={ours}; {neighbour}"):
        assert browser.get("/users/me", headers={"Cookie": cookie.encode()}).status_code == 200


# Sign-in


def test_json_sign_in_gives_tokens_and_a_cookie(anonymous: LumiClient, target: Target) -> None:
    response = anonymous.post("/auth/login", json={"email": target.email.upper(), "password": target.password})
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert body["token_type"] == "bearer"
    assert body["user"]["email"] == target.email.lower()
    assert "password_hash" not in response.text
    cookie = response.headers["set-cookie"]
    anonymous.cookies.clear()
    assert cookie.startswith(f"lumikb_auth={body['access_token']}")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    me = anonymous.get("/users/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.json() == body["user"]


def test_form_sign_in_gives_a_cookie_and_nothing_else(browser: LumiClient, target: Target) -> None:
    assert browser.get("/users/me").json()["email"] == target.email.lower()


@pytest.mark.parametrize("known", [True, False])
def test_wrong_credentials_are_told_the_same_whether_or_not_the_account_exists(
    anonymous: LumiClient, target: Target, known: bool
) -> None:
    email = target.email if known else "nobody@example.org"
    by_json = anonymous.post("/auth/login", json={"email": email, "password": "wrong password"})
    by_form = anonymous.post("/auth/login", data={"username": email, "password": "wrong password"})
    assert assert_error(by_json, 401, "LOGIN_BAD_CREDENTIALS")["message"] == "E-mail address or password is wrong."
    assert assert_error(by_form, 400, "LOGIN_BAD_CREDENTIALS")["message"] == "E-mail address or password is wrong."
    assert "set-cookie" not in by_json.headers
    assert "set-cookie" not in by_form.headers


@pytest.mark.thorough
def test_guessing_passwords_is_slowed_down(anonymous: LumiClient, target: Target) -> None:
    nobody = f"{unique('nobody').replace(' ', '-')}@example.org"
    for _ in range(100):
        response = anonymous.post("/auth/login", json={"email": nobody, "password": "wrong password"})
        if response.status_code != 401:
            break
    error = assert_error(response, 429, "TOO_MANY_SIGN_INS")
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert f"{response.headers['retry-after']} s" in error["message"]
    by_form = anonymous.post("/auth/login", data={"username": nobody.upper(), "password": "wrong password"})
    assert_error(by_form, 429, "TOO_MANY_SIGN_INS")
    # Another account is none of its business.
    response = anonymous.post("/auth/login", json={"email": target.email, "password": target.password})
    assert response.status_code == 200
    anonymous.cookies.clear()


@pytest.mark.parametrize("password", ["", "!", "a" * 2000])
def test_nobody_signs_in_to_the_account_of_the_command_line(anonymous: LumiClient, password: str) -> None:
    response = anonymous.post("/auth/login", json={"email": "local@localhost", "password": password})
    assert_error(response, 401, "LOGIN_BAD_CREDENTIALS")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "BAD_JSON"),
        (b"", 400, "BAD_JSON"),
        (b"{}", 422, "VALIDATION_ERROR"),
        (b'{"email": 1, "password": 2}', 422, "VALIDATION_ERROR"),
        (b"[]", 422, "VALIDATION_ERROR"),
    ],
)
def test_a_sign_in_that_cannot_be_read_is_refused(
    anonymous: LumiClient, content: bytes, status: int, code: str
) -> None:
    response = anonymous.post("/auth/login", content=content, headers={"Content-Type": "application/json"})
    assert_error(response, status, code)


def test_signing_out_ends_the_session_at_once(browser: LumiClient) -> None:
    token = browser.cookies["lumikb_auth"]
    out = browser.post("/auth/logout")
    assert out.status_code == 204
    assert "lumikb_auth" not in browser.cookies
    assert_error(browser.get("/users/me", headers={"Authorization": f"Bearer {token}"}), 401)
    assert_error(browser.get("/users/me", headers={"Cookie": f"lumikb_auth={token}"}), 401)


def test_a_session_that_ends_leaves_others_alone(browser: LumiClient, other: LumiClient) -> None:
    browser.post("/auth/logout")
    assert other.get("/users/me").status_code == 200


def test_a_refresh_token_is_spent_by_its_use(anonymous: LumiClient, target: Target) -> None:
    first = anonymous.post("/auth/login", json={"email": target.email, "password": target.password}).json()
    anonymous.cookies.clear()
    response = anonymous.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    anonymous.cookies.clear()
    assert response.status_code == 200
    second = response.json()
    assert second["refresh_token"] != first["refresh_token"]
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert anonymous.get("/users/me", headers=headers).status_code == 200
    assert_error(anonymous.post("/auth/refresh", json={"refresh_token": first["refresh_token"]}), 401)


@pytest.mark.parametrize("token", ["", "nonsense", "\u00fc", "a" * 5000])
def test_a_refresh_token_that_was_never_given_is_refused(anonymous: LumiClient, token: str) -> None:
    assert_error(anonymous.post("/auth/refresh", json={"refresh_token": token}), 401, "NOT_SIGNED_IN")


def test_a_session_that_has_ended_is_not_refreshed(anonymous: LumiClient, target: Target) -> None:
    signed_in = anonymous.post("/auth/login", json={"email": target.email, "password": target.password}).json()
    anonymous.cookies.clear()
    anonymous.post("/auth/logout", headers={"Authorization": f"Bearer {signed_in['access_token']}"})
    assert_error(anonymous.post("/auth/refresh", json={"refresh_token": signed_in["refresh_token"]}), 401)


def test_set_up_is_over_once_there_is_an_administrator(anonymous: LumiClient) -> None:
    body = {"token": "x" * 43, "email": "second@example.org", "password": "long enough"}
    assert_error(anonymous.post("/auth/setup", json=body), 410, "SETUP_DONE")


def test_ones_own_account_has_all_its_fields(other: LumiClient) -> None:
    me = other.get("/users/me").json()
    assert set(me) == {
        "id", "email", "first_name", "last_name", "is_active", "is_superuser", "is_verified", "permission_level",
        "groups", "created_at", "updated_at", "last_active", "onboarding_completed",
    }  # fmt: skip
    assert me["permission_level"] == 3


# Writes that a cookie would sign


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
    ids=str,
)
def test_a_write_from_another_site_is_refused(browser: LumiClient, headers: dict[str, str]) -> None:
    response = browser.post("/conversations", json={"title": "forged"}, headers=headers)
    assert_error(response, 403, "CROSS_SITE_REQUEST")
    assert browser.get("/users/me", headers=headers).status_code == 200  # reading changes nothing


def test_a_write_from_our_own_pages_passes(browser: LumiClient, target: Target) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": target.url}, {"Sec-Fetch-Site": "none"}):
        assert browser.post("/conversations", json={"title": "mine"}, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}], ids=str
)
def test_a_form_of_another_site_signs_nobody_in(anonymous: LumiClient, target: Target, headers: dict[str, str]) -> None:
    form = {"username": target.email, "password": target.password}
    response = anonymous.post("/auth/login", data=form, headers=headers)
    assert_error(response, 403, "CROSS_SITE_REQUEST")
    assert "set-cookie" not in response.headers


def test_a_token_is_no_cookie_and_may_write_from_anywhere(api: LumiClient) -> None:
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert api.post("/conversations", json={"title": "by token"}, headers=headers).status_code == 201


# API keys


def test_a_key_is_shown_once_and_works_until_it_is_revoked(api: LumiClient, anonymous: LumiClient) -> None:
    created = api.post("/api-keys", json={"name": "Robot", "scopes": ["read", "write"]})
    assert created.status_code == 201
    key = created.json()
    assert key["key"].startswith(key["prefix"])
    assert key["scopes"] == ["read", "write"]
    assert key["kb_ids"] is None
    listed = api.get("/api-keys").json()
    assert listed["total"] == len(listed["data"])
    (shown,) = [item for item in listed["data"] if item["id"] == key["id"]]
    assert "key" not in shown
    assert key["key"] not in api.get("/api-keys").text
    for headers in ({"X-API-Key": key["key"]}, {"Authorization": f"Bearer {key['key']}"}):
        assert anonymous.get("/users/me", headers=headers).status_code == 200
    assert api.delete(f"/api-keys/{key['id']}").status_code == 204
    assert_error(anonymous.get("/users/me", headers={"X-API-Key": key["key"]}), 401)
    assert_error(api.delete(f"/api-keys/{key['id']}"), 404, "API_KEY_NOT_FOUND")


@pytest.mark.thorough
def test_an_expired_key_is_none(api: LumiClient, anonymous: LumiClient) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    key = api.post("/api-keys", json={"name": "Old", "scopes": ["read"], "expires_at": soon}).json()["key"]
    assert anonymous.get("/users/me", headers={"X-API-Key": key}).status_code == 200
    poll(lambda: anonymous.get("/users/me", headers={"X-API-Key": key}).status_code == 401, "the key's end")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "k"},
        {"name": "k", "scopes": []},
        {"name": "k", "scopes": ["everything"]},
        {"name": "", "scopes": ["read"]},
        {"name": "a" * 256, "scopes": ["read"]},
        {"name": "k", "scopes": ["read"], "expires_at": "tomorrow"},
        {"name": "k", "scopes": ["read"], "expires_at": "2030-01-01T00:00:00"},
        {"name": "k", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "k", "scopes": ["read"], "kb_ids": "all"},
        {"name": "k", "scopes": ["read"], "kb_ids": ["nope"]},
    ],
    ids=str,
)
def test_a_key_that_breaks_the_schema_is_refused(api: LumiClient, body: dict[str, Any]) -> None:
    assert_error(api.post("/api-keys", json=body), 422, "VALIDATION_ERROR")


def test_a_key_belongs_to_its_owner(api: LumiClient, other: LumiClient) -> None:
    key = api.post("/api-keys", json={"name": "Mine", "scopes": ["read"]}).json()
    assert key["id"] not in {item["id"] for item in other.get("/api-keys").json()["data"]}
    assert_error(other.delete(f"/api-keys/{key['id']}"), 404, "API_KEY_NOT_FOUND")


def calls(library: Library) -> dict[Permission, Callable[[LumiClient], httpx.Response]]:
    kb = f"/knowledge-bases/{library.kb_id}"
    return {
        Permission.KB_READ: lambda client: client.get(kb),
        Permission.KB_GENERATE: lambda client: client.post("/chat", json={"message": "Hello?"}),
        Permission.KB_WRITE: lambda client: client.post(f"{library.path()}/retry"),  # 409: it is READY
        Permission.KB_CREATE: lambda client: client.post("/knowledge-bases", json={"name": unique("By key")}),
        Permission.KB_ADMIN: lambda client: client.patch(kb, json={"description": "By key"}),
        Permission.OPERATE: lambda client: client.post("/operations/index/rebuild"),
    }


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("read", {Permission.KB_READ, Permission.KB_GENERATE}),
        ("write", {Permission.KB_WRITE, Permission.KB_CREATE}),
        ("admin", {Permission.KB_ADMIN, Permission.OPERATE}),
    ],
)
def test_a_scope_allows_what_it_names_and_no_more(
    key_client: Callable[..., LumiClient], library: Library, scope: str, allowed: set[Permission]
) -> None:
    client = key_client(scope)
    for permission, call in calls(library).items():
        response = call(client)
        if permission in allowed:
            assert response.status_code in {200, 201, 202, 409}, (permission, response.text)
        else:
            assert_error(response, 403, "NOT_ALLOWED")


def test_a_key_does_not_see_knowledge_bases_that_it_does_not_name(
    key_client: Callable[..., LumiClient], library: Library, kb_id: str
) -> None:
    client = key_client("read", "write", "admin", kb_ids=[kb_id])
    kb, document = f"/knowledge-bases/{library.kb_id}", library.text["id"]
    hidden = [
        client.get(kb),
        client.patch(kb, json={"name": "x"}),
        client.delete(kb),
        client.get(f"{kb}/stats"),
        client.get(f"/collections/{library.kb_name}"),
        client.get(f"{kb}/documents"),
        client.post(f"{kb}/documents", files={"file": ("a.txt", b"some text")}),
        client.get(f"/documents/{document}"),
        client.delete(f"/documents/{document}"),
        *(client.get(f"{library.path()}{part}") for part in ("", "/status", "/content", "/chunks", "/download")),
        client.post(f"{library.path()}/retry"),
        client.delete(library.path()),
        client.post("/search", json={"query": "lamp", "kb_ids": [library.kb_id]}),
        client.post("/search/quick", json={"query": "lamp", "kb_ids": [library.kb_id]}),
        client.get("/search/similar", params={"document_id": document}),
        client.post("/chat", json={"message": "lamp?", "kb_ids": [library.kb_id]}),
    ]
    for response in hidden:
        assert_error(response, 404)
    assert [kb["id"] for kb in client.get("/knowledge-bases").json()["data"]] == [kb_id]
    assert client.get("/documents").json()["total"] == 0
    assert client.search("lighthouse lamp") == []
    assert client.ask("How far is the lamp of the lighthouse seen?")["abstained"]
    assert_error(client.post("/knowledge-bases", json={"name": unique("New")}), 403, "NOT_ALLOWED")


def test_a_document_is_not_reached_through_another_knowledge_base(
    api: LumiClient, library: Library, kb_id: str
) -> None:
    path = f"/knowledge-bases/{kb_id}/documents/{library.text['id']}"
    for part in ("", "/status", "/content", "/chunks", "/download"):
        assert_error(api.get(path + part), 404, "DOCUMENT_NOT_FOUND")
    assert_error(api.delete(path), 404, "DOCUMENT_NOT_FOUND")
    assert api.get(library.path()).status_code == 200


def test_a_key_cannot_make_a_key_that_may_more(key_client: Callable[..., LumiClient]) -> None:
    client = key_client("read", "admin")
    assert_error(client.post("/api-keys", json={"name": "More", "scopes": ["write"]}), 422, "VALIDATION_ERROR")
    assert client.post("/api-keys", json={"name": "Same", "scopes": ["read"]}).status_code == 201


def test_a_key_for_keys_alone_names_what_its_owner_reads(key_client: Callable[..., LumiClient], kb_id: str) -> None:
    made = key_client("admin").post("/api-keys", json={"name": "One", "scopes": ["admin"], "kb_ids": [kb_id]})
    assert made.status_code == 201, made.text
    assert made.json()["kb_ids"] == [kb_id]


def test_a_reader_asks_but_changes_no_conversation(
    api: LumiClient, key_client: Callable[..., LumiClient], kb_id: str
) -> None:
    reader, writer = key_client("read"), key_client("write")
    path = f"/conversations/{reader.ask('Is there anything?', kb_ids=[kb_id])['conversation_id']}"
    assert reader.get(path).status_code == 200
    for refused in (
        reader.post("/conversations", json={"title": "Mine"}),
        reader.patch(path, json={"title": "Renamed"}),
        reader.delete(path),
    ):
        assert_error(refused, 403, "NOT_ALLOWED")
    assert api.get(path).json()["title"] == "Is there anything?"
    assert writer.patch(path, json={"title": "Renamed"}).status_code == 200
    assert writer.delete(path).status_code == 204


def test_a_live_access_token_alone_refreshes(target: Target, anonymous: LumiClient) -> None:
    signed_in = anonymous.post("/auth/login", json={"email": target.email, "password": target.password}).json()
    headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
    renewed = anonymous.post("/auth/refresh", headers=headers)
    assert renewed.status_code == 200, renewed.text
    assert renewed.json()["user"]["email"] == target.email
    assert anonymous.post("/auth/refresh", json={"refresh_token": signed_in["refresh_token"]}).status_code == 401
    anonymous.cookies.clear()
    assert_error(anonymous.post("/auth/refresh"), 401)
