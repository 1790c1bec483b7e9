"""Numbers that Word computes. What is expected is what Word shows for the same definitions."""

import pytest
from support.documents import make_docx, replace_in_zip

from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.compute.parse.docx_numbering import LABEL_CHARS_MAX
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse


def lvl(index: int, text: str, kind: str = "decimal", *, start: str = "1", more: str = "") -> str:
    shape = f"<w:start w:val='{start}'/><w:numFmt w:val='{kind}'/>{more}<w:lvlText w:val='{text}'/>"
    return f"<w:lvl w:ilvl='{index}'>{shape}<w:pPr><w:ind w:left='1'/></w:pPr></w:lvl>"


def abstract(number: int, *levels: str) -> str:
    return f"<w:abstractNum w:abstractNumId='{number}'>{''.join(levels)}</w:abstractNum>"


def num(number: int, of: int, overrides: str = "") -> str:
    return f"<w:num w:numId='{number}'><w:abstractNumId w:val='{of}'/>{overrides}</w:num>"


def restart(index: int, start: int) -> str:
    return f"<w:lvlOverride w:ilvl='{index}'><w:startOverride w:val='{start}'/></w:lvlOverride>"


def item(level: int | str = 0, number: int | str = 90, text: str = "x", *, style: str = "", mark: str = "") -> str:
    named = f"<w:pStyle w:val='{style}'/>" if style else ""
    place = f"<w:numPr><w:ilvl w:val='{level}'/><w:numId w:val='{number}'/></w:numPr>"
    return f"<w:p><w:pPr>{named}{place}{mark}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def styled(style: str, text: str = "x") -> str:
    return f"<w:p><w:pPr><w:pStyle w:val='{style}'/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def make_style(name: str, place: str = "", *, base: str = "", more: str = "") -> str:
    based = f"<w:basedOn w:val='{base}'/>" if base else ""
    numbered = f"<w:numPr>{place}</w:numPr>" if place else ""
    start = f"<w:style w:type='paragraph' w:styleId='{name}'><w:name w:val='{name}'/>"
    return f"{start}{based}<w:pPr>{numbered}{more}</w:pPr></w:style>"


def parse_with(numbering: str, paragraphs: str, styles: str = "") -> ParsedText:
    data = make_docx(body_xml=paragraphs)
    data = replace_in_zip(data, "word/numbering.xml", b"</w:numbering>", f"{numbering}</w:numbering>".encode())
    data = replace_in_zip(data, "word/styles.xml", b"</w:styles>", f"{styles}</w:styles>".encode())
    return parse(data, "a.docx")


def labels(numbering: str, paragraphs: str, styles: str = "") -> list[str]:
    lines = filter(None, parse_with(numbering, paragraphs, styles).text.split("\n"))
    return [line.removesuffix("x").strip() for line in lines]


LEGAL = abstract(90, lvl(0, "%1."), lvl(1, "%1.%2"), lvl(2, "(%3)", "lowerLetter"), lvl(3, "%4)", "lowerRoman"))


def test_levels_number_each_for_itself_and_start_anew_below_a_higher_one():
    walk = "".join(item(level, text=f"T{at}") for at, level in enumerate([0, 1, 1, 2, 2, 3, 3, 1, 2, 0, 1]))
    assert parse_with(LEGAL + num(90, 90), walk).text == (
        "1. T0\n\n1.1 T1\n\n1.2 T2\n\n(a) T3\n(b) T4\ni) T5\n\nii) T6\n\n1.3 T7\n\n(a) T8\n2. T9\n\n2.1 T10"
    )


@pytest.mark.parametrize(
    ("kind", "start", "expected"),
    [
        ("decimal", 9, ["9", "10"]),
        ("decimalZero", 9, ["09", "10"]),
        ("lowerLetter", 26, ["z", "aa"]),
        ("upperLetter", 52, ["ZZ", "AAA"]),
        ("lowerRoman", 3, ["iii", "iv"]),
        ("upperRoman", 1998, ["MCMXCVIII", "MCMXCIX"]),
        ("upperRoman", 3999, ["MMMCMXCIX", "4000"]),
        ("lowerLetter", 0, ["0", "a"]),
        ("ordinalText", 1, ["1", "2"]),
        ("none", 1, ["", ""]),
    ],
)
def test_formats_of_numbers(kind: str, start: int, expected: list[str]):
    level = lvl(0, "§%1", kind, start=str(start))
    assert labels(abstract(90, level) + num(90, 90), item() * 2) == [f"§{number}" for number in expected]


def test_numbered_items_are_sentences_with_their_numbers():
    levels = (lvl(0, "%1."), lvl(1, "%1.%2"), lvl(2, "%3.", "lowerRoman"), lvl(3, "%1.%4."))
    walk = "".join(item(level, text=text) for level in range(4) for text in ("The first case", "And another"))
    text = parse_with(abstract(90, *levels) + num(90, 90), walk).text
    assert [text[start:end] for start, end in sentence_spans(text)] == [
        *("1. The first case", "2. And another", "2.1 The first case", "2.2 And another"),
        *("i. The first case", "ii. And another", "2.1. The first case", "2.2. And another"),
    ]


def test_bullets_stay_and_levels_without_text_are_ordinary_paragraphs():
    levels = (lvl(0, "\uf0b7", "bullet"), lvl(1, "", "none"), lvl(2, "%3."))
    parsed = parse_with(abstract(90, *levels) + num(90, 90), item(0) + item(1) + item(2) + item(2))
    assert parsed.text == "- x\n\nx\n\n1. x\n2. x"


def test_headings_have_their_number_in_text_and_title():
    linked = (lvl(index, text, more=f"<w:pStyle w:val='H{index}'/>") for index, text in enumerate(["%1", "%1.%2"]))
    styles = "".join(
        make_style(f"H{level}", "<w:numId w:val='90'/>", more=f"<w:outlineLvl w:val='{level}'/>") for level in (0, 1)
    )
    body = styled("H0", "Scope") + styled("H1", "Terms") + styled("H1", "Payment") + styled("Normal", "As agreed.")
    parsed = parse_with(abstract(90, *linked) + num(90, 90), body, styles)
    assert parsed.text == "1 Scope\n\n1.1 Terms\n\n1.2 Payment\n\nAs agreed."
    assert parsed.heading_path_at(parsed.text.index("agreed")) == ["1 Scope", "1.2 Payment"]
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)


def test_a_heading_with_a_bullet_goes_without():
    bulleted = abstract(90, lvl(0, "o", "bullet")) + num(90, 90)
    assert parse_with(bulleted, item(text="Head", style="Heading1")).text == "Head"


def test_nums_of_one_abstract_num_share_its_count_until_one_restarts_it_once():
    lists = LEGAL + num(90, 90) + num(91, 90) + num(92, 90, restart(0, 5) + restart(1, 7))
    walk = item(0, 90) + item(0, 91) + item(0, 92) + item(1, 92) + item(0, 92) + item(1, 92) + item(0, 90)
    assert labels(lists, walk) == ["1.", "2.", "5.", "5.7", "6.", "6.7", "7."]


def test_a_num_may_have_levels_of_its_own():
    own = f"<w:lvlOverride w:ilvl='1'>{lvl(1, '[%1-%2]', 'upperRoman')}</w:lvlOverride>"
    lists = LEGAL + num(90, 90) + num(91, 90, own)
    assert labels(lists, item(0, 90) + item(1, 90) + item(1, 91)) == ["1.", "1.1", "[1-II]"]


@pytest.mark.parametrize(
    ("after", "last_three"),
    [("0", ["1.2.3", "2", "2.1.4"]), ("1", ["1.2.3", "2", "2.1.1"]), ("2", ["1.2.1", "2", "2.1.1"])],
)
def test_a_level_says_after_which_level_it_restarts(after: str, last_three: list[str]):
    last = lvl(2, "%1.%2.%3", more=f"<w:lvlRestart w:val='{after}'/>")
    lists = abstract(90, lvl(0, "%1"), lvl(1, "%1.%2"), last) + num(90, 90)
    found = labels(lists, "".join(item(level) for level in [0, 1, 2, 2, 1, 2, 0, 2]))
    assert (found[:5], found[5:]) == (["1", "1.1", "1.1.1", "1.1.2", "1.2"], last_three)


def test_numbers_of_legal_texts_are_decimals():
    article = (lvl(0, "Art_%1", "upperRoman"), lvl(1, "§%1.%2", "decimalZero", more="<w:isLgl/>"))
    lists = abstract(90, *article, lvl(2, "%1.%3", "lowerLetter", more="<w:isLgl w:val='0'/>")) + num(90, 90)
    assert labels(lists, item(0) * 2 + item(1) + item(2)) == ["Art_I", "Art_II", "§2.01", "II.a"]


def test_the_list_comes_from_the_style_and_those_it_is_based_on():
    linked = abstract(90, lvl(0, "%1", more="<w:pStyle w:val='One'/>"), lvl(1, "%1.%2", more="<w:pStyle w:val='Two'/>"))
    styles = (
        make_style("One", "<w:numId w:val='90'/>")
        + make_style("Two", "<w:ilvl w:val='0'/>", base="One")
        + make_style("Like", base="Two")
        + make_style("Other", "<w:ilvl w:val='1'/><w:numId w:val='90'/>")
        + make_style("Out", "<w:numId w:val='0'/>", base="One")
    )
    walk = "".join(styled(name) for name in ["One", "Two", "Like", "Other", "Out", "One"])
    out = item(0, 0, style="Two") + item(1, 90, style="Other")
    assert labels(linked + num(90, 90), walk + out, styles) == ["1", "1.1", "1.2", "", "", "2", "", "2.1"]


def test_a_style_may_name_the_level_of_the_list_that_it_inherits():
    styles = make_style("One", "<w:numId w:val='90'/>") + make_style("Two", "<w:ilvl w:val='1'/>", base="One")
    walk = "".join(styled(name) for name in ["One", "Two", "One", "Two", "Two"])
    assert labels(LEGAL + num(90, 90), walk, styles) == ["1.", "1.1", "2.", "2.1", "2.2"]


def test_the_default_style_numbers_paragraphs_without_a_style():
    data = make_docx(body_xml="<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 2)
    normal = b'w:styleId="Normal"><w:name w:val="Normal"/>'
    place = b"<w:pPr><w:numPr><w:numId w:val='90'/></w:numPr></w:pPr>"
    data = replace_in_zip(data, "word/styles.xml", normal, normal + place)
    lists = f"{LEGAL}{num(90, 90)}</w:numbering>".encode()
    assert parse(replace_in_zip(data, "word/numbering.xml", b"</w:numbering>", lists), "a.docx").text == "1. x\n2. x"


def test_a_numbering_style_lends_its_levels_and_not_its_count():
    lender = abstract(90, "<w:styleLink w:val='S'/>", lvl(0, "%1."))
    borrower = abstract(91, "<w:numStyleLink w:val='S'/>")
    lists = lender + borrower + num(90, 90) + num(91, 91)
    assert labels(lists, item(0, 90) * 2 + item(0, 91) * 2 + item(0, 90)) == ["1.", "2.", "1.", "2.", "3."]


def test_a_text_box_counts_for_itself():
    box = f"<w:p><w:r><w:pict><w:txbxContent>{item() * 2}</w:txbxContent></w:pict></w:r></w:p>"
    assert labels(LEGAL + num(90, 90), item() + box + item()) == ["1.", "1.", "2.", "2."]


def test_empty_paragraphs_count_and_those_that_are_gone_do_not():
    def gone(mark: str) -> str:
        return item(text="", mark=f"<w:rPr><w:{mark}/></w:rPr>")

    walk = item() + item(text="") + item() + gone("vanish") + gone("del") + gone("moveFrom") + item()
    assert labels(LEGAL + num(90, 90), walk) == ["1.", "3.", "4."]


def test_rows_and_page_breaks_keep_their_places_beside_numbers():
    cell = f"<w:tc>{item(text='a')}</w:tc>"
    broken = item(text="b</w:t><w:br w:type='page'/><w:t>c")
    parsed = parse_with(LEGAL + num(90, 90), f"<w:tbl><w:tr>{cell}{cell}</w:tr></w:tbl>{broken}")
    assert parsed.text == "1. a | 2. a\n\n3. b\nc"
    assert [parsed.page_at(parsed.text.index(text)) for text in ("3. b", "c")] == [1, 2]


@pytest.mark.parametrize(
    "definitions",
    [
        num(90, 99),
        abstract(90) + num(90, 90),
        LEGAL,
        abstract(90, lvl(0, "%1.", start="99999")) + num(90, 90),
        abstract(90, lvl(0, "%1.", start="9" * 5000)) + num(90, 90),
        abstract(90, lvl(0, "%1.", start="-1")) + num(90, 90),
        abstract(90, lvl(0, "%2%9")) + num(90, 90),
        abstract(90, lvl(0, "x" * (LABEL_CHARS_MAX + 1))) + num(90, 90),
        abstract(90, lvl(0, "%1" * 50, "lowerLetter", start="700")) + num(90, 90),
        abstract(90, "<w:numStyleLink w:val='gone'/>") + num(90, 90),
        "<w:start/><w:lvl/><w:startOverride/><w:styleLink/>" + num(90, 90, "<w:lvlOverride w:ilvl='x'/>"),
    ],
)
def test_definitions_that_are_absurd_or_missing_give_no_label(definitions: str):
    assert parse_with(definitions, item()).text == "x"


@pytest.mark.parametrize("level", ["9", "-1", "", "x", "9" * 5000])
def test_levels_that_no_list_has_give_no_label(level: str):
    assert parse_with(LEGAL + num(90, 90), item(level)).text == "x"


def test_a_numbering_part_that_is_damaged_costs_the_numbers_only():
    data = make_docx([("List Number", "one"), ("Normal", "Text.")])
    assert parse(replace_in_zip(data, "word/numbering.xml", b"</w:numbering>", b"<"), "a.docx").text == "one\n\nText."


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_very_many_numbered_paragraphs_take_seconds():
    levels = "".join(lvl(index, "".join(f"%{at}." for at in range(1, index + 2))) for index in range(9))
    text = parse_with(abstract(90, levels) + num(90, 90), item(8) * 50_000).text
    assert text.endswith("\n1.1.1.1.1.1.1.1.50000. x")
