"""A small web site on this machine, whose pages a test sets."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What an address answers."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Site:
    """Pages by path; `seen` notes the path of each request."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict[str, Page])
    seen: list[str] = field(default_factory=list[str])


@contextmanager
def website() -> Generator[Site]:
    """A site that answers 304 to whom names the page's ETag."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.seen.append(self.path)
            page = site.pages.get(self.path, Page(status=404))
            known = self.headers.get("If-None-Match")
            same = known is not None and known == page.headers.get("ETag")
            self.send_response(304 if same else page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0" if same else str(len(page.body)))
            self.end_headers()
            if not same:
                self.wfile.write(page.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()
