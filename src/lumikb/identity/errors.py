"""What can go wrong with who is calling."""

from lumikb.kit.errors import (
    BusyError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)


class NotSignedInError(UnauthenticatedError):
    """No credentials that hold."""

    code = "NOT_SIGNED_IN"


class BadCredentialsError(UnauthenticatedError):
    """E-mail address and password do not match; never says which."""

    code = "LOGIN_BAD_CREDENTIALS"


class TooManySignInsError(BusyError):
    """Too many wrong passwords for the account from this address; tells nothing of the account."""

    code = "TOO_MANY_SIGN_INS"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"Too many sign-ins went wrong. Try again in {retry_after_seconds} s.",
            retry_after_seconds=retry_after_seconds,
        )


class NotAllowedError(ForbiddenError):
    """The caller's level or the key's scope is too low."""

    code = "NOT_ALLOWED"


class HiddenError(NotFoundError):
    """The caller may not see it, so for the caller it does not exist."""

    code = "KB_NOT_FOUND"


class SetupDoneError(ExpiredError):
    """The first administrator exists; the one-time link is spent."""

    code = "SETUP_DONE"


class BadSetupTokenError(UnauthenticatedError):
    """The one-time token is not the one that was printed."""

    code = "BAD_SETUP_TOKEN"


class EmailTakenError(ConflictError):
    """Another account has this e-mail address."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class WeakPasswordError(InvalidInputError):
    """The password does not meet the rule that the message tells."""

    code = "WEAK_PASSWORD"


class ApiKeyNotFoundError(NotFoundError):
    """No such key, or not the caller's."""

    code = "API_KEY_NOT_FOUND"
