"""The one place where errors become HTTP answers."""

from enum import EnumType
from typing import Any, Literal, cast, get_args, get_origin

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.status_codes import HTTP_500_INTERNAL_SERVER_ERROR

from lumikb.http.context import current_request
from lumikb.http.ranges import RangeNotSatisfiableError
from lumikb.kit import errors
from lumikb.kit.telemetry import get_logger
from lumikb.store.blobs.errors import BlobNotFoundError

log = get_logger(__name__)

# By category: the first that fits.
STATUS_BY_ERROR: list[tuple[type[errors.LumiError], int]] = [
    (errors.MalformedRequestError, 400),
    (errors.InvalidInputError, 422),
    (errors.UnauthenticatedError, 401),
    (errors.ForbiddenError, 403),
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.ExpiredError, 410),
    (errors.TooLargeError, 413),
    (errors.UnsupportedTypeError, 415),
    (RangeNotSatisfiableError, 416),
    (errors.BusyError, 429),
    (BlobNotFoundError, 500),
    (errors.BackEndFailedError, 502),
    (errors.UnavailableError, 503),
    (errors.TimedOutError, 504),
]

# Sent with 429 where the error knows no time. Work that holds a place, such as a streamed answer, takes some seconds.
RETRY_AFTER_SECONDS = 5

_CODES = {
    400: "BAD_REQUEST",
    401: "NOT_SIGNED_IN",
    403: "NOT_ALLOWED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR",
    504: "TIMED_OUT",
}


class ErrorInfo(msgspec.Struct):
    """What went wrong: a stable code, a sentence that says what to do, facts, and the id to look for in the logs."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str | None


class ErrorBody(msgspec.Struct):
    """The body of every error. `detail` is the message, or for 422 the list of field errors."""

    error: ErrorInfo
    detail: Any


def status_of(error: errors.LumiError) -> int:
    """The HTTP status of an error's category."""
    return next((status for kind, status in STATUS_BY_ERROR if isinstance(error, kind)), 500)


def error_body(code: str, message: str, details: dict[str, Any], detail: Any = None) -> ErrorBody:
    """An error's body, with the id of the request being served."""
    request = current_request.get()
    info = ErrorInfo(code, message, details, request.request_id if request else None)
    return ErrorBody(info, message if detail is None else detail)


def on_lumi_error(request: Request[Any, Any, Any], error: errors.LumiError) -> Response[ErrorBody]:
    """An error raised on purpose."""
    status = status_of(error)
    if status == 500:
        log.error("request failed", code=error.stable_code, reason=error.message)
    detail = None
    if status == 422:
        field = str(error.details.get("field", ""))
        detail = [{"loc": [_source(request, field), field], "msg": error.message, "type": "value_error"}]
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 429 or "retry_after_seconds" in error.details:
        headers["Retry-After"] = str(error.details.get("retry_after_seconds", RETRY_AFTER_SECONDS))
    if isinstance(error, RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.details['size']}"
    body = error_body(error.stable_code, error.message, error.details, detail)
    return Response(body, status_code=status, headers=headers)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorBody]:
    """An error of the framework: routing, decoding, validation."""
    if isinstance(error, ValidationException):
        return _validation(request, error)
    if isinstance(error.__cause__, SerializationException):
        return Response(error_body("BAD_JSON", "The body is not JSON.", {}), status_code=400)
    if error.status_code >= 500:
        return on_any_error(request, error)
    code = _CODES.get(error.status_code, "ERROR")
    messages = {
        404: "There is nothing at this address.",
        405: "This address does not take this method.",
        413: "The request is too large.",
    }
    message = messages.get(error.status_code, error.detail or "The request cannot be answered.")
    headers = dict(error.headers or {}) if error.status_code == 405 else {}
    return Response(error_body(code, message, {}), status_code=error.status_code, headers=headers)


def on_unreadable_body(_: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """msgspec reports bytes that are not UTF-8, and nesting past its bound, by Python's own errors."""
    log.warning("request unreadable", reason=type(error).__name__)
    return Response(error_body("BAD_JSON", "The body is not JSON.", {}), status_code=400)


def on_any_error(_: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """A defect: its traceback goes to the log, never to the client."""
    log.error("request crashed", exc_info=error)
    body = error_body("INTERNAL_ERROR", "Something went wrong inside LumiKB. The server's log has the cause.", {})
    return Response(body, status_code=HTTP_500_INTERNAL_SERVER_ERROR)


def _source(request: Request[Any, Any, Any], field: str) -> str:
    """Where a refused field stands."""
    if field in request.query_params:
        return "query"
    return "header" if field == "Idempotency-Key" else "body"


def _validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[ErrorBody]:
    found: list[dict[str, str]] = cast(Any, error.extra) or [{"message": error.detail}]
    fields: list[dict[str, Any]] = [
        {
            "loc": [item.get("source", "body"), item.get("key", "")],
            "msg": _sentence(request, item.get("key", ""), item.get("message", "")),
            "type": "value_error",
        }
        for item in found
    ]
    message = "; ".join(f"{field['loc'][-1]}: {field['msg']}".strip(": ") for field in fields) or error.detail
    return Response(error_body("VALIDATION_ERROR", message, {"fields": fields}, fields), status_code=422)


def _sentence(request: Request[Any, Any, Any], name: str, message: str) -> str:
    if message == "'data'":  # Litestar's whole message about a missing body is the quoted name of the parameter
        return "The body is missing."
    parameter = request.route_handler.parsed_fn_signature.parameters.get(name)
    allowed = _choices(parameter.raw) if parameter else []
    return f"{message}. It is one of {', '.join(allowed)}." if allowed else message


def _choices(kind: Any) -> list[str]:
    """The values of an enumeration or a `Literal`, also of an optional one; nothing for any other type."""
    if isinstance(kind, EnumType):
        return [str(member.value) for member in cast(Any, kind)]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [value for part in get_args(kind) for value in _choices(part)]
