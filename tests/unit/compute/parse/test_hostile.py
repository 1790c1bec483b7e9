"""Whatever the bytes: a result that holds its promises, or a reason."""

import random
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.books import make_epub, make_mail, make_odf, make_tar
from support.documents import make_docx, make_html, make_pdf, make_pptx, make_xlsx, make_zip

from lumikb.compute.parse.errors import ParseError
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.parse import parse

pytestmark = pytest.mark.thorough

# PDF goes through native code: its hostile input is tested in a process of its own, with the parser pool.
EXTENSIONS = [extension for kind in Format if kind is not Format.PDF for extension in kind.extensions]
RTF = (
    rb"{\rtf1\ansi\deff0{\fonttbl{\f0\fcharset128 A;}}{\stylesheet{\s1\outlinelevel0 heading 1;}}{\info{\title T}}"
    rb"\pard\s1\f0 Head\par\pard\uc1\u-10179?\u-8704?\'93\'fa{\footnote n}\par\trowd\intbl a\cell\itap2 b\nestcell"
    rb"{\*\nesttableprops\nestrow}\cell\row{\pict\bin2 ab}}"
)
MIME = (
    b'From: =?iso-8859-1?q?K=F6ln?= <a@b>\nDate: x\nSubject: \xe4\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n'
    b"Content-Type: text/plain; charset=koi8-r\nContent-Disposition: attachment; filename*0*=utf-8''a%e4; filename*1=.x"
    b"\nContent-Transfer-Encoding: base64\n\nYWJj\n--b--\n"
)
ROW = "<table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell/></table:table-row>"
SAMPLES = [
    (make_docx([("Heading 1", "Intro"), ("List Number", "Text.")], table=[["a", "b"]]), "a.docx"),
    (make_pptx([("Title", "Body", "Notes")]), "a.pptx"),
    (make_xlsx({"Sheet": [["Name", "Size"], ["Pen", 1]]}), "a.xlsx"),
    (make_html("<h1>Head</h1><p>Text<table><tr><td>a<td>b</table>"), "a.html"),
    (RTF, "a.rtf"),
    (make_odf("text", "<text:h>Head</text:h><text:p>a<text:s/>b</text:p>", meta="<dc:title>T</dc:title>"), "a.odt"),
    (make_odf("spreadsheet", f"<table:table>{ROW}{ROW}</table:table>"), "a.ods"),
    (make_odf("presentation", "<draw:page><draw:frame><text:p>a</text:p></draw:frame></draw:page>"), "a.odp"),
    (make_epub({"a.xhtml": "<h1>Head</h1>Text"}, navigation="<nav type='toc'><a href='a.xhtml'>x</a></nav>"), "a.epub"),
    (make_mail("Text", html="<p>Text", attachments=[("ü.csv", "text/csv", b"a,b\n1,2")]), "a.eml"),
    (MIME, "b.eml"),
    (b'{"a": [{"b": 1.50, "c": null}, "text", [1, 2]], "d": "e"}', "a.json"),
    (b'{"a": 1}\n{"b": [true, {}]}\n', "a.jsonl"),
    (b"class A:\n    def b(): ...\n\nTitle\n=====\n", "a.py"),
    (make_zip({"a.md": b"# Head", "b.zip": make_zip({"c.rtf": RTF})}), "a.zip"),
    (make_zip({"a.md": b"# Head", "b.eml": MIME}, compression=zipfile.ZIP_STORED), "b.zip"),
    (make_zip({"a.md": b"# Head"}, compression=zipfile.ZIP_BZIP2), "c.zip"),
    (make_zip({"a.md": b"# Head"}, compression=zipfile.ZIP_LZMA), "d.zip"),
    (make_tar({"a.md": b"# Head"})[:2048], "a.tar"),
    (make_tar({"a.md": b"# Head"}, mode="w:gz"), "a.tgz"),
]
TAGS = ["<p>", "</p>", "<tr>", "<td>", "<h1>", "</h1>", "<nav>", "<pre>", "<li>", "<svg>", "</svg>", "<title>", "<!--"]
TAGS += ["<?xml ?>", "<![CDATA[", "]]>", "<![x", "-->", "<script>", "</script>"]
MARKS = ["# ", "\n", "---\n", "```", "===\n", "+++\n", '"', ",", ";", "\t", "\x00", "\ud800", "text ", "&#0;", "&amp;"]
MARKUP = st.lists(st.sampled_from([*TAGS, *MARKS])).map("".join)


def check(data: bytes, name: str) -> None:
    try:
        parsed = parse(data, name, text_chars_max=100_000)
    except ParseError:
        return
    parsed.text.encode("utf-8")
    assert len(parsed.text) <= 100_000
    assert "\x00" not in parsed.text
    assert parsed.text == "" or parsed.text.strip()
    starts = [heading.start for heading in parsed.headings]
    assert starts == sorted(starts)
    for heading in parsed.headings:
        assert heading.start == heading.end or parsed.text[heading.start : heading.end] == heading.title
        assert 1 <= heading.level <= 6
    assert not parsed.pages or parsed.pages[0].start == 0
    assert [page.start for page in parsed.pages] == sorted(page.start for page in parsed.pages)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=2000), extension=st.sampled_from(EXTENSIONS))
def test_random_bytes_end_in_a_result_or_a_reason(data: bytes, extension: str):
    check(data, f"a{extension}")


@settings(max_examples=200, deadline=None)
@given(text=MARKUP, extension=st.sampled_from([".html", ".md", ".csv", ".txt"]))
def test_random_markup_ends_in_a_result_or_a_reason(text: str, extension: str):
    check(text.encode("utf-8", "surrogatepass"), f"a{extension}")


@pytest.mark.parametrize(("data", "name"), SAMPLES, ids=[name for _, name in SAMPLES])
def test_files_with_flipped_bytes_end_in_a_result_or_a_reason(data: bytes, name: str):
    chance = random.Random(7)
    for _ in range(100):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        check(bytes(damaged), name)


@settings(max_examples=400, deadline=None)
@given(
    sample=st.sampled_from(SAMPLES),
    end=st.floats(0, 1),
    at=st.floats(0, 1),
    length=st.integers(0, 40),
    put=st.binary(max_size=8),
)
def test_files_cut_off_and_changed_end_in_a_result_or_a_reason(
    sample: tuple[bytes, str], end: float, at: float, length: int, put: bytes
):
    data, name = sample
    data = data[: int(len(data) * end)]
    place = int(len(data) * at)
    check(data[:place] + put + data[place + length :], name)


def test_a_sound_pdf_keeps_every_promise():
    check(make_pdf(["First page", "", "Third page"], outline=[("Third page", 3, 0)]), "a.pdf")
