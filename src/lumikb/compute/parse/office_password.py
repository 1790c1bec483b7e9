"""Office files behind a password (MS-OFFCRYPTO): an OLE container with the package encrypted as one stream."""

import io
import struct
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from lumikb.compute.parse.errors import password_error, unknown_encryption
from lumikb.compute.parse.unpack import raise_corrupted

if TYPE_CHECKING:
    from olefile import OleFileIO

_INFO = "EncryptionInfo"
_PACKAGE = "EncryptedPackage"
# Real ones have some 1.2 kB. It is read as a tree of XML, which takes many times its size.
_INFO_BYTES_MAX = 65_536
# 2.3.4.5 and 2.3.4.10; version 3 (2.3.4.6) is somebody else's encryption.
_STANDARD, _AGILE = 2, 4
_ZIP_START = b"PK\x03\x04"
_OLE_ERRORS = (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError, struct.error)


def decrypt_office(data: bytes, password: str | None) -> bytes:
    """The ZIP in an encrypted Office file, which may be of another kind than its name says, or damaged.

    Raises `EncryptedError` when there is no password or another one opens the file, and `CorruptedError`. What the
    file asks for may be ten million rounds of a hash, some 10 s.
    """
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError  # .1 s, and rare
    from msoffcrypto.format.ooxml import OOXMLFile

    _check_container(data)
    if not password:
        raise password_error(password)
    decrypted = io.BytesIO()
    try:
        file = OOXMLFile(io.BytesIO(data))
        file.load_key(password)
        file.decrypt(decrypted)
    except InvalidKeyError:
        # What has come out is no ZIP: its first bytes tell whether the key was wrong, or the rest is damaged.
        pass
    except (*_OLE_ERRORS, ExpatError, DecryptionError, FileFormatError, ParseError) as exc:
        raise_corrupted(exc)
    # The check of the password by the library refuses the right one where hashes are SHA-1, as in Office 2010.
    package = decrypted.getvalue()
    if not package.startswith(_ZIP_START):
        raise password_error(password)
    return package


def _check_container(data: bytes) -> None:
    """Raises `CorruptedError`, and `EncryptedError` for an encryption that no password opens."""
    from olefile import OleFileIO

    try:
        container = OleFileIO(io.BytesIO(data))
        # A stream is read whole when it is opened, and its chain of sectors may run in a circle and come to any size.
        if container.get_size(_PACKAGE) > len(data):
            raise ValueError("a package larger than its file")
        known = container.exists(_INFO) and _version(container) in {_STANDARD, _AGILE}
    except _OLE_ERRORS as exc:
        raise_corrupted(exc)
    if not known:
        # Rights management, too, which keeps its keys elsewhere.
        raise unknown_encryption()


def _version(container: "OleFileIO") -> int:
    if container.get_size(_INFO) > _INFO_BYTES_MAX:
        raise ValueError("more information than there is")
    _, minor = struct.unpack("<HH", container.openstream(_INFO).read(4))
    return minor
