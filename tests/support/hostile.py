"""Files that are made to exhaust, to mislead or to break whoever reads them."""

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from support.books import make_epub, make_mail, make_nested_zip, make_odf, make_tar, make_wide_zip
from support.documents import (
    make_docx,
    make_flate_bomb,
    make_html,
    make_ole,
    make_pdf,
    make_xlsx,
    make_zip,
    make_zip_bomb,
    replace_in_zip,
)
from support.locked import lock_office

SPARSE_BYTES = 1 << 30
"""Files that are larger than memory should be: they take no space on disk."""


def make_png_header(width: int, height: int) -> bytes:
    """A picture that claims a size and has next to no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(bytes(1000))
    chunks = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, rows)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def make_png(side: int) -> bytes:
    """A black square of `side` by `side` pixels, whole: 900 million of them take 900 kB."""
    rows = zlib.compressobj(9)
    line = bytes(side + 1)
    packed = b"".join([*(rows.compress(line) for _ in range(side)), rows.flush()])
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"IDAT" + packed, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def _entities(target: str) -> bytes:
    declared = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{target}">]><w:document '.encode()
    return replace_in_zip(make_docx([("Normal", "Text")]), "word/document.xml", b"<w:document ", declared)


def _claims(pages: int) -> bytes:
    return make_pdf(["words"]).replace(b"/Count 1", b"/Count %d" % pages)


FILES: dict[str, Callable[[], bytes]] = {
    "empty.pdf": lambda: b"",
    "empty.docx": lambda: b"",
    "truncated.pdf": lambda: make_pdf(["text " * 200] * 5)[:1000],
    "truncated.docx": lambda: make_docx([("Normal", "text " * 999)])[:9000],
    "encrypted.pdf": lambda: make_pdf(["hidden"], encrypted=True),
    "encrypted.docx": lambda: lock_office(make_docx([("Normal", "hidden")])),
    "encrypted-cut.docx": lambda: make_ole("EncryptedPackage"),
    "picture.pdf": lambda: make_png_header(10, 10),
    "claims.pdf": lambda: _claims(100_000),
    "flate-bomb.pdf": lambda: make_flate_bomb(megabytes=150),
    "flate-bomb-pages.pdf": lambda: make_flate_bomb(megabytes=2, pages=5000),
    "zip-bomb.docx": lambda: make_zip_bomb(make_docx([("Normal", "Text")]), megabytes=600),
    "zip-bomb.xlsx": lambda: make_zip_bomb(make_xlsx({"Sheet": [["a"]]}), megabytes=600),
    "zip-bomb.zip": lambda: make_zip({"a.txt": bytes(300 << 20)}),
    "gzip-bomb.gz": lambda: gzip.compress(bytes(300 << 20)),
    "gzip-bomb.tgz": lambda: make_tar({"a.txt": bytes(300 << 20)}, mode="w:gz"),
    "recursive.zip": lambda: make_nested_zip(b"text", "a.txt", depth=50),
    "wide.zip": lambda: make_wide_zip(100_000),
    "mailed-bomb.eml": lambda: make_mail(
        "x", attachments=[("b.zip", "application/zip", make_zip({"a": bytes(64 << 20)}))]
    ),
    "names.zip": lambda: make_zip({"../../etc/passwd.txt": b"text", "/root/a.txt": b"text"}),
    "claims.png": lambda: make_png_header(30_000, 30_000),
    "huge.png": lambda: make_png(30_000),
    "deep.docx": lambda: make_docx(body_xml="<w:sdt><w:sdtContent>" * 500_000 + "</w:sdtContent></w:sdt>" * 500_000),
    "deep.odt": lambda: make_odf(
        "text", "<text:list><text:list-item>" * 500_000 + "</text:list-item></text:list>" * 500_000
    ),
    "deep.html": lambda: make_html("<div>" * 1_000_000),
    "deep.json": lambda: b"[" * 20_000_000,
    "deep.rtf": lambda: rb"{\rtf1 " + b"{" * 20_000_000,
    "many.json": lambda: b"[" + b",".join([b"1"] * 20_000_000) + b"]",
    "most.json": lambda: b"[" + b",".join([b"{}"] * 3_900_000) + b"]",
    "keys.json": lambda: b"{" + b",".join(b'"%d":1' % at for at in range(1_900_000)) + b"}",
    "commas.csv": lambda: b"," * 49_000_000,
    "lines.csv": lambda: b"a,b\n" * 12_000_000,
    "quote.csv": lambda: b'"' + b"a,b\n" * 12_000_000,
    "line.txt": lambda: b"x" * 49_000_000,
    "hashes.md": lambda: b"# a\n" * 12_000_000,
    "brackets.md": lambda: b"[" * 40_000_000,
    "tags.html": lambda: b"<a" * 10_000_000,
    "rows.html": lambda: b"<table>" + b"<tr><td>a" * 3_000_000,
    "entities.docx": lambda: _entities("file:///etc/passwd"),
    "fetch.docx": lambda: _entities("http://127.0.0.1:9/"),
    "entities.odt": lambda: make_odf("text", "", extra={"content.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
    "blank.epub": lambda: make_epub({"a.xhtml": "<script>1</script>"}),
}


def write_sparse(folder: Path) -> list[Path]:
    """Files of `SPARSE_BYTES`: a CSV that goes on with zeros, and a PDF and a text of nothing else."""
    paths: list[Path] = []
    for name, start in (("sparse.csv", b"a,b\n1,2\n"), ("sparse.pdf", b"%PDF-1.7\n"), ("sparse.txt", b"text\n")):
        paths.append(folder / name)
        with paths[-1].open("wb") as file:
            file.write(start)
            file.truncate(SPARSE_BYTES)
    return paths
