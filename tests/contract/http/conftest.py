"""The server that the contract is tried on, and clients of it.

`API_URL` (with `API_TOKEN`, an administrator's token or API key, and `API_EMAIL` and `API_PASSWORD` of an administrator
with another account) aims the suite at a server that runs already; otherwise one is started.
"""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import pytest
from support import documents
from support.server import ADMIN_EMAIL, ADMIN_PASSWORD, LumiClient, LumiServer

from lumikb.kit.ids import new_id


@dataclass(frozen=True)
class Target:
    """A running server, and two administrators: one by token, one by e-mail address and password."""

    url: str
    token: str
    email: str
    password: str


@dataclass(frozen=True)
class Library:
    """A knowledge base with a READY document of every format: by file name its facts, bytes, question and answer."""

    kb_id: str
    kb_name: str
    documents: dict[str, dict[str, Any]]
    files: dict[str, bytes]
    facts: dict[str, tuple[str, str]]

    @property
    def text(self) -> dict[str, Any]:
        """The plain text."""
        return self.documents["lighthouse.txt"]

    def path(self, name: str = "lighthouse.txt") -> str:
        """The path of a document."""
        return f"/knowledge-bases/{self.kb_id}/documents/{self.documents[name]['id']}"


LIGHTHOUSE = (
    "The lighthouse of Farrowhead was built in 1871.\n\n"
    "The lamp of the lighthouse burns rapeseed oil and is seen for nineteen miles. "
    "\U0001f30a Caf\u00e9 na\u00efve e\u0301tude.\n\n"
    "The keeper winds the clockwork every four hours.\n"
)
FACTS = {
    "lighthouse.txt": ("How far is the lamp of the lighthouse seen?", "nineteen miles"),
    "beekeeping.md": ("How many frames does the hive at Ostwald hold?", "eleven frames"),
    "glacier.html": ("How fast does the Merrin glacier move?", "forty metres a year"),
    "observatory.pdf": ("When does the observatory dome open for visitors?", "every second Thursday"),
    "contract.docx": ("Within how many days is the ferry invoice paid?", "seventeen days"),
    "expedition.pptx": ("Who led the Kestrel expedition?", "Maren Odegaard"),
    "tariffs.xlsx": ("What is the toll for a barge on the Linden canal?", "barge"),
    "orchards.csv": ("Which apple variety grows in the Hollow orchard?", "Winterglow"),
}


def library_files() -> dict[str, bytes]:
    """One file of each format; anew on each call, for some hold the time of their making."""
    return {
        "lighthouse.txt": LIGHTHOUSE.encode(),
        "beekeeping.md": (
            b"# Beekeeping\n\n## Hives\n\nThe hive at Ostwald holds eleven frames of honey. "
            b"It is opened on warm days only.\n\n## Swarms\n\nA swarm is caught before noon.\n"
        ),
        "glacier.html": documents.make_html(
            "<h1>Glaciers</h1><p>The <b>Merrin</b> glacier moves forty metres a year.</p>"
            "<script>alert(1)</script><h2>Melt</h2><p>Its melt water feeds three mills &amp; a tannery.</p>",
            title="Glaciers",
        ),
        "observatory.pdf": documents.make_pdf(
            [
                "The observatory stands on a granite ridge above the town.",
                "Visitors are welcome. The observatory dome opens for visitors every second Thursday.",
            ],
            outline=[("Site", 1, 0), ("Visitors", 2, 0)],
        ),
        "contract.docx": documents.make_docx(
            [
                ("Heading 1", "Ferry contract"),
                ("Normal", "The ferry crosses the sound twice a day."),
                ("Heading 2", "Payment"),
                ("Normal", "The ferry invoice is paid within seventeen days of its receipt."),
            ]
        ),
        "expedition.pptx": documents.make_pptx(
            [
                ("Kestrel expedition", "The Kestrel expedition was led by Maren Odegaard.", "Start in spring."),
                ("Supplies", "The crew carried supplies for ninety days.", ""),
            ]
        ),
        "tariffs.xlsx": documents.make_xlsx(
            {
                "Canal": [
                    ["Vessel", "Canal", "Toll in crowns"],
                    ["barge", "Linden canal", 42],
                    ["rowing boat", "Linden canal", 3],
                ]
            }
        ),
        "orchards.csv": b"orchard,apple variety,trees\nHollow orchard,Winterglow,310\nMill orchard,Redfern,95\n",
    }


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Generator[Target]:
    if url := os.environ.get("API_URL"):
        token, email, password = (os.environ[name] for name in ("API_TOKEN", "API_EMAIL", "API_PASSWORD"))
        yield Target(url.rstrip("/"), token, email, password)
        return
    server = LumiServer(
        tmp_path_factory.mktemp("contract") / "data",
        admin_email=ADMIN_EMAIL,
        admin_password=ADMIN_PASSWORD,
        upload_bytes_max=300_000,
        request_bytes_max=200_000,
        log_format="json",
        drain_seconds=0,
    )
    with server:
        yield Target(server.url, server.token, ADMIN_EMAIL, ADMIN_PASSWORD)


@pytest.fixture(scope="session")
def api(target: Target) -> Generator[LumiClient]:
    """An administrator, below `/api/v1`."""
    with LumiClient(target.url, target.token) as client:
        yield client


@pytest.fixture(scope="session")
def root(target: Target) -> Generator[LumiClient]:
    """Nobody, below the root."""
    with LumiClient(target.url, prefix="") as client:
        yield client


@pytest.fixture(scope="session")
def anonymous(target: Target) -> Generator[LumiClient]:
    """Nobody, below `/api/v1`."""
    with LumiClient(target.url) as client:
        yield client


@pytest.fixture
def other(target: Target) -> Generator[LumiClient]:
    """The other administrator, signed in by password in a session of its own."""
    with LumiClient(target.url) as client:
        signed_in = client.post("/auth/login", json={"email": target.email, "password": target.password})
        assert signed_in.status_code == 200, signed_in.text
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
        yield client


@pytest.fixture(scope="session")
def library(api: LumiClient) -> Library:
    name = unique("Library")
    kb_id = api.create_kb(name)
    files = library_files()
    uploaded = {
        file: api.upload(kb_id, file, data, tags="contract", metadata='{"shelf": "north"}')["id"]
        for file, data in files.items()
    }
    found = {file: api.wait_until_ended(document_id) for file, document_id in uploaded.items()}
    assert {document["status"] for document in found.values()} == {"READY"}, found
    return Library(kb_id, name, found, files, FACTS)


@pytest.fixture
def kb_id(api: LumiClient) -> Generator[str]:
    """An empty knowledge base of the test's own."""
    made = api.create_kb(unique("Test"))
    yield made
    api.delete(f"/knowledge-bases/{made}", params={"purge": "true"})


@pytest.fixture
def key_client(api: LumiClient, target: Target) -> Generator[Callable[..., LumiClient]]:
    """Makes clients with an API key of the given scopes and knowledge bases."""
    clients: list[LumiClient] = []

    def make(*scopes: str, kb_ids: list[str] | None = None) -> LumiClient:
        clients.append(LumiClient(target.url, api.create_api_key(*scopes, kb_ids=kb_ids)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


_numbers = count(1)


def unique(name: str) -> str:
    """A name that no other test uses, on a server that others use too."""
    return f"{name} {new_id()[-12:]} {next(_numbers)}"


def assert_error(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The response is the one error body with this status and code; gives its `error` part."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error", "detail"}
    error = body["error"]
    assert set(error) == {"code", "message", "details", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["message"]
    assert isinstance(error["details"], dict)
    if status == 422:
        assert error["code"] not in {"INTERNAL_ERROR", "ERROR"}
        assert all({"loc", "msg", "type"} <= set(item) for item in body["detail"])
    else:
        assert body["detail"] == error["message"]
    assert "Traceback" not in response.text
    assert ".py" not in response.text
    if code is not None:
        assert error["code"] == code
    return error
