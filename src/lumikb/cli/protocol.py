"""Uvicorn's HTTP protocol with bounds that it lacks."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers take longer than `header_seconds_max`, or more than
    `header_bytes_max` (answer 431).

    Without the first a client that sends a byte now and then holds a connection for ever (Slowloris), without the
    second one that never ends a header fills the memory.
    """

    header_seconds_max: float
    header_bytes_max: int
    _header_timer: asyncio.TimerHandle | None = None
    # Received since the last head was complete, and of the header lines of this head.
    _unread_bytes = 0
    _header_bytes = 0
    _reads_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._reads_head:
            self._unread_bytes += len(data)
        super().data_received(data)
        if self._reads_head and self._unread_bytes > self.header_bytes_max and not self.transport.is_closing():
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reads_head, self._header_bytes = True, 0
        self._arm()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._disarm()
        self._reads_head, self._unread_bytes = False, 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if max(self._header_bytes, self._unread_bytes) <= self.header_bytes_max:
            super().send_400_response(msg)
            return
        reason = f"The request's headers have more than {self.header_bytes_max} bytes.".encode()
        head = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
        self.transport.write(head + b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(reason), reason))
        self.transport.close()

    def _count(self, data: bytes) -> None:
        self._header_bytes += len(data)
        if self._header_bytes > self.header_bytes_max:
            raise ValueError("headers too large")  # the parser hands it on as its own error

    def _arm(self) -> None:
        self._disarm()
        self._header_timer = self.loop.call_later(self.header_seconds_max, self.timeout_keep_alive_handler)

    def _disarm(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def bounded_protocol(header_seconds_max: float, header_bytes_max: int) -> type[HttpToolsProtocol]:
    """The protocol with these bounds: uvicorn makes one for each connection, and hands it no settings of ours."""
    bounds = {"header_seconds_max": header_seconds_max, "header_bytes_max": header_bytes_max}
    return type("ConfiguredProtocol", (BoundedProtocol,), bounds)
