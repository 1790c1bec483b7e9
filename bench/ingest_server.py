"""A whole ingest by a real server: pages a second and the share of each step, what a queue costs, searches meanwhile.

    python -m bench.ingest_server [--pages 200] [--queued 1000] [--workers 2]

Without a peer: the figures compare the server with itself. Memory is what the kernel says of the server's process and
of its largest parser, the highest value since their start.
"""

import argparse
import itertools
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.harness import BENCH, print_table, write_result
from bench.ingest_documents import make_documents

API = "/api/v1"
STEPS = ("parse", "chunk", "embed", "store")
SMALL_FIRST = 10
SEARCHES = 200
WORDS = Path(__file__).read_text().split()


class Server:
    """`lumikb serve` on a directory of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.peak_mb = self.parser_peak_mb = 0.0
        self._token_file = folder / "server.json"
        settings = {"DATA_DIR": folder, "PORT": 0, "INGEST_WORKERS": workers, "METRICS_ALLOW": "127.0.0.1"}
        ours = {name: value for name, value in os.environ.items() if not name.startswith("LUMIKB_")}
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("lumikb"), "serve"],
            env=ours | {f"LUMIKB_{name}": str(value) for name, value in settings.items()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._token_file.exists)
        announced = httpx.Response(200, content=self._token_file.read_bytes()).json()
        headers = {"Authorization": f"Bearer {announced['token']}"}
        self.http = httpx.Client(base_url=announced["url"], headers=headers, trust_env=False, timeout=120)
        wait_for(self._is_ready)
        self.kb_id = self.post("/knowledge-bases", {"name": "bench"})["id"]
        self.upload("warm.txt", b"The first document loads the model.")
        self.wait_until_idle()

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def post(self, path: str, body: object) -> dict[str, str]:
        return self.http.post(API + path, json=body).raise_for_status().json()

    def upload(self, name: str, data: bytes) -> None:
        path = f"{API}/knowledge-bases/{self.kb_id}/documents"
        self.http.post(path, files={"file": (name, data)}).raise_for_status()

    def search(self, query: str) -> float:
        before = time.perf_counter()
        self.post("/search/quick", {"query": query, "kb_ids": [self.kb_id]})
        return time.perf_counter() - before

    def wait_until_idle(self) -> None:
        def idle() -> bool:
            self.look_at_memory()
            found = self.http.get(f"{API}/jobs", params={"status": ["queued", "processing"], "limit": 1})
            return found.raise_for_status().json()["total"] == 0

        wait_for(idle, seconds=3600)

    def step_seconds(self) -> dict[str, float]:
        """Seconds of all steps of ingests since the start."""
        text = self.http.get("/metrics").raise_for_status().text
        found = re.findall(r'lumikb_job_step_seconds_sum\{step="(\w+)",type="document.ingest"\} (\S+)', text)
        return {step: float(seconds) for step, seconds in found}

    def look_at_memory(self) -> None:
        """Note the highest resident memory so far of the server and of each parser that is there."""
        self.peak_mb = _peak_mb(self.process.pid)
        for pid in _descendants(self.process.pid):
            self.parser_peak_mb = max(self.parser_peak_mb, _peak_mb(pid))

    def processor_seconds(self) -> float:
        """Of the server's process, without its parsers."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def _descendants(parent: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found = [parent]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _peak_mb(pid: int | str) -> float:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def wait_for(look: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit("the server did not come to an end of its work")
        time.sleep(0.05)


@contextmanager
def server(workers: int) -> Generator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        running = Server(Path(folder), workers)
        try:
            yield running
        finally:
            running.stop()


def measure_files(running: Server, files: list[Path]) -> tuple[float, dict[str, float]]:
    """Seconds until all of the files are READY, and the seconds of each step."""
    before, begun = running.step_seconds(), time.perf_counter()
    for path in files:
        running.upload(path.name, path.read_bytes())
    running.wait_until_idle()
    seconds = time.perf_counter() - begun
    after = running.step_seconds()
    return seconds, {step: after.get(step, 0.0) - before.get(step, 0.0) for step in STEPS}


def measure_small(running: Server, count: int, kind: str) -> tuple[float, float]:
    """Milliseconds that pass for a document of one sentence when so many are queued, and of the server's processor."""
    worked, begun = running.processor_seconds(), time.perf_counter()
    for number in range(count):
        running.upload(f"{kind}-{number}.txt", f"{kind} {number} notes a reading of the gauge.".encode())
    running.wait_until_idle()
    passed, worked = time.perf_counter() - begun, running.processor_seconds() - worked
    return 1000 * passed / count, 1000 * worked / count


def percentiles(running: Server, queries: "itertools.cycle[str]", while_true: Callable[[int], bool]) -> list[float]:
    """Milliseconds at the median and the 99th percentile."""
    times: list[float] = []
    while while_true(len(times)):
        times.append(1000 * running.search(next(queries)))
    cuts = statistics.quantiles(times, n=100)
    return [cuts[49], cuts[98]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200, help="of each of the made files")
    parser.add_argument("--queued", type=int, default=1000, help="small documents that wait at once")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    result: dict[str, object] = {"pages": options.pages, "queued": options.queued, "workers": options.workers}
    source = random.Random(7)
    queries = itertools.cycle([" ".join(source.choices(WORDS, k=5)) for _ in range(1000)])
    with tempfile.TemporaryDirectory() as made, server(options.workers) as running:
        make_documents(Path(made), options.pages)
        files = sorted(Path(made).iterdir())
        pages = options.pages * len(files)
        ready = threading.Event()
        measured: list[tuple[float, dict[str, float]]] = []

        def ingest() -> None:
            measured.append(measure_files(running, files))
            ready.set()

        measure_small(running, SMALL_FIRST, "first")  # starts the parsers
        few = measure_small(running, SMALL_FIRST, "few")
        many = measure_small(running, options.queued, "many")
        percentiles(running, queries, lambda done: done < SEARCHES // 4)  # what a first search loads
        idle = percentiles(running, queries, lambda done: done < SEARCHES)
        thread = threading.Thread(target=ingest)
        thread.start()
        busy = percentiles(running, queries, lambda done: not ready.is_set() or done < 2)
        thread.join()
        (seconds, steps), peaks = measured[0], (running.peak_mb, running.parser_peak_mb)
    total = sum(steps.values())
    rows = [
        ["pages a second, searches meanwhile", f"{pages / seconds:.1f}"],
        *([f"  share of {step}", f"{spent / total:.0%}"] for step, spent in steps.items()),
        [f"ms a small document of {SMALL_FIRST}, processor time", f"{few[0]:.1f}, {few[1]:.1f}"],
        [f"ms a small document of {options.queued}, processor time", f"{many[0]:.1f}, {many[1]:.1f}"],
        ["search p50/p99 idle, ms", f"{idle[0]:.0f} / {idle[1]:.0f}"],
        ["search p50/p99 while ingesting, ms", f"{busy[0]:.0f} / {busy[1]:.0f}"],
        ["highest memory of the server, of a parser, MB", f"{peaks[0]:.0f} / {peaks[1]:.0f}"],
    ]
    print_table(["measure", "value"], rows)
    result |= {"rows": rows, "steps": steps, "seconds": seconds, "few": few, "many": many, "idle": idle, "busy": busy}
    print(write_result("ingest-server", result).relative_to(BENCH.parent))


if __name__ == "__main__":
    main()
