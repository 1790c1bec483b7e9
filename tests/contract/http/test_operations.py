"""Health, status, metrics, jobs, the API's own description."""

from collections.abc import Callable

import pytest
from support.server import LumiClient

from .conftest import Library, assert_error

JOB = {
    "id", "type", "status", "priority", "progress", "message", "attempts", "error", "kb_id", "document_id",
    "created_at", "updated_at", "started_at", "finished_at",
}  # fmt: skip


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


# Jobs


def test_jobs_are_listed_newest_first_and_filtered(api: LumiClient, library: Library) -> None:
    page = api.get("/jobs", params={"kb_id": library.kb_id, "limit": 100}).json()
    assert set(page) == {"data", "total", "page", "limit", "total_pages"}
    jobs = page["data"]
    assert all(set(job) == JOB for job in jobs)
    assert {job["document_id"] for job in jobs} == {document["id"] for document in library.documents.values()}
    assert [job["created_at"] for job in jobs] == sorted((job["created_at"] for job in jobs), reverse=True)

    def ids(**params: str) -> set[str]:
        return {
            job["id"]
            for job in api.get("/jobs", params={"kb_id": library.kb_id, "limit": 100, **params}).json()["data"]
        }

    everything = {job["id"] for job in jobs}
    assert ids(type="document.ingest", status="completed") == everything
    assert ids(type="document.purge") == set()
    assert ids(status="failed") == set()


@pytest.mark.parametrize(
    ("params", "allowed"), [({"status": "done"}, "completed"), ({"type": "ingest"}, "document.ingest, document.purge")]
)
def test_a_filter_of_jobs_that_fits_none_is_refused(api: LumiClient, params: dict[str, str], allowed: str) -> None:
    response = api.get("/jobs", params=params)
    assert allowed in assert_error(response, 422, "VALIDATION_ERROR")["message"]
    assert response.json()["detail"][0]["loc"] == ["query", *params]


def test_a_completed_job_shows_what_it_did(api: LumiClient, library: Library) -> None:
    job = api.get(f"/jobs/{library.text['job_id']}").json()
    assert set(job) == JOB
    assert (job["type"], job["status"], job["progress"]) == ("document.ingest", "completed", 100.0)
    assert (job["attempts"], job["error"], job["document_id"]) == (1, None, library.text["id"])
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]


def test_an_unknown_job_is_not_found(api: LumiClient) -> None:
    assert_error(api.get("/jobs/nope"), 404, "JOB_NOT_FOUND")


def test_maintenance_is_for_operators(api: LumiClient, key_client: Callable[..., LumiClient], library: Library) -> None:
    for path in ("/operations/verify", "/operations/index/rebuild"):
        assert_error(key_client("read", "write").post(path), 403, "NOT_ALLOWED")
        assert api.post(path, json={}).status_code == 200
    assert api.search(library.facts["lighthouse.txt"][0], kb_ids=[library.kb_id])
