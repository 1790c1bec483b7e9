"""The plain pages: what runs here and where to go, and the API reference; all from our own files."""

from importlib import resources

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from lumikb.http.permission import Permission, requires
from lumikb.kit.errors import NotFoundError

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_ASSETS = frozenset({"page.css", "home.js", "docs.js", "mark.svg"})


def _file(name: str) -> Response[bytes]:
    content = resources.files("lumikb.api").joinpath("static", name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": "no-cache"})


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


page_handlers: list[HTTPRouteHandler] = [get_home, get_docs, get_asset]
