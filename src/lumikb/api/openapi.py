"""The OpenAPI 3.1 description: the framework's, made true where the framework does not know what our edge does."""

import re
from typing import Any

import msgspec
from litestar import Litestar

from lumikb.api.errors import ErrorBody
from lumikb.http.permission import MARK, Permission
from lumikb.identity.routes import LoginForm
from lumikb.kit.pages import LIMIT_MAX, PAGE_MAX
from lumikb.knowledge.base_service import DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX
from lumikb.retrieval.models import LIMIT_MAX as RESULTS_MAX
from lumikb.retrieval.models import QUERY_CHARS_MAX

_MODULE = re.compile(r"lumikb\.[a-z_.]+\.")

_API = "/api/v1"


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


_BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
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
    (f"{_API}/uploads/{{document_id}}", "put"): _BYTES,
}

_DOWNLOAD = f"{_API}/knowledge-bases/{{kb_id}}/documents/{{document_id}}/download"
# Answers beside the one that the framework knows: of a form, of a part of a file.
_FURTHER: dict[tuple[str, str], dict[str, Any]] = {
    (f"{_API}/auth/login", "post"): {
        "200": {"description": "Signed in by JSON.", "content": _json("SignInBody")},
        "204": {"description": "Signed in by the form: the cookie is the whole answer."},
    },
    (f"{_API}/documents", "post"): {
        "201": {"description": "A direct upload may begin.", "content": _json("UploadTicketBody")},
        "202": {"description": "The document will be processed.", "content": _json("DocumentBody")},
    },
    (_DOWNLOAD, "get"): {
        "206": {"description": "The range that was asked for.", "content": _BYTES},
        "304": {"description": "The file is the one that `If-None-Match` names."},
    },
}
_SHARE = {"minimum": 0, "maximum": 1}
_QUERY = {"minLength": 1, "maxLength": QUERY_CHARS_MAX}
_RESULTS = {"minimum": 1, "maximum": RESULTS_MAX}
_NAME, _DESCRIPTION = {"minLength": 1, "maxLength": NAME_CHARS_MAX}, {"maxLength": DESCRIPTION_CHARS_MAX}
# Bounds that are checked where they belong, in the services, whose errors say what to do.
_BOUNDS: dict[str, dict[str, dict[str, Any]]] = {
    "SearchBody": {"query": _QUERY, "limit": _RESULTS, "min_score": _SHARE, "keyword_weight": _SHARE},
    "SimilarBody": {"limit": _RESULTS},
    "ChatBody": {"query": _QUERY, "message": _QUERY, "limit": _RESULTS},
    "KbCreate": {"name": _NAME, "description": _DESCRIPTION},
    "KbPatch": {"name": _NAME, "description": _DESCRIPTION},
}


def specification(app: Litestar) -> dict[str, Any]:
    """The description as JSON-ready values."""
    text = msgspec.json.encode(app.openapi_schema.to_schema()).decode()
    schema: dict[str, Any] = msgspec.json.decode(_MODULE.sub("", text))
    _, components = msgspec.json.schema_components([ErrorBody, LoginForm], ref_template="#/components/schemas/{name}")
    schema["components"]["schemas"] |= components
    # A handler of two paths keeps them in a set, whose order changes from start to start.
    schema["paths"] = dict(sorted(schema["paths"].items()))
    for name, bounds in _BOUNDS.items():
        for field, bound in bounds.items():
            _bind(schema["components"]["schemas"][name]["properties"][field], bound)
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


def _bound_of(path: str, parameter: str) -> dict[str, Any] | None:
    searches = path.startswith(f"{_API}/search")
    match parameter:
        case "limit":
            return _RESULTS if searches else {"minimum": 1, "maximum": LIMIT_MAX}
        case "page":
            return {"minimum": 1, "maximum": PAGE_MAX}
        case "min_score":
            return _SHARE
        case "query" if searches:
            return _QUERY
        case _:
            return None


def _bind(schema: dict[str, Any], bound: dict[str, Any]) -> None:
    """Add a bound to what it bounds: the value, where it may be null too."""
    choices = [choice for choice in schema.get("oneOf", []) if choice != {"type": "null"}]
    (choices[0] if choices else schema).update(bound)


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
        success["content"] = _BYTES
    responses |= _FURTHER.get(key, {})
    for parameter in operation.get("parameters", ()):
        if bound := _bound_of(key[0], parameter["name"]):
            _bind(parameter["schema"], bound)
    if key in _BODIES:
        operation["requestBody"] = {"required": True, "content": _BODIES[key]}
    if public:
        operation["security"] = []
    if not operation.get("tags"):
        operation["tags"] = ["Health"]
