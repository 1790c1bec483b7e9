"""Access tokens: what holds, and all the ways in which a token does not."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.identity.tokens import LEEWAY_SECONDS, TOKEN_CHARS_MAX, Claims, TokenSigner, fingerprint, new_secret

SECRET = "an entirely fictional secret of enough characters"
SIGNER = TokenSigner(SECRET)


def claims(**changes: Any) -> Claims:
    now = int(time.time())
    values: dict[str, Any] = {
        "sub": "user", "email": "a@b.c", "is_superuser": False, "permission_level": 1,
        "iat": now, "nbf": now, "exp": now + 60, "jti": "token", "sid": "session",
    }  # fmt: skip
    return Claims(**values | changes)


def packed(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, payload: Any, signer: TokenSigner = SIGNER) -> str:
    """A token with any header and payload, and a signature that fits them."""
    signing_input = f"{packed(header)}.{packed(payload)}"
    return f"{signing_input}.{packed(signer._mac(signing_input.encode()))}"


def payload_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_a_token_gives_back_the_claims_that_were_signed() -> None:
    wanted = claims(groups=["administrators"], permission_level=3)
    assert SIGNER.read(SIGNER.sign(wanted)) == wanted


def test_issuer_and_audience_are_those_that_other_services_check() -> None:
    payload = payload_of(SIGNER.sign(claims()))
    assert payload["iss"] == "lumikb"
    assert payload["aud"] == ["lumikb-api"]


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "ES256"])
def test_another_algorithm_is_refused_even_with_a_fitting_signature(alg: str) -> None:
    assert SIGNER.read(signed({"alg": alg, "typ": "JWT"}, payload_of(SIGNER.sign(claims())))) is None


def test_a_token_without_signature_is_refused() -> None:
    header, payload, _ = SIGNER.sign(claims()).split(".")
    assert SIGNER.read(f"{header}.{payload}.") is None
    unsigned_header = packed({"alg": "none", "typ": "JWT"})
    assert SIGNER.read(f"{unsigned_header}.{payload}.") is None


@pytest.mark.parametrize("header", [{}, [], "HS256", {"alg": 1}, {"alg": None}, b"\xff\xfe", b"{"])
def test_a_header_that_is_no_header_is_refused(header: Any) -> None:
    assert SIGNER.read(signed(header, payload_of(SIGNER.sign(claims())))) is None


def test_a_token_of_another_secret_is_refused() -> None:
    assert SIGNER.read(TokenSigner(new_secret()).sign(claims())) is None


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1_000_000_000},
        {"nbf": 9_999_999_998, "exp": 9_999_999_999},
        {"iss": "someone-else"},
        {"aud": []},
        {"aud": ["another-api"]},
        {"aud": "lumikb-api"},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 1e300},
        {"sid": None},
        {"sub": 5},
    ],
    ids=str,
)
def test_claims_that_do_not_hold_are_refused(change: dict[str, Any]) -> None:
    payload = payload_of(SIGNER.sign(claims())) | change
    assert SIGNER.read(signed({"alg": "HS256", "typ": "JWT"}, payload)) is None


@pytest.mark.parametrize("name", ["sub", "exp", "nbf", "iat", "sid", "jti", "email"])
def test_a_missing_claim_is_refused(name: str) -> None:
    payload = payload_of(SIGNER.sign(claims()))
    del payload[name]
    assert SIGNER.read(signed({"alg": "HS256", "typ": "JWT"}, payload)) is None


@pytest.mark.parametrize("payload", [b"", b"{", b"null", b"[]", b"\xff\xfe\xfd"])
def test_a_payload_that_is_no_claims_is_refused(payload: bytes) -> None:
    assert SIGNER.read(signed({"alg": "HS256", "typ": "JWT"}, payload)) is None


def test_a_clock_that_is_a_little_behind_is_forgiven() -> None:
    assert SIGNER.read(SIGNER.sign(claims(nbf=int(time.time()) + LEEWAY_SECONDS - 2))) is not None


def test_every_truncation_is_refused() -> None:
    token = SIGNER.sign(claims())
    assert all(SIGNER.read(token[:length]) is None for length in range(len(token)))


def test_every_changed_character_of_header_and_payload_is_refused() -> None:
    token = SIGNER.sign(claims())
    for at in range(token.rindex(".")):
        other = "A" if token[at] != "A" else "B"
        assert SIGNER.read(token[:at] + other + token[at + 1 :]) is None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a.b.c", "a.b.c.d", "!!.??.==", "\u00e9.\u00e9.\u00e9", "\x00.\x00.\x00"]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert SIGNER.read(token) is None


def test_a_token_that_is_too_long_is_refused_unread() -> None:
    assert SIGNER.read(SIGNER.sign(claims(email="a" * TOKEN_CHARS_MAX))) is None


@given(st.text(max_size=200))
def test_no_text_makes_reading_fail(text: str) -> None:
    assert SIGNER.read(text) is None


def test_secrets_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(secret) >= 43 for secret in secrets)


def test_a_fingerprint_is_stable_and_does_not_hold_the_secret() -> None:
    assert fingerprint("secret") == fingerprint("secret")
    assert len(fingerprint("secret")) == 64
    assert "secret" not in fingerprint("secret")
