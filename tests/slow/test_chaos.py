"""Kills at random moments, one after the other: every accepted document ends READY, once, and nothing is left over.

KILLS=20 SEED=7 pytest -m slow tests/slow/test_chaos.py
"""

import itertools
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import documents
from support.exactly_once import check_exactly_once, only_needed_blobs
from support.server import LumiClient, LumiServer, poll

KILLS = int(os.environ.get("KILLS", "200"))
SEED = int(os.environ.get("SEED", "0"))
# Lives last up to so many seconds, on a slow machine up to so many times what the first document takes: now and then
# one is long enough for the longest step, embedding after the model was loaded. Work that never gets on is given up.
# They last as much longer as starts take longer than the first one, where other work has come upon the machine.
LIFE_SECONDS_MAX = 10.0
LIFE_DOCUMENTS_MAX = 3
# More are not uploaded until some have ended, or the lives after the last kill would be the only ones that count.
OPEN_MAX = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + KILLS * 40)]


def files(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Small and large ones, in several formats, each of its own."""
    number = 0
    while True:
        number += 1
        sentences = [f"Fact {number}.{at}: herons of lake {chance.randint(0, 999)} eat fish." for at in range(40)]
        text = " ".join(sentences)
        kind = chance.choice(["txt", "md", "pdf", "pdf"])
        pages = [f"{text} Page {page}." for page in range(chance.choice([1, 5, 30]))]
        data = documents.make_pdf(pages) if kind == "pdf" else "\n\n".join(pages).encode()
        yield f"fact-{number}.{kind}", data


def count_jobs(api: LumiClient, status: str) -> int:
    return api.get("/jobs", params={"status": status, "limit": 1}).json()["total"]


def all_documents(api: LumiClient, kb_id: str) -> Iterator[dict[str, Any]]:
    for page in itertools.count(1):
        answer = api.get(f"/knowledge-bases/{kb_id}/documents", params={"page": page, "limit": 100}).json()
        yield from answer["data"]
        if page >= answer["total_pages"]:
            return


def upload_until_killed(api: LumiClient, kb_id: str, made: Iterator[tuple[str, bytes]]) -> list[str]:
    """Ids of the documents that were accepted before the connection broke."""
    accepted: list[str] = []
    try:
        while True:
            if count_jobs(api, "queued") < OPEN_MAX:
                accepted.append(api.upload(kb_id, *next(made))["id"])
            else:
                threading.Event().wait(0.1)
    except httpx.TransportError:
        return accepted


def kill_at_random(server: LumiServer, chance: random.Random) -> list[str]:
    """Upload until each of the `KILLS` deaths; gives the ids of the documents that were accepted."""
    made = files(chance)
    with server.client() as api:
        kb_id = api.create_kb("Chaos")
        begun = time.monotonic()
        accepted = [api.upload_ready(kb_id, *next(made))["id"]]
    life_max = max(LIFE_SECONDS_MAX, LIFE_DOCUMENTS_MAX * (time.monotonic() - begun))
    starts: list[float] = []
    for _ in range(KILLS):
        slower = max(1.0, starts[-1] / starts[0]) if starts else 1.0
        killer = threading.Timer(chance.uniform(0, life_max * slower), os.kill, (server.pid, 9))
        with server.client() as api:
            killer.start()
            accepted += upload_until_killed(api, kb_id, made)
        killer.join()
        server.kill()
        begun = time.monotonic()
        server.start()
        starts.append(time.monotonic() - begun)
    return accepted


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    with LumiServer(tmp_path / "data") as server:
        accepted = kill_at_random(server, random.Random(SEED))
        with server.client() as api:
            poll(lambda: not count_jobs(api, "queued") + count_jobs(api, "processing"), "the end of all jobs", 900)
            (kb,) = api.get("/knowledge-bases").json()["data"]
            found = list(all_documents(api, kb["id"]))
            assert set(accepted) <= {document["id"] for document in found}
            assert [(one["name"], one["last_error"]) for one in found if one["status"] != "READY"] == []
            poll(lambda: only_needed_blobs(server), "the end of temporary blobs", 60)
    check_exactly_once(server, found)
