"""The OpenAPI 3.1 description: the framework's, made true where the framework does not know what our edge does."""

import re
from typing import Any

import msgspec
from litestar import Litestar

from lumikb.api.errors import ErrorBody
from lumikb.http.permission import MARK, Permission
from lumikb.identity.routes import LoginForm

_MODULE = re.compile(r"lumikb\.[a-z_.]+\.")

_API = "/api/v1"
_STREAMS = {
    (f"{_API}/search", "get"),
    (f"{_API}/search", "post"),
    (f"{_API}/chat", "post"),
    (f"{_API}/query", "post"),
    (f"{_API}/chat/stream", "post"),
    (f"{_API}/runs/{{run_id}}/events", "get"),
}
_UPLOAD: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "tags": {"type": "string", "description": "A JSON list, or names separated by commas."},
        "metadata": {"type": "string", "description": "A JSON object."},
        "priority": {"type": "integer", "description": "A smaller number is sooner."},
        "password": {"type": "string", "description": "Of an encrypted PDF."},
    },
}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    (f"{_API}/auth/login", "post"): {
        "application/json": {"schema": {"$ref": "#/components/schemas/LoginForm"}},
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["username", "password"],
                "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
            }
        },
    },
    (f"{_API}/knowledge-bases/{{kb_id}}/documents", "post"): {"multipart/form-data": {"schema": _UPLOAD}},
    (f"{_API}/documents", "post"): {
        "multipart/form-data": {
            "schema": _UPLOAD
            | {"properties": _UPLOAD["properties"] | {name: {"type": "string"} for name in ("kb_id", "collection")}}
        },
        "application/json": {"schema": {"$ref": "#/components/schemas/PresignForm"}},
    },
    (f"{_API}/uploads/{{document_id}}", "put"): {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
    },
}


def specification(app: Litestar) -> dict[str, Any]:
    """The description as JSON-ready values."""
    text = msgspec.json.encode(app.openapi_schema.to_schema()).decode()
    schema: dict[str, Any] = msgspec.json.decode(_MODULE.sub("", text))
    _, components = msgspec.json.schema_components([ErrorBody, LoginForm], ref_template="#/components/schemas/{name}")
    schema["components"]["schemas"] |= components
    # A handler of two paths keeps them in a set, whose order changes from start to start.
    schema["paths"] = dict(sorted(schema["paths"].items()))
    public = _public_operations(app)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _describe(operation, (path, method), public=(path, method) in public)
    return schema


def _public_operations(app: Litestar) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.opt.get(MARK) is Permission.PUBLIC:
                path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
                found |= {(path, str(method).lower()) for method in handler.http_methods}
    return found


def _describe(operation: dict[str, Any], key: tuple[str, str], *, public: bool) -> None:
    """One error body for every error, media types as they are sent, and who needs no credentials."""
    responses = operation["responses"]
    responses.pop("400", None)
    error = {"schema": {"$ref": "#/components/schemas/ErrorBody"}}
    responses["default"] = {"description": "Any error.", "content": {"application/json": error}}
    success = next(value for status, value in responses.items() if status.startswith("2"))
    if key in _STREAMS:
        success.setdefault("content", {})["text/event-stream"] = {"schema": {"type": "string"}}
    if key[0].endswith("/download"):
        success["content"] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    if key in _BODIES:
        operation["requestBody"] = {"required": True, "content": _BODIES[key]}
    if public:
        operation["security"] = []
    if not operation.get("tags"):
        operation["tags"] = ["Health"]
