"""Documents behind a password, made in memory as the programs make them."""

import base64
import hashlib
import io
import os
import struct
import zipfile
import zlib

from argon2 import low_level
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msoffcrypto.method.container.ecma376_encrypted import ECMA376Encrypted
from msoffcrypto.method.ecma376_agile import ECMA376Agile
from msoffcrypto.method.ecma376_standard import ECMA376Standard
from support.documents import make_zip

PASSWORD = "Schl\u00fcssel 7"
AES_IN_ZIP = 99
_ODF = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0#"
_ARGON2 = (
    'm:key-derivation-name="urn:org:documentfoundation:names:experimental:office:manifest:argon2id" '
    'm:argon2-iterations="1" m:argon2-memory="{memory}" m:argon2-lanes="{lanes}"'
)


def lock_office(data: bytes, password: str = PASSWORD, *, claimed_rounds: int = 1000) -> bytes:
    """As Office does since 2010 (agile); `claimed_rounds` other than 1000 fit no password."""
    info, key = ECMA376Agile.generate_encryption_parameters(password, None, 1000)
    payload = ECMA376Agile.encrypt_payload(io.BytesIO(data), info.encryptedKey, key, info.keyData.saltValue)
    info.spinCount = claimed_rounds
    return make_container(payload, ECMA376Agile.get_encryption_information(info, payload, key))


def lock_office_standard(data: bytes, password: str = PASSWORD) -> bytes:
    """As Office 2007 does."""
    salt = os.urandom(16)
    key = ECMA376Standard.makekey_from_password(password, 0x660E, 0x8004, 24, 128, 16, salt)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    payload = struct.pack("<Q", len(data)) + encryptor.update(data + bytes(-len(data) % 16))
    header = struct.pack("<8I", 0x24, 0, 0x660E, 0x8004, 128, 24, 0, 0) + "AES\0".encode("utf-16-le")
    verifier = struct.pack("<I16s16sI32s", 16, salt, bytes(16), 20, bytes(32))
    return make_container(payload, struct.pack("<HHII", 3, 2, 0x24, len(header)) + header + verifier)


def make_container(payload: bytes, info: bytes) -> bytes:
    """An OLE container with an encrypted package and what is said of its encryption."""
    out = io.BytesIO()
    ECMA376Encrypted(payload, info).write_to(out)
    return out.getvalue()


def lock_zip(entries: dict[str, bytes], password: str = PASSWORD, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive in the traditional encryption (APPNOTE.TXT, 6.1), which may claim another `method`."""
    locked = {name: _zip_crypto(data, password.encode()) for name, data in entries.items()}
    archive = bytearray(make_zip(locked, compression=zipfile.ZIP_STORED))
    at, central = 0, archive.index(b"PK\x01\x02")
    for name, data in entries.items():
        for record, flags in ((at, 6), (central, 8)):
            archive[record + flags] |= 1
            struct.pack_into("<H", archive, record + flags + 2, method)
            struct.pack_into("<I", archive, record + flags + 8, zlib.crc32(data))
            struct.pack_into("<I", archive, record + flags + 16, len(data))
        at += 30 + len(name.encode()) + len(data) + 12
        central += 46 + len(name.encode())
    return bytes(archive)


def lock_odf_parts(data: bytes, password: str = PASSWORD, *, cipher: str = "aes256-cbc") -> bytes:
    """As LibreOffice does by ODF 1.2 and 1.3, with fewer rounds; `cipher` is what the manifest claims."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = ""
    for name in ("content.xml", "meta.xml"):
        packed, salt, vector = _deflated(parts[name]), os.urandom(16), os.urandom(16)
        key = hashlib.pbkdf2_hmac("sha1", hashlib.sha256(password.encode()).digest(), salt, 1000, 32)
        padding = 16 - len(packed) % 16
        encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
        parts[name] = encryptor.update(packed + os.urandom(padding - 1) + bytes([padding]))
        checksum = hashlib.sha256(packed[:1024]).digest()
        manifest += _entry(
            name,
            f'm:checksum-type="{_ODF}sha256-1k" m:checksum="{_text(checksum)}"',
            f'm:algorithm-name="http://www.w3.org/2001/04/xmlenc#{cipher}" m:initialisation-vector="{_text(vector)}"',
            f'm:key-derivation-name="PBKDF2" m:iteration-count="1000" m:salt="{_text(salt)}"',
        )
    return make_zip(parts | {"META-INF/manifest.xml": _manifest(manifest)}, compression=zipfile.ZIP_STORED)


def lock_odf_whole(data: bytes, password: str = PASSWORD, *, memory: str = "64", lanes: str = "2") -> bytes:
    """As LibreOffice does from 24.8 on, with less memory; `memory` and `lanes` are what the manifest claims."""
    salt, nonce = os.urandom(16), os.urandom(12)
    start = hashlib.sha256(password.encode()).digest()
    key = low_level.hash_secret_raw(start, salt, 1, 64, 2, 32, low_level.Type.ID)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        mime_type = archive.read("mimetype")
    manifest = _entry(
        "encrypted-package",
        "",
        f'm:algorithm-name="http://www.w3.org/2009/xmlenc11#aes256-gcm" m:initialisation-vector="{_text(nonce)}"',
        f'{_ARGON2.format(memory=memory, lanes=lanes)} m:salt="{_text(salt)}"',
    )
    parts = {"mimetype": mime_type, "encrypted-package": nonce + AESGCM(key).encrypt(nonce, _deflated(data), None)}
    return make_zip(parts | {"META-INF/manifest.xml": _manifest(manifest)}, compression=zipfile.ZIP_STORED)


def _entry(name: str, data: str, algorithm: str, derivation: str) -> str:
    start = 'm:start-key-generation-name="http://www.w3.org/2001/04/xmlenc#sha256" m:key-size="32"'
    return (
        f'<m:file-entry m:full-path="{name}"><m:encryption-data {data}><m:algorithm {algorithm}/>'
        f'<m:start-key-generation {start}/><m:key-derivation {derivation} m:key-size="32"/>'
        "</m:encryption-data></m:file-entry>"
    )


def _manifest(entries: str) -> bytes:
    return f'<m:manifest xmlns:m="{_ODF[:-1]}">{entries}</m:manifest>'.encode()


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _zip_crypto(data: bytes, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in bytes(11) + bytes([zlib.crc32(data) >> 24]) + data:
        mask = (keys[2] | 2) & 0xFFFF
        out.append(byte ^ (mask * (mask ^ 1) >> 8 & 0xFF))
        update(byte)
    return bytes(out)


def _crc(value: int, byte: int) -> int:
    return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
