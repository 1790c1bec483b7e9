"""Files behind a password: with it, without it, with another one, damaged, and made to exhaust."""

import re
import struct
from collections.abc import Callable

import pytest
from msoffcrypto.method import ecma376_agile
from support.books import make_mail, make_odf
from support.documents import make_docx, make_pdf, make_pptx, make_xlsx, make_zip, make_zip_bomb
from support.locked import (
    AES_IN_ZIP,
    PASSWORD,
    lock_odf_parts,
    lock_odf_whole,
    lock_office,
    lock_office_standard,
    lock_zip,
    make_container,
)

from lumikb.compute.parse.errors import (
    ArchiveLimitError,
    CorruptedError,
    EncryptedError,
    MimeTypeMismatchError,
)
from lumikb.compute.parse.parse import parse

ASKS = re.escape("This file needs a password. Retry with it, or remove it and upload the file again.")
WRONG = re.escape("This password does not open the file. Try another one.")
UNKNOWN = "encrypted in a way that cannot be read"

DOCX = make_docx([("Heading 1", "Vault"), ("Normal", "It opens at nine.")])
XLSX = make_xlsx({"Sheet": [["Item", "Price"], ["Pen", 1]]})
PPTX = make_pptx([("Vault", "It opens at nine.", "")])
ODT_TYPE = b"application/vnd.oasis.opendocument.text"
ODT = make_odf("text", "<text:p>It opens at nine.</text:p>", meta="<dc:title>T</dc:title>")
ODS = make_odf("spreadsheet", "<table:table/>")
ODP = make_odf("presentation", "<draw:page><draw:frame><text:p>Slide</text:p></draw:frame></draw:page>")
FILES = {
    "a.docx": (lock_office(DOCX), DOCX),
    "a.xlsx": (lock_office(XLSX), XLSX),
    "a.pptx": (lock_office(PPTX), PPTX),
    "old.docx": (lock_office_standard(DOCX), DOCX),
    "a.odt": (lock_odf_parts(ODT), ODT),
    "a.ods": (lock_odf_parts(ODS), ODS),
    "a.odp": (lock_odf_parts(ODP), ODP),
    "whole.odt": (lock_odf_whole(ODT), ODT),
    "a.zip": (lock_zip({"a.docx": DOCX, "b.txt": b"two"}), make_zip({"a.docx": DOCX, "b.txt": b"two"})),
}


@pytest.mark.parametrize("name", FILES)
def test_the_password_opens_a_file_and_does_no_harm_where_none_is_needed(name: str):
    locked, plain = FILES[name]
    assert parse(locked, name, password=PASSWORD) == parse(plain, name)
    assert parse(plain, name, password=PASSWORD) == parse(plain, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_asks_for_its_password_and_for_another_one(name: str):
    with pytest.raises(EncryptedError, match=ASKS):
        parse(FILES[name][0], name)
    for wrong in ("", "wrong", PASSWORD + "\x00"):
        with pytest.raises(EncryptedError, match=WRONG):
            parse(FILES[name][0], name, password=wrong)


def test_a_file_of_office_2010_with_its_shorter_hash_is_opened(monkeypatch: pytest.MonkeyPatch):
    def shorter(self: ecma376_agile.ECMA376AgileCipherParams):
        longer(self)
        self.hashName, self.hashSize, self.keyBits = "SHA1", 20, 128

    longer = ecma376_agile.ECMA376AgileCipherParams.__init__
    monkeypatch.setattr(ecma376_agile.ECMA376AgileCipherParams, "__init__", shorter)
    monkeypatch.setattr(ecma376_agile.ECMA376Agile, "generate_integrity_parameter", lambda *_: (b"", b""))
    data = lock_office(DOCX)
    assert parse(data, "a.docx", password=PASSWORD) == parse(DOCX, "a.docx")
    with pytest.raises(EncryptedError, match=WRONG):
        parse(data, "a.docx", password="wrong")


def test_what_is_inside_decides_of_which_kind_a_file_is():
    assert parse(lock_office(XLSX), "report", password=PASSWORD) == parse(XLSX, "a.xlsx")
    with pytest.raises(MimeTypeMismatchError):
        parse(lock_office(XLSX), "a.docx", password=PASSWORD)


@pytest.mark.parametrize("name", ["a.docx", "old.docx", "a.odt", "a.zip"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.95])
def test_a_truncated_file_is_damaged_whatever_its_password(name: str, part: float):
    data = FILES[name][0]
    for password in (PASSWORD, "wrong"):
        with pytest.raises((CorruptedError, MimeTypeMismatchError)):
            parse(data[: int(len(data) * part)], name, password=password)


@pytest.mark.parametrize(
    "data",
    [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") * 500,
        make_container(bytes(5000), b"\x04\x00\x04\x00\x40\x00\x00\x00<encryption>"),
        make_container(bytes(5000), b"\x04\x00\x04\x00\x40\x00\x00\x00<encryption/>"),
        make_container(bytes(5000), b"\x03\x00\x02\x00"),
        make_container(bytes(5000), b""),
        lock_office(DOCX, claimed_rounds=10_000_001),
        lock_office(DOCX, claimed_rounds=-1),
        lock_office(DOCX[:-100]),
    ],
    ids=range(8),
)
def test_a_damaged_office_container_is_corrupted(data: bytes):
    with pytest.raises(CorruptedError):
        parse(data, "a.docx", password=PASSWORD)


@pytest.mark.parametrize(("stream", "size"), [("EncryptedPackage", 1 << 30), ("EncryptionInfo", 70_000)])
def test_a_stream_that_claims_more_than_it_can_hold_is_corrupted(stream: str, size: int):
    data = bytearray(FILES["a.docx"][0])
    struct.pack_into("<I", data, data.index(stream.encode("utf-16-le")) + 120, size)
    with pytest.raises(CorruptedError):
        parse(bytes(data), "a.docx", password=PASSWORD)


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_an_encryption_that_no_password_opens_says_so(password: str | None):
    extensible = make_container(bytes(5000), b"\x04\x00\x03\x00" + bytes(100))
    managed = FILES["a.docx"][0].replace("EncryptionInfo".encode("utf-16-le"), "EncryptionNone".encode("utf-16-le"))
    blowfish = lock_odf_parts(ODT, cipher="blowfish")
    aes = lock_zip({"a.txt": b"text"}, method=AES_IN_ZIP)
    for data, name in ((extensible, "a.docx"), (managed, "a.docx"), (blowfish, "a.odt"), (aes, "a.zip")):
        with pytest.raises(EncryptedError, match=UNKNOWN):
            parse(data, name, password=password)


def test_members_that_no_password_opens_are_left_out():
    data = make_zip({"a.txt": b"one", "b.zip": lock_zip({"b.txt": b"two"}), "c.docx": FILES["a.docx"][0]})
    skipped = ["MEMBER_SKIPPED: b.zip: ENCRYPTED", "MEMBER_SKIPPED: c.docx: ENCRYPTED"]
    for password in (None, "wrong"):
        parsed = parse(data, "a.zip", password=password)
        assert (parsed.text, parsed.warnings) == ("a.txt\n\none", skipped)
    assert parse(data, "a.zip", password=PASSWORD).warnings == []


def test_one_password_opens_all_that_an_upload_holds():
    inner = lock_zip({"a.docx": FILES["a.docx"][0], "a.odt": FILES["whole.odt"][0]})
    attached = [("b.zip", "application/zip", inner), ("c.pdf", "application/pdf", make_pdf(["Page"], encrypted=True))]
    parsed = parse(make_mail("Text", attachments=attached), "a.eml", password=PASSWORD)
    assert parsed.text.count("It opens at nine.") == 2
    assert parsed.warnings == ["MEMBER_SKIPPED: c.pdf: ENCRYPTED"]


def test_a_damaged_member_is_left_out():
    data = lock_zip({"a.txt": b"some text", "b.txt": b"two"})
    at = data.index(b"a.txt") + len("a.txt") + 12
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    parsed = parse(damaged, "a.zip", password=PASSWORD)
    assert (parsed.text, parsed.warnings) == ("b.txt\n\ntwo", ["MEMBER_SKIPPED: a.txt: CORRUPTED"])


@pytest.mark.parametrize(
    "data",
    [
        lock_odf_whole(ODT, lanes="17"),
        lock_odf_whole(ODT, lanes="-1"),
        lock_odf_whole(ODT, memory="1"),
        lock_odf_whole(ODT, memory="4294967296"),
        lock_odf_whole(ODT, memory="much"),
        lock_odf_whole(make_zip({"mimetype": ODT_TYPE})),
        lock_odf_parts(ODT).replace(b'iteration-count="1000"', b'iteration-count="-100"'),
        lock_odf_parts(ODT).replace(b'iteration-count="1000"', b'iteration-count="9999999999"'),
        lock_odf_parts(ODT).replace(b"initialisation-vector", b"initialisation-nothing"),
        make_odf("text", "", extra={"encrypted-package": b"x"}),
    ],
    ids=range(10),
)
def test_a_damaged_open_document_file_is_corrupted(data: bytes):
    with pytest.raises(CorruptedError):
        parse(data, "a.odt", password=PASSWORD)


BOMB = bytes(64 << 20)
BOMBS: dict[str, Callable[[], bytes]] = {
    "a.docx": lambda: lock_office(make_zip_bomb(DOCX, megabytes=64)),
    "a.odt": lambda: lock_odf_parts(make_odf("text", "", extra={"content.xml": BOMB})),
    "whole.odt": lambda: lock_odf_whole(make_odf("text", "", extra={"content.xml": BOMB})),
    "package.odt": lambda: lock_odf_whole(
        make_zip({"mimetype": b"application/vnd.oasis.opendocument.text", "b": BOMB})
    ),
    "a.zip": lambda: lock_zip({"b.zip": make_zip({"a.txt": BOMB})}),
}


@pytest.mark.thorough
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_behind_a_password_is_refused(name: str):
    with pytest.raises(ArchiveLimitError):
        parse(BOMBS[name](), name, password=PASSWORD)
