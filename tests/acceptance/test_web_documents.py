"""Documents that are fetched from an address, and fetched again."""

from collections.abc import Callable

import pytest
from support.server import LumiServer
from support.website import Page, website

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]


def tower(metres: str, etag: str) -> Page:
    return Page(f"<h1>Tower</h1><p>The tower is {metres} metres high.</p>".encode(), headers={"ETag": etag})


def test_a_page_is_fetched_answers_and_follows_its_source(serve: ServerFactory) -> None:
    server = serve(fetch_private=True, upload_bytes_max=100_000)
    with website() as site, server.client() as api:
        kb_id = api.create_kb("Web")
        path = f"/knowledge-bases/{kb_id}/documents"
        site.pages["/tower.html"] = tower("forty", '"1"')
        accepted = api.post(path, json={"url": f"{site.url}/tower.html", "tags": ["web"]})
        assert accepted.status_code == 202, accepted.text
        document = api.wait_until_ended(accepted.json()["id"])
        assert (document["status"], document["name"], document["tags"]) == ("READY", "tower.html", ["web"])
        assert document["metadata"]["source_url"] == f"{site.url}/tower.html"
        assert "forty" in api.ask("How high is the tower?")["answer"]

        again = api.post(f"{path}/{document['id']}/refetch").json()
        assert (again["version"], again["duplicate_of"]) == (1, document["id"])
        site.pages["/tower.html"] = tower("fifty", '"2"')
        again = api.post(f"{path}/{document['id']}/refetch").json()
        assert (again["version"], again["metadata"]["source_etag"]) == (2, '"2"')
        api.wait_until_ended(document["id"])
        assert "fifty" in api.ask("How high is the tower?")["answer"]

        site.pages["/large.txt"] = Page(b"x" * 100_001)
        response = api.post(path, json={"url": f"{site.url}/large.txt"})
        assert (response.status_code, response.json()["error"]["code"]) == (413, "FILE_TOO_LARGE")
