"""The `lumikb` command as a user runs it: real processes, with and without a server."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from support.documents import make_docx, make_pdf
from support.server import LumiServer

from lumikb.cli.data_dir import DataDir

pytestmark = pytest.mark.acceptance

COMMAND_SECONDS_MAX = 60
LUMIKB = Path(sys.executable).with_name("lumikb")


class Cli:
    """Runs commands on one data directory."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        self._environ = kept | {"LUMIKB_DATA_DIR": str(data_dir)}
        self._environ |= {f"LUMIKB_{name.upper()}": value for name, value in settings.items()}
        self._cwd = data_dir.parent

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [LUMIKB, *map(str, arguments)],
            env=self._environ,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A run in the background ignores Ctrl-C, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def __call__(self, *arguments: object, code: int = 0) -> tuple[str, str]:
        """What a command writes to standard output and standard error; it must exit with `code`."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=COMMAND_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == code, (out, err)
        assert "Traceback" not in out + err
        return out, err

    def json(self, *arguments: object, code: int = 0) -> Any:
        """What a command prints with `--json`."""
        return json.loads(self(*arguments, "--json", code=code)[0])


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder with two readable files, an empty one, one of an unknown kind and a hidden one."""
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    (folder / "garden.md").write_text("# Garden\n\nThe roses are watered every Monday morning by the gardener.\n")
    (folder / "deep" / "house.docx").write_bytes(make_docx([("Heading 1", "House"), ("Normal", "The roof is red.")]))
    (folder / "empty.txt").touch()
    (folder / "song.mp3").write_bytes(b"ID3")
    (folder / ".hidden.md").write_text("Nobody reads this.")
    return folder


def test_a_repair_without_a_server_ends_when_its_documents_are_processed(papers: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    cli("ingest", papers / "garden.md", papers / "deep", "--kb", "papers")
    with sqlite3.connect(tmp_path / "data" / "lumikb.sqlite3") as connection:
        connection.execute("UPDATE chunks SET text = replace(text, 'red', 'blue')")
        connection.execute("UPDATE documents SET status = 'BROKEN' WHERE name = 'garden.md'")
    connection.close()
    assert "BROKEN" in cli("verify", code=1)[0]
    assert cli.json("documents", "list", "--kb", "papers")["total"] == 2
    mended = cli.json("verify", "--repair")["findings"]
    assert {(found["kind"], found["repaired"], found["waits"]) for found in mended} == {
        ("document.status", True, False),
        ("passages.differ", True, False),
    }
    assert "all is well" in cli("verify")[0]
    assert "red" in cli("ask", "What is the colour of the roof?")[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[LumiServer]:
    with LumiServer(tmp_path_factory.mktemp("cli") / "data") as running:
        yield running


@pytest.fixture
def served(server: LumiServer) -> Cli:
    return Cli(server.data_dir)


def test_without_a_server_commands_open_the_data_directory(tmp_path: Path, papers: Path) -> None:
    cli = Cli(tmp_path / "data")
    assert cli.json("status")["counts"] is None
    assert not (tmp_path / "data").exists()

    body = cli.json("ingest", papers, "--kb", "Home", code=1)
    assert (body["kb_name"], body["kb_created"]) == ("Home", True)
    found = {Path(document["path"]).name: document for document in body["documents"]}
    assert {name: document["result"] for name, document in found.items()} == {
        "house.docx": "ready",
        "garden.md": "ready",
        "empty.txt": "failed",
    }
    assert found["empty.txt"]["error"]["code"] == "EMPTY_FILE"
    assert [Path(path).name for path in body["skipped"]] == ["song.mp3"]

    answer = cli.json("ask", "When are the roses watered?", "--kb", "Home")
    (citation,) = answer["citations"]
    text = (papers / "garden.md").read_text()
    assert text[citation["char_start"] : citation["char_end"]] == citation["quoted_text"]
    assert "every Monday" in citation["quoted_text"]

    status = cli.json("status")
    assert status["server"] is None
    assert status["counts"]["by_status"]["READY"] == 2
    assert "needs a server" in cli("ingest", papers, "--kb", "Home", "--no-wait", code=2)[1]
    error = json.loads(cli("search", "roses", "--kb", "Nowhere", "--json", code=3)[1])["error"]
    assert (error["code"], error["details"]["available"]) == ("KB_NOT_FOUND", ["Home"])
    assert error["request_id"]


def test_an_interrupted_ingest_is_quiet_and_goes_on_later(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    file = tmp_path / "long.txt"
    file.write_text("\n\n".join(f"Paragraph {number} tells of the number {number * 7}." for number in range(400)))
    with cli.start("ingest", file, "--kb", "Long") as process:
        while not list((tmp_path / "data").glob("blobs/*/*/*")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=COMMAND_SECONDS_MAX)
    assert (process.returncode, out, err) == (130, "", "")
    # The same bytes: a document that was accepted before the interruption is followed to its end.
    (document,) = cli.json("ingest", file, "--kb", "Long")["documents"]
    assert document["result"] == "ready"
    assert cli.json("documents", "list")["total"] == 1


def test_never_two_processes_on_one_data_directory(tmp_path: Path, server: LumiServer) -> None:
    assert "Another LumiKB process uses" in Cli(server.data_dir)("serve", "--port", 0, code=1)[1]
    held = DataDir(tmp_path / "data")
    held.acquire()
    try:
        assert "Another lumikb command" in Cli(held.path)("kb", "list", code=1)[1]
        assert [path.name for path in held.path.iterdir()] == ["lock"]
    finally:
        held.release()


def test_a_running_server_is_talked_to(served: Cli, server: LumiServer, papers: Path) -> None:
    created = served.json("kb", "create", "Papers", "--description", "About the house.")
    assert served.json("kb", "list")["data"][0]["id"] == created["id"]
    assert "name" in served("kb", "create", "Papers", code=1)[1]

    body = served.json("ingest", papers / "garden.md", "--kb", "papers", "--no-wait")
    assert [document["duplicate"] for document in body["documents"]] == [False]
    out, err = served("ingest", papers, "--kb", "Papers", code=1)
    assert "song.mp3" in out
    assert "Already there (1)" in out
    assert "3 files in Papers: 2 ready, 1 failed." in out
    assert "empty.txt: This file is empty" in err

    results = served.json("search", "roses", "--kb", "Papers", "--limit", 1)["results"]
    assert [result["document_name"] for result in results] == ["garden.md"]
    assert "There are: " in served("search", "roses", "--kb", "Nothing", code=3)[1]
    assert "§ Garden, chars" in served("ask", "When are the roses watered?")[0]

    arguments = ["documents", "list", "--kb", "Papers"]
    assert served.json(*arguments, "--status", "archived")["data"] == []
    documents = served.json(*arguments, "--status", "ready", "--status", "archived")["data"]
    served("documents", "delete", documents[0]["id"])
    served("documents", "delete", documents[0]["id"], code=3)
    status = served.json("status")
    assert (status["server"], status["health"]["status"]) == (server.url, "healthy")

    assert "the server's" in served("kb", "settings", "Papers")[0]
    changed = served.json("kb", "settings", "Papers", "--chunk-tokens", "64", "--chunk-strategy", "sentences")
    assert (changed["chunk_tokens"], changed["pending"], changed["documents_behind"]) == (64, None, 0)
    assert served.json("kb", "settings", "Papers", "--reset", "chunk_tokens")["overridden"] == ["chunk_strategy"]
    served("kb", "settings", "Papers", "--chunk-tokens", "5", code=2)
    served("kb", "settings", "Papers", "--reset", "colour", code=2)
    served("kb", "delete", "Papers", code=2)
    assert served.json("kb", "delete", "Papers", "--yes", "--purge") == {
        "id": created["id"],
        "name": "Papers",
        "purged": True,
    }
    served("kb", "delete", "Papers", "--yes", code=3)


def test_a_folder_is_mirrored(served: Cli, papers: Path) -> None:
    (papers / "empty.txt").unlink()

    def sync(*more: str) -> dict[str, tuple[str, str]]:
        body = served.json("ingest", papers, "--kb", "Mirror", "--sync", *more)
        return {Path(document["path"]).name: (document["change"], document["result"]) for document in body["documents"]}

    assert sync() == {"garden.md": ("new", "ready"), "house.docx": ("new", "ready")}
    assert sync() == {"garden.md": ("unchanged", "ready"), "house.docx": ("unchanged", "ready")}
    (papers / "garden.md").write_text("# Garden\n\nThe roses are watered every Friday evening by the neighbour.\n")
    (papers / "deep" / "house.docx").rename(papers / "home.docx")
    (papers / "shed.txt").write_text("The shed holds two ladders.")
    assert sync() == {"garden.md": ("changed", "ready"), "home.docx": ("moved", "ready"), "shed.txt": ("new", "ready")}
    assert "Friday" in served.json("ask", "When are the roses watered?", "--kb", "Mirror")["answer"]
    (papers / "shed.txt").unlink()
    assert sync()["shed.txt"] == ("gone", "deleted")
    names = {document["name"] for document in served.json("documents", "list", "--kb", "Mirror")["data"]}
    assert names == {"garden.md", "home.docx"}
    out, _ = served("ingest", papers, "--kb", "Mirror", "--sync")
    assert "2 unchanged" in out
    served("ingest", papers / "garden.md", "--kb", "Mirror", "--sync", code=2)


def test_what_was_there_before_a_folder_is_mirrored_is_adopted(served: Cli, papers: Path) -> None:
    (papers / "empty.txt").unlink()
    served("ingest", papers / "garden.md", "--kb", "Before")
    (papers / "copy.md").write_bytes((papers / "garden.md").read_bytes())
    out, _ = served("ingest", papers, "--kb", "Before", "--sync")
    assert f"Already there (2): {papers / 'garden.md'}, {papers / 'copy.md'} as {papers / 'garden.md'}" in out
    assert "Mirrored: 1 new, 0 changed, 0 moved, 0 gone, 0 unchanged, 1 adopted, 1 shared." in out
    (papers / "copy.md").unlink()
    (papers / "garden.md").write_text("# Garden\n\nThe roses are watered every Friday evening by the neighbour.\n")
    served("ingest", papers, "--kb", "Before", "--sync")
    assert served.json("documents", "list", "--kb", "Before")["total"] == 2
    assert "Friday" in served.json("ask", "When are the roses watered?", "--kb", "Before")["answer"]


def make_folder(folder: Path, **texts: str) -> Path:
    """A folder of text files, in place of one that was there: name without its extension -> text."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def texts_of(served: Cli, server: LumiServer, kb: str) -> dict[str, str]:
    """What is in the knowledge base: name without its extension -> text."""
    with server.client() as api:
        documents = served.json("documents", "list", "--kb", kb)["data"]
        return {
            Path(document["name"]).stem: api.get(
                f"/knowledge-bases/{document['kb_id']}/documents/{document['id']}/download"
            ).text
            for document in documents
        }


def test_one_run_mirrors_files_that_changed_places(served: Cli, server: LumiServer, tmp_path: Path) -> None:
    def sync(**texts: str) -> dict[str, str]:
        folder = make_folder(tmp_path / "places", **texts)
        body = served.json("ingest", folder, "--kb", "Places", "--sync")
        assert texts_of(served, server, "Places") == texts
        return {Path(document["path"]).stem: document["change"] for document in body["documents"]}

    sync(a="Ants.", b="Bees.", c="Cats.", log="Monday.")
    swapped = sync(a="Bees.", b="Ants.", c="Cats.", log="Monday.")
    assert swapped == {"a": "moved", "b": "moved", "c": "unchanged", "log": "unchanged"}
    assert set(sync(a="Ants.", b="Cats.", c="Bees.", log="Monday.").values()) == {"moved", "unchanged"}
    rotated = sync(a="Ants.", b="Cats.", c="Bees.", log="Tuesday.", old="Monday.")
    assert (rotated["log"], rotated["old"]) == ("new", "moved")
    assert set(sync(a="Ants.", b="Cats.", c="Bees.", log="Tuesday.", old="Monday.").values()) == {"unchanged"}


def test_what_two_mirrored_folders_have_is_one_document_until_both_lose_it(
    served: Cli, server: LumiServer, tmp_path: Path
) -> None:
    one, two = make_folder(tmp_path / "one", x="Xenon.", z="Zinc."), make_folder(tmp_path / "two", y="Xenon.")

    def sync(folder: Path) -> dict[str, tuple[str, str]]:
        body = served.json("ingest", folder, "--kb", "Both", "--sync")
        return {Path(document["path"]).stem: (document["change"], document["result"]) for document in body["documents"]}

    sync(one)
    out, _ = served("ingest", two, "--kb", "Both", "--sync")
    assert f"Already there (1): {two / 'y.txt'} as {one / 'x.txt'}" in out
    assert "0 unchanged, 1 shared." in out
    assert sync(two) == {"y": ("shared", "ready")}

    make_folder(one, z="Zinc.")
    assert sync(one) == {"x": ("gone", "kept"), "z": ("unchanged", "ready")}
    assert texts_of(served, server, "Both") == {"y": "Xenon.", "z": "Zinc."}
    assert sync(two) == {"y": ("unchanged", "ready")}

    make_folder(one, x="Xenon.")
    assert sync(one) == {"x": ("shared", "ready"), "z": ("gone", "deleted")}
    make_folder(two, y="Yttrium.")
    assert sync(two) == {"y": ("new", "ready")}
    assert texts_of(served, server, "Both") == {"x": "Xenon.", "y": "Yttrium."}
    assert sync(one) == {"x": ("unchanged", "ready")}


def test_a_mirrored_folder_names_what_failed_each_time(served: Cli, papers: Path) -> None:
    secret = papers / "deep" / "secret.pdf"
    secret.write_bytes(make_pdf(["Nobody reads this."], encrypted=True))
    for changes in ("3 new, 0 changed", "0 gone, 3 unchanged"):
        out, err = served("ingest", papers, "--kb", "Secrets", "--sync", code=1)
        assert changes in out
        assert "1 refused" in out
        assert f"{papers / 'empty.txt'}: This file is empty" in err
        assert f"{secret}: This file needs a password" in err


def test_the_sample_answers_its_own_questions(served: Cli) -> None:
    made = served.json("sample")
    assert len(made["documents"]) >= 12
    assert {document["result"] for document in made["documents"]} == {"ready"}
    expected = ["backup.docx", "jobs-and-errors.md", "privacy.pdf"]
    for question, document in zip(made["questions"], expected, strict=True):
        citations = served.json("ask", question, "--kb", "LumiKB sample")["citations"]
        assert document in [citation["document_name"] for citation in citations]
    assert "Not found in your documents." in served("ask", "Who won the world cup of 1998?")[0]

    again = served.json("sample")
    assert {document["duplicate"] for document in again["documents"]} == {True}
    assert served.json("documents", "list", "--kb", "LumiKB sample")["total"] == len(made["documents"])


def test_verify_and_rebuild_find_a_sound_server(served: Cli) -> None:
    assert served.json("verify")["findings"] == []
    assert served.json("index", "rebuild")["rows"] >= 0


def test_a_server_elsewhere_needs_a_key_that_it_knows(tmp_path: Path, server: LumiServer) -> None:
    with server.client() as client:
        key = client.create_api_key("read")
    nowhere = tmp_path / "none"
    cli = Cli(nowhere, url=server.url, api_key=key)
    assert cli.json("status")["server"] == server.url
    cli("kb", "create", "Mine", code=4)
    assert "LUMIKB_API_KEY" in Cli(nowhere, url=server.url, api_key="wrong")("kb", "list", code=4)[1]
    assert "LUMIKB_API_KEY" in Cli(nowhere, url=server.url)("kb", "list", code=2)[1]
    assert not nowhere.exists()


def test_a_server_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    out, err = Cli(tmp_path / "none", url="http://127.0.0.1:9", api_key="k")("kb", "list", code=1)
    assert (out, err) == ("", "lumikb: No connection to the server at http://127.0.0.1:9. Is it running?\n")


def test_a_server_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    server = LumiServer(tmp_path / "data")
    server.start()
    assert server.stop() == 0
    assert not (tmp_path / "data" / "server.json").exists()
    assert "Traceback" not in server.printed()


def test_questions_are_evaluated_and_configurations_compared(served: Cli, papers: Path, tmp_path: Path) -> None:
    (papers / "empty.txt").unlink()
    served("ingest", papers, "--kb", "Asked")
    questions = tmp_path / "questions.jsonl"
    asked = [
        {"question": "When are the roses watered?", "expected_documents": ["garden.md"], "expected_facts": ["Monday"]},
        {"question": "What is the capital of Mongolia?", "answerable": False},
    ]
    questions.write_text("\n".join(map(json.dumps, asked)))
    found = served.json("eval", questions, "--kb", "Asked")
    latency = found.pop("latency_ms_p50")
    figures = ("recall_at_5", "mrr", "citation_precision", "support_rate", "answered", "abstained_right")
    assert {name: found[name] for name in figures} == dict.fromkeys(figures, 1.0)
    assert latency > 0
    assert found["against"] is None
    assert served.json("kb", "list")["total"]

    both = served.json("eval", questions, "--kb", "Asked", "--limit", 3, "--against", "keyword_weight=1")
    assert both["settings"] == {"kb": ["Asked"], "limit": 3}
    assert both["against"]["settings"] == {"kb": ["Asked"], "limit": 3, "keyword_weight": 1.0}
    out, _ = served("eval", questions, "--kb", "Asked", "--against", "keyword_weight=1")
    assert "DIFFERENCE" in out
    assert "2 questions" in out

    questions.write_text('{"question": "a"}\nnonsense\n')
    assert "Line 2: it is no JSON object." in served("eval", questions, code=2)[1]
    served("eval", tmp_path / "nowhere.jsonl", code=2)
    questions.write_text('{"question": "Why?"}\n')
    served("eval", questions, "--kb", "Nowhere", code=3)
    served("eval", questions, "--against", "keyword_weight=7", code=2)


def test_the_sample_answers_its_questions(served: Cli) -> None:
    served("sample")
    found = served.json("eval", "--sample")
    assert found["recall_at_5"] >= 0.9
    assert found["support_rate"] == 1.0
    assert found["abstained_right"] == 1.0
    assert found["answered"] >= 0.7
