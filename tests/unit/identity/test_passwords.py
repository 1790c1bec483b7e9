"""Password hashes."""

import pytest

from lumikb.identity import passwords
from lumikb.identity.errors import WeakPasswordError
from lumikb.identity.passwords import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, hash_password, verify_password

PASSWORD = "p\u00e4ssw\u00f6rd with \U0001f511"


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(PASSWORD)


def test_the_right_password_is_verified(stored: str) -> None:
    assert verify_password(stored, PASSWORD)


@pytest.mark.parametrize("other", ["", PASSWORD + " ", PASSWORD.upper(), PASSWORD[:-1]])
def test_another_password_is_not(stored: str, other: str) -> None:
    assert not verify_password(stored, other)


def test_a_hash_is_argon2id_salted_and_without_the_password(stored: str) -> None:
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert hash_password(PASSWORD) != stored


def test_an_unknown_account_takes_the_way_of_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same work on a well-formed hash of the same cost, so that time does not tell who has an account."""
    seen: list[str] = []

    class Hasher:
        def verify(self, hashed: str, password: str) -> bool:
            seen.append(hashed)
            return real.verify(hashed, password)

    real = passwords._hasher
    monkeypatch.setattr(passwords, "_hasher", Hasher())
    assert not verify_password(None, PASSWORD)
    (hashed,) = seen
    # A malformed hash would be refused at once, by InvalidHashError; this one is parsed, and costs what ours cost.
    assert not real.check_needs_rehash(hashed)


@pytest.mark.parametrize("password", ["", "nobody", "password", " "])
def test_no_password_fits_an_unknown_account(password: str) -> None:
    assert not verify_password(None, password)


@pytest.mark.parametrize("stored", ["!", "", "plain text", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
def test_an_account_whose_hash_is_none_cannot_be_signed_in_to(stored: str) -> None:
    assert not verify_password(stored, "!")
    assert not verify_password(stored, stored)


@pytest.mark.parametrize("length", [0, PASSWORD_CHARS_MIN - 1, PASSWORD_CHARS_MAX + 1])
def test_a_password_of_a_bad_length_is_refused(length: int) -> None:
    with pytest.raises(WeakPasswordError, match=f"{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX}"):
        hash_password("a" * length)


@pytest.mark.parametrize("length", [PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX])
def test_lengths_at_the_bounds_are_accepted(length: int) -> None:
    assert verify_password(hash_password("a" * length), "a" * length)
