"""The one place where a request gets its actor and asks the decision function for its route."""

from typing import Any, cast
from urllib.parse import urlsplit

from litestar.types import ASGIApp, Receive, Scope, Send

from lumikb.api.edge import UNBIND
from lumikb.http.permission import LONG, MARK, Permission
from lumikb.identity.errors import NotAllowedError
from lumikb.identity.models import Actor
from lumikb.identity.policy import ensure
from lumikb.identity.routes import COOKIE
from lumikb.identity.service import IdentityService
from lumikb.store.record.engine import Record

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class CrossSiteError(NotAllowedError):
    """A browser sent a write that another site began, along with the cookie or to sign in."""

    code = "CROSS_SITE_REQUEST"


class Authentication:
    """Middleware behind the routing: finds the actor, and lets through what the route's permission mark allows.

    A route without a mark is refused.
    """

    def __init__(self, app: ASGIApp, identity: IdentityService, record: Record) -> None:
        self._app = app
        self._identity = identity
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or raise what the caller is to be told."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        mark = scope["route_handler"].opt.get(MARK)
        if not isinstance(mark, Permission):
            raise NotAllowedError("This address is closed: it has no permission mark.")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        # What everybody may read does not depend on who asks, nor on the record.
        open_to_all = mark is Permission.PUBLIC and scope["method"] in _SAFE_METHODS
        actor = None if open_to_all else await self._find(headers)
        ensure(actor, mark)
        # A form signs in without a cookie, and a page of another site may send one: to its author's account.
        by_browser = _is_form(headers) if actor is None else actor.by_cookie
        if by_browser and scope["method"] not in _SAFE_METHODS:
            _refuse_cross_site(headers)
        if scope["route_handler"].opt.get(LONG):
            cast(Any, scope)[UNBIND]()
        scope["user"] = actor
        scope["auth"] = None
        await self._app(scope, receive, send)

    async def _find(self, headers: dict[str, str]) -> Actor | None:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else None
        cookie, api_key = _cookie(headers.get("cookie", "")), headers.get("x-api-key")
        if not (cookie or token or api_key):
            return None
        return await self._record.in_read_pool(lambda: self._identity.find_actor(cookie, token, api_key))


def _cookie(header: str) -> str | None:
    """Read by hand: `http.cookies` drops all cookies when a neighbour's, on the same host, is not to its liking."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), None)


def _is_form(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")


def _refuse_cross_site(headers: dict[str, str]) -> None:
    """Browsers say where a write comes from (Fetch Metadata, or Origin); a caller that says nothing is no browser."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        crossing = site not in {"same-origin", "none"}
    else:
        origin = headers.get("origin")
        crossing = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if crossing:
        raise CrossSiteError("This write came from another site and was refused.")
