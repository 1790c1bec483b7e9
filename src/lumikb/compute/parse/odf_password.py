"""OpenDocument files behind a password (ODF 1.3 part 2, 3.4).

Each part is encrypted by AES-256-CBC under a key from PBKDF2. LibreOffice from 24.8 on encrypts the whole package
instead, as one part, by AES-256-GCM under a key from Argon2id. Either is packed by deflate before that.
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass, field

from lumikb.compute.parse.errors import password_error, unknown_encryption
from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute
from lumikb.compute.parse.unpack import check_unpacked, raise_corrupted

_MANIFEST = "META-INF/manifest.xml"
_WHOLE = "encrypted-package"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_CHECKED_BYTES = 1024
# Argon2 starts a thread for each lane; LibreOffice asks for 4.
_LANES_MAX = 16
_CIPHERS = {"aes256-cbc", "aes256-gcm"}
_DERIVATIONS = {"pbkdf2", "argon2id"}
# By the names of all versions of the format, the first one's where there is none.
_HASHES = {"sha256": "sha256", "sha1": "sha1", "": "sha1", "sha256-1k": "sha256", "sha1-1k": "sha1", "sha1/1k": "sha1"}


@dataclass
class _Lock:
    """How one part is encrypted, by the elements that say so."""

    elements: dict[str, Attributes] = field(default_factory=dict[str, Attributes])

    def value(self, element: str, name: str) -> str:
        return attribute(self.elements.get(element, {}), name)

    def name(self, element: str, name: str) -> str:
        """What an address or a plain name calls an algorithm."""
        return self.value(element, name).rpartition("#")[2].rpartition(":")[2].lower()

    def number(self, element: str, name: str) -> int:
        return int(self.value(element, name))

    def data(self, element: str, name: str) -> bytes:
        return base64.b64decode(self.value(element, name))

    @property
    def cipher(self) -> str:
        return self.name("algorithm", "algorithm-name")

    @property
    def derivation(self) -> str:
        return self.name("key-derivation", "key-derivation-name")


def unlocked(package: Package, parts: list[str], password: str | None, bytes_max: int) -> Package:
    """The package with those of `parts` that are encrypted in clear, or the one that is encrypted within it.

    Raises `EncryptedError` when there is no password, another one opens the file, or none does; `CorruptedError`; and
    `ArchiveLimitError` when a part unpacks to more than `bytes_max`.
    """
    manifest = _Manifest()
    if _MANIFEST in package:
        package.read(_MANIFEST, manifest)
    if _WHOLE in package:
        parts = [_WHOLE]
    locks = {part: manifest.locks[part] for part in parts if part in manifest.locks}
    if any(lock.cipher not in _CIPHERS or lock.derivation not in _DERIVATIONS for lock in locks.values()):
        raise unknown_encryption()
    if locks and password is None:
        raise password_error(None)
    for part, lock in locks.items():
        package.replace(part, _decrypted(package.read_bytes(part), lock, password or "", bytes_max))
    return Package(package.read_bytes(_WHOLE)) if _WHOLE in package else package


class _Manifest(PartReader):
    def __init__(self) -> None:
        self.locks: dict[str, _Lock] = {}
        self._part = ""

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "file-entry":
            self._part = attribute(attributes, "full-path")
        elif name == "encryption-data":
            self.locks[self._part] = _Lock({name: attributes})
        elif self._part in self.locks:
            self.locks[self._part].elements[name] = attributes


def _decrypted(data: bytes, lock: _Lock, password: str, bytes_max: int) -> bytes:
    try:
        key = _derived_key(lock, password)
        packed = _without_gcm(data, key) if lock.cipher == "aes256-gcm" else _without_cbc(data, key, lock)
        if packed is None:
            raise password_error(password)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        unpacked = inflater.decompress(packed, bytes_max + 1)
    except (ValueError, KeyError, OverflowError, zlib.error) as exc:
        raise_corrupted(exc)
    check_unpacked(len(unpacked), bytes_max)
    return unpacked


def _derived_key(lock: _Lock, password: str) -> bytes:
    """Raises `ValueError`, `KeyError` and `OverflowError` for what the manifest cannot mean."""
    start = hashlib.new(_HASHES[lock.name("start-key-generation", "start-key-generation-name")], password.encode())
    how = "key-derivation"
    salt = lock.data(how, "salt")
    if lock.derivation == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha1", start.digest(), salt, lock.number(how, "iteration-count"), _KEY_BYTES)
    from argon2 import low_level
    from argon2.exceptions import HashingError

    lanes = lock.number(how, "argon2-lanes")
    if lanes > _LANES_MAX:
        raise ValueError(f"{lanes} lanes")
    rounds, memory = lock.number(how, "argon2-iterations"), lock.number(how, "argon2-memory")
    try:
        return low_level.hash_secret_raw(start.digest(), salt, rounds, memory, lanes, _KEY_BYTES, low_level.Type.ID)
    except HashingError as exc:
        raise ValueError("Argon2") from exc


def _without_cbc(data: bytes, key: bytes, lock: _Lock) -> bytes | None:
    """None when the key is wrong. The last byte says how many at the end are padding."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # .1 s, and rare

    decryptor = Cipher(algorithms.AES(key), modes.CBC(lock.data("algorithm", "initialisation-vector"))).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    packed = padded[: -padded[-1]] if padded else b""
    checksum = hashlib.new(_HASHES[lock.name("encryption-data", "checksum-type")], packed[:_CHECKED_BYTES])
    return packed if checksum.digest() == lock.data("encryption-data", "checksum") else None


def _without_gcm(data: bytes, key: bytes) -> bytes | None:
    """None when the key is wrong, or the data was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
    except InvalidTag:
        return None
