"""A server that dies before and after each step, and inside of each: nothing is lost, doubled or left over."""

import json
import stat
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support import documents
from support.exactly_once import check_exactly_once, only_needed_blobs, rows
from support.server import LumiServer, poll

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

INGEST = "lumikb.knowledge.jobs:IngestHandler"
PURGE = "lumikb.knowledge.jobs:PurgeHandler"
ENGINE = "lumikb.store.jobs.engine:JobEngine"

# Where the process ends: a method, and whether before it runs or after; the n-th time it is called.
INGEST_POINTS = [
    *((INGEST, step, when, 1) for step in ("_parse", "_chunk", "_embed", "_store") for when in ("before", "after")),
    *((INGEST, "_embed", when, 2) for when in ("before", "after")),
    *(("lumikb.knowledge.derived", "put_for_job", when, nth) for nth in (1, 2, 3) for when in ("before", "after")),
    *((INGEST, "_show", "after", nth) for nth in (1, 2, 3, 4, 5)),
    (INGEST, "_publish", "before", 1),
    (INGEST, "_publish", "after", 1),
    (INGEST, "clear", "before", 1),
    (INGEST, "clear", "after", 1),
    *((ENGINE, method, when, 1) for method in ("start", "_begin", "_clear") for when in ("before", "after")),
    ("lumikb.store.jobs.repository", "claim_jobs", "before", 1),
    ("lumikb.store.jobs.repository", "end_job", "after", 1),
    ("lumikb.knowledge.derived", "erase_unreferenced", "before", 1),
    ("lumikb.knowledge.derived", "erase_unreferenced", "after", 2),
]
# Of a short text, which is made readable by the step that parses it.
AT_ONCE_POINTS = [
    *((INGEST, method, when, 1) for method in ("_parse", "_made", "_publish", "clear") for when in ("before", "after")),
    *(("lumikb.knowledge.derived", "put_for_job", when, 1) for when in ("before", "after")),
    ("lumikb.store.jobs.repository", "end_job", "after", 1),
]
PURGE_POINTS = [
    *((PURGE, "_purge", when, 1) for when in ("before", "after")),
    *(("lumikb.knowledge.derived", "erase_unreferenced", when, nth) for nth in (1, 2) for when in ("before", "after")),
    ("lumikb.knowledge.repository", "erase_document", "after", 1),
]

SCRIPT = """#!{python}
import importlib, os, signal, sys
from pathlib import Path

module, _, owner = {owner!r}.partition(":")
target = importlib.import_module(module)
target = getattr(target, owner) if owner else target
method, when, nth, died = getattr(target, {method!r}), {when!r}, {nth!r}, Path({died!r})
calls = 0

def dies(*args, **kwargs):
    global calls
    calls += 1
    if died.exists() or calls != nth:
        return method(*args, **kwargs)
    if when == "after":
        method(*args, **kwargs)
    died.touch()
    os.kill(os.getpid(), signal.SIGKILL)

setattr(target, {method!r}, dies)
import lumikb.knowledge.jobs
lumikb.knowledge.jobs.EMBED_PART = 2
lumikb.knowledge.jobs.AT_ONCE_CHARS_MAX = {at_once}
from lumikb.cli.main import main
main()
"""


def crashing(tmp_path: Path, owner: str, method: str, when: str, nth: int, *, at_once: int = 0) -> tuple[Path, Path]:
    """A `lumikb` that ends itself once at that point, and the file that says that it did.

    Texts of up to `at_once` characters are made readable in one step.
    """
    path, died = tmp_path / "crashing", tmp_path / "died"
    point = {"owner": owner, "method": method, "when": when, "nth": nth}
    script = SCRIPT.format(python=sys.executable, died=str(died), at_once=at_once, **point)
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path, died


def revive(server: LumiServer, died: Path) -> None:
    """Wait for the death, and start again."""
    poll(died.exists, "the server's death")
    server.kill()
    server.start()


@pytest.mark.parametrize(
    ("owner", "method", "when", "nth", "at_once"),
    [*((*point, 0) for point in INGEST_POINTS), *((*point, 20_000) for point in AT_ONCE_POINTS)],
)
def test_an_ingest_survives_a_death_at_each_point(
    tmp_path: Path, owner: str, method: str, when: str, nth: int, at_once: int
) -> None:
    executable, died = crashing(tmp_path, owner, method, when, nth, at_once=at_once)
    server = LumiServer(tmp_path / "data", executable=executable)
    with server:
        pages = [f"Page {page} tells of herons and of the mill. " * 20 for page in range(6)]
        with server.client() as api, suppress(httpx.TransportError):  # the death may come before the answer
            api.upload(api.create_kb("Crash"), "a.pdf", documents.make_pdf(pages))
        revive(server, died)
        with server.client() as api:
            (document,) = api.get("/documents").json()["data"]
            assert api.wait_until_ended(document["id"])["status"] == "READY"
            poll(lambda: only_needed_blobs(server), "the end of temporary blobs", 30)
            assert api.post("/operations/verify", json={"repair": False}).json()["findings"] == []
    check_exactly_once(server, [document])


@pytest.mark.parametrize(("owner", "method", "when", "nth"), PURGE_POINTS)
def test_an_erasure_survives_a_death_at_each_point(
    tmp_path: Path, owner: str, method: str, when: str, nth: int
) -> None:
    plain = LumiServer(tmp_path / "data", undo_seconds=0)
    with plain, plain.client() as api:
        document = api.upload_ready(api.create_kb("Crash"), "a.txt", b"The mill grinds rye.")
    executable, died = crashing(tmp_path, owner, method, when, nth)
    server = LumiServer(tmp_path / "data", executable=executable, undo_seconds=0)
    with server:
        with server.client() as api, suppress(httpx.TransportError):
            api.delete(f"/documents/{document['id']}")
        revive(server, died)
        poll(lambda: not rows(server, "documents"), "the erasure", 60)
        poll(lambda: only_needed_blobs(server), "the erasure of the blobs", 30)
        with server.client() as api:
            poll(
                lambda: {job["status"] for job in api.get("/jobs").json()["data"]} == {"completed"},
                "the end of all jobs",
            )
            assert json.loads(api.post("/operations/verify", json={"repair": False}).text)["findings"] == []


UPLOAD = "lumikb.knowledge.upload_service:UploadService"
STORE = "lumikb.store.blobs.local_uploads:LocalUploads"
UPLOAD_POINTS = [
    *((STORE, method, when, 1) for method in ("seal", "measure", "place", "discard") for when in ("before", "after")),
    *((UPLOAD, "_accept", when, 1) for when in ("before", "after")),
    *(("lumikb.knowledge.upload_repository", "update_upload", "after", nth) for nth in (1, 2)),
]


@pytest.mark.parametrize(("owner", "method", "when", "nth"), UPLOAD_POINTS)
def test_a_direct_upload_survives_a_death_at_each_point(
    tmp_path: Path, owner: str, method: str, when: str, nth: int
) -> None:
    executable, died = crashing(tmp_path, owner, method, when, nth)
    server = LumiServer(tmp_path / "data", executable=executable)
    data = b"The mill on the dyke grinds rye and oats."
    with server:
        with server.client() as api:
            body = {"kb_id": api.create_kb("Crash"), "filename": "mill.txt", "size_bytes": len(data)}
            ticket = api.post("/documents/presign", json=body).json()
            httpx.put(ticket["url"], content=data, trust_env=False).raise_for_status()
            with suppress(httpx.TransportError):
                api.post(f"/documents/{ticket['document_id']}/complete")
        revive(server, died)
        with server.client() as api:
            completed = api.post(f"/documents/{ticket['document_id']}/complete")
            assert completed.status_code == 202, completed.text
            document = completed.json()
            assert api.wait_until_ended(document["id"])["status"] == "READY"
            poll(lambda: only_needed_blobs(server), "the end of temporary blobs", 30)
            assert api.post("/operations/verify", json={"repair": False}).json()["findings"] == []
        assert list((server.data_dir / "uploads").iterdir()) == []
    check_exactly_once(server, [document])
