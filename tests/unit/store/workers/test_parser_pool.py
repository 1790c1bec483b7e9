"""The pool with real processes and real hostile documents."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from support.documents import make_docx, make_flate_bomb, make_pdf
from support.locked import lock_office

from lumikb.compute.parse.errors import (
    EncryptedError,
    MemoryLimitError,
    NoTextError,
    OutputLimitError,
    ParseError,
    ParserDiedError,
    TimeLimitError,
)
from lumikb.compute.parse.ocr_options import OcrOptions, find_data
from lumikb.store.workers import parser_handle
from lumikb.store.workers.errors import ParseCancelledError, ParserUnavailableError
from lumikb.store.workers.parser_pool import ParseLimits, ParserPool

pytestmark = pytest.mark.thorough

LIMITS = ParseLimits(seconds_max=60, memory_bytes_max=1 << 30, text_chars_max=1_000_000, documents_per_process=100)
WAIT_SECONDS_MAX = 30

Pools = Callable[..., ParserPool]
Files = Callable[[str, bytes], Path]


@pytest.fixture
def pools() -> Iterator[Pools]:
    opened: list[ParserPool] = []

    def open_pool(processes: int = 1, **limits: Any) -> ParserPool:
        opened.append(ParserPool(processes, replace(LIMITS, **limits)))
        return opened[-1]

    yield open_pool
    for pool in opened:
        pool.close()
    assert children() == set()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    def write(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def children(parent: int | None = None) -> set[int]:
    """Parsers that `parent` (this process) started and that still run."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (path / "stat").read_text().rpartition(") ")[2].split()[:2]
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(ppid) == (parent or os.getpid()) and state != "Z" and b"parser_process" in command:
            found.add(int(path.name))
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def wait_until_it_parses(child: int, start: int) -> None:
    """Wait until `child`, which had used `start` ticks when it was ready, is in the middle of a document."""
    wait_until(lambda: cpu_ticks(child) > start + 20)


def warm(pool: ParserPool, files: Files) -> tuple[int, int]:
    """A child of `pool` that is ready and at rest, and the ticks it has used: starting takes ticks of its own."""
    pool.parse(files("warm", b"text"), "warm.txt")
    (child,) = children()
    return child, cpu_ticks(child)


def slow_pdf() -> bytes:
    """Keeps pdfium busy for minutes in little memory."""
    return make_flate_bomb(megabytes=2, pages=5000)


def test_a_document_is_parsed_in_a_child_that_is_reused(pools: Pools, files: Files):
    pool = pools()
    path = files("blob", make_pdf(["Hello from page one"], outline=[("Hello", 1, 0)], title="T"))
    parsed = pool.parse(path, "a.pdf")
    assert parsed.text == "Hello from page one"
    assert (parsed.page_count, parsed.title, parsed.headings[0].title) == (1, "T", "Hello")
    first = children()
    assert pool.parse(files("b", "Grüße 😀".encode()), "b.txt").text == "Grüße 😀"
    assert children() == first
    assert len(first) == 1


def test_nothing_is_started_before_the_first_document(pools: Pools):
    pools(2)
    assert children() == set()


def test_parse_errors_come_back_as_they_were(pools: Pools, files: Files):
    pool = pools(text_chars_max=10)
    with pytest.raises(EncryptedError, match="Retry with it"):
        pool.parse(files("a", make_pdf(["x"], encrypted=True)), "a.pdf")
    assert pool.parse(files("a", make_pdf(["x"], encrypted=True)), "a.pdf", password="secret").text == "x"
    before = children()
    with pytest.raises(OutputLimitError) as caught:
        pool.parse(files("b", b"a longer text"), "b.txt")
    assert caught.value.details == {"text_chars_max": 10}
    assert children() == before


@pytest.mark.skipif(
    find_data(OcrOptions()) is None or find_spec("tesserocr") is None, reason="Tesseract is not installed"
)
def test_scans_are_read_within_the_bounds_and_need_the_data_that_the_limits_name(pools: Pools, files: Files):
    document = pypdfium2.PdfDocument(make_pdf(["Words on a large picture."]))
    picture = io.BytesIO()
    document[0].render(scale=7, grayscale=True).to_pil().save(picture, "PNG")
    document.close()
    assert pools().parse(files("a", picture.getvalue()), "a.png").text == "Words on a large picture."
    with pytest.raises(NoTextError, match="tesseract-ocr-fra"):
        pools().parse(files("a", picture.getvalue()), "a.png", ocr_languages="fra")
    with pytest.raises(NoTextError, match="tesseract-ocr"):
        pools(ocr_data_dir="/nonexistent").parse(files("a", picture.getvalue()), "a.png")


def test_a_child_is_replaced_after_its_share_of_documents(pools: Pools, files: Files):
    pool = pools(documents_per_process=2)
    path = files("a", b"text")
    pool.parse(path, "a.txt")
    first = children()
    pool.parse(path, "a.txt")
    assert children() == set()
    pool.parse(path, "a.txt")
    assert children() != first


def test_a_document_that_takes_too_long_loses_its_process(pools: Pools, files: Files):
    pool = pools(seconds_max=1)
    with pytest.raises(TimeLimitError, match="longer than 1 seconds"):
        pool.parse(files("a", slow_pdf()), "a.pdf")
    assert children() == set()
    assert pool.parse(files("b", b"text"), "b.txt").text == "text"


def test_a_password_whose_check_is_made_to_take_long_loses_its_process(pools: Pools, files: Files):
    pool = pools(seconds_max=1)
    data = lock_office(make_docx([("Normal", "text")]), "secret", claimed_rounds=10_000_000)
    with pytest.raises(TimeLimitError):
        pool.parse(files("a", data), "a.docx", password="secret")
    with pytest.raises(EncryptedError, match="Retry with it"):
        pool.parse(files("a", data), "a.docx")


def test_processor_time_is_bounded_for_each_document_anew(pools: Pools, files: Files):
    pool = pools(seconds_max=1, documents_per_process=10_000)
    path = files("a", make_pdf(["some words " * 100] * 50))
    pool.parse(path, "a.pdf")
    (child,) = children()
    while cpu_ticks(child) < 2 * os.sysconf("SC_CLK_TCK"):
        pool.parse(path, "a.pdf")
    assert children() == {child}


@pytest.mark.parametrize("memory_bytes_max", [1 << 28, pytest.param(1 << 30, marks=pytest.mark.slow)])
def test_a_flate_bomb_meets_the_memory_bound(pools: Pools, files: Files, memory_bytes_max: int):
    pool = pools(memory_bytes_max=memory_bytes_max)
    with pytest.raises(MemoryLimitError):
        pool.parse(files("a", make_flate_bomb(megabytes=150)), "a.pdf")
    assert pool.parse(files("b", b"text"), "b.txt").text == "text"


def test_a_text_too_large_for_the_memory_bound_is_refused(pools: Pools, files: Files):
    pool = pools(memory_bytes_max=1 << 28, text_chars_max=1 << 30)
    with pytest.raises(MemoryLimitError):
        pool.parse(files("a", b"name,size\n" * 15_000_000), "a.csv")


@pytest.mark.parametrize("memory_bytes_max", [1 << 30, 1 << 31])
def test_every_parser_loads_within_the_memory_bound(pools: Pools, files: Files, memory_bytes_max: int):
    pool = pools(memory_bytes_max=memory_bytes_max)
    assert pool.parse(files("a", make_pdf(["text"])), "a.pdf").text == "text"
    assert pool.parse(files("b", make_docx([("Normal", "text")])), "b.docx").text == "text"


@pytest.mark.parametrize("program", ["/bin/false", "/nonexistent"])
def test_a_process_that_does_not_start_is_not_blamed_on_the_document(
    pools: Pools, files: Files, monkeypatch: pytest.MonkeyPatch, program: str
):
    path = files("a", b"text")
    pool = pools()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", program)
        with pytest.raises(ParserUnavailableError):
            pool.parse(path, "a.txt")
    assert pool.parse(path, "a.txt").text == "text"


def test_a_crash_while_parsing_is_an_error_and_the_next_document_gets_a_new_child(pools: Pools, files: Files):
    pool = pools()
    path = files("a", slow_pdf())
    child, start = warm(pool, files)
    with ThreadPoolExecutor(1) as threads:
        parsing = threads.submit(pool.parse, path, "a.pdf")
        wait_until_it_parses(child, start)
        os.kill(child, signal.SIGSEGV)
        with pytest.raises(ParserDiedError) as caught:
            parsing.result(WAIT_SECONDS_MAX)
    assert caught.value.details == {"exit_code": -signal.SIGSEGV}
    assert pool.parse(files("b", b"text"), "b.txt").text == "text"


def test_a_child_that_died_at_rest_is_replaced_unnoticed(pools: Pools, files: Files):
    pool = pools()
    path = files("a", b"text")
    pool.parse(path, "a.txt")
    for child in children():
        os.kill(child, signal.SIGKILL)
    assert pool.parse(path, "a.txt").text == "text"


def test_an_idle_child_ends_by_itself(pools: Pools, files: Files, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parser_handle, "IDLE_SECONDS_MAX", 0.05)
    pool = pools()
    path = files("a", b"text")
    pool.parse(path, "a.txt")
    wait_until(lambda: children() == set())
    assert pool.parse(path, "a.txt").text == "text"


def test_cancelling_kills_the_child(pools: Pools, files: Files):
    pool = pools()
    cancel = threading.Event()
    path = files("a", slow_pdf())
    child, start = warm(pool, files)
    with ThreadPoolExecutor(1) as threads:
        parsing = threads.submit(lambda: pool.parse(path, "a.pdf", cancelled=cancel.is_set))
        wait_until_it_parses(child, start)
        cancel.set()
        with pytest.raises(ParseCancelledError):
            parsing.result(WAIT_SECONDS_MAX)
    assert children() == set()


def test_a_caller_that_waits_for_a_slot_can_be_cancelled(pools: Pools, files: Files):
    pool = pools(1)
    path = files("a", slow_pdf())
    with ThreadPoolExecutor(1) as threads:
        parsing = threads.submit(pool.parse, path, "a.pdf")
        wait_until(lambda: len(children()) == 1)
        calls = iter([False, False, True])
        with pytest.raises(ParseCancelledError):
            pool.parse(path, "a.pdf", cancelled=lambda: next(calls))
        pool.close()
        with pytest.raises(ParseCancelledError):
            parsing.result(WAIT_SECONDS_MAX)


def test_a_closed_pool_takes_no_documents(pools: Pools, files: Files):
    pool = pools()
    pool.parse(files("a", b"text"), "a.txt")
    pool.close()
    assert children() == set()
    with pytest.raises(ParseCancelledError):
        pool.parse(files("a", b"text"), "a.txt")


def test_many_threads_share_a_bounded_number_of_children(pools: Pools, files: Files):
    pool = pools(2, documents_per_process=5)
    paths = [files(str(number), f"text {number}".encode()) for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        parsed = list(threads.map(lambda path: pool.parse(path, "a.txt").text, paths))
    assert parsed == [f"text {number}" for number in range(24)]
    assert len(children()) <= 2


def test_the_child_has_neither_secrets_nor_files_of_the_parent(
    pools: Pools, files: Files, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LUMIKB_JWT_SECRET", "do not tell")
    secret = files("secret", b"x")
    with secret.open() as held:
        os.set_inheritable(held.fileno(), True)
        pools().parse(files("a", b"text"), "a.txt")
        (child,) = children()
        opened = {str(link.readlink()) for link in Path(f"/proc/{child}/fd").iterdir()}
    assert b"do not tell" not in Path(f"/proc/{child}/environ").read_bytes()
    assert str(secret) not in opened
    assert all(name.startswith(("pipe:", "/dev/null")) for name in opened)


def test_a_parent_killed_in_the_middle_of_a_document_leaves_no_orphan(files: Files):
    paths = files("warm", b"text"), files("a", slow_pdf())
    program = (
        "import sys; from pathlib import Path; from lumikb.store.workers.parser_pool import *; "
        "pool = ParserPool(1, ParseLimits(300, 1 << 30, 1000000, 9)); "
        "pool.parse(Path(sys.argv[1]), 'a.txt'); print(flush=True); pool.parse(Path(sys.argv[2]), 'a.pdf')"
    )
    with subprocess.Popen([sys.executable, "-c", program, *map(str, paths)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = children(parent.pid)
        wait_until_it_parses(child, cpu_ticks(child))
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{child}").exists())


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_pdf_ends_in_a_result_or_a_reason(pools: Pools, files: Files, seed: int):
    data = bytearray(make_pdf(["Some words on a page"] * 3, outline=[("Some words", 2, 0)], title="T"))
    step = len(data) // 12
    for at in range(seed * step, min((seed + 1) * step, len(data)), 3):
        data[at] = (data[at] * 31 + seed) % 256
    with contextlib.suppress(ParseError):
        assert pools().parse(files("a", bytes(data)), "a.pdf").page_count


def run_stub(pages: int, page_seconds: float) -> Callable[[Any, int, int], subprocess.Popen[bytes]]:
    """Starts what behaves like a parser whose OCR takes `page_seconds` for each of `pages`."""
    code = (
        "import os, time\n"
        "from lumikb.compute.parse.models import ParsedText\n"
        "from lumikb.store.workers.protocol import PageRecognition, ParseSuccess, Ready, Taken, write_message\n"
        "def send(message): write_message(1, message, 1 << 20)\n"
        "send(Ready()); os.read(0, 65536); send(Taken())\n"
        f"for _ in range({pages}): send(PageRecognition()); time.sleep({page_seconds})\n"
        "send(ParseSuccess(ParsedText(text='read'))); os.read(0, 1)\n"
    )

    def spawn(_: Any, requests: int, replies: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], stdin=requests, stdout=replies, start_new_session=True)

    return spawn


def test_each_page_that_ocr_reads_gets_the_time_anew(pools: Pools, files: Files, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parser_handle, "_spawn", run_stub(5, 1.0))
    pool = pools(seconds_max=3, ocr_seconds_max=60)
    assert pool.parse(files("a", b"scan"), "a.pdf").text == "read"


@pytest.mark.parametrize(
    ("page_seconds", "limits", "named"),
    [(1.0, {"seconds_max": 3, "ocr_seconds_max": 4}, 4), (30.0, {"seconds_max": 2, "ocr_seconds_max": 60}, 2)],
    ids=["all pages", "one page"],
)
def test_ocr_is_bounded_in_all_and_for_a_page(
    pools: Pools,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    page_seconds: float,
    limits: dict[str, float],
    named: float,
):
    monkeypatch.setattr(parser_handle, "_spawn", run_stub(20, page_seconds))
    with pytest.raises(TimeLimitError) as caught:
        pools(**limits).parse(files("a", b"scan"), "a.pdf")
    assert caught.value.details["seconds_max"] == named
