"""Which kind of file this is: decided by its content and checked against its name."""

import re
import struct
from enum import Enum
from pathlib import PurePath

from lumikb.compute.parse.errors import (
    EmptyFileError,
    MimeTypeMismatchError,
    ParseError,
    UnsupportedFormatError,
    password_error,
)

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_SOURCE_EXTENSIONS = (
    *(".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".kts", ".scala"),
    *(".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cs", ".swift", ".m", ".rb", ".php", ".pl", ".pm", ".lua", ".r"),
    *(".sh", ".bash", ".zsh", ".ps1", ".bat", ".sql", ".proto", ".graphql", ".css", ".scss", ".less", ".vue"),
    *(".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".xml", ".xsd", ".tex", ".rst", ".adoc"),
)


class Format(Enum):
    """A kind of file that LumiKB reads, with its canonical MIME type and its file name extensions."""

    PDF = ("application/pdf", (".pdf",))
    DOCX = (_OFFICE + "wordprocessingml.document", (".docx",))
    PPTX = (_OFFICE + "presentationml.presentation", (".pptx",))
    XLSX = (_OFFICE + "spreadsheetml.sheet", (".xlsx",))
    HTML = ("text/html", (".html", ".htm", ".xhtml"))
    MARKDOWN = ("text/markdown", (".md", ".markdown"))
    TEXT = ("text/plain", (".txt", ".text", ".log"))
    CSV = ("text/csv", (".csv", ".tsv"))
    RTF = ("application/rtf", (".rtf",))
    ODT = (_OPEN_DOCUMENT + "text", (".odt",))
    ODS = (_OPEN_DOCUMENT + "spreadsheet", (".ods",))
    ODP = (_OPEN_DOCUMENT + "presentation", (".odp",))
    EPUB = ("application/epub+zip", (".epub",))
    MAIL = ("message/rfc822", (".eml",))
    JSON = ("application/json", (".json",))
    JSON_LINES = ("application/x-ndjson", (".jsonl", ".ndjson"))
    SOURCE = ("text/x-source", _SOURCE_EXTENSIONS)
    ZIP = ("application/zip", (".zip",))
    TAR = ("application/x-tar", (".tar",))
    GZIP = ("application/gzip", (".gz", ".tgz"))
    PNG = ("image/png", (".png",))
    JPEG = ("image/jpeg", (".jpg", ".jpeg"))
    GIF = ("image/gif", (".gif",))
    TIFF = ("image/tiff", (".tif", ".tiff"))
    WEBP = ("image/webp", (".webp",))
    BMP = ("image/bmp", (".bmp",))

    def __init__(self, mime_type: str, extensions: tuple[str, ...]) -> None:
        self.mime_type = mime_type
        self.extensions = extensions


_BY_EXTENSION = {extension: kind for kind in Format for extension in kind.extensions}
_TEXTUAL = {
    *(Format.HTML, Format.MARKDOWN, Format.TEXT, Format.CSV, Format.JSON, Format.JSON_LINES, Format.SOURCE),
}
_OFFICE_FOLDERS = {b"word": Format.DOCX, b"ppt": Format.PPTX, b"xl": Format.XLSX}
_OFFICE_TYPES = b"[Content_Types].xml"
_OFFICE_SHARED = {_OFFICE_TYPES, b"_rels", b"docProps", b"customXml"}
# ODF 1.3 part 2, 3.3, and OCF 3.3, 4.3: the first entry says in plain what the archive is.
_DECLARED_IN_ZIP = (Format.ODT, Format.ODS, Format.ODP, Format.EPUB)
_ZIP_MIME_TYPE = re.compile(rb"PK\x03\x04.{22}\x08\x00(..)mimetype", re.DOTALL)

# First bytes of what is neither a document we read nor text, and what people call it.
_MAGIC = [
    (b"RIFF", "sound or video"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\x00", "a database"),
    (b"%!PS", "a PostScript file"),
]
_IMAGES = re.compile(
    rb"(?P<PNG>\x89PNG\r\n\x1a\n)|(?P<JPEG>\xff\xd8\xff)|(?P<GIF>GIF8[79]a)|(?P<TIFF>II\*\x00|MM\x00\*)"
    rb"|(?P<WEBP>RIFF....WEBP)|(?P<BMP>BM....\x00\x00\x00\x00....[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00)",
    re.DOTALL,
)
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLE_LEGACY = {
    "WordDocument": "an old Word file (.doc)",
    "Workbook": "an old Excel file (.xls)",
    "PowerPoint Document": "an old PowerPoint file (.ppt)",
}
_ZIP_ENTRY_START = b"PK\x03\x04"
# Flags, packed size, length of the name, length of the extra field.
_ZIP_ENTRY = struct.Struct("<6xH10xI4xHH")
_ZIP_SIZE_LATER = 1 << 3
_ZIP_SIZE_ELSEWHERE = 0xFFFFFFFF
_RTF_START = b"{\\rtf"
_GZIP_START = b"\x1f\x8b"
_MAIL_FIELD = re.compile(rb"([!-9;-~]{1,100}):[^\n]*\n(?:[ \t][^\n]*\n)*")
_MAIL_FIELDS = {b"from", b"to", b"date", b"subject", b"received", b"message-id", b"mime-version", b"return-path"}
_MAIL_FIELDS_MIN = 2

# ISO 32000-1, annex H.3.4.1: readers accept the header anywhere in the first 1024 bytes.
_PDF_HEADER_BYTES = 1024
_TEXT_SAMPLE_BYTES = 65_536
_CONTROL_BYTES = bytes(byte for byte in range(32) if byte not in b"\t\n\x0b\x0c\r\x1b\x08\x00") + b"\x7f"
_CONTROL_SHARE_MAX = 0.01

_READABLE = (
    "PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), OpenDocument, RTF, EPUB, mail (.eml), HTML, Markdown, text, "
    "CSV, JSON, source code or an image"
)


def named_format(filename: str) -> Format | None:
    """The format that a name claims, None for a name without extension; raises `UnsupportedFormatError`."""
    extension = PurePath(filename).suffix.lower()
    named = _BY_EXTENSION.get(extension)
    if extension and named is None:
        raise UnsupportedFormatError(
            f"Files of type {extension} cannot be read. Convert the file to {_READABLE} and upload that.",
            extension=extension,
        )
    return named


def detect_format(head: bytes, filename: str) -> Format:
    """The format of a file from its first bytes (64 KiB do, the whole file is exact) and its name.

    Raises `EmptyFileError`, `MimeTypeMismatchError` when content and name disagree, `UnsupportedFormatError` when no
    parser reads it, and `EncryptedError` for an Office file behind a password.
    """
    if not head:
        raise EmptyFileError("This file is empty. Upload a file that has content.")
    named = named_format(filename)
    if head.startswith(_OLE_START):
        raise _ole_error(head, named)
    if head.startswith(_ZIP_STARTS):
        return _detect_zip(head, named)
    if head.lstrip()[:5] == b"%PDF-" or (named is Format.PDF and b"%PDF-" in head[:_PDF_HEADER_BYTES]):
        return _agreed(Format.PDF, named, "a PDF")
    if head.startswith(_RTF_START):
        return _agreed(Format.RTF, named, "a rich text (RTF) file")
    if head.startswith(_GZIP_START):
        return _agreed(Format.GZIP, named, "a gzip archive")
    if head[257:262] == b"ustar":
        return _agreed(Format.TAR, named, "a tar archive")
    if named in {Format.MAIL, None} and _is_mail(head):
        return Format.MAIL
    image = _IMAGES.match(head)
    if image is not None:
        kind = Format[str(image.lastgroup)]
        return _agreed(kind, named, f"a {kind.name} image")
    looks = next((looks for start, looks in _MAGIC if head.startswith(start)), None)
    if looks is None and not is_text(head):
        looks = "binary data"
    if looks is not None:
        raise _refusal(looks, named)
    if named is None:
        return Format.HTML if re.match(rb"\s*<(!doctype html|html)", head, re.IGNORECASE) else Format.TEXT
    if named not in _TEXTUAL:
        raise _refusal("text", named)
    return named


def is_text(data: bytes) -> bool:
    """Whether `data` reads as text in some encoding, judged by its control characters."""
    sample = data[:_TEXT_SAMPLE_BYTES]
    encoding = wide_encoding(sample)
    if encoding is not None:
        decoded = sample.decode(encoding, errors="replace")
        odd = sum(char < " " and char not in "\t\n\r\f\v" for char in decoded) + decoded.count("\ufffd")
        return odd <= max(1, len(decoded) * _CONTROL_SHARE_MAX)
    if b"\x00" in data:
        return False
    controls = len(sample) - len(sample.translate(None, _CONTROL_BYTES))
    return controls <= len(sample) * _CONTROL_SHARE_MAX


def wide_encoding(data: bytes) -> str | None:
    """The UTF-16 or UTF-32 flavour of `data` by its byte order mark or the places of its NULs, else None."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = data[:_TEXT_SAMPLE_BYTES]
    pairs = len(sample) // 2
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    # Latin letters in UTF-16 have a NUL in every high byte and next to none in the low one; binary data has both.
    if odd > pairs * 0.4 and even * 20 <= odd:
        return "utf-16-le"
    if even > pairs * 0.4 and odd * 20 <= even:
        return "utf-16-be"
    return None


def _agreed(found: Format, named: Format | None, looks: str) -> Format:
    if named is not None and named is not found:
        raise _refusal(looks, named)
    return found


def _refusal(looks: str, named: Format | None) -> ParseError:
    if named is None:
        return UnsupportedFormatError(
            f"This file is {looks}, which cannot be read. Convert it to {_READABLE} and upload that."
        )
    return MimeTypeMismatchError(
        f"This file is named {named.extensions[0]} but its content is {looks}. "
        "Give it the extension that fits its content, or export it again.",
        expected=named.mime_type,
    )


def _detect_zip(head: bytes, named: Format | None) -> Format:
    declared = _ZIP_MIME_TYPE.match(head)
    if declared is not None:
        start = declared.end() + int.from_bytes(declared.group(1), "little")
        for kind in _DECLARED_IN_ZIP:
            if head.startswith(kind.mime_type.encode() + b"PK", start):
                return _agreed(kind, named, f"a document of type {kind.extensions[0]}")
    names = _zip_names(head)
    if b"META-INF/container.xml" in names:
        return _agreed(Format.EPUB, named, "an EPUB book")
    if b"content.xml" in names and named in _DECLARED_IN_ZIP and named is not Format.EPUB:
        return named
    # The first one counts: a presentation may hold a workbook, whose entries show as well when it is stored unpacked.
    folders = [name.split(b"/")[0] for name in names]
    found = next((_OFFICE_FOLDERS[folder] for folder in folders if folder in _OFFICE_FOLDERS), None)
    # An archive of documents may well have a folder called `word`.
    if found is not None and (named in _OFFICE_FOLDERS.values() or _OFFICE_TYPES in folders):
        return _agreed(found, named, f"an Office file of type {found.extensions[0]}")
    # A head may end before the folder that tells: then the shared parts must do, and the parser decides.
    if named is not None and named in _OFFICE_FOLDERS.values() and _OFFICE_SHARED.intersection(folders):
        return named
    return _agreed(Format.ZIP, named, "a ZIP archive")


def _zip_names(head: bytes) -> list[bytes]:
    names: list[bytes] = []
    at = head.find(_ZIP_ENTRY_START)
    while at >= 0 and len(head) >= at + _ZIP_ENTRY.size:
        flags, packed, name_bytes, extra_bytes = _ZIP_ENTRY.unpack_from(head, at)
        start = at + _ZIP_ENTRY.size
        names.append(head[start : start + name_bytes])
        end = start + name_bytes + extra_bytes
        if packed == _ZIP_SIZE_ELSEWHERE or (flags & _ZIP_SIZE_LATER and not packed):
            # Entries that were written as a stream do not say in front how long they are.
            at = head.find(_ZIP_ENTRY_START, end)
        else:
            at = end + packed if head.startswith(_ZIP_ENTRY_START, end + packed) else -1
    return names


def _is_mail(head: bytes) -> bool:
    """Whether `head` begins with fields of a message (RFC 5322, 2.2), two of them such as only messages have."""
    at, known = head.find(b"\n") + 1 if head.startswith(b"From ") else 0, 0
    while (field := _MAIL_FIELD.match(head, at)) and known < _MAIL_FIELDS_MIN:
        known += field.group(1).lower() in _MAIL_FIELDS
        at = field.end()
    return known == _MAIL_FIELDS_MIN


def _ole_error(head: bytes, named: Format | None) -> ParseError:
    if _OLE_ENCRYPTED in head:
        return password_error(None)
    for stream, looks in _OLE_LEGACY.items():
        if stream.encode("utf-16-le") in head:
            return _refusal(looks, named)
    # A head may lack the directory. Under a modern name this container is nearly always an encrypted file.
    return password_error(None) if named in _OFFICE_FOLDERS.values() else _refusal("an old Office file", named)
