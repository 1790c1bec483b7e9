"""Which methods an address takes. The framework names only those of the route that it met first."""

from functools import cache
from typing import Any

from litestar import Litestar
from litestar.types import Message, Scope


async def name_all_methods(message: Message, scope: Scope) -> None:
    """Before an answer to OPTIONS or of 405 is sent: name all methods of the address in `Allow`.

    Where GET is taken, so is HEAD.
    """
    if message["type"] != "http.response.start" or message["status"] not in {204, 405}:
        return
    headers = dict(message.get("headers", []))
    allowed = headers.get(b"allow")
    if allowed is None:
        return
    methods = {name.strip() for name in allowed.decode().split(",")}
    if scope["type"] == "http" and scope["method"] == "OPTIONS":
        methods |= _methods_by_path(scope["litestar_app"]).get(scope.get("path_template", ""), set())
    methods |= {"HEAD"} if "GET" in methods else set()
    headers[b"allow"] = ", ".join(sorted(methods)).encode()
    message["headers"] = list(headers.items())


@cache
def _methods_by_path(app: Litestar) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for route in app.routes:
        methods: Any = getattr(route, "methods", ())
        found.setdefault(route.path_format, set()).update(map(str, methods))
    return found
