"""The plain pages: what runs here and where to go, and the API reference; all from our own files."""

from importlib import resources
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin

from lumikb.api.openapi import specification
from lumikb.http.permission import Permission, requires
from lumikb.kit.errors import NotFoundError

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_ASSETS = frozenset({"page.css", "home.js", "docs.js", "mark.svg"})


def _file(name: str) -> Response[bytes]:
    content = resources.files("lumikb.api").joinpath("static", name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})


@get("/", opt=requires(Permission.PUBLIC), include_in_schema=False)
async def get_home() -> Response[bytes]:
    """What runs here, and the form for the one-time link."""
    return _file("home.html")


@get("/docs", opt=requires(Permission.PUBLIC), include_in_schema=False)
async def get_docs() -> Response[bytes]:
    """The API reference, drawn from `/openapi.json`."""
    return _file("docs.html")


@get("/assets/{name:str}", opt=requires(Permission.PUBLIC), include_in_schema=False)
async def get_asset(name: str) -> Response[bytes]:
    """Style and scripts of the pages."""
    if name not in _ASSETS:
        raise NotFoundError("There is nothing at this address.")
    return _file(name)


class SpecificationAlone(JsonRenderPlugin):
    """`/openapi.json`, and none of the framework's pages, which load scripts of other hosts; `/` is ours."""

    def has_path(self, path: str) -> bool:
        """See `OpenAPIRenderPlugin`."""
        return path == "/" or super().has_path(path)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """See `OpenAPIRenderPlugin`."""
        return msgspec.json.encode(specification(request.app))


async def refuse_unknown_page(response: Response[Any]) -> Response[Any]:
    """The framework answers an unknown page in HTML; ours is the one error body."""
    if response.status_code == 404:
        raise NotFoundError("There is nothing at this address.")
    return response


page_handlers: list[HTTPRouteHandler] = [get_home, get_docs, get_asset]
