"""What holds for every request: ids, headers, HEAD, aliases, errors, compression."""

import gzip
import re
from typing import Any

import httpx
import pytest
from support.server import LumiClient

from .conftest import Library, Target, assert_error

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def readable_paths(library: Library) -> list[str]:
    """Every address that GET reads, with real ids."""
    document = f"/api/v1{library.path()}"
    return [
        "/", "/docs", "/openapi.json", "/metrics", "/health", "/healthz", "/ready", "/readyz", "/assets/page.css",
        "/api/v1/status", "/api/v1/users/me", "/api/v1/api-keys", "/api/v1/knowledge-bases", "/api/v1/collections",
        f"/api/v1/knowledge-bases/{library.kb_id}", f"/api/v1/knowledge-bases/{library.kb_id}/stats",
        f"/api/v1/collections/{library.kb_name}", f"/api/v1/collections/{library.kb_name}/stats",
        f"/api/v1/knowledge-bases/{library.kb_id}/documents", "/api/v1/documents",
        f"/api/v1/documents/{library.text['id']}", document,
        *(f"{document}/{part}" for part in ("status", "content", "chunks", "download")),
        "/api/v1/jobs", f"/api/v1/jobs/{library.text['job_id']}", "/api/v1/conversations",
        f"/api/v1/search/similar?document_id={library.text['id']}", "/api/v1/search?query=lamp",
    ]  # fmt: skip


@pytest.fixture
def whole(target: Target, api: LumiClient) -> Any:
    """An administrator, below the root."""
    with LumiClient(target.url, target.token, prefix="") as client:
        yield client


def test_a_request_id_is_made_where_none_is_given(root: LumiClient) -> None:
    first, second = (root.get("/health").headers["x-request-id"] for _ in range(2))
    assert ID.fullmatch(first)
    assert first != second


@pytest.mark.parametrize("given", ["abcd1234", "A-b_c.d-9", "x" * 64])
def test_a_well_formed_request_id_is_echoed(root: LumiClient, given: str) -> None:
    headers = {"X-Request-ID": given}
    assert root.get("/health", headers=headers).headers["x-request-id"] == given
    refused = root.get("/api/v1/users/me", headers=headers)
    assert assert_error(refused, 401)["request_id"] == given


@pytest.mark.parametrize(
    "given", [b"short", b"x" * 65, b"has space", b"<script>alert", b"\xc3\xa4\xc3\xb6\xc3\xbcabcdef"]
)
def test_another_request_id_is_replaced(root: LumiClient, given: bytes) -> None:
    response = root.get("/health", headers=[(b"x-request-id", given)])
    assert ID.fullmatch(response.headers["x-request-id"])


def test_every_answer_has_security_headers_and_an_id(whole: LumiClient, library: Library) -> None:
    answers = [whole.get(path) for path in readable_paths(library)]
    answers += [whole.get("/nowhere"), whole.put("/health"), whole.post("/api/v1/search", json={})]
    for response in answers:
        assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS, response.url
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-request-id"]
        assert "server" not in response.headers


def test_head_answers_as_get_does_without_its_body(whole: LumiClient, library: Library) -> None:
    for path in readable_paths(library):
        got, head = whole.get(path), whole.head(path)
        assert got.status_code == 200, (path, got.text)
        assert head.status_code == 200, path
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"], path
    assert whole.get("/health").status_code == 200  # the connection is still of use


def test_head_of_what_is_not_there_is_not_there(whole: LumiClient) -> None:
    assert whole.head("/api/v1/documents/nope").status_code == 404
    assert whole.head("/nowhere").status_code == 404
    assert whole.head("/api/v1/chat").status_code == 405


def headers_of(response: httpx.Response) -> dict[str, str]:
    """The headers but those that belong to one request, or to the way its body is sent."""
    passing = {"date", "x-request-id", "x-run-id", "transfer-encoding"}
    return {name: value for name, value in response.headers.items() if name not in passing}


def test_head_of_a_search_starts_no_work(api: LumiClient) -> None:
    params = {"query": "lamp"}
    response = api.head("/search", params=params)
    assert headers_of(response) == headers_of(api.get("/search", params=params))
    assert response.headers["content-type"] == "text/event-stream"
    assert "x-run-id" not in response.headers
    assert api.head("/search").status_code == 400
    as_json = api.head("/search", params=params, headers={"Accept": "application/json"})
    assert as_json.headers["content-type"] == "application/json"
    assert "content-length" not in as_json.headers
    assert api.head("/search", params={**params, "kb_ids": "nope"}).status_code == 404


def test_head_of_a_run_tells_none_of_its_events(api: LumiClient, library: Library) -> None:
    with api.stream("POST", "/query", json={"query": "lamp", "kb_ids": [library.kb_id]}) as response:
        path = f"/runs/{response.headers['x-run-id']}/events"
        response.read()
    head, got = api.head(path), api.get(path)
    assert headers_of(head) == headers_of(got)
    assert head.headers["x-run-id"] == got.headers["x-run-id"]


@pytest.mark.parametrize("path", ["/knowledge-bases", "/users/me", "/conversations", "/jobs", "/status"])
def test_a_trailing_slash_changes_nothing_and_the_version_may_be_left_out(whole: LumiClient, path: str) -> None:
    expected = whole.get(f"/api/v1{path}")
    for spelling in (f"/api/v1{path}/", f"/api{path}", f"/api{path}/"):
        response = whole.get(spelling, follow_redirects=False)
        assert response.status_code == 200
        assert response.json() == expected.json()


def test_a_write_takes_the_alias_too(whole: LumiClient) -> None:
    assert whole.post("/api/conversations/", json={"title": "By alias"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/knowledge-bases"), ("GET", "/chat"), ("DELETE", "/search"), ("PATCH", "/users/me"), ("PUT", "/status")],
)
def test_a_method_that_an_address_does_not_take_names_those_that_it_does(
    api: LumiClient, method: str, path: str
) -> None:
    response = api.request(method, path)
    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert method not in response.headers["allow"]


@pytest.mark.parametrize("path", ["/nowhere", "/knowledge-bases/x/y/z", "/api/v1/status", "/%00", "/\u00fc"])
def test_an_address_that_leads_nowhere_is_not_found(api: LumiClient, path: str) -> None:
    assert_error(api.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/knowledge-bases", "/search", "/search/quick", "/chat", "/conversations", "/api-keys"]
)
@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "BAD_JSON"),
        (b"nonsense", 400, "BAD_JSON"),
        (b"\xff\xfe", 400, "BAD_JSON"),
        (b'{"query": "\xff"}', 400, "BAD_JSON"),
        (b"[" * 5000, 400, "BAD_JSON"),
        (b"", 422, "VALIDATION_ERROR"),
        (b"null", 422, "VALIDATION_ERROR"),
        (b"5", 422, "VALIDATION_ERROR"),
    ],
    ids=["cut off", "no JSON", "no text", "no UTF-8", "deep", "empty", "null", "number"],
)
def test_a_body_that_cannot_be_read_is_refused(
    api: LumiClient, path: str, content: bytes, status: int, code: str
) -> None:
    response = api.post(path, content=content, headers={"Content-Type": "application/json"})
    assert_error(response, status, code)


@pytest.mark.parametrize("path", ["/knowledge-bases", "/search", "/chat", "/conversations", "/api-keys", "/auth/login"])
@pytest.mark.parametrize("kind", ["text/plain", "text/plain;charset=UTF-8", "application/x-msgpack", "", "json"])
def test_a_body_that_says_it_is_no_json_is_refused(api: LumiClient, path: str, kind: str) -> None:
    response = api.post(path, content=b'{"title": "x", "name": "x"}', headers={"Content-Type": kind})
    assert "application/json" in assert_error(response, 415, "UNSUPPORTED_MEDIA_TYPE")["message"]


def test_a_body_that_does_not_say_what_it_is_is_json(api: LumiClient) -> None:
    assert api.post("/conversations", content=b'{"title": "Untyped"}').status_code == 201
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert api.post("/conversations", content=b'{"title": "Typed"}', headers=headers).status_code == 201


@pytest.mark.parametrize("path", ["/search", "/conversations", "/auth/login"])
def test_a_body_over_the_limit_is_refused(api: LumiClient, path: str) -> None:
    limit = api.get("/status").json()["limits"]["request_bytes_max"]
    content = b'{"query": "' + b"a" * limit + b'"}'
    assert_error(api.post(path, content=content, headers={"Content-Type": "application/json"}), 413)


def test_large_answers_are_compressed_for_those_who_can_read_them(whole: LumiClient) -> None:
    packed = whole.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    plain = whole.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert packed.json() == plain.json()
    for response in (packed, plain):
        assert "accept-encoding" in response.headers["vary"].lower()
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in whole.get("/openapi.json", headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_small_answers_and_streams_are_not_compressed(whole: LumiClient, library: Library) -> None:
    headers = {"Accept-Encoding": "gzip"}
    assert "content-encoding" not in whole.get("/health", headers=headers).headers
    with whole.stream("GET", "/api/v1/search", params={"query": "lamp", "limit": 50}, headers=headers) as response:
        body = response.read()
    assert "content-encoding" not in response.headers
    assert len(body) > 1000
    assert not body.startswith(gzip.compress(b"")[:2])


def test_no_error_leaks_what_is_inside(api: LumiClient, library: Library) -> None:
    answers: list[httpx.Response] = [
        api.get("/knowledge-bases", params={"page": "1; DROP TABLE users"}),
        api.get("/knowledge-bases/' OR 1=1 --"),
        api.get("/documents/../../etc/passwd"),
        api.get(f"{library.path()}/content", params={"start": "NaN"}),
        api.post("/search", json={"query": "a", "kb_ids": ["' OR 1=1 --"]}),
        api.post("/auth/login", content=b"\x00"),
        api.get("/jobs", params={"status": "'"}),
        api.get("/search", params={"query": "a", "limit": "1e99"}),
    ]
    for response in answers:
        assert response.status_code < 500, response.text
        for secret in ("Traceback", "sqlite", "SELECT", "site-packages", "/src/", "lumikb."):
            assert secret not in response.text


def test_other_origins_may_not_read_answers(root: LumiClient) -> None:
    headers = {"Origin": "https://evil.example"}
    assert "access-control-allow-origin" not in root.get("/api/v1/status", headers=headers).headers
    preflight = root.options("/api/v1/knowledge-bases", headers={**headers, "Access-Control-Request-Method": "POST"})
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/knowledge-bases", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/documents/x", {"DELETE", "GET", "HEAD", "OPTIONS"}),
        ("/api/v1/search/quick", {"OPTIONS", "POST"}),
    ],
)
def test_an_address_names_all_its_methods(whole: LumiClient, path: str, methods: set[str]) -> None:
    named, refused = whole.options(path), whole.put(path)
    assert (named.status_code, refused.status_code) == (204, 405)
    for response in (named, refused):
        assert set(response.headers["allow"].split(", ")) == methods


def test_the_description_tells_every_answer_and_the_bounds(root: LumiClient) -> None:
    described = root.get("/openapi.json").json()
    paths, schemas = described["paths"], described["components"]["schemas"]
    download = "/api/v1/knowledge-bases/{kb_id}/documents/{document_id}/download"
    for path, method, statuses in (
        ("/api/v1/documents", "post", {"201", "202"}),
        ("/api/v1/auth/login", "post", {"200", "204"}),
        (download, "get", {"200", "206", "304"}),
    ):
        assert set(paths[path][method]["responses"]) == {*statuses, "default"}
    assert schemas["SearchBody"]["properties"]["limit"]["maximum"] == 50
    assert schemas["KbCreate"]["properties"]["name"]["maxLength"] == 255
    limits = {item["name"]: item["schema"] for item in paths["/api/v1/jobs"]["get"]["parameters"]}
    assert limits["limit"]["maximum"] == 100
