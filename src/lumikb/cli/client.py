"""The one way from a command to the HTTP routes, wherever they are served.

In this order: the server named by the settings `url` and `api_key`; the running server of the data directory; and when
none runs, the application in this very process, which then holds the lock of the data directory.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx

from lumikb.cli.data_dir import DataDir, DataDirBusyError
from lumikb.kit import errors
from lumikb.settings import LoadedSettings, SettingError, load_settings

Result = TypeVar("Result")
Body = dict[str, Any]

API = "/api/v1"
CONNECT_SECONDS = 5.0
# Beyond the server's own bound on an answer, which makes the better message.
ANSWER_SECONDS = 90.0
# A server that is just starting holds the data directory before it listens: after 0, 0.5, 1 and 2 s.
START_RETRIES = 4
PAGE_ROWS = 100

_CATEGORIES: dict[int, type[errors.LumiError]] = {
    400: errors.MalformedRequestError,
    401: errors.UnauthenticatedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    410: errors.ExpiredError,
    413: errors.TooLargeError,
    415: errors.UnsupportedTypeError,
    422: errors.InvalidInputError,
    429: errors.BusyError,
    502: errors.BackEndFailedError,
    503: errors.UnavailableError,
    504: errors.TimedOutError,
}


class UnreachableError(errors.LumiError):
    """No server answers where one should, or what answers is not LumiKB."""

    code = "SERVER_UNREACHABLE"


@dataclass(frozen=True)
class Place:
    """Where the routes are served: on another machine or port, by the data directory's server, or in this process."""

    kind: Literal["remote", "local", "in-process"]
    url: str


class Client:
    """Calls routes and gives their decoded bodies; `path` is what follows `/api/v1`.

    Every method raises the error category of the answer's status, with the server's code and sentence, and
    `UnreachableError`.
    """

    def __init__(self, http: httpx.AsyncClient, place: Place) -> None:
        self._http = http
        self.place = place

    async def get(self, path: str, **params: Any) -> Body:
        """Read."""
        return await self._call("GET", API + path, params=_given(params))

    async def health(self) -> Body:
        """How the server is."""
        return await self._call("GET", "/health")

    async def post(self, path: str, body: Body, *, seconds_max: float = ANSWER_SECONDS) -> Body:
        """Send JSON, and wait `seconds_max` for each part of the answer."""
        timeout = httpx.Timeout(seconds_max, connect=CONNECT_SECONDS)
        return await self._call("POST", API + path, json=body, timeout=timeout)

    async def delete(self, path: str, **params: Any) -> None:
        """Delete."""
        await self._call("DELETE", API + path, params=_given(params))

    async def patch(self, path: str, body: Body) -> Body:
        """Change."""
        return await self._call("PATCH", API + path, json=body)

    async def upload(self, path: str, file: Path, fields: dict[str, str]) -> Body:
        """Send a file as the part `file`, read as it is sent; raises `OSError` when it cannot be read."""
        name = os.fsencode(file.name).decode("utf-8", "replace")
        with file.open("rb") as content:
            return await self._call("POST", API + path, files={"file": (name, content)}, data=fields)

    async def list_rows(self, path: str, rows_max: int, **params: Any) -> Body:
        """The body of a list route, as if its page held `rows_max` rows."""
        body = await self.get(path, page=1, limit=min(rows_max, PAGE_ROWS), **params)
        rows: list[Body] = body["data"]
        for page in range(2, -(-min(rows_max, body["total"]) // PAGE_ROWS) + 1):
            rows += (await self.get(path, page=page, limit=PAGE_ROWS, **params))["data"]
        return {**body, "data": rows[:rows_max], "limit": rows_max, "total_pages": -(-body["total"] // rows_max)}

    async def get_kb(self, name: str) -> Body:
        """The knowledge base with this name; raises `NotFoundError` with the names there are."""
        try:
            return await self.get(f"/collections/{quote(name, safe='')}")
        except errors.NotFoundError as error:
            names = ", ".join(error.details.get("available", []))
            others = f" There are: {names}." if names else ""
            told = f"There is no knowledge base called {name}.{others}"
            missing = errors.NotFoundError(told, code=error.stable_code, **error.details)
            missing.request_id = error.request_id
            raise missing from error

    async def kb_ids(self, names: list[str] | None) -> list[str] | None:
        """The ids of knowledge bases by name; None, which is all of them, for none."""
        return [(await self.get_kb(name))["id"] for name in names] if names else None

    async def _call(self, method: str, address: str, **options: Any) -> Body:
        where = "LumiKB" if self.place.kind == "in-process" else f"the server at {self.place.url}"
        try:
            response = await self._http.request(method, address, **options)
        except httpx.TimeoutException as exc:
            raise UnreachableError(f"No answer from {where} in time. Try again.") from exc
        except httpx.ConnectError as exc:
            hint = "Is it running?" if self.place.kind == "remote" else "It may be starting or stopping: try again."
            raise UnreachableError(f"No connection to {where}. {hint}") from exc
        except httpx.UnsupportedProtocol as exc:
            raise UnreachableError(f"{self.place.url} is not an http or https address. Set LUMIKB_URL.") from exc
        except httpx.HTTPError as exc:
            raise UnreachableError(f"The connection to {where} broke off. Try again.") from exc
        return _decoded(response, where)


def run(work: Callable[[Client], Awaitable[Result]]) -> Result:
    """Connect as the settings say, do the work, and close."""
    loaded = load_settings()

    async def connected() -> Result:
        async with connect(loaded) as client:
            return await work(client)

    return asyncio.run(connected())


@asynccontextmanager
async def connect(loaded: LoadedSettings) -> AsyncGenerator[Client]:
    """A client of the server that the settings lead to, or of the application in this process."""
    settings = loaded.settings
    if settings.url:
        if not settings.api_key:
            raise SettingError("LUMIKB_URL names a server, so LUMIKB_API_KEY must hold a key of it.")
        async with _over_network(Place("remote", settings.url.rstrip("/")), settings.api_key) as client:
            yield client
        return
    data_dir = DataDir(settings.data_dir)
    try:
        data_dir.acquire()
    except DataDirBusyError as error:
        found = data_dir.running_server()
        if found is None:
            raise DataDirBusyError(
                f"Another lumikb command works on {settings.data_dir}. Wait until it ends, or start a server with "
                "`lumikb serve`, which commands share."
            ) from error
        url, token = found
        async with _over_network(Place("local", url), token) as client:
            yield client
        return
    try:
        async with _in_process(loaded) as client:
            yield client
    finally:
        data_dir.release()


@asynccontextmanager
async def _over_network(place: Place, credential: str) -> AsyncGenerator[Client]:
    # Proxies of the environment are for the internet, and a redirect would take the credential elsewhere.
    try:
        http = httpx.AsyncClient(
            base_url=place.url,
            headers=_headers(credential),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=httpx.AsyncHTTPTransport(retries=START_RETRIES if place.kind == "local" else 0, trust_env=False),
            trust_env=False,
            follow_redirects=False,
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as exc:
        raise SettingError("LUMIKB_URL or LUMIKB_API_KEY is not one: copy it again.") from exc
    async with http:
        yield Client(http, place)


@asynccontextmanager
async def _in_process(loaded: LoadedSettings) -> AsyncGenerator[Client]:
    from lumikb.kit.telemetry import set_up_logging
    from lumikb.wiring import Platform

    # The platform leaves this to a thread, so that a server answers sooner. Here closing would wait for it anyway, and
    # calls that SQLAlchemy answers while the engine brings in its ORM fail.
    import_module("lumikb.store.jobs.engine")
    settings = loaded.settings
    # What concerns the user comes back in answers; log lines only on demand.
    chosen = loaded.origins["log_level"] != "default"
    set_up_logging(settings.log_format, settings.log_level if chosen else "error")
    token = secrets.token_urlsafe(32)
    platform = Platform(settings, local_token=token)
    platform.open()
    app = platform.app()
    transport = httpx.ASGITransport(app)
    async with (
        _lifespan(app),
        httpx.AsyncClient(base_url="http://localhost", headers=_headers(token), transport=transport) as http,
    ):
        yield Client(http, Place("in-process", ""))


@asynccontextmanager
async def _lifespan(app: Callable[[Any, Any, Any], Awaitable[None]]) -> AsyncGenerator[None]:
    """Start and stop an ASGI application (ASGI lifespan protocol 2.0); raises what its start-up raises."""
    to_app: asyncio.Queue[Body] = asyncio.Queue()
    from_app: asyncio.Queue[Body] = asyncio.Queue()

    async def serve() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, to_app.get, from_app.put)

    task = asyncio.create_task(serve())
    await to_app.put({"type": "lifespan.startup"})
    started = asyncio.create_task(from_app.get())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    if not started.done() or started.result()["type"] == "lifespan.startup.failed":
        started.cancel()
        await task
        raise UnreachableError("LumiKB did not start.")
    try:
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await task


def _decoded(response: httpx.Response, where: str) -> Body:
    try:
        body: Any = response.json() if response.content else {}
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body  # pyright: ignore[reportUnknownVariableType]
    raise _error(response.status_code, body, where)


def _error(status: int, body: Any, where: str) -> errors.LumiError:
    try:
        found: Body = body["error"]
        code, message, details = str(found["code"]), str(found["message"]), dict[str, Any](found["details"])
    except (TypeError, KeyError, ValueError):
        return UnreachableError(f"What answers as {where} is not LumiKB (status {status}). Check the address.")
    if status == 401:
        message = f"{where[:1].upper()}{where[1:]} does not know the key that was sent. Check LUMIKB_API_KEY."
    error = _CATEGORIES.get(status, errors.LumiError)(message, code=code, **details)
    error.request_id = found.get("request_id")
    return error


def _headers(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}", "Accept": "application/json", "Accept-Encoding": "identity"}


def _given(params: Body) -> Body:
    return {name: value for name, value in params.items() if value is not None}
