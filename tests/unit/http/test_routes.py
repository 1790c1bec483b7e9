"""What a client wants to be answered in."""

import pytest
from litestar import Request
from litestar.testing import RequestFactory

from lumikb.http.routes import wants_stream


@pytest.mark.parametrize(
    ("accept", "default", "streamed"),
    [
        ("", True, True),
        ("*/*", False, False),
        ("text/event-stream", False, True),
        ("application/json", True, False),
        ("text/event-stream, application/json", False, True),
        ("text/event-stream;q=0.1, application/json", True, False),
        ("application/json;q=0.5, Text/Event-Stream; charset=utf-8; q=0.9", False, True),
        ("text/event-stream;q=0", True, True),
        ("text/event-stream;q=lots, application/json;q=0.9", False, True),
    ],
)
def test_accept_decides_by_its_weights(accept: str, default: bool, streamed: bool) -> None:
    request: Request = RequestFactory().get("/", headers={"accept": accept})
    assert wants_stream(request, default) is streamed
