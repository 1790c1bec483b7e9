"""How often somebody may be wrong: where limits on signing in are decided."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager

from lumikb.identity.errors import TooManySignInsError
from lumikb.identity.tokens import fingerprint

WINDOW_SECONDS = 60.0
# Each try costs a password hash, so that nobody makes as many within the window; it bounds the memory all the same.
KEYS_MAX = 10_000


class SignInLimit:
    """At most `per_minute` sign-ins to an account from an address that go wrong within a minute, in this process.

    Those under way count as wrong until they went well, so that many at the same moment are no more tries. Whether
    there is such an account makes no difference, and past the limit a right password makes none either. Thread-safe.
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now = now
        self._lock = threading.Lock()
        # The times of tries by account and address, the key that was tried last at the end.
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    @contextmanager
    def attempt(self, account: str, address: str | None) -> Generator[None]:
        """Count a try, and forget the account's tries when the block ends well; raises `TooManySignInsError`."""
        key = fingerprint(f"{address} {account.lower()}")  # an account's name may be of any length
        with self._lock:
            self._count(key)
        yield
        with self._lock:
            self._tries.pop(key, None)

    def _count(self, key: str) -> None:
        now = self._now()
        tries = [moment for moment in self._tries.pop(key, []) if now - moment < WINDOW_SECONDS]
        self._tries[key] = tries
        if len(tries) >= self._per_minute:
            raise TooManySignInsError(math.ceil(tries[0] + WINDOW_SECONDS - now))
        tries.append(now)
        if len(self._tries) > KEYS_MAX:
            self._tries.popitem(last=False)
