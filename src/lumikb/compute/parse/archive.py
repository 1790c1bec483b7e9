"""ZIP, tar and gzip archives: the documents in them one after the other. Nothing is written to disk."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from lumikb.compute.parse.container import Budget, MemberWriter, ReadMember
from lumikb.compute.parse.errors import CorruptedError, EncryptedError, password_error, unknown_encryption
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.text import TextBuilder
from lumikb.compute.parse.unpack import UNPACK_ERRORS, check_unpacked, open_zip, raise_corrupted

# APPNOTE.TXT, 4.4.4: the name is in UTF-8; without it in code page 437, though most programs write UTF-8 all the same.
_UTF8_NAME = 1 << 11
_ENCRYPTED = 1
_STRONG_ENCRYPTION = 1 << 6
# The "compression method" of AES, by the extension of WinZip that others follow.
_AES = 99
_TAR_BLOCK = 512
_TAR_FILES = b"0\x007"
_PAX_PATH = b" path="


def parse_zip(
    data: bytes, text_chars_max: int, budget: Budget, read: ReadMember, password: str | None = None
) -> ParsedText:
    """Each file under its path as a heading, in the archive's order; hidden files and macOS's own are left out.

    `password` opens those in the traditional encryption of ZIP archives; AES is not read.
    """
    archive = open_zip(data)
    entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    budget.take(members=len(entries), unpacked_bytes=sum(entry.file_size for entry in entries))
    builder = TextBuilder(text_chars_max)
    members = MemberWriter(builder, read, level=1)
    for entry in entries:
        name = _entry_name(entry)
        if _is_hidden(name):
            continue
        try:
            content = _unpacked(archive, entry, password)
        except (CorruptedError, EncryptedError) as error:
            members.skip(name, error)
            continue
        members.write(name, content)
    members.check_any()
    return builder.build(warnings=members.warnings)


def parse_tar(data: bytes, text_chars_max: int, budget: Budget, read: ReadMember) -> ParsedText:
    """As `parse_zip`, for a tar archive in the ustar, GNU or pax format."""
    builder = TextBuilder(text_chars_max)
    members = MemberWriter(builder, read, level=1)
    for name, content in _tar_files(data):
        budget.take(members=1)
        if not _is_hidden(name):
            members.write(name, content)
    members.check_any()
    return builder.build(warnings=members.warnings)


def parse_gzip(data: bytes, filename: str, budget: Budget, read: ReadMember) -> ParsedText:
    """The one file that was packed, under its own name."""
    unpacked = _gunzip(data, budget.unpacked_bytes_left)
    budget.take(members=1, unpacked_bytes=len(unpacked))
    path = PurePosixPath(filename)
    return read(unpacked, path.stem + ".tar" if path.suffix.lower() == ".tgz" else path.stem)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, password: str | None) -> bytes:
    """Raises `EncryptedError` and `CorruptedError`."""
    locked = entry.flag_bits & _ENCRYPTED
    if locked and (entry.flag_bits & _STRONG_ENCRYPTION or entry.compress_type == _AES):
        raise unknown_encryption()
    if locked and password is None:
        raise password_error(None)
    try:
        return archive.read(entry, (password or "").encode())
    except (*UNPACK_ERRORS, IndexError) as exc:
        raise_corrupted(exc)
    except RuntimeError as exc:
        raise password_error(password) from exc


def _entry_name(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & _UTF8_NAME:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") and part not in {".", ".."} for part in parts)


def _gunzip(data: bytes, bytes_max: int) -> bytes:
    """Raises `ArchiveLimitError` at `bytes_max`, `CorruptedError` for a damaged or truncated stream."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked = stream.read(bytes_max + 1)
    except UNPACK_ERRORS as exc:
        raise_corrupted(exc)
    check_unpacked(len(unpacked), bytes_max)
    return unpacked


def _tar_files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each ordinary file. Not `tarfile`, whose expressions take quadratic time (CVE-2024-6232)."""
    at, long_name = 0, b""
    while (header := data[at : at + _TAR_BLOCK]) != bytes(_TAR_BLOCK):
        start = at + _TAR_BLOCK
        if len(data) < start:
            raise_corrupted(EOFError("the mark of the end is missing"))
        try:
            size, checksum = _tar_number(header[124:136]), _tar_number(header[148:156])
        except ValueError as exc:
            raise_corrupted(exc)
        # Its own field counts as spaces.
        if checksum != sum(header) - sum(header[148:156]) + 8 * 32 or len(data) < start + size:
            raise_corrupted(EOFError("a header or a content is damaged"))
        content = data[start : start + size]
        kind = header[156:157]
        if kind == b"L":
            long_name = content.rstrip(b"\x00")
        elif kind == b"x":
            long_name = _pax_path(content)
        elif kind in _TAR_FILES:
            name, prefix = header[:100].rstrip(b"\x00"), header[345:500].rstrip(b"\x00")
            is_ustar = header[257:263] == b"ustar\x00"
            yield _decoded(long_name or (prefix + b"/" + name if is_ustar and prefix else name)), content
            long_name = b""
        at = start + -(-size // _TAR_BLOCK) * _TAR_BLOCK


def _tar_number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\x00 ") or b"0"
    if not digits.isdigit():
        raise ValueError("not an octal number")
    return int(digits, 8)


def _pax_path(records: bytes) -> bytes:
    for line in records.split(b"\n"):
        _, key, path = line.partition(_PAX_PATH)
        if key:
            return path
    return b""


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", errors="replace")
