import threading
from datetime import timedelta

import pytest

from lumikb.identity.errors import SetupDoneError
from lumikb.identity.limits import SignInLimit
from lumikb.identity.service import IdentityService, TokenLives
from lumikb.identity.tokens import TokenSigner, new_secret
from lumikb.store.record.engine import Record


@pytest.fixture
def identity(record: Record) -> IdentityService:
    lives = TokenLives(timedelta(hours=1), timedelta(days=1))
    return IdentityService(record, TokenSigner(new_secret()), lives, SignInLimit(10), local_token=None)


def test_of_several_uses_of_the_link_at_the_same_moment_one_makes_an_administrator(identity: IdentityService) -> None:
    token = identity.prepare("", "")
    assert token is not None
    made: list[str] = []
    refused: list[str] = []

    def use(email: str) -> None:
        try:
            made.append(identity.set_up(token, email, "long enough").user.email)
        except SetupDoneError:
            refused.append(email)

    threads = [threading.Thread(target=use, args=(f"{number}@example.org",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert not identity.needs_setup()
