"""The main job with the record in PostgreSQL."""

from collections.abc import Callable

import pytest
from support.documents import make_html
from support.postgres import PostgresServer
from support.server import LumiServer

from .main_job import check_main_job, check_survives

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]


def test_the_main_job_and_what_is_left_of_it_after_a_restart(serve: ServerFactory, postgres: PostgresServer) -> None:
    server = serve(database_url=postgres.new_database())
    with server.client() as api:
        assert api.get("/status").json()["profile"] == "production"
        check_main_job(api, "Opera")
    assert server.stop() == 0
    server.start()
    with server.client() as api:
        check_survives(api, "Opera")


def test_what_only_this_database_refuses_is_no_crash(serve: ServerFactory, postgres: PostgresServer) -> None:
    """Text with NUL, a name that grows by case folding, integers of eight bytes."""
    server = serve(database_url=postgres.new_database())
    with server.client() as api:
        kb_id = api.create_kb("Odd")
        answers = [
            api.get("/knowledge-bases/%00"),
            api.get("/documents/a%00b"),
            api.get("/jobs", params={"status": "a\0b"}),
            api.get("/collections/%00"),
            api.get("/knowledge-bases", params={"page": 999_999_999, "limit": 100}),
            api.get(f"/knowledge-bases/{kb_id}/documents", params={"search": "a\0b", "tags": "\0"}),
            api.post("/auth/login", json={"email": "a\0@b.c", "password": "wrong"}),
            api.post("/knowledge-bases", json={"name": "\u00df" * 255}),
            api.post("/knowledge-bases", json={"name": "d", "description": "a\0b"}),
            api.post("/conversations", json={"title": "a\0b"}),
            api.post("/search/quick", json={"query": "a\0b", "filters": {"tags": ["\0"], "document_ids": ["\0"]}}),
            api.post("/chat", json={"message": "a\0b"}),
            api.post("/api-keys", json={"name": "a\0b", "scopes": ["read"]}),
        ]
        assert [(one.request.url.path, one.status_code) for one in answers if one.status_code >= 500] == []
        page = make_html("<h1>Odd &#0; heading</h1><p>PostgreSQL does not take it: &#0; nor &#x0;.</p>")
        assert api.upload_ready(kb_id, "nul.html", page)["chunk_count"] == 1
