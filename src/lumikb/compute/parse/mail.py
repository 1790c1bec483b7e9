"""Mail (RFC 5322, MIME): the fields a reader looks at, the text, and the attachments by their own readers."""

import binascii
import codecs
import re
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header
from email.utils import parsedate_to_datetime

from lumikb.compute.parse.charset import declared_codec, decode_as
from lumikb.compute.parse.container import Budget, MemberWriter, ReadMember
from lumikb.compute.parse.errors import EncryptedError
from lumikb.compute.parse.html import parse_html
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.text import TextBuilder, squeeze, storable, unify_line_ends

MESSAGE_CUT_OFF = "MESSAGE_CUT_OFF"
PART_DEPTH_MAX = 10
"""Deeper parts are left out: real messages stay below six."""
HEADER_BYTES_MAX = 262_144
FIELD_BYTES_MAX = 20_000
BOUNDARY_CHARS_MAX = 200
"""RFC 2046, 5.1.1, allows 70."""

# Fields are read here, as the library raises errors of all kinds for damaged ones and takes quadratic time for long.
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s;]*))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# RFC 2231: a value in pieces (`name*0`), in percent codes of a character set (`name*`), or both.
_PIECE = re.compile(r"(.+?)(?:\*([0-9]{1,3}))?(\*)?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_SHOWN = ("From", "To", "Cc", "Date")
_METADATA = {"From": "author", "To": "to", "Cc": "cc", "Keywords": "keywords", "Content-Language": "language"}
_ENCRYPTED_TYPES = {"multipart/encrypted"}
_SIGNED_DATA = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_SIGNATURES = {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
_EXTENSIONS = {"text/html": ".html", "text/plain": ".txt", "text/csv": ".csv", "message/rfc822": ".eml"}


@dataclass
class _Part:
    """One part of a message: its header and its bytes as they came. Of a multipart, `parts` and no bytes.

    A multipart is `cut_off` when the mark of its end is missing.
    """

    header: dict[str, bytes]
    body: bytes
    kind: str
    parts: list["_Part"] = field(default_factory=list["_Part"])
    cut_off: bool = False


def parse_mail(data: bytes, text_chars_max: int, budget: Budget, read: ReadMember) -> ParsedText:
    """The subject as a heading, the fields, the text (HTML where there is no plain one), then each attachment.

    Raises `EncryptedError` when the message is. Damaged MIME is read as far as it goes.
    """
    message = _part(data, PART_DEPTH_MAX, budget)
    if _is_encrypted(message):
        raise EncryptedError("This message is encrypted. Decrypt it in your mail program and upload that.")
    builder = TextBuilder(text_chars_max)
    subject = _text_of(message.header, "Subject")
    fields = {name: value for name in _SHOWN if (value := _text_of(message.header, name))}
    if subject:
        builder.append_block(subject, level=1)
    for number, (name, value) in enumerate(fields.items()):
        builder.append_block(f"{name}: {value}", "\n" if number else "\n\n")
    bodies, attachments = _sorted_out(message)
    warnings = [MESSAGE_CUT_OFF] if message.cut_off else []
    for part in bodies:
        parsed = _read_body(part, text_chars_max)
        warnings += [warning for warning in parsed.warnings if parsed.text]
        if parsed.text:
            builder.append("\n\n" if builder.length else "")
            builder.append_document(parsed, 1)
    members = MemberWriter(builder, read, level=2)
    for part in attachments:
        _write_attachment(part, members)
    metadata = {key: _text_of(message.header, name) for name, key in _METADATA.items()}
    metadata["created"] = _iso_date(fields.get("Date", ""))
    return builder.build(title=subject, metadata=metadata, warnings=[*warnings, *members.warnings])


def _part(data: bytes, depth: int, budget: Budget) -> _Part:
    budget.take(members=1)
    found = _HEADER_END.search(data, 0, HEADER_BYTES_MAX)
    if data[:1] in {b"\r", b"\n"}:
        start = 0
    elif found is not None:
        start = found.end()
    else:
        # A message may be no more than a header.
        start = len(data) if len(data) <= HEADER_BYTES_MAX else 0
    header = _header(data[:start])
    kind = _field(header, "Content-Type").partition(";")[0].strip().lower() or "text/plain"
    part = _Part(header, data[start:], kind)
    if kind.startswith("multipart/"):
        boundary = _parameter(header, "Content-Type", "boundary")
        if 0 < len(boundary) <= BOUNDARY_CHARS_MAX:
            pieces, closed = _pieces(part.body, boundary) if depth else ([], True)
            part.parts = [_part(piece, depth - 1, budget) for piece in pieces]
            part.cut_off = not closed
            part.body = b""
        else:
            part.kind = "text/plain"
    return part


def _pieces(body: bytes, boundary: str) -> tuple[list[bytes], bool]:
    """What stands between the delimiters, and whether there is a last one: else a piece ends with the data."""
    mark = re.escape(boundary.encode("utf-8", "replace"))
    delimiter = re.compile(rb"(?:^|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    pieces: list[bytes] = []
    start: int | None = None
    for found in delimiter.finditer(body):
        if start is not None:
            pieces.append(_without_line_end(body[start : found.start()]))
        start = found.end()
        if found[1]:
            return pieces, True
    if start is not None:
        pieces.append(_without_line_end(body[start:]))
    return pieces, False


def _without_line_end(piece: bytes) -> bytes:
    return piece.removeprefix(b"\r").removeprefix(b"\n")


def _is_encrypted(part: _Part) -> bool:
    kind = _parameter(part.header, "Content-Type", "smime-type")
    return part.kind in _ENCRYPTED_TYPES or (part.kind in _SIGNED_DATA and kind != "signed-data")


def _sorted_out(part: _Part) -> tuple[list[_Part], list[_Part]]:
    """(parts that are the message's text, attachments) in order."""
    if part.kind == "multipart/alternative" and part.parts:
        choices = [_sorted_out(inner) for inner in part.parts]
        best = _best(part.parts, choices)
        return choices[best][0], [one for _, attachments in choices for one in attachments]
    if part.parts:
        bodies: list[_Part] = []
        attachments: list[_Part] = []
        for inner in part.parts:
            inner_bodies, inner_attachments = _sorted_out(inner)
            bodies += inner_bodies
            attachments += inner_attachments
        return bodies, attachments
    if part.kind in {"text/plain", "text/html"} and not _is_attached(part):
        return [part], []
    is_decoration = part.kind in _SIGNATURES or part.kind.startswith("multipart/")
    # Pictures of an HTML text have no name of their own, or one that no one chose.
    is_decoration = is_decoration or (part.kind.startswith("image/") and not _is_attached(part))
    return [], [] if is_decoration else [part]


def _best(parts: list[_Part], choices: list[tuple[list[_Part], list[_Part]]]) -> int:
    """The first alternative of plain text that is not blank, else the first of any text, else the first."""
    plain = [number for number, part in enumerate(parts) if part.kind == "text/plain" and part.body.strip()]
    other = [number for number, (bodies, _) in enumerate(choices) if any(body.body.strip() for body in bodies)]
    return [*plain, *other, 0][0]


def _is_attached(part: _Part) -> bool:
    return _field(part.header, "Content-Disposition").partition(";")[0].strip().lower() == "attachment"


def _read_body(part: _Part, text_chars_max: int) -> ParsedText:
    data = _decoded(part)
    codec = declared_codec(_parameter(part.header, "Content-Type", "charset"))
    if codec is None or (codec == "utf-8" and not _is_utf8(data)):
        text, warnings = decode(data, text_chars_max)
    else:
        text, warnings = storable(decode_as(data, codec)), list[str]()
    if part.kind == "text/html":
        # The message says which encoding it is in, whatever the page says of itself.
        return parse_html(codecs.BOM_UTF8 + text.encode(), text_chars_max)
    builder = TextBuilder(text_chars_max)
    builder.append(unify_line_ends(text).strip("\n"))
    return builder.build(warnings=warnings)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _write_attachment(part: _Part, members: MemberWriter) -> None:
    name = squeeze(_file_name(part.header)) or "attachment" + _EXTENSIONS.get(part.kind, "")
    if _is_encrypted(part):
        members.skip(name, EncryptedError("This part is encrypted."))
        return
    if part.kind == "message/rfc822" and not name.endswith(".eml"):
        name += ".eml"
    members.write(name, _decoded(part))


def _decoded(part: _Part) -> bytes:
    """The bytes that were sent; an encoding that is unknown leaves them as they are."""
    encoding = squeeze(_field(part.header, "Content-Transfer-Encoding")).lower()
    if encoding == "quoted-printable":
        return binascii.a2b_qp(part.body)
    if encoding != "base64":
        return part.body
    digits = _NOT_BASE64.sub(b"", part.body)
    # One digit left over is no byte: the part was cut off.
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _header(data: bytes) -> dict[str, bytes]:
    """The first field of each name, in lower case."""
    fields: dict[str, bytes] = {}
    for found in _FIELD.finditer(data):
        fields.setdefault(found[1].decode().lower(), found[2].strip()[:FIELD_BYTES_MAX])
    return fields


def _field(header: dict[str, bytes], name: str) -> str:
    """A field in UTF-8, else in Windows-1252; empty when there is none."""
    data = header.get(name.lower(), b"")
    return data.decode() if _is_utf8(data) else decode_as(data, "cp1252")


def _text_of(header: dict[str, bytes], name: str) -> str:
    return squeeze(_unpacked(_field(header, name)))


def _parameter(header: dict[str, bytes], field_name: str, name: str) -> str:
    pieces: dict[int, str] = {}
    is_coded = False
    for found in _PARAMETER.finditer(_field(header, field_name)):
        key = _PIECE.fullmatch(found[1].lower())
        if key is not None and key[1] == name:
            value = found[3] if found[2] is None else _ESCAPED.sub(r"\1", found[2])
            pieces.setdefault(int(key[2] or 0), value)
            is_coded = is_coded or key[3] is not None
    value = "".join(pieces[number] for number in sorted(pieces))
    if not is_coded:
        return value
    charset, quote, coded = value.partition("'")
    coded = coded.partition("'")[2] if quote else value
    data = _PERCENT.sub(lambda code: bytes.fromhex(code[1].decode()), coded.encode("utf-8", "replace"))
    return decode_as(data, declared_codec(charset) or "utf-8")


def _file_name(header: dict[str, bytes]) -> str:
    return _unpacked(
        _parameter(header, "Content-Disposition", "filename") or _parameter(header, "Content-Type", "name")
    )


def _unpacked(value: str) -> str:
    """`value` with its encoded words (RFC 2047) read, as it stands where they are damaged."""
    try:
        pieces = decode_header(value)
    except (MessageError, ValueError):
        return value
    return "".join(
        piece if isinstance(piece, str) else decode_as(piece, declared_codec(charset or "") or "cp1252")
        for piece, charset in pieces
    )


def _iso_date(value: str) -> str:
    try:
        return parsedate_to_datetime(value).isoformat()
    except (ValueError, OverflowError, TypeError, IndexError):
        return ""
