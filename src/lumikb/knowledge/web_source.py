"""Fetching a document from an address of the web, and from nowhere inside the own network."""

import asyncio
import ipaddress
import mimetypes
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote, urljoin, urlsplit

import httpcore

from lumikb import __version__
from lumikb.kit.errors import TimedOutError
from lumikb.knowledge.errors import FetchFailedError, UrlRefusedError

URL_CHARS_MAX = 2_000
REDIRECTS_MAX = 5
CONNECT_SECONDS_MAX = 10.0

# Host and port -> the addresses to try.
Resolve = Callable[[str, int], Awaitable[list[str]]]

_FILENAME = re.compile(r"filename\*=UTF-8''([^;]+)|filename=\"?([^\";]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Validators:
    """What a server said of the state it gave, to ask later whether it is still the same."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Fetched:
    """An answer whose `content` is still to be read; it has none when the known state is `unchanged`."""

    filename: str
    validators: Validators
    content: AsyncIterator[bytes]
    unchanged: bool = False


class WebSource:
    """Fetches addresses. `allow_private` lets it reach this machine and its network, too.

    Each connection goes to an address that was looked up once and checked, so a name that changes its address between
    the two is of no use; redirects are checked like the first address.
    """

    def __init__(self, *, seconds_max: float, allow_private: bool, resolve: Resolve | None = None) -> None:
        self._seconds_max = seconds_max
        self._backend = _GuardedBackend(resolve or _look_up, allow_private=allow_private)

    @asynccontextmanager
    async def fetch(self, url: str, known: Validators = Validators()) -> AsyncGenerator[Fetched]:
        """The document at an http or https address; raises `UrlRefusedError`, `FetchFailedError`, `TimedOutError`."""
        try:
            async with (
                asyncio.timeout(self._seconds_max),
                httpcore.AsyncConnectionPool(network_backend=self._backend, retries=0) as pool,
                self._open(pool, url, known) as fetched,
            ):
                yield fetched
        except TimeoutError:
            raise TimedOutError(f"The address did not answer within {self._seconds_max:g} s.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as exc:
            raise FetchFailedError("The address cannot be reached. Check it in a browser.", field="url") from exc

    @asynccontextmanager
    async def _open(self, pool: httpcore.AsyncConnectionPool, url: str, known: Validators) -> AsyncGenerator[Fetched]:
        for _ in range(REDIRECTS_MAX + 1):
            async with pool.stream("GET", _checked(url), headers=_headers(known)) as response:
                headers = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
                if response.status in {301, 302, 303, 307, 308} and "location" in headers:
                    url = urljoin(url, headers["location"])
                    continue
                unchanged = response.status == 304 and known != Validators()
                if not unchanged and response.status != 200:
                    raise FetchFailedError(f"The address answers with status {response.status}.", field="url")
                if headers.get("content-encoding", "identity") != "identity":
                    raise FetchFailedError("The address sends its document packed, unasked.", field="url")
                validators = Validators(headers.get("etag"), headers.get("last-modified"))
                yield Fetched(_filename(url, headers), validators, response.aiter_stream(), unchanged)
                return
        raise FetchFailedError(f"The address redirects more than {REDIRECTS_MAX} times.", field="url")


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        # Typed as the substitute that raises where anyio is missing.
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except OSError as exc:
            raise FetchFailedError("There is no such host. Check the address.", field="url") from exc
        if not self._allow_private and not all(_is_public(address) for address in addresses):
            raise UrlRefusedError("Only addresses of the public web are fetched.", field="url")
        return await self._backend.connect_tcp(addresses[0], port, CONNECT_SECONDS_MAX, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


async def _look_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _is_public(address: str) -> bool:
    """Global unicast, also of what is wrapped in an IPv6 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return found.is_global and not found.is_multicast


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise UrlRefusedError(
            "Send an http or https address without a user name, in ASCII as a browser copies it.", field="url"
        )
    return url.partition("#")[0]


def _headers(known: Validators) -> dict[str | bytes, str | bytes]:
    headers: dict[str | bytes, str | bytes] = {"User-Agent": f"LumiKB/{__version__}", "Accept-Encoding": "identity"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _filename(url: str, headers: dict[str, str]) -> str:
    """The name that the server gives, else the last part of the address; with an extension of its type."""
    if given := _FILENAME.search(headers.get("content-disposition", "")):
        name = unquote(given[1]) if given[1] else given[2]
    else:
        parts = urlsplit(url)
        name = unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or "page"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    extension = mimetypes.guess_extension(kind) if kind not in {"", "application/octet-stream"} else None
    if extension and mimetypes.guess_type(name)[0] != kind:
        name += extension
    return name
