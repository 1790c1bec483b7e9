"""Access tokens: JSON Web Tokens (RFC 7519) with HS256 and nothing else."""

import base64
import binascii
import hashlib
import hmac
import secrets
import time

import msgspec

ISSUER = "lumikb"
AUDIENCE = "lumikb-api"
TOKEN_CHARS_MAX = 4096
LEEWAY_SECONDS = 5

_HEADER = b'{"alg":"HS256","typ":"JWT"}'


class Claims(msgspec.Struct, kw_only=True):
    """The claims of an access token; times in Unix seconds, `groups` in lower case."""

    iss: str = ISSUER
    aud: list[str] = msgspec.field(default_factory=lambda: [AUDIENCE])
    sub: str
    email: str
    is_superuser: bool
    permission_level: int
    groups: list[str] = []
    iat: int
    nbf: int
    exp: int
    jti: str
    sid: str


class _Header(msgspec.Struct):
    alg: str


class TokenSigner:
    """Signs and reads access tokens with one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, claims: Claims) -> str:
        """The compact form of a token."""
        signing_input = _encode(_HEADER) + b"." + _encode(msgspec.json.encode(claims))
        return (signing_input + b"." + _encode(self._mac(signing_input))).decode()

    def read(self, token: str) -> Claims | None:
        """The claims of a token that holds now; None for any other, whatever is wrong with it."""
        if len(token) > TOKEN_CHARS_MAX or token.count(".") != 2 or not token.isascii():
            return None
        signing_input, _, signature = token.encode().rpartition(b".")
        header, _, payload = signing_input.partition(b".")
        try:
            if msgspec.json.decode(_decode(header), type=_Header).alg != "HS256":
                return None
            if not hmac.compare_digest(_decode(signature), self._mac(signing_input)):
                return None
            claims = msgspec.json.decode(_decode(payload), type=Claims)
        except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError):
            return None
        now = time.time()
        timely = claims.nbf - LEEWAY_SECONDS <= now < claims.exp
        return claims if timely and claims.iss == ISSUER and AUDIENCE in claims.aud else None

    def _mac(self, signing_input: bytes) -> bytes:
        return hmac.digest(self._secret, signing_input, "sha256")


def new_secret() -> str:
    """A random URL-safe secret of 256 bits."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """SHA-256 in hex: how refresh tokens, API keys and setup tokens are kept. They are random, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
