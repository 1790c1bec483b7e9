"""Blobs whose bytes changed where they lie: what is not there any more is never shown, and harms nothing else."""

from pathlib import Path

import httpx
import pytest
from support.server import LumiServer

pytestmark = pytest.mark.acceptance

HARBOUR = b"The speed limit in the harbour is six knots for every vessel.\n"
ENGINE = b"The engine of the harbour tug is serviced every 4,000 hours.\n"

# Longer than what is sent at once.
LONG = b"<html><body><p>" + HARBOUR + b"</p><!--" + b"x" * 3_000_000 + b"--></body></html>"


def blob_file(server: LumiServer, sha256: str) -> Path:
    return next(path for path in server.data_dir.rglob(sha256) if path.is_file())


def parsed_file(server: LumiServer, word: bytes) -> Path:
    """The blob of a document's text, which is packed with its map."""
    found = [path for path in (server.data_dir / "blobs").rglob("*") if path.is_file() and word in path.read_bytes()]
    return next(path for path in found if not path.read_bytes().startswith(word))


def test_a_damaged_text_harms_no_other_answer(tmp_path: Path) -> None:
    with LumiServer(tmp_path / "data") as server, server.client() as client:
        kb_id = client.create_kb("Harbour")
        client.upload_ready(kb_id, "harbour.txt", HARBOUR)
        engine = client.upload_ready(kb_id, "engine.txt", ENGINE)
        path = parsed_file(server, ENGINE[:20])
        path.write_bytes(path.read_bytes()[:10])
        assert "six knots" in client.ask("What is the speed limit in the harbour?")["answer"]
        assert "4,000" not in client.ask("How often is the engine of the tug serviced?")["answer"]
        content = client.get(f"/knowledge-bases/{kb_id}/documents/{engine['id']}/content")
        assert (content.status_code, content.json()["error"]["code"]) == (500, "BLOB_DAMAGED")


def test_an_altered_original_is_never_downloaded_whole(tmp_path: Path) -> None:
    with LumiServer(tmp_path / "data") as server, server.client() as client:
        kb_id = client.create_kb("Harbour")
        for name, text in (("short.txt", HARBOUR), ("long.html", LONG)):
            document = client.upload_ready(kb_id, name, text)
            download = f"/knowledge-bases/{kb_id}/documents/{document['id']}/download"
            blob = blob_file(server, document["sha256"])
            blob.write_bytes(text.replace(b"six", b"ten"))
            if name == "short.txt":
                answer = client.get(download)
                assert (answer.status_code, answer.json()["error"]["code"]) == (500, "BLOB_DAMAGED")
            else:
                with pytest.raises(httpx.RemoteProtocolError):
                    client.get(download)
            blob.unlink()
            answer = client.get(download)
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "BLOB_NOT_FOUND")
        assert "six knots" in client.ask("What is the speed limit in the harbour?")["answer"]


def test_a_part_of_a_damaged_original_is_an_answer_or_an_error_never_a_broken_one(tmp_path: Path) -> None:
    with LumiServer(tmp_path / "data") as server, server.client() as client:
        kb_id = client.create_kb("Harbour")
        document = client.upload_ready(kb_id, "harbour.txt", HARBOUR)
        download = f"/knowledge-bases/{kb_id}/documents/{document['id']}/download"
        blob = blob_file(server, document["sha256"])

        def statuses() -> list[tuple[int, int]]:
            """Of GET and HEAD of the whole file, of all of it as a range, of its beginning and of its end."""
            ranges = [{}, {"Range": "bytes=0-"}, {"Range": f"bytes=0-{len(HARBOUR) - 1}"}]
            ranges += [{"Range": "bytes=0-9"}, {"Range": "bytes=-9"}]
            return [
                (client.get(download, headers=one).status_code, client.head(download, headers=one).status_code)
                for one in ranges
            ]

        blob.write_bytes(HARBOUR.replace(b"six", b"ten"))
        assert [status for status, _ in statuses()] == [500, 500, 500, 206, 206]
        for damaged in (HARBOUR[:20], HARBOUR + b"!", b""):
            blob.write_bytes(damaged)
            assert statuses() == [(500, 500)] * 5
        blob.unlink()
        assert statuses() == [(500, 500)] * 5
        blob.write_bytes(HARBOUR)
        assert statuses() == [(200, 200)] + [(206, 206)] * 4
