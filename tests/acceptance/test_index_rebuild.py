"""The index is made from the record: losing it changes no answer."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]

SUBJECTS = ["herons", "lighthouses", "glaciers", "violins", "ferries", "orchards", "comets", "beehives"]
QUERIES = ["herons by the water", "who repairs violins", "comets", "the ferry across the sound", "ice that moves"]


def fill(api: LumiClient) -> str:
    """A knowledge base with documents of several passages each; gives its id."""
    kb_id = api.create_kb("Library")
    accepted: list[dict[str, Any]] = []
    for subject in SUBJECTS:
        facts = [f"Fact {number} about {subject}: " + f"the {subject} of town {number} " * 40 for number in range(6)]
        accepted.append(api.upload(kb_id, f"{subject}.txt", "\n\n".join(facts).encode()))
    assert {api.wait_until_ended(document["id"])["status"] for document in accepted} == {"READY"}
    return kb_id


def results(api: LumiClient) -> list[list[str]]:
    """What each query finds, in order."""
    return [
        [hit["chunk_id"] for hit in api.search(query, limit=50, keyword_weight=weight)]
        for query in QUERIES
        for weight in (0.0, 0.5, 1.0)
    ]


def write_over(directory: Path) -> None:
    """Write nonsense into each file, of the new index if the server is just replacing it."""
    poll((directory / "meta.json").exists, "the index")
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                Path(folder, name).write_bytes(b"nonsense")


def test_an_index_that_was_deleted_behind_a_stopped_server_is_rebuilt(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        fill(api)
        before = results(api)
    assert any(before)
    server.stop()
    shutil.rmtree(server.data_dir / "index")
    server.start()
    with server.client() as api:
        assert results(api) == before


def test_an_index_that_is_deleted_behind_a_running_server_changes_no_answer(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        kb_id = fill(api)
        before = results(api)
        shutil.rmtree(server.data_dir / "index")
        assert results(api) == before
        check_follows(api, kb_id, "after the loss")
        after = results(api)
    server.stop()
    server.start()
    with server.client() as api:
        assert results(api) == after


def test_an_index_that_is_full_of_nonsense_is_rebuilt(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        fill(api)
        before = results(api)
    server.stop()
    for path in (server.data_dir / "index").rglob("*"):
        if path.is_file():
            path.write_bytes(b"nonsense")
    server.start()
    with server.client() as api:
        assert results(api) == before


def test_an_index_that_is_written_over_behind_a_running_server_changes_no_answer(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        kb_id = fill(api)
        before, pid = results(api), server.pid
        for _ in range(3):
            write_over(server.data_dir / "index")
            assert results(api) == before
        check_follows(api, kb_id, "after the damage")
        assert server.pid == pid


def test_what_was_deleted_before_changes_no_score_after_a_rebuild(serve: ServerFactory) -> None:
    # Texts of few words in random order: many passages are nearly as good as one another.
    random = Random(7)
    words = [f"{first}{second}" for first in ("kel", "mor", "tan", "vil") for second in ("dor", "mar", "nis", "rup")]
    queries = [" ".join(random.sample(words, 3)) for _ in range(20)]
    server = serve(undo_seconds=0)
    with server.client() as api:
        kb_id = api.create_kb("Library")
        documents: list[dict[str, Any]] = []
        for number in range(60):
            sentences = [" ".join(random.choices(words, k=random.randint(4, 30))) + "." for _ in range(12)]
            documents.append(api.upload(kb_id, f"{number}.txt", "\n\n".join(sentences).encode()))
        assert {api.wait_until_ended(document["id"])["status"] for document in documents} == {"READY"}
        for document in documents[:40]:
            assert api.delete(f"/documents/{document['id']}").status_code == 204

        def scores() -> list[list[tuple[str, float]]]:
            return [
                [(hit["chunk_id"], hit["score"]) for hit in api.search(query, limit=50, keyword_weight=weight)]
                for query in queries
                for weight in (0.5, 1.0)
            ]

        before = scores()
        assert all(before)
        shutil.rmtree(server.data_dir / "index")
        assert scores() == before
    server.stop()
    shutil.rmtree(server.data_dir / "index", ignore_errors=True)
    server.start()
    with server.client() as again:
        api = again
        assert scores() == before


def test_the_very_next_search_finds_what_is_ready_and_not_what_was_deleted(serve: ServerFactory) -> None:
    server = serve(index_poll_seconds=60, undo_seconds=0)
    with server.client() as api:
        kb_id = api.create_kb("Fresh")
        for number in range(8):
            check_follows(api, kb_id, f"number {number}")


def check_follows(api: LumiClient, kb_id: str, mark: str) -> None:
    """A new document is found by the search that follows, by words and by meaning, and not once it is deleted."""

    def found(**options: Any) -> set[str]:
        hits = api.search(f"a harpsichord {mark}", kb_ids=[kb_id], limit=50, **options)
        return {hit["document_id"] for hit in hits}

    text = f"The harpsichord {mark} is tuned on Mondays."
    document = api.upload_ready(kb_id, f"{mark}.txt", text.encode())
    for weight in (0.0, 1.0):
        assert document["id"] in found(keyword_weight=weight)
    assert api.delete(f"/documents/{document['id']}").status_code == 204
    for weight in (0.0, 1.0):
        assert document["id"] not in found(keyword_weight=weight)
