"""Real servers as processes, each on a data directory of its own."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from support.server import LumiServer

ServerFactory = Callable[..., LumiServer]


@pytest.fixture
def serve(tmp_path: Path) -> Generator[ServerFactory]:
    """Starts a server with these settings; stops what still runs when the test ends."""
    started: list[LumiServer] = []

    def start(name: str = "data", **settings: object) -> LumiServer:
        server = LumiServer(tmp_path / name, **settings)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.__exit__()
