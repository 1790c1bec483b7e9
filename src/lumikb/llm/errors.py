"""What can go wrong with a language model."""

from lumikb.kit.errors import BackEndFailedError, InvalidInputError, TimedOutError, UnavailableError

SERVICE = "llm"


class ModelFailedError(BackEndFailedError):
    """The language model's server answered wrongly; `details["reason"]` says how.

    `status` (an error, `details["status"]`), `error` (one within the answer), `bad_json`, `cut_off`, `too_large`,
    `empty`.
    """

    code = "MODEL_FAILED"

    def __init__(self, message: str, reason: str, status: int | None = None) -> None:
        facts = {} if status is None else {"status": status}
        super().__init__(message, service=SERVICE, reason=reason, code=None, **facts)


class ModelRefusedError(BackEndFailedError):
    """The language model, or a filter before it, declined to answer."""

    code = "MODEL_REFUSED"

    def __init__(self, message: str) -> None:
        super().__init__(message, service=SERVICE)


class ModelUnavailableError(UnavailableError):
    """The model's server cannot be reached (`details["reason"]` is `unreachable`), or is busy (`rate_limited`)."""

    code = "MODEL_UNAVAILABLE"

    def __init__(self, message: str, reason: str, retry_after_seconds: int | None = None) -> None:
        facts = {} if retry_after_seconds is None else {"retry_after_seconds": retry_after_seconds}
        super().__init__(message, service=SERVICE, reason=reason, code=None, **facts)


class ModelTimedOutError(TimedOutError):
    """The language model did not begin, or did not end, its answer in time."""

    code = "MODEL_TIMED_OUT"

    def __init__(self, message: str) -> None:
        super().__init__(message, service=SERVICE)


class UnknownModelError(InvalidInputError):
    """A request names another model than the one there is; `details["available"]` names that."""

    code = "MODEL_UNKNOWN"
