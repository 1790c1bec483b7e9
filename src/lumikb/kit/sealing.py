"""Short secrets that must wait in a database: sealed, so that who reads the database alone does not read them."""

import hmac
import os

_NONCE_BYTES = 12


class Sealer:
    """AES-256-GCM under a key that is derived from a server's secret for one `purpose`."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._key = hmac.digest(secret.encode(), f"lumikb {purpose}".encode(), "sha256")

    def seal(self, text: str, context: str) -> bytes:
        """The text, to be opened under the same context (the id of what it belongs to) and no other."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # .1 s, and hardly ever needed

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str | None:
        """The text; None when it was sealed by another secret or for another context, or was changed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            nonce, data = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return AESGCM(self._key).decrypt(nonce, data, context.encode()).decode()
        except InvalidTag:
            return None
