import pytest
from support.books import make_odf

from lumikb.compute.parse.errors import ArchiveLimitError, CorruptedError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse

TITLE_STYLE = '<style:style style:name="P1" style:parent-style-name="Title"/>'


def odt(body: str) -> ParsedText:
    return parse(make_odf("text", body, styles=TITLE_STYLE), "a.odt")


def cell(text: str) -> str:
    return f"<table:table-cell><text:p>{text}</text:p></table:table-cell>"


def row(*texts: str) -> str:
    return f"<table:table-row>{''.join(map(cell, texts))}</table:table-row>"


def test_odt_has_headings_lists_tables_and_notes_in_reading_order():
    note = "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>N.</text:p></text:note-body>"
    parsed = odt(
        '<text:p text:style-name="P1">Title</text:p><text:h text:outline-level="2">Two</text:h>'
        f'<text:p>a<text:s text:c="3"/>b<text:tab/>c\n <text:span> d</text:span>{note}</text:note></text:p>'
        "<text:list><text:list-item><text:p>x</text:p><text:p>more</text:p></text:list-item>"
        "<text:list-item><text:p>y</text:p></text:list-item></text:list>"
        f"<table:table>{row('h1', 'h2')}{row('v1', '')}</table:table>"
        "<text:p>with <draw:frame><draw:text-box><text:p>box</text:p></draw:text-box><svg:title>alt</svg:title>"
        "</draw:frame>frame<office:annotation><text:p>comment</text:p></office:annotation></text:p>"
    )
    assert parsed.text == (
        "Title\n\nTwo\n\na   b\tc d\n\nN.\n\n- x\n\nmore\n\n- y\n\nh1 | h2\nv1 | \n\nbox\n\nwith frame"
    )
    assert [(heading.title, heading.level) for heading in parsed.headings] == [("Title", 1), ("Two", 2)]
    assert parsed.pages == []


def test_odt_pages_are_where_the_program_last_broke_them():
    parsed = odt("<text:p>one</text:p><text:soft-page-break/><text:p>two <text:soft-page-break/>three</text:p>")
    assert [parsed.page_at(parsed.text.index(text)) for text in ("one", "two", "three")] == [1, 2, 3]
    assert parsed.page_count == 3


def test_odt_says_who_wrote_it():
    meta = (
        "<dc:title>T</dc:title><meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator>"
        "<meta:keyword>a</meta:keyword><meta:keyword>b</meta:keyword><dc:language>de-CH</dc:language>"
        "<meta:creation-date>2024-01-02T03:04:05</meta:creation-date><dc:date>2024-02-02T03:04:05</dc:date>"
    )
    parsed = parse(make_odf("text", "<text:p>x</text:p>", meta=meta), "a.odt")
    assert parsed.title == "T"
    assert parsed.metadata == {
        "author": "Ann",
        "keywords": "a, b",
        "language": "de-CH",
        "created": "2024-01-02T03:04:05",
        "modified": "2024-02-02T03:04:05",
    }


def test_ods_rows_name_their_columns_and_formatting_is_no_data():
    sheet = (
        f'<table:table table:name="Costs">{row("Item", "Price")}'
        f'<table:table-row table:number-rows-repeated="2">{cell("Pen")}<table:table-cell office:value="1.5"/>'
        '<table:table-cell table:number-columns-repeated="16382"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048573"><table:table-cell/></table:table-row></table:table>'
    )
    parsed = parse(make_odf("spreadsheet", sheet), "a.ods")
    assert parsed.text == "Costs\n\nItem; Price\nItem: Pen; Price: 1.5\nItem: Pen; Price: 1.5"
    assert [heading.title for heading in parsed.headings] == ["Costs"]


def test_odp_slides_are_pages_with_titles_and_notes():
    def frame(kind: str, text: str) -> str:
        box = f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"
        return f'<draw:frame presentation:class="{kind}">{box}</draw:frame>'

    notes = f"<presentation:notes>{frame('notes', 'Say hello')}</presentation:notes>"
    parsed = parse(
        make_odf(
            "presentation",
            f"<draw:page>{frame('outline', 'Point')}{frame('title', 'First')}{frame('footer', 'x')}{notes}</draw:page>"
            f"<draw:page><draw:custom-shape><text:p>free</text:p></draw:custom-shape></draw:page>",
        ),
        "a.odp",
    )
    assert parsed.text == "First\n\nPoint\n\nNotes: Say hello\n\nfree"
    assert parsed.heading_path_at(parsed.text.index("free")) == ["Slide 2"]
    assert (parsed.page_at(0), parsed.page_at(len(parsed.text)), parsed.page_count) == (1, 2, 2)


def test_entities_and_bombs_are_refused():
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>'
    with pytest.raises(CorruptedError):
        parse(make_odf("text", "", extra={"content.xml": bomb}), "a.odt")
    with pytest.raises(ArchiveLimitError):
        parse(make_odf("text", "", extra={"Pictures/1": bytes(64 << 20)}), "a.odt")


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_markup_that_nests_deep_is_read():
    depth = 100_000
    start = "<table:table><table:table-row><table:table-cell><text:p>"
    end = "</text:p></table:table-cell></table:table-row></table:table>"
    assert odt(start * depth + "deep" + end * depth).text == "deep"


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_a_cell_that_stands_for_millions_is_bounded():
    cells = '<table:table-cell table:number-columns-repeated="16384"><text:p>abc</text:p></table:table-cell>'
    sheet = f'<table:table-row table:number-rows-repeated="1048576">{cells}</table:table-row>'
    parsed = parse(make_odf("spreadsheet", f"<table:table>{sheet}</table:table>"), "a.ods")
    assert parsed.text.count("\n") == 999
