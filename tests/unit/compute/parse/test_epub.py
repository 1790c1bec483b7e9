import pytest
from support.books import make_epub

from lumikb.compute.parse.errors import CorruptedError, EncryptedError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse

CHAPTERS = {
    "one.xhtml": "<h2>One</h2><p>First text.</p><h3>Sub</h3><p>Below.</p>",
    "two three.xhtml": "<p>Preamble</p><p>Two</p><p>Second text.</p><h5>Own</h5><p>Last.</p>",
}
NAVIGATION = (
    '<!DOCTYPE html><html xmlns:epub="urn:e"><body><nav epub:type="toc"><ol><li><a href="one.xhtml">One</a></li>'
    '<li><a href="two%20three.xhtml">Part B</a><ol><li><a href="two%20three.xhtml#b"><b>Tw</b>o</a></li></ol></li>'
    '</ol></nav><nav epub:type="page-list"><ol><li><a href="one.xhtml">9</a></li></ol></nav></body></html>'
)
NCX = (
    '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd"><ncx><navMap>'
    '<navPoint><navLabel><text>One</text></navLabel><content src="one.xhtml"/></navPoint>'
    '<navPoint><navLabel><text>Part B</text></navLabel><content src="two%20three.xhtml"/><navPoint><navLabel>'
    '<text>Two</text></navLabel><content src="two%20three.xhtml#b"/></navPoint></navPoint></navMap></ncx>'
)


def headings(parsed: ParsedText) -> list[tuple[str, int]]:
    return [(heading.title, heading.level) for heading in parsed.headings]


@pytest.mark.parametrize(
    "contents", [{"navigation": NAVIGATION}, {"ncx": NCX}, {"navigation": "<nav>&nbsp;", "ncx": NCX}]
)
def test_chapters_stand_in_order_under_the_table_of_contents(contents: dict[str, str]):
    parsed = parse(make_epub(CHAPTERS, **contents), "a.epub")
    assert parsed.text == ("One\n\nFirst text.\n\nSub\n\nBelow.\n\nPreamble\n\nTwo\n\nSecond text.\n\nOwn\n\nLast.")
    assert headings(parsed) == [("One", 1), ("Sub", 2), ("Part B", 1), ("Two", 2), ("Own", 3)]
    assert parsed.heading_path_at(parsed.text.index("Preamble")) == ["Part B"]
    assert all(
        heading.start == heading.end or parsed.text[heading.start : heading.end] == heading.title
        for heading in parsed.headings
    )


def test_without_a_table_of_contents_the_chapters_have_their_own_headings():
    assert headings(parse(make_epub(CHAPTERS), "a.epub")) == [("One", 2), ("Sub", 3), ("Own", 5)]


def test_cdata_of_a_chapter_is_text():
    chapter = "<h1>One</h1><p>if <![CDATA[a < b &amp; c]]>.</p><script><![CDATA[no]]></script>"
    assert parse(make_epub({"a.xhtml": chapter}), "a.epub").text == "One\n\nif a < b &amp; c."


def test_a_book_says_who_wrote_it():
    metadata = (
        "<title>T</title><creator>Ann</creator><creator>Bob</creator><language>de</language><date>2020</date>"
        '<meta property="dcterms:modified">2021-01-01T00:00:00Z</meta><subject>a</subject><subject>b</subject>'
    )
    parsed = parse(make_epub(CHAPTERS, metadata=metadata), "a.epub")
    assert parsed.title == "T"
    assert parsed.metadata == {
        "author": "Ann, Bob",
        "language": "de",
        "created": "2020",
        "modified": "2021-01-01T00:00:00Z",
        "keywords": "a, b",
    }


def test_a_missing_chapter_is_named_and_a_book_without_any_is_corrupted():
    book = make_epub({"a.xhtml": "<p>text</p>"})
    item = b'<package><manifest><item id="c0" href="a.xhtml" media-type="application/xhtml+xml"/>'
    item += b'<item id="c1" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest><spine>'
    opf = item + b'<itemref idref="c0"/><itemref idref="c1"/></spine></package>'
    parsed = parse(make_epub({"a.xhtml": "<p>text</p>"}, extra={"OEBPS/book.opf": opf}), "a.epub")
    assert (parsed.text, parsed.warnings) == ("text", ["CHAPTER_MISSING: OEBPS/gone.xhtml"])
    with pytest.raises(CorruptedError):
        parse(make_epub({}), "a.epub")
    with pytest.raises(CorruptedError):
        parse(book[: len(book) // 2], "a.epub")


def test_a_locked_book_is_encrypted_and_a_scrambled_font_is_not():
    def encryption(algorithm: str) -> dict[str, bytes]:
        method = f'<e:EncryptedData><e:EncryptionMethod Algorithm="{algorithm}"/></e:EncryptedData>'
        return {"META-INF/encryption.xml": f'<encryption xmlns:e="urn:e">{method}</encryption>'.encode()}

    fonts = encryption("http://www.idpf.org/2008/embedding")
    assert parse(make_epub(CHAPTERS, extra=fonts), "a.epub").text
    with pytest.raises(EncryptedError):
        parse(make_epub(CHAPTERS, extra=encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")), "a.epub")


def test_entities_of_a_table_of_contents_are_not_expanded():
    navigation = '<!DOCTYPE a [<!ENTITY a "aaaa">]><nav type="toc"><a href="one.xhtml">&a;</a></nav>'
    assert ("aaaa", 1) not in headings(parse(make_epub(CHAPTERS, navigation=navigation), "a.epub"))


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_a_long_table_of_contents_for_one_long_chapter_takes_seconds():
    entries = '<li><a href="c.xhtml">nowhere</a></li>' * 20_000
    navigation = f'<html><nav type="toc"><ol>{entries}</ol></nav></html>'
    parsed = parse(make_epub({"c.xhtml": "<p>line</p>" * 50_000}, navigation=navigation), "a.epub")
    assert headings(parsed) == [("nowhere", 1)]
