"""How often a password may be wrong."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from lumikb.http.context import RequestContext, current_request
from lumikb.identity import limits, service
from lumikb.identity.errors import BadCredentialsError, TooManySignInsError
from lumikb.identity.limits import SignInLimit
from lumikb.identity.service import IdentityService, TokenLives
from lumikb.identity.tokens import TokenSigner, new_secret
from lumikb.store.record.engine import Record

EMAIL, PASSWORD = "admin@example.org", "correct horse"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> SignInLimit:
    return SignInLimit(3, clock)


def fail(limit: SignInLimit, account: str = EMAIL, address: str | None = "192.0.2.1") -> None:
    with pytest.raises(BadCredentialsError), limit.attempt(account, address):
        raise BadCredentialsError("wrong")


def succeed(limit: SignInLimit, account: str = EMAIL, address: str | None = "192.0.2.1") -> None:
    with limit.attempt(account, address):
        pass


def test_past_the_limit_none_is_tried_until_the_first_is_a_minute_ago(limit: SignInLimit, clock: Clock) -> None:
    for _ in range(3):
        fail(limit)
        clock.seconds += 10
    with pytest.raises(TooManySignInsError) as refused:
        succeed(limit, EMAIL.upper())
    assert refused.value.details == {"retry_after_seconds": 30}
    succeed(limit, "other@example.org")
    succeed(limit, address="192.0.2.2")
    clock.seconds += 29.5
    with pytest.raises(TooManySignInsError) as refused:
        succeed(limit)
    assert refused.value.details == {"retry_after_seconds": 1}
    clock.seconds += 0.5
    succeed(limit)


def test_a_sign_in_that_goes_well_is_a_new_start(limit: SignInLimit) -> None:
    for _ in range(5):
        fail(limit)
        fail(limit)
        succeed(limit)


def test_many_at_the_same_moment_are_no_more_tries(limit: SignInLimit) -> None:
    tried: list[int] = []
    gate = threading.Barrier(8)

    def guess() -> None:
        gate.wait()
        with suppress(BadCredentialsError, TooManySignInsError), limit.attempt(EMAIL, None):
            tried.append(1)
            raise BadCredentialsError("wrong")

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == 3


def test_memory_is_bounded_and_keeps_those_who_try_now(limit: SignInLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEYS_MAX", 10)
    for _ in range(3):
        fail(limit)
    for number in range(50):
        fail(limit, f"{number}@example.org")
        with pytest.raises(TooManySignInsError):
            succeed(limit)
    assert len(limit._tries) <= 11


@pytest.fixture
def identity(record: Record, limit: SignInLimit) -> IdentityService:
    lives = TokenLives(timedelta(hours=1), timedelta(days=1))
    made = IdentityService(record, TokenSigner(new_secret()), lives, limit, local_token=None)
    made.prepare(EMAIL, PASSWORD)
    return made


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
@pytest.mark.thorough
def test_a_refusal_is_the_same_and_costs_the_same_whether_or_not_there_is_an_account(
    identity: IdentityService, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify: Callable[[str | None, str], bool] = service.verify_password

    def counting(stored: str | None, password: str) -> bool:
        verified.append(password)
        return verify(stored, password)

    monkeypatch.setattr(service, "verify_password", counting)
    token = current_request.set(RequestContext("request-1", "192.0.2.1", None))
    try:
        for _ in range(3):
            with pytest.raises(BadCredentialsError):
                identity.sign_in(email, "wrong password")
        with pytest.raises(TooManySignInsError) as refused:
            identity.sign_in(email, PASSWORD)
    finally:
        current_request.reset(token)
    assert refused.value.message == "Too many sign-ins went wrong. Try again in 60 s."
    assert verified == ["wrong password"] * 3
    # From another address the account's owner is let in.
    if email == EMAIL:
        assert identity.sign_in(email, PASSWORD).user.email == EMAIL
