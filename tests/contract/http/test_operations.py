"""Health, status, metrics, the API's own description."""

from collections.abc import Callable

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error


@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready", "/readyz"])
def test_health_says_what_the_process_depends_on(root: LumiClient, path: str) -> None:
    response = root.get(path)
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"status", "service", "timestamp", "version", "dependencies", "checks"}
    assert (body["status"], body["service"]) == ("healthy", "lumikb")
    assert isinstance(body["timestamp"], int)
    assert body["dependencies"] == {name: check["ok"] for name, check in body["checks"].items()}
    assert {"database", "blobs", "jobs"} <= set(body["dependencies"])


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/status", "/api/v1/status/"])
def test_status_tells_clients_what_runs_here(root: LumiClient, path: str) -> None:
    body = root.get(path).json()
    assert set(body) == {"version", "profile", "capabilities", "limits"}
    assert body["limits"]["upload_bytes_max"] > 0
    assert body["version"] == root.get("/health").json()["version"]


def test_metrics_count_requests_by_route_and_not_by_address(root: LumiClient, api: LumiClient) -> None:
    api.get("/knowledge-bases/a-name-that-is-no-route")
    root.get("/nowhere-that-is-a-route")
    response = root.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["content-type"].count("charset") == 1
    line = 'http_requests_total{endpoint="/api/v1/knowledge-bases/{kb_id}",method="GET",status="404"}'
    assert line in response.text
    assert "http_request_duration_seconds_bucket{" in response.text
    assert "a-name-that-is-no-route" not in response.text
    assert "nowhere-that-is-a-route" not in response.text
    assert "lumikb_index_rows" in response.text


def test_the_description_names_every_route_with_its_summary(root: LumiClient) -> None:
    response = root.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    spec = response.json()
    assert spec["openapi"].startswith("3.")
    assert set(spec["components"]["securitySchemes"]) == {"bearer", "api_key"}
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), (method, path)
            assert operation.get("description"), (method, path)
            assert operation["operationId"]
    ids = [operation["operationId"] for item in spec["paths"].values() for operation in item.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_come_from_this_server_alone(root: LumiClient, path: str) -> None:
    response = root.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "https://" not in response.text.replace("https://github.com", "")


@pytest.mark.parametrize("path", ["/swagger", "/redoc", "/elements", "/rapidoc", "/schema", "/openapi.yaml", "/foo"])
def test_what_is_not_ours_is_not_there(root: LumiClient, path: str) -> None:
    assert_error(root.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/assets/nothing.js", "/assets/..%2f..%2fapp.py", "/assets/%2e%2e/app.py", "/assets/home.html"]
)
def test_only_the_assets_are_served(root: LumiClient, path: str) -> None:
    assert_error(root.get(path), 404, "NOT_FOUND")


def test_maintenance_is_for_operators(api: LumiClient, key_client: Callable[..., LumiClient], library: Library) -> None:
    for path in ("/operations/verify", "/operations/index/rebuild"):
        assert_error(key_client("read", "write").post(path), 403, "NOT_ALLOWED")
        assert api.post(path, json={}).status_code == 200
    assert api.search(library.facts["lighthouse.txt"][0], kb_ids=[library.kb_id])
