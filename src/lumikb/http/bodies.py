"""JSON bodies, read as they are: a wrong type or an unknown field is refused, nothing is converted."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from lumikb.kit.errors import InvalidInputError, MalformedRequestError, UnsupportedTypeError

JSON = "application/json"

_AT = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_NAMED = re.compile(r"(?:unknown|required) field `(.*)`")


class UnsupportedBodyError(UnsupportedTypeError):
    """The body is of a media type that the route does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class ClientLeftError(MalformedRequestError):
    """The connection was closed in the middle of a body: nobody is there to be told."""

    code = "CLIENT_LEFT"


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body must fit the type of the handler's `data`.

    The framework would convert it as leniently as the parameters of an address, and take `"5"` for a number.
    """

    async def stream(self) -> AsyncGenerator[bytes]:
        """The body piece by piece; raises `ClientLeftError` when it breaks off."""
        try:
            async for piece in super().stream():
                yield piece
        except InternalServerException as exc:  # what the framework makes of a closed connection
            raise ClientLeftError("The request broke off before its end.") from exc

    async def json(self) -> Any:
        """The body in the type that the handler names; raises `InvalidInputError` and `UnsupportedBodyError`."""
        ensure_json(self)
        value = await super().json()
        field = self.route_handler.parsed_data_field
        if field is None:
            return value
        try:
            return msgspec.convert(value, field.annotation)
        except msgspec.ValidationError as exc:
            raise wrong_field(exc) from exc


def ensure_json(request: Request[Any, Any, Any]) -> None:
    """Refuse a body that says it is something else than JSON; one that does not say is taken for JSON."""
    given = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if given != JSON:
        raise UnsupportedBodyError(f"Send the body as JSON, with Content-Type: {JSON}.", given=given[:100])


def wrong_field(error: msgspec.ValidationError) -> InvalidInputError:
    """What msgspec says of a body, as an error that names the field, such as `filters.tags[0]`."""
    message, path = str(error), ""
    if found := _AT.fullmatch(message):
        message, path = found[1], found[2]
    if named := _NAMED.search(message):
        path = f"{path}.{named[1]}" if path else named[1]
    return InvalidInputError(f"{path}: {message}." if path else f"{message}.", field=path)
