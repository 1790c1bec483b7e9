import pytest

from lumikb.compute.parse.errors import CorruptedError, OutputLimitError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse

FONTS = rb"{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 MS Gothic;}}"
STYLES = rb"{\stylesheet{\ql Normal;}{\s1\outlinelevel0 Big;}{\s2 heading 2;}{\s3 Title;}}"


def rtf(body: bytes, *, head: bytes = rb"\ansi\ansicpg1252" + FONTS + STYLES) -> ParsedText:
    return parse(rb"{\rtf1" + head + body + b"}", "a.rtf")


def test_headings_come_from_outline_levels_and_styles():
    parsed = rtf(
        rb"\pard\s3 The Title\par\pard\s1 {\b One}\par\pard plain\par\pard\s2 Two\par\pard\outlinelevel2 Three\par"
        rb"\pard\s1\outlinelevel9 body\par"
    )
    assert parsed.text == "The Title\n\nOne\n\nplain\n\nTwo\n\nThree\n\nbody"
    assert [(heading.title, heading.level) for heading in parsed.headings] == [
        ("The Title", 1),
        ("One", 1),
        ("Two", 2),
        ("Three", 3),
    ]
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"Gr\'fc\'dfe \{a\\b\}", "Grüße {a\\b}"),
        (rb"\u8364? \u8217\'92s", "€ ’s"),
        (rb"\uc2\u26085\'93\'fa\uc1 x", "日x"),
        (rb"\uc0\u8364 x", "€x"),
        (rb"\u-10179?\u-8704?", "\U0001f600"),
        (rb"{\f1 \'cf\'f0} {\f2\'93\'fa\'96\'7b}", "Пр 日本"),
        (rb"a\emdash b\~c\_d\-e\tab f\line g", "a—b\xa0c-de\tf\ng"),
        (rb"shown{\v hidden}{\deleted gone}!", "shown!"),
        (b"two\r\nlines", "twolines"),
        (rb"{\*\unknown junk}{\header head}{\pict 89ab\bin3 }}}}x", "x"),
        (rb'{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt link}}', "link"),
        (rb"a{\shp{\*\shpinst{\sp{\sn n}{\sv v}}{\shptxt box\par}}{\shprslt old}}b", "ab\n\nbox"),
    ],
)
def test_text_is_what_the_program_shows(body: bytes, text: str):
    assert rtf(body).text == text


def test_the_file_names_its_code_page():
    assert rtf(rb"\'cf\'f0", head=rb"\ansi\ansicpg1251").text == "Пр"
    assert rtf(rb"\'8e", head=rb"\mac").text == "é"


def test_lists_notes_and_tables():
    parsed = rtf(
        rb"{\listtext 1.\tab}\ls1 one\par{\listtext 2.\tab}two{\footnote A note.}\par"
        rb"\trowd\cellx1\cellx2\pard\intbl a\cell b\cell\row\trowd\pard\intbl c\par d\cell\cell\row"
        rb"\pard between\par\trowd x\cell y\cell\row after\par"
        rb"\trowd\pard\intbl out\cell\pard\intbl\itap2 in\nestcell side\nestcell{\*\nesttableprops\trowd\nestrow}"
        rb"{\nonesttables\par}\pard\intbl\itap1\cell\row"
    )
    assert parsed.text == ("- one\n- two\n\nA note.\n\na | b\nc d | \n\nbetween\n\nx | y\n\nafter\n\nout | in | side")


def test_what_the_file_says_of_itself():
    parsed = rtf(rb"{\info{\title My \'fc}{\author Ann}{\keywords a, b}{\creatim\yr2024\mo1\dy2\hr3\min4}}x")
    assert parsed.title == "My ü"
    assert parsed.metadata == {"author": "Ann", "keywords": "a, b", "created": "2024-01-02T03:04:00"}


@pytest.mark.parametrize("data", [rb"{\rtf1 cut", rb"{\rtf1 {\pict 89", rb"{\rtf1 " + b"{" * 100_000])
def test_a_file_that_ends_within_a_group_is_corrupted(data: bytes):
    with pytest.raises(CorruptedError):
        parse(data, "a.rtf")


def test_a_file_without_text_and_one_with_too_much():
    assert rtf(b"").warnings == ["NO_TEXT"]
    with pytest.raises(OutputLimitError):
        parse(rb"{\rtf1 longer}", "a.rtf", text_chars_max=5)
