import gzip
import io
import zipfile
from collections.abc import Callable

import pytest
from support.books import make_mail, make_nested_zip, make_odf, make_tar, make_wide_zip
from support.documents import MP3, make_docx, make_pdf, make_zip

from lumikb.compute.parse.errors import (
    ArchiveLimitError,
    CorruptedError,
    EncryptedError,
    OutputLimitError,
    UnsupportedFormatError,
)
from lumikb.compute.parse.parse import parse

FILES = {
    "docs/a.docx": make_docx([("Heading 1", "Intro"), ("Normal", "Word text.")]),
    "docs/b.pdf": make_pdf(["Page one.", "Page two."]),
    "inner.zip": make_zip({"c.md": b"# Head\n\nMarkdown text."}),
    "letter.eml": make_mail("Mail text.", subject="Letter"),
    "song.mp3": MP3,
    "empty.py": b"",
    ".git/config": b"[core]",
    "__MACOSX/docs/._a.docx": b"resource fork",
}


@pytest.mark.parametrize(
    ("data", "name"),
    [(make_zip(FILES), "a.zip"), (make_tar(FILES), "a.tar"), (make_tar(FILES, mode="w:gz"), "a.tar.gz")],
)
def test_each_document_stands_under_its_path(data: bytes, name: str):
    parsed = parse(data, name)
    paths = {text: parsed.heading_path_at(parsed.text.index(text)) for text in ("Word", "Page two", "Markdown", "Mail")}
    assert paths == {
        "Word": ["docs/a.docx", "Intro"],
        "Page two": ["docs/b.pdf"],
        "Markdown": ["inner.zip", "c.md", "Head"],
        "Mail": ["letter.eml", "Letter"],
    }
    assert [parsed.page_at(parsed.text.index(text)) for text in ("Word", "Page two", "Mail")] == [None, 2, None]
    assert parsed.warnings == ["MEMBER_SKIPPED: song.mp3: UNSUPPORTED_FILE_TYPE"]
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)


def test_names_are_labels_and_no_places():
    names = ["../../etc/passwd", "/etc/shadow", "C:\\x\\..\\y.txt", "a\x01b.txt"]
    parsed = parse(make_zip(dict.fromkeys(names, b"text")), "a.zip")
    assert [heading.title for heading in parsed.headings] == names


def test_names_in_utf8_without_the_mark_for_it_are_read():
    data = bytearray(make_zip({"grüße.txt": b"hi"}))
    for record, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(record) + flags
        assert data[at : at + 2] == b"\x00\x08"
        data[at : at + 2] = bytes(2)
    assert parse(bytes(data), "a.zip").headings[0].title == "grüße.txt"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_with_long_names_of_each_kind(mode: str):
    import tarfile

    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode, format=kind) as archive:
            info = tarfile.TarInfo("folder/" * 20 + "ü.txt")
            info.size = 2
            archive.addfile(info, io.BytesIO(b"hi"))
        parsed = parse(out.getvalue(), "a.tar" if mode == "w" else "a.tgz")
        assert parsed.headings[0].title == "folder/" * 20 + "ü.txt"


def test_gzip_of_one_document_is_that_document():
    parsed = parse(gzip.compress(b"# Head\n") + gzip.compress(b"text"), "notes.md.gz")
    assert (parsed.text, parsed.title) == ("# Head\ntext", "Head")


def test_an_archive_that_holds_nothing_is_empty_text():
    assert parse(make_zip({}), "a.zip").warnings == ["NO_TEXT"]
    assert parse(make_zip({"folder/": b"", "b.txt": b""}), "a.zip").warnings == ["NO_TEXT"]


def locked(data: bytes, *, first_only: bool) -> bytes:
    changed = bytearray(data)
    at = changed.index(b"PK\x01\x02")
    while at >= 0:
        changed[at + 8] |= 1
        at = -1 if first_only else changed.find(b"PK\x01\x02", at + 1)
    return bytes(changed)


def test_locked_members_are_left_out_or_the_archive_is_encrypted():
    data = make_zip({"a.txt": b"one", "b.txt": b"two"})
    parsed = parse(locked(data, first_only=True), "a.zip")
    assert (parsed.text, parsed.warnings) == ("b.txt\n\ntwo", ["MEMBER_SKIPPED: a.txt: ENCRYPTED"])
    with pytest.raises(EncryptedError):
        parse(locked(data, first_only=False), "a.zip")


def test_an_archive_without_a_readable_member_is_refused():
    with pytest.raises(UnsupportedFormatError):
        parse(make_zip({"a.mp3": MP3}), "a.zip")
    with pytest.raises(CorruptedError):
        parse(make_zip({"a.txt": b"some text"}, compression=0).replace(b"some text", b"some test"), "a.zip")


@pytest.mark.parametrize(("data", "name"), [(make_zip(FILES), "a.zip"), (make_tar(FILES), "a.tar")])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
def test_a_truncated_archive_is_corrupted(data: bytes, name: str, part: float):
    for packed, label in ((data, name), (gzip.compress(data), f"{name}.gz")):
        with pytest.raises(CorruptedError):
            parse(packed[: int(len(packed) * part)], label)


def test_warnings_are_bounded():
    parsed = parse(make_zip({f"{number}.mp3": MP3 for number in range(200)} | {"a.txt": b"hi"}), "a.zip")
    assert len(parsed.warnings) == 101
    assert parsed.warnings[-1] == "WARNINGS_LEFT_OUT"


def fan(depth: int) -> bytes:
    data = b"text"
    for level in range(depth):
        data = make_zip({f"{number}.{'zip' if level else 'txt'}": data for number in range(16)})
    return data


BOMB = bytes(64 << 20)
HOSTILE: dict[str, Callable[[], bytes]] = {
    "many.zip": lambda: make_wide_zip(100_000),
    "more.zip": lambda: make_wide_zip(10_001),
    "many.tar": lambda: make_tar({f"{number}.bin": b"" for number in range(10_001)}),
    "deep.zip": lambda: make_nested_zip(b"text", "a.txt", depth=50),
    "fan.zip": lambda: fan(5),
    "bomb.zip": lambda: make_zip({"a.txt": BOMB}),
    "inner.zip": lambda: make_zip({"b.zip": make_zip({"a.txt": BOMB})}),
    "mailed.eml": lambda: make_mail("x", attachments=[("b.zip", "application/zip", make_zip({"a.txt": BOMB}))]),
    "halves.zip": lambda: make_zip({f"{n}.zip": make_zip({"a.bin": BOMB[: 24 << 20]}) for n in range(2)}),
    "bomb.gz": lambda: gzip.compress(BOMB),
    "bomb.tgz": lambda: make_tar({"a.txt": BOMB}, mode="w:gz"),
    "office.zip": lambda: make_zip({"a.odt": make_odf("text", "", extra={"x": BOMB})}),
}


@pytest.mark.thorough
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_archives_made_to_exhaust_are_refused_in_seconds(name: str):
    data = HOSTILE[name]()
    with pytest.raises(ArchiveLimitError):
        parse(data, name)


def test_the_text_of_all_members_together_is_bounded():
    with pytest.raises(OutputLimitError):
        parse(make_zip({f"{number}.txt": b"x" * 60 for number in range(2)}), "a.zip", text_chars_max=100)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_read(compression: int):
    assert parse(make_zip({"a.txt": b"hello"}, compression=compression), "a.zip").text == "a.txt\n\nhello"
