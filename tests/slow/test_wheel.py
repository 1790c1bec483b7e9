"""The wheel carries the model and runs after a plain `pip install` in an empty environment."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.server import LumiServer

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout.strip()


def test_a_wheel_serves_in_an_empty_environment(tmp_path: Path) -> None:
    uv = run(ROOT / "tools" / "bootstrap-uv")
    run(uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("lumikb-*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env")
    run(tmp_path / "env" / "bin" / "pip", "install", "--quiet", wheel)
    listed = run(tmp_path / "env" / "bin" / "pip", "list", "--format=freeze").lower()
    assert "torch" not in listed
    with (
        LumiServer(tmp_path / "data", executable=tmp_path / "env" / "bin" / "lumikb") as server,
        server.client() as client,
    ):
        kb_id = client.create_kb("wheel")
        client.upload_ready(kb_id, "note.md", b"# Tower\n\nThe tower of the mill is eleven metres high.\n")
        answer = client.ask("How high is the tower of the mill?")
    assert not answer["abstained"]
    assert answer["citations"][0]["quoted_text"] == "The tower of the mill is eleven metres high."
