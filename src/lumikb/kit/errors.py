"""The root of every error LumiKB raises on purpose.

An error holds a stable code, a sentence for the person who must act on it, and facts. It knows nothing of HTTP:
`lumikb.api.errors` maps the categories below to status codes, in one place.
"""

from typing import Any, ClassVar


class LumiError(Exception):
    """Root error. `code` is stable and machine-readable; `details` are JSON-ready facts without secrets or paths."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    # Whether doing the same again a little later may succeed.
    retryable: ClassVar[bool] = False
    # Of an error that came over HTTP: what to look for in the server's log.
    request_id: str | None = None

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.stable_code = code or self.code


class InvalidInputError(LumiError):
    """The request can be read but not accepted as it stands."""

    code = "VALIDATION_ERROR"


class MalformedRequestError(LumiError):
    """The request cannot be read at all, or lacks what the route is about."""

    code = "BAD_REQUEST"


class UnauthenticatedError(LumiError):
    """Nobody is signed in, or the credentials do not hold."""

    code = "UNAUTHENTICATED"


class ForbiddenError(LumiError):
    """The caller is known, and may not do this."""

    code = "FORBIDDEN"


class NotFoundError(LumiError):
    """Missing, or not the caller's to see: the two are never told apart."""

    code = "NOT_FOUND"


class ConflictError(LumiError):
    """The state of the record does not allow this."""

    code = "CONFLICT"


class ExpiredError(LumiError):
    """The thing was there once and its time is over."""

    code = "EXPIRED"


class TooLargeError(LumiError):
    """A named limit on size was passed."""

    code = "TOO_LARGE"


class UnsupportedTypeError(LumiError):
    """The kind of content is not one that LumiKB reads."""

    code = "UNSUPPORTED_FILE_TYPE"


class UnavailableError(LumiError):
    """A needed dependency is down; `details["service"]` names it."""

    code = "SERVICE_UNAVAILABLE"
    retryable = True


class BackEndFailedError(LumiError):
    """A service that LumiKB asks answered wrongly; `details["service"]` names it."""

    code = "BACK_END_FAILED"


class BusyError(LumiError):
    """A named bound on what goes on at the same time is reached; trying again may help."""

    code = "TOO_MANY_REQUESTS"


class TimedOutError(LumiError):
    """A named time bound was passed."""

    code = "TIMED_OUT"
