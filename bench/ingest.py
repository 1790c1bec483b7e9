"""Reading files: LumiKB's text with its map against PyMuPDF and markitdown; its chunker; one and two parser processes.

    python -m bench.ingest [--pages 200] [--rounds 3] [--data DIR]

Without `--data` the files are made, the same ones at every run. LumiKB gives the text with pages, headings, tables and
the box of every character; of the peers only PyMuPDF's `rawdict` gives boxes of characters. Ratios are given of the
time that passed and of processor time, which tells more where something else runs.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness import (
    BENCH,
    Run,
    Side,
    answer_runs,
    interleave,
    median,
    peer_python,
    print_table,
    timed,
    write_result,
)

REQUIREMENTS = BENCH / "peers" / "ingest_requirements.txt"
OFFICE = (".docx", ".pptx", ".xlsx")
PYMUPDF_MODES = ("text", "rawdict")
POOL_DOCUMENTS = 8
# What issue 4 asks for, by the name of the ratio.
WANTED = {"pdf / pymupdf text": 0.75, "pdf / markitdown": 45, **{f"{suffix[1:]} / markitdown": 15 for suffix in OFFICE}}


def _times(work: Callable[[], object]) -> dict[str, float]:
    before = time.process_time()
    seconds = timed(work)
    return {"seconds": seconds, "processor_seconds": time.process_time() - before}


def _files(folder: str, suffix: str) -> list[Path]:
    return sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() == suffix)


def lumikb_side(folder: str) -> tuple[dict[str, Any], Run]:
    from lumikb.compute.parse.ocr_options import OcrOptions
    from lumikb.compute.parse.parse import parse

    ocr = OcrOptions(data_dir="/nonexistent")

    def read(suffix: str) -> list[Any]:
        return [parse(path.read_bytes(), path.name, ocr=ocr) for path in _files(folder, suffix)]

    def run(request: dict[str, Any]) -> dict[str, Any]:
        parsed: list[Any] = []
        times = _times(lambda: parsed.extend(read(request["suffix"])))
        return {
            **times,
            "chars": sum(len(document.text) for document in parsed),
            "pages": sum(document.page_count or 0 for document in parsed),
        }

    chunk = _chunk_run([document for suffix in (".pdf", ".docx") for document in read(suffix)])
    runs = {"parse": run, "chunk": chunk, "pool": lambda request: _pool_run(folder, request["processes"])}
    return {"side": "LumiKB"}, lambda request: runs[request["work"]](request)


def _chunk_run(parsed: list[Any]) -> Run:
    from lumikb.compute.chunk.chunker import chunk_text
    from lumikb.compute.chunk.models import ChunkParams
    from lumikb.compute.embed.model_files import find_model_files
    from lumikb.compute.embed.tokenizer import Tokenizer

    tokenizer = Tokenizer(find_model_files().tokenizer)
    size = sum(len(document.text.encode()) for document in parsed)

    def run(_: dict[str, Any]) -> dict[str, Any]:
        times = _times(lambda: [chunk_text(document, tokenizer, ChunkParams()) for document in parsed])
        return {**times, "megabytes": size / 1e6}

    return run


def _pool_run(folder: str, processes: int) -> dict[str, Any]:
    """Every PDF `POOL_DOCUMENTS` times, by a pool whose processes have started."""
    from lumikb.store.workers.parser_pool import ParseLimits, ParserPool

    pool = ParserPool(processes, ParseLimits(600, 2 << 30, 50_000_000, 1000, "/nonexistent"))
    waiting = _files(folder, ".pdf") * POOL_DOCUMENTS
    counts: list[int] = []

    def work(paths: list[Path]) -> None:
        while paths:
            try:
                path = paths.pop()
            except IndexError:
                return
            counts.append(pool.parse(path, path.name).page_count or 0)

    def share(paths: list[Path]) -> None:
        threads = [threading.Thread(target=work, args=(paths,)) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    share(waiting[: 2 * processes])
    counts.clear()
    seconds = timed(lambda: share(waiting))
    pool.close()
    return {"seconds": seconds, "pages": sum(counts)}


def peer_side(folder: str) -> tuple[dict[str, Any], Run]:
    import markitdown
    import pymupdf

    converter = markitdown.MarkItDown()

    def by_pymupdf(request: dict[str, Any]) -> int:
        return sum(_pymupdf_chars(pymupdf, path, request["mode"]) for path in _files(folder, ".pdf"))

    def by_markitdown(request: dict[str, Any]) -> int:
        return sum(len(converter.convert(str(path)).text_content) for path in _files(folder, request["suffix"]))

    works: dict[str, Callable[[dict[str, Any]], int]] = {"pymupdf": by_pymupdf, "markitdown": by_markitdown}

    def run(request: dict[str, Any]) -> dict[str, Any]:
        chars: list[int] = []
        times = _times(lambda: chars.append(works[request["work"]](request)))
        return {**times, "chars": chars[0]}

    return {"side": "peer", "pymupdf": pymupdf.__version__, "markitdown": markitdown.__version__}, run


def _pymupdf_chars(pymupdf: Any, path: Path, mode: str) -> int:
    with pymupdf.open(stream=path.read_bytes(), filetype="pdf") as document:
        return sum(len(page.get_text(mode)) for page in document)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="a folder of files to read instead of those that are made")
    options = parser.parse_args()
    python = peer_python("ingest", REQUIREMENTS)
    with tempfile.TemporaryDirectory() as made:
        folder = str((options.data or Path(made)).resolve())
        if options.data is None:
            from bench.ingest_documents import make_documents

            make_documents(Path(made), options.pages)
        root = BENCH.parent
        ours = Side.start("lumikb", [sys.executable, "-m", "bench.ingest", "lumikb", folder], cwd=root)
        peer = Side.start("peer", [str(python), "-m", "bench.ingest", "peer", folder], cwd=root)
        answers = interleave(options.rounds, _runs(folder, ours, peer))
        ours.stop()
        peer.stop()
    _report(answers, options, ours.ready, peer.ready)


def _runs(folder: str, ours: Side, peer: Side) -> dict[str, Callable[[], dict[str, Any]]]:
    requests: dict[str, tuple[Side, dict[str, Any]]] = {"chunk": (ours, {"work": "chunk"})}
    for suffix in (".pdf", *OFFICE):
        if _files(folder, suffix):
            requests[suffix[1:]] = (ours, {"work": "parse", "suffix": suffix})
            requests[f"{suffix[1:]} markitdown"] = (peer, {"work": "markitdown", "suffix": suffix})
    if _files(folder, ".pdf"):
        for mode in PYMUPDF_MODES:
            requests[f"pdf pymupdf {mode}"] = (peer, {"work": "pymupdf", "mode": mode})
        for processes in (1, 2):
            requests[f"pool of {processes}"] = (ours, {"work": "pool", "processes": processes})
    return {name: lambda side=side, request=request: side.run(request) for name, (side, request) in requests.items()}


def _ratios(seconds: dict[str, float]) -> dict[str, float]:
    """How many times faster LumiKB is than each peer."""
    return {
        name.replace(" ", " / ", 1): value / seconds[name.split()[0]]
        for name, value in seconds.items()
        if " " in name and name.split()[0] in seconds
    }


def _report(answers: dict[str, list[dict[str, Any]]], options: argparse.Namespace, *ready: dict[str, Any]) -> None:
    seconds = {name: median(runs, "seconds") for name, runs in answers.items()}
    ratios = _ratios(seconds)
    processor_ratios = _ratios(
        {name: median(runs, "processor_seconds") for name, runs in answers.items() if "pool" not in name}
    )
    figures = {"chunk MB/s": answers["chunk"][0]["megabytes"] / seconds["chunk"]}
    if "pdf" in seconds:
        pages = answers["pdf"][0]["pages"]
        pool_pages = answers["pool of 1"][0]["pages"]
        figures |= {f"{name} pages/s": pages / seconds[name] for name in seconds if name.startswith("pdf")}
        figures |= {f"pool of {count} pages/s": pool_pages / seconds[f"pool of {count}"] for count in (1, 2)}
        ratios["pool of 2 / pool of 1"] = seconds["pool of 1"] / seconds["pool of 2"]
    print_table(["figure", "value"], [[name, f"{value:.1f}"] for name, value in figures.items()])
    print_table(
        ["ratio", "value", "of processor time", "wanted"],
        [
            [
                name,
                f"{value:.2f}",
                f"{processor_ratios.get(name, 0):.2f}".replace("0.00", ""),
                str(WANTED.get(name, "")),
            ]
            for name, value in ratios.items()
        ],
    )
    result = {
        "pages": options.pages,
        "data": None if options.data is None else str(options.data),
        "rounds": options.rounds,
        "sides": ready,
        "figures": figures,
        "ratios": ratios,
        "processor_ratios": processor_ratios,
        "seconds": {name: [run["seconds"] for run in runs] for name, runs in answers.items()},
    }
    print(write_result("ingest", result).relative_to(BENCH.parent))


if __name__ == "__main__":
    sides = {"lumikb": lumikb_side, "peer": peer_side}
    if len(sys.argv) > 1 and sys.argv[1] in sides:
        answer_runs(lambda: sides[sys.argv[1]](*sys.argv[2:]))
    else:
        main()
