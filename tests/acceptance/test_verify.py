"""`verify` names what differs between record, blobs and index; `repair` mends what can be mended."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

NOTE = b"# Tower\n\nThe tower of the mill is eleven metres high.\n"


@pytest.fixture
def server(tmp_path: Path) -> Generator[LumiServer]:
    with LumiServer(tmp_path / "data", undo_seconds=0) as server:
        yield server


def lumikb(server: LumiServer, *arguments: str) -> tuple[int, str]:
    """Run the command beside the server; its exit code and what it prints."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    done = subprocess.run(
        [Path(sys.executable).with_name("lumikb"), *arguments],
        env=kept | {"LUMIKB_DATA_DIR": str(server.data_dir)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def verified(server: LumiServer, *options: str) -> tuple[int, dict[str, tuple[str, bool, bool]]]:
    """The exit code of `verify`, and of each kind the id, whether it was repaired, and whether it waits."""
    code, printed = lumikb(server, "verify", "--json", *options)
    found = json.loads(printed)["findings"]
    return code, {item["kind"]: (item["id"], item["repaired"], item["waits"]) for item in found}


def findings(client: LumiClient, *, repair: bool = False) -> dict[str, bool]:
    response = client.post("/operations/verify", json={"repair": repair})
    assert response.status_code == 200, response.text
    return {item["kind"]: item["repaired"] for item in response.json()["findings"]}


def change(server: LumiServer, statement: str, *values: Any) -> None:
    """Change the record behind a stopped server."""
    with sqlite3.connect(server.data_dir / "lumikb.sqlite3") as connection:
        connection.execute(statement, values)
    connection.close()


def blob_file(server: LumiServer, sha256: str) -> Path:
    return next(path for path in server.data_dir.rglob(sha256) if path.is_file())


def test_a_sound_installation_has_no_findings(server: LumiServer) -> None:
    with server.client() as client:
        client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        assert findings(client) == {}


def test_an_orphaned_blob_is_erased(server: LumiServer) -> None:
    with server.client() as client:
        document = client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        present = blob_file(server, document["sha256"])
        orphan = hashlib.sha256(b"orphan").hexdigest()
        path = present.parents[2] / orphan[:2] / orphan[2:4] / orphan
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"orphan")
        assert findings(client) == {"blob.orphan": False}
        assert findings(client, repair=True) == {"blob.orphan": True}
        assert findings(client) == {}
        assert not path.exists()
        assert present.exists()


def test_orphaned_blobs_are_named_wherever_they_lie_and_while_jobs_are_open(tmp_path: Path) -> None:
    with LumiServer(tmp_path / "data", undo_seconds=3600) as server, server.client() as client:
        document = client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        present = blob_file(server, document["sha256"])
        assert client.delete(f"/documents/{document['id']}").status_code == 204
        assert client.get("/jobs", params={"status": "queued"}).json()["total"] == 1
        orphan = hashlib.sha256(b"orphan").hexdigest()
        for folder in (f"{orphan[:2]}/{orphan[2:4]}", "00/11"):
            path = present.parents[2] / folder / orphan
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"orphan")
        assert findings(client) == {"blob.orphan": False, "blob.misplaced": False}
        assert findings(client, repair=True) == {"blob.orphan": True, "blob.misplaced": True}
        assert findings(client) == {}
        assert present.exists()


def test_a_missing_blob_is_named_and_cannot_be_mended(server: LumiServer) -> None:
    with server.client() as client:
        document = client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        blob_file(server, document["sha256"]).unlink()
        assert findings(client, repair=True) == {"blob.missing": False}


def parsed_file(server: LumiServer, document_id: str) -> Path:
    with sqlite3.connect(server.data_dir / "lumikb.sqlite3") as connection:
        statement = "SELECT parsed_sha256 FROM document_versions WHERE document_id = ?"
        ((sha256,),) = connection.execute(statement, (document_id,)).fetchall()
    connection.close()
    return blob_file(server, sha256)


@pytest.mark.parametrize(
    "damage", ["truncated text", "missing text", "altered passage", "shifted passage", "cut embedding"]
)
def test_what_is_damaged_beside_a_sound_original_is_made_anew(server: LumiServer, damage: str) -> None:
    with server.client() as client:
        kb_id = client.create_kb("kb")
        document = client.upload_ready(kb_id, "note.md", NOTE)
        text = parsed_file(server, document["id"])
        kinds = {
            "truncated text": "blob.damaged",
            "missing text": "blob.missing",
            "cut embedding": "embedding.damaged",
        }
        kind = kinds.get(damage, "passages.differ")
        match damage:
            case "truncated text":
                text.write_bytes(text.read_bytes()[:-10])
            case "missing text":
                text.unlink()
            case "altered passage":
                change(server, "UPDATE chunks SET text = replace(text, 'eleven', 'twelve')")
                assert client.ask("How high is the tower of the mill?")["citations"] == []
            case "cut embedding":
                change(server, "UPDATE chunks SET embedding = x'00'")
                assert client.ask("How high is the tower of the mill?")["citations"]
                assert lumikb(server, "index", "rebuild")[0] == 0
            case _:
                change(server, "UPDATE chunks SET char_start = char_start + 1, char_end = char_end + 1")
                assert client.ask("How high is the tower of the mill?")["citations"] == []
        quick = {kind: (document["id"], False, False)} if damage in {"missing text", "cut embedding"} else {}
        assert verified(server, "--quick") == (len(quick), quick)
        assert verified(server) == (1, {kind: (document["id"], False, False)})
        assert "note.md" in lumikb(server, "verify")[1]
        code, printed = lumikb(server, "verify", "--repair")
        assert (code, "1 document waiting to be processed" in printed) == (0, True), printed
        assert poll(lambda: verified(server) == (0, {}) or None, "a sound record")
        assert "all is well" in lumikb(server, "verify")[1]
        (citation,) = client.ask("How high is the tower of the mill?")["citations"]
        assert citation["document_id"] == document["id"]
        (passage,) = client.get(f"/knowledge-bases/{kb_id}/documents/{document['id']}/chunks").json()["data"]
        assert passage["chunk_text"] == NOTE.decode().strip()


def test_a_damaged_original_is_named_until_the_same_file_comes_again(server: LumiServer) -> None:
    with server.client() as client:
        kb_id = client.create_kb("kb")
        document = client.upload_ready(kb_id, "note.md", NOTE)
        for damaged in (NOTE.replace(b"eleven", b"twelve"), NOTE[:-5]):
            blob_file(server, document["sha256"]).write_bytes(damaged)
            expected = {"blob.damaged": (document["id"], False, False)}
            assert verified(server, "--repair") == verified(server) == (1, expected)
            assert "Upload the same file again" in lumikb(server, "verify")[1]
            address = f"/knowledge-bases/{kb_id}/documents/{document['id']}/reupload"
            again = client.post(address, files={"file": ("note.md", NOTE)})
            assert again.status_code < 300, again.text
            assert verified(server) == (0, {})
            assert client.document(document["id"])["version"] == 1
        blob_file(server, document["sha256"]).unlink()
        assert verified(server)[0] == 1
        assert client.upload(kb_id, "note.md", NOTE)["id"] == document["id"]
        assert verified(server) == (0, {})


def test_a_document_that_nobody_works_on_is_enqueued_again(server: LumiServer) -> None:
    with server.client() as client:
        document = client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
    server.stop()
    change(server, "UPDATE documents SET status = 'PROCESSING', current_chunk_set_id = NULL")
    server.start()
    with server.client() as client:
        assert findings(client)["document.stuck"] is False
        assert findings(client, repair=True)["document.stuck"] is True
        client.wait_until_ended(document["id"])
        assert client.ask("How high is the tower of the mill?")["citations"]
        assert poll(lambda: findings(client, repair=True) == {} or None, "a sound record")


def test_passages_that_a_change_of_settings_left_are_erased(server: LumiServer) -> None:
    with server.client() as client:
        client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        change(
            server,
            "INSERT INTO chunk_sets SELECT 'x', version_id, document_id, model_id, model_tier, params, chunk_count,"
            " created_at, 'gone', id FROM chunk_sets",
        )
        assert findings(client) == {"chunk_set.orphan": False}
        assert findings(client, repair=True) == {"chunk_set.orphan": True}
        assert findings(client) == {}
        assert client.ask("How high is the tower of the mill?")["citations"]


def test_an_index_that_lacks_a_passage_is_rebuilt(server: LumiServer) -> None:
    with server.client() as client:
        client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        # Behind the follower's back: a change to the record that the log does not tell.
        change(
            server,
            "INSERT INTO chunks SELECT key + 1, 'x', chunk_set_id, document_id, kb_id, ordinal + 1, char_start,"
            " char_end, text, text_sha256, page_number, section_header, token_count, embedding FROM chunks",
        )
        change(server, "UPDATE chunk_sets SET chunk_count = chunk_count + 1")
        assert findings(client) == {"index.missing": False}
        assert findings(client, repair=True) == {"index.missing": True}
        assert findings(client) == {}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("damage", ["truncated", "deleted"])
def test_a_damaged_file_of_the_word_index_is_named_even_when_it_was_mended_meanwhile(
    server: LumiServer, damage: str, running: bool
) -> None:
    with server.client() as client:
        client.upload_ready(client.create_kb("kb"), "note.md", NOTE)
        assert findings(client) == {}
    if not running:
        server.stop()
    path = next((server.data_dir / "index").rglob("*.fieldnorm"))
    if damage == "truncated":
        path.write_bytes(b"")
    else:
        path.unlink()
    if not running:
        server.start()
    with server.client() as client:
        client.search("tower")
        # A file that is deleted under a running server is still open there: nobody mends it unasked.
        assert findings(client) == {"index.damaged": not (damage == "deleted" and running)}
        findings(client, repair=True)
        assert findings(client) == {}
        assert client.ask("How high is the tower of the mill?")["citations"]
    assert path.name in server.printed()
