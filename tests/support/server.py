"""A real `lumikb serve` process on a data directory, and a client that knows the everyday calls."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from lumikb.settings import ALIASES

Result = TypeVar("Result")

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
INGEST_SECONDS_MAX = 90
POLL_SECONDS = 0.05

API = "/api/v1"
ADMIN_EMAIL = "admin@example.org"
ADMIN_PASSWORD = "correct horse battery staple"


def poll(look: Callable[[], Result | None], what: str, seconds_max: float = INGEST_SECONDS_MAX) -> Result:
    """The first truthy value that `look` gives; fails saying `what` was waited for."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"{what}: not within {seconds_max:g} s")


class LumiClient(httpx.Client):
    """An HTTP client below `/api/v1` (or below the root) that can create, upload, wait and ask."""

    def __init__(self, url: str, token: str | None = None, *, prefix: str = API, **options: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=url + prefix, headers=headers, trust_env=False, timeout=60, **options)

    def create_kb(self, name: str) -> str:
        """A new knowledge base; gives its id."""
        response = self.post("/knowledge-bases", json={"name": name})
        assert response.status_code == 201, response.text
        return response.json()["id"]

    def upload(self, kb_id: str, filename: str, data: bytes, **fields: str) -> dict[str, Any]:
        """Upload a file that must be accepted; gives the document."""
        files = {"file": (filename, data)}
        response = self.post(f"/knowledge-bases/{kb_id}/documents", files=files, data=fields)
        assert response.status_code == 202, response.text
        return response.json()

    def document(self, document_id: str) -> dict[str, Any]:
        """The document's facts."""
        response = self.get(f"/documents/{document_id}")
        assert response.status_code == 200, response.text
        return response.json()

    def wait_until_ended(self, document_id: str) -> dict[str, Any]:
        """The document once it is READY or FAILED and its job has ended, which clears away after it."""

        def ended() -> dict[str, Any] | None:
            document = self.document(document_id)
            return document if document["status"] in {"READY", "FAILED"} else None

        document = poll(ended, f"document {document_id} READY or FAILED")
        poll(lambda: self._job_ended(document["job_id"]), f"the end of job {document['job_id']}")
        return document

    def _job_ended(self, job_id: str) -> bool:
        return self.get(f"/jobs/{job_id}").json()["status"] not in {"queued", "processing"}

    def upload_ready(self, kb_id: str, filename: str, data: bytes, **fields: str) -> dict[str, Any]:
        """Upload a file and wait until it is READY."""
        document = self.wait_until_ended(self.upload(kb_id, filename, data, **fields)["id"])
        assert document["status"] == "READY", document["last_error"]
        return document

    def search(self, query: str, **options: Any) -> list[dict[str, Any]]:
        """The results of a quick search."""
        response = self.post("/search/quick", json={"query": query, **options})
        assert response.status_code == 200, response.text
        return response.json()["results"]

    def ask(self, question: str, **options: Any) -> dict[str, Any]:
        """The JSON answer to a question."""
        response = self.post("/chat", json={"message": question, **options})
        assert response.status_code == 200, response.text
        return response.json()

    def create_api_key(self, *scopes: str, kb_ids: list[str] | None = None) -> str:
        """A new API key's secret."""
        response = self.post("/api-keys", json={"name": "test", "scopes": list(scopes), "kb_ids": kb_ids})
        assert response.status_code == 201, response.text
        return response.json()["key"]


class LumiServer:
    """`lumikb serve` on `data_dir`, on a port that the system chooses; `settings` become `LUMIKB_*` variables.

    What it prints goes to `log`. As a context manager it starts, and stops whatever still runs.
    """

    def __init__(self, data_dir: Path, *, executable: Path | None = None, **settings: object) -> None:
        self.data_dir = data_dir
        self.executable = executable or Path(sys.executable).with_name("lumikb")
        self.log = data_dir.with_name(data_dir.name + ".log")
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self._announced()["url"]

    @property
    def token(self) -> str:
        """The operator's token of this machine, an administrator."""
        return self._announced()["token"]

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> "LumiServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        """Start and wait until it is ready, job engine included."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("LUMIKB_")}
        for alias in ALIASES:
            ours.pop(alias, None)
        defaults = {"data_dir": self.data_dir, "port": 0, "drain_seconds": 5}
        wanted = {f"LUMIKB_{name.upper()}": str(value) for name, value in (defaults | self.settings).items()}
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [self.executable, "serve"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=ours | wanted, cwd=self.data_dir.parent, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        poll(self._is_ready, "the server's start", START_SECONDS_MAX)

    def stop(self) -> int:
        """End in order (SIGTERM); gives the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End at once, without a chance to put anything in order (SIGKILL)."""
        self._end(signal.SIGKILL)

    def printed(self) -> str:
        """What the server has printed, over all its starts."""
        return self.log.read_text(errors="replace")

    def setup_token(self) -> str:
        """The newest one-time token that the server printed."""
        return poll(lambda: re.findall(r"\?setup=([\w-]+)", self.printed()), "the one-time link")[-1]

    def client(self, **options: Any) -> LumiClient:
        """A client that is signed in as this machine's operator."""
        return LumiClient(self.url, self.token, **options)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"The server did not end.\n{self.printed()[-4000:]}") from None

    def _announced(self) -> dict[str, Any]:
        return json.loads((self.data_dir / "server.json").read_text())

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"The server ended at its start.\n{self.printed()[-4000:]}"
        try:
            if self._announced()["pid"] != self._process.pid:  # left by an earlier server that was killed
                return False
            with httpx.Client(trust_env=False) as client:
                return client.get(f"{self.url}/ready").status_code == 200
        except (OSError, ValueError, httpx.TransportError):
            return False
