"""OpenDocument files, books, messages and archives made in memory, from their own markup."""

import io
import tarfile
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage

from support.documents import make_zip

_OFFICE = (
    'xmlns:office="urn:o" xmlns:text="urn:t" xmlns:table="urn:tb" xmlns:draw="urn:d" xmlns:style="urn:s" '
    'xmlns:presentation="urn:p" xmlns:dc="urn:dc" xmlns:meta="urn:m" xmlns:svg="urn:svg"'
)
_CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'


def make_odf(kind: str, body: str, *, styles: str = "", meta: str = "", extra: dict[str, bytes] | None = None) -> bytes:
    """An ODF file of `kind` (text, spreadsheet, presentation) with raw markup in its body."""
    content = (
        f"<office:document-content {_OFFICE}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    about = f"<office:document-meta {_OFFICE}><office:meta>{meta}</office:meta></office:document-meta>"
    entries = {"content.xml": content.encode(), "meta.xml": about.encode(), **(extra or {})}
    return _declared(f"application/vnd.oasis.opendocument.{kind}", entries)


def make_epub(
    chapters: dict[str, str],
    *,
    navigation: str = "",
    ncx: str = "",
    metadata: str = "",
    extra: dict[str, bytes] | None = None,
) -> bytes:
    """A book of `chapters` (XHTML bodies by file name) in spine order; `navigation` and `ncx` are raw markup."""
    items = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(chapters)
    )
    if navigation:
        items += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    if ncx:
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    book = f"<package><metadata>{metadata}</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    entries = {"META-INF/container.xml": _CONTAINER.encode(), "OEBPS/book.opf": book.encode()}
    entries |= {f"OEBPS/{name}": f"<html><body>{body}</body></html>".encode() for name, body in chapters.items()}
    entries |= {"OEBPS/nav.xhtml": navigation.encode()} if navigation else {}
    entries |= {"OEBPS/toc.ncx": ncx.encode()} if ncx else {}
    return _declared("application/epub+zip", entries | (extra or {}))


def make_mail(
    text: str, *, subject: str = "Hello", html: str = "", attachments: Sequence[tuple[str, str, bytes]] = ()
) -> bytes:
    """A message with `attachments` as (file name, MIME type, bytes)."""
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Ann Ångström <ann@example.org>"
    message["To"] = "bob@example.org"
    message["Date"] = "Mon, 04 Mar 2024 09:30:00 +0100"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, kind, data in attachments:
        maintype, _, subtype = kind.partition("/")
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return message.as_bytes()


def make_tar(entries: dict[str, bytes], *, mode: str = "w") -> bytes:
    """A tar archive of `entries` by name; the mode `w:gz` packs it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make_nested_zip(data: bytes, name: str, *, depth: int) -> bytes:
    """`data` in a ZIP in a ZIP, `depth` of them."""
    for level in range(depth):
        data = make_zip({name if not level else "inner.zip": data})
    return data


def make_wide_zip(count: int) -> bytes:
    """A ZIP of `count` empty text files, made quickly."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"{number}.txt"), b"")
    return out.getvalue()


def _declared(mime_type: str, entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mime_type, zipfile.ZIP_STORED)
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()
