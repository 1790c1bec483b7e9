"""Password hashes: argon2id with the library's defaults (RFC 9106, low-memory profile)."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lumikb.identity.errors import WeakPasswordError

PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 1024
# Each hash takes 64 MiB and tens of milliseconds: no more than this many at a time.
HASHES_AT_A_TIME = 2

_turns = threading.BoundedSemaphore(HASHES_AT_A_TIME)
_hasher = PasswordHasher()
# A hash of nothing that anybody knows: verified when the account does not exist, so that both ways take as long.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$/QwQPUCrIX3RFN0fpDDFxA$D5DtSIuWuYDGj+tytBqJduzWPWtz/WF1+oqNVaDQGsY"


def hash_password(password: str) -> str:
    """Hash a new password; raises `WeakPasswordError` when its length is out of bounds."""
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise WeakPasswordError(
            f"A password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.", field="password"
        )
    with _turns:
        return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password fits the hash; takes as long for an account that does not exist (None)."""
    with _turns:
        try:
            return _hasher.verify(stored or _NOBODY, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
