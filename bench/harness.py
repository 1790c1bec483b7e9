"""Interleaved measurements of LumiKB against a peer.

Each side is a process that stays alive and does one run for every line it is sent, so that runs alternate A B A B and a
machine that slows down slows both. A side talks JSON lines: one when it is ready, one for each run; whatever else it
prints goes to its standard error.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"


@dataclass
class Side:
    """A process that waits for "go"."""

    name: str
    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @classmethod
    def start(cls, name: str, command: Sequence[str], *, cwd: Path) -> "Side":
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        side = cls(name, process, {})
        side.ready = side._read()
        return side

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """One run; the answer's `seconds` are the side's own."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._read()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)


Run = Callable[[dict[str, Any]], dict[str, Any]]


def answer_runs(prepare: Callable[[], tuple[dict[str, Any], Run]]) -> None:
    """A side's whole life: `prepare` gives what it is and how it runs. Libraries print; only our lines go out."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    ready, run = prepare()
    out.write(json.dumps(ready) + "\n")
    for line in sys.stdin:
        out.write(json.dumps(run(json.loads(line))) + "\n")


def timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def peer_python(name: str, requirements: Path) -> Path:
    """Python of the peer's own environment under bench/.envs, made and filled at the first call.

    The environment is made again when its requirements change.
    """
    folder = BENCH / ".envs" / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.installed"
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--prefer-binary", "-r", str(requirements)]
    subprocess.run(install, check=True, stdout=sys.stderr)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def interleave(rounds: int, runs: dict[str, Callable[[], dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Answers of every run by name; in each round every one of them runs once, in the order given."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            answers[name].append(run())
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return answers


def median(answers: Sequence[dict[str, Any]], key: str) -> float:
    return statistics.median(answer[key] for answer in answers)


def write_result(name: str, result: dict[str, Any]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC)
    path = RESULTS / f"{name}-{moment:%Y%m%dT%H%M%SZ}.json"
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    content = {"benchmark": name, "at": moment.isoformat(), "machine": machine, **result}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
