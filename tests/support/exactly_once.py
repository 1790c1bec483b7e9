"""Whether a server that died holds every document once, and nothing that its steps left over."""

import sqlite3
from collections.abc import Collection
from typing import Any

import numpy as np
from support.server import LumiServer

TABLES = ("documents", "document_versions", "chunk_sets", "chunks", "change_log", "jobs")


def rows(server: LumiServer, table: str) -> list[dict[str, Any]]:
    """The rows of a table of the embedded record."""
    connection = sqlite3.connect(f"file:{server.data_dir / 'lumikb.sqlite3'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
    finally:
        connection.close()


def only_needed_blobs(server: LumiServer) -> bool:
    """Whether the store holds what versions refer to, and nothing that steps left for each other."""
    versions = rows(server, "document_versions")
    needed = {version[name] for version in versions for name in ("sha256", "parsed_sha256")}
    return {path.name for path in (server.data_dir / "blobs").rglob("*") if path.is_file()} == needed


def check_exactly_once(server: LumiServer, accepted: Collection[dict[str, Any]]) -> None:
    """Each document is READY with one chunk set, its chunks are there once, and the log tells of each once."""
    found = {name: rows(server, name) for name in TABLES}
    by_id = {document["id"]: document for document in found["documents"]}
    assert len(accepted) == len({document["id"] for document in accepted}) == len(by_id)
    for document in accepted:
        row = by_id[document["id"]]
        assert row["status"] == "READY", row
        assert row["error_code"] is None
        (chunk_set,) = [one for one in found["chunk_sets"] if one["document_id"] == row["id"]]
        assert row["current_chunk_set_id"] == chunk_set["id"]
        ordinals = [chunk["ordinal"] for chunk in found["chunks"] if chunk["document_id"] == row["id"]]
        assert sorted(ordinals) == list(range(chunk_set["chunk_count"]))
        assert chunk_set["chunk_count"] > 0
        (job,) = [job for job in found["jobs"] if job["document_id"] == row["id"]]
        assert (job["id"], job["status"]) == (row["job_id"], "completed")
    assert [change["op"] for change in found["change_log"]] == ["add"] * len(accepted)
    logged = [key for change in found["change_log"] for key in np.frombuffer(change["chunk_keys"], "<i8").tolist()]
    assert sorted(logged) == sorted(chunk["key"] for chunk in found["chunks"])
