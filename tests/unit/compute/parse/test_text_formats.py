"""Plain text, Markdown, CSV and HTML."""

import pytest
from support.documents import make_html

from lumikb.compute.parse.errors import MimeTypeMismatchError, OutputLimitError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse


def titles(parsed: ParsedText) -> list[tuple[int, str]]:
    for heading in parsed.headings:
        assert parsed.text[heading.start : heading.end] == heading.title
    return [(heading.level, heading.title) for heading in parsed.headings]


def path_of(parsed: ParsedText, sentence: str) -> list[str]:
    return parsed.heading_path_at(parsed.text.index(sentence))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_text_and_markdown_are_the_decoded_source_to_the_character(encoding: str, name: str):
    source = "  First line, Grüße\r\nsecond 😀\rthird\n\r\n\r\nlast\u2028\n\n"
    assert parse(source.encode(encoding), name).text == source


def test_a_nul_keeps_the_offsets_of_what_follows():
    source = "a\x00b\r\nand more words to tell that this is text\r\n"
    assert parse(source.encode("utf-16"), "a.txt").text == source.replace("\x00", "\ufffd")


def test_text_in_windows_1252_is_read_with_a_warning():
    parsed = parse("Über “quotes” – €5".encode("cp1252") + b"\x81", "a.txt")
    assert parsed.text == "Über “quotes” – €5\x81"
    assert parsed.warnings == ["ENCODING_GUESSED: windows-1252"]


def test_text_has_neither_pages_nor_headings():
    parsed = parse(b"# not a heading\n", "a.txt")
    assert (parsed.pages, parsed.headings, parsed.page_count) == ([], [], None)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.html"])
def test_a_blank_file_is_empty_text_with_a_warning(name: str):
    parsed = parse(b" \r\n\t\n", name)
    assert (parsed.text, parsed.warnings) == ("", ["NO_TEXT"])


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.html"])
def test_text_over_the_bound_is_refused(name: str):
    with pytest.raises(OutputLimitError):
        parse(b"word, word\n" * 100, name, text_chars_max=500)


def test_binary_data_late_in_a_text_file_is_refused():
    with pytest.raises(MimeTypeMismatchError):
        parse(b"text " * 100_000 + b"\x00", "a.txt")


def test_markdown_text_is_the_source_and_headings_land_on_it():
    source = "# One ##\n\ntext\n\nTwo words\n---------\n\n###### Six #\nbody\n#not a heading\n\nFour\n====\n"
    parsed = parse(source.encode(), "a.md")
    assert parsed.text == source
    assert titles(parsed) == [(1, "One"), (2, "Two words"), (6, "Six"), (1, "Four")]
    assert path_of(parsed, "body") == ["One", "Two words", "Six"]
    assert parsed.title == "One"


def test_markdown_headings_in_code_lists_and_quotes_do_not_count():
    source = "```sh\n# comment\n~~~\n# still code\n```\n\n    # indented\n\n- item\nlazy\n---\n> quote\n---\n\n# Real\n"
    assert titles(parse(source.encode(), "a.md")) == [(1, "Real")]


def test_markdown_front_matter_names_the_document():
    parsed = parse(b'---\ntitle: "The Guide"\nauthor: Ann\ntags: [x]\n---\n\n# Heading\n', "a.md")
    assert (parsed.title, parsed.metadata) == ("The Guide", {"author": "Ann"})
    assert titles(parsed) == [(1, "Heading")]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_markdown_has_the_same_headings_with_every_line_end(line_end: str):
    source = (
        "---\ntitle: The Guide\nauthor: Ann\n---\n\n# One\n\ntext\n\nTwo words\n---------\n\n```sh\n# comment\n```\n"
        "- item\nlazy\n---\n### Three ###\nbody\n"
    )
    plain = parse(source.encode(), "a.md")
    parsed = parse(source.replace("\n", line_end).encode(), "a.md")
    assert titles(parsed) == titles(plain) == [(1, "One"), (2, "Two words"), (3, "Three")]
    assert (parsed.title, parsed.metadata) == ("The Guide", {"author": "Ann"})
    assert path_of(parsed, "body") == ["One", "Two words", "Three"]


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_a_long_gap_in_front_matter_takes_no_long_time():
    parsed = parse(f"---\ntitle: a{' ' * 60_000}b\n---\ntext".encode(), "a.md")
    assert parsed.title == "a b"


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_csv_has_the_same_rows_with_every_line_end(line_end: str):
    source = 'Name;Price;Note\nPen;1,5;"two\nlines; here"\nInk 5";2;\n'
    assert parse(source.replace("\n", line_end).encode(), "a.csv") == parse(source.encode(), "a.csv")


def test_csv_rows_name_their_columns():
    parsed = parse(b'Name;Price;Note\nPen;1,5;"two\nlines; here"\nInk;;\n', "a.csv")
    assert parsed.text == "Name; Price; Note\nName: Pen; Price: 1,5; Note: two lines; here\nName: Ink"


def test_cells_of_several_lines_do_not_hide_the_delimiter():
    rows = 'ID;Note;Sum\n1;"One line, long\nline two\nline three";3,50\n2;"A, b\nc\nd";4,20\n'
    text = parse(rows.encode(), "a.csv").text
    assert "Sum: 3,50" in text
    assert "Sum: 4,20" in text


def test_csv_without_header_keeps_its_values():
    assert parse(b"1,2\n3,4\n", "a.csv").text == "1; 2\n3; 4"


def test_csv_with_a_stray_quote_loses_no_row():
    rows = b"name,size\n" + b'pipe 5",1\n"open,2\n' + b"pen,3\n" * 50_000
    text = parse(rows, "a.csv").text
    assert text.count("\n") == 50_002
    assert text.endswith("name: pen; size: 3")


def test_tabs_separate_values_too():
    assert parse(b"a b\tc\nx, y\tz\n", "a.tsv").text == "a b; c\na b: x, y; c: z"


def test_html_keeps_content_and_drops_the_rest():
    body = """<nav>Menu</nav><script>var x = "<p>no</p>"</script><style>p {}</style>
    <h1>Top <em>title</em></h1><p>A &lt;b&gt; &amp; c&nbsp;d<br>next</p><h2>Sub<a>¶</a></h2>
    <ul><li>one</li><li><p>two</p></li></ul><pre>  keep
    this</pre><table><tr><th>H</th><th>V</th></tr><tr><td>a</td><td></td></tr></table><footer>Imprint</footer>"""
    parsed = parse(make_html(body, title="Page &amp; title", head='<meta name="author" content="Ann">'), "a.html")
    assert titles(parsed) == [(1, "Top title"), (2, "Sub")]
    assert parsed.text == ("Top title\n\nA <b> & c d\nnext\n\nSub\n\n- one\n- two\n\n  keep\n    this\n\nH | V\na |")
    assert (parsed.title, parsed.metadata) == ("Page & title", {"author": "Ann"})
    assert path_of(parsed, "keep") == ["Top title", "Sub"]


def test_html_main_content_is_preferred():
    body = '<div>Side bar links</div><div role="main"><div>Inner</div><p>The content itself.</p></div><p>after</p>'
    assert parse(make_html(body), "a.html").text == "Inner\n\nThe content itself."


def test_html_with_an_unclosed_nav_is_not_lost():
    assert parse(make_html("<nav><p>Everything stands in here"), "a.html").text == "Everything stands in here"


def test_html_is_decoded_as_it_declares():
    page = make_html("<p>Grüße</p>", head='<meta charset="iso-8859-1">').decode().encode("latin-1")
    parsed = parse(page, "a.html")
    assert (parsed.text, parsed.warnings) == ("Grüße", [])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("data", "name"),
    [(b"# a\n" * 1_000_000, "a.md"), (b"," * 200_000, "a.csv"), (b"<tr><td>" * 1_500_000, "a.html")],
    ids=["headings", "cells of a row", "tags"],
)
def test_what_takes_minutes_or_all_memory_is_refused_with_its_reason(data: bytes, name: str):
    with pytest.raises(OutputLimitError):
        parse(data, name)
