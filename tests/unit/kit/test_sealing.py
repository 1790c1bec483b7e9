"""What is sealed is opened under its own secret, purpose and context alone."""

import pytest

from lumikb.kit.sealing import Sealer

SECRET = "s" * 40
TEXT = "p\u00e4ssword \U0001f511"


def test_what_was_sealed_is_opened_and_never_looks_the_same_twice() -> None:
    sealer = Sealer(SECRET, "password")
    first, second = sealer.seal(TEXT, "document"), sealer.seal(TEXT, "document")
    assert first != second
    assert TEXT.encode() not in first
    assert Sealer(SECRET, "password").open(first, "document") == TEXT


@pytest.mark.parametrize(
    ("secret", "purpose", "context"),
    [("t" * 40, "password", "document"), (SECRET, "other", "document"), (SECRET, "password", "another")],
)
def test_nothing_else_opens_it(secret: str, purpose: str, context: str) -> None:
    assert Sealer(secret, purpose).open(Sealer(SECRET, "password").seal(TEXT, "document"), context) is None


def test_what_was_changed_is_not_opened() -> None:
    sealer = Sealer(SECRET, "password")
    sealed = sealer.seal(TEXT, "document")
    assert sealer.open(sealed[:-1], "document") is None
    assert sealer.open(bytes([sealed[0] ^ 1]) + sealed[1:], "document") is None
