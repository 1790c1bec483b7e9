"""Pages that are broken, and marks of page generators."""

import pytest
from support.documents import make_html

from lumikb.compute.parse.parse import parse

HIDING = ["select", "iframe", "noscript", "template", "svg", "object", "canvas", "audio", "video"]
RAW = ["script", "style"]


@pytest.mark.parametrize("tag", [*HIDING, *RAW, "title", "textarea", "nav", "footer"])
def test_an_element_that_never_ends_hides_nothing(tag: str):
    page = f"<p>Before.</p><{tag}><p>Inside, <b>bold</b>.</p><h2>Head</h2><p>The rest.</p>"
    parsed = parse(page.encode(), "a.html")
    assert parsed.text == "Before.\n\nInside, bold.\n\nHead\n\nThe rest."
    assert [heading.title for heading in parsed.headings] == ["Head"]
    assert parsed.warnings == ([] if tag in {"textarea", "nav", "footer"} else [f"UNCLOSED_ELEMENT: {tag}"])


@pytest.mark.parametrize("tag", HIDING)
def test_an_element_that_never_ends_takes_no_end_tag_from_a_later_one(tag: str):
    page = f"<p>Before.</p><{tag}>in <p>The rest.</p><{tag}>hidden</{tag}><p>After.</p>"
    parsed = parse(page.encode(), "a.html")
    assert parsed.text == "Before.\n\nin\n\nThe rest.\n\nAfter."
    assert parsed.warnings == [f"UNCLOSED_ELEMENT: {tag}"]


@pytest.mark.parametrize("tag", [*HIDING, *RAW])
def test_elements_that_end_stay_out_without_a_warning(tag: str):
    page = f"<p>Before.</p><{tag}>one</{tag}><p>Between.</p><{tag.upper()} a='b'>two</{tag} ><p>After.</p>"
    parsed = parse(page.encode(), "a.html")
    assert (parsed.text, parsed.warnings) == ("Before.\n\nBetween.\n\nAfter.", [])


def test_tags_in_scripts_and_comments_count_for_nothing():
    page = "<script>var a = '<select><nav>'</script><!-- <svg> --><p>One.</p><nav>Menu</nav><p>Two.</p>"
    parsed = parse(page.encode(), "a.html")
    assert (parsed.text, parsed.warnings) == ("One.\n\nTwo.", [])


def test_a_comment_or_tag_that_never_ends_hides_nothing():
    assert parse(b"<p>One.</p><!-- open <p>Two.</p>", "a.html").text == "One.\n\nopen\n\nTwo."
    assert "Two" in parse(b"<p>One.</p><a href=x Two", "a.html").text


CDATA = "<p>One.</p><p>if <![CDATA[a < b && c > d]]> then <![CDATA[&lt;b> <i>x</i>]]>.</p><p>Two.</p>"
READ = "One.\n\nif a < b && c > d then &lt;b> <i>x</i>.\n\nTwo."


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (f"<?xml version='1.0'?>\n<html><body>{CDATA}</body></html>", READ),
        (f"\ufeff<html lang='en'\nxmlns = 'http://www.w3.org/1999/xhtml'><body>{CDATA}</body></html>", READ),
        (f"<html><body>{CDATA}</body></html>", "One.\n\nif then .\n\nTwo."),
        (f"<html xmlns:o='urn:o' xmlns='http://www.w3.org/TR/REC-html40'>{CDATA}", "One.\n\nif then .\n\nTwo."),
    ],
    ids=["declaration", "namespace", "plain", "Outlook"],
)
def test_cdata_is_text_in_xhtml_only(page: str, text: str):
    assert parse(page.encode(), "a.html").text == text


def test_cdata_of_xhtml_opens_and_ends_no_element_and_stays_as_it_is_in_pre():
    page = "<?xml version='1.0'?><div hidden='hidden'><![CDATA[</div><div>]]></div><pre><![CDATA[<nav>\n  </p>]]></pre>"
    assert parse(page.encode(), "a.html").text == "<nav>\n  </p>"


def test_cdata_in_scripts_styles_and_comments_is_no_text():
    page = (
        "<?xml version='1.0'?><style>/*<![CDATA[*/ p {} /*]]>*/</style><script>var a = '<![CDATA['</script><p>One.</p>"
        "<!-- <![CDATA[ no --><p>Two.</p><script>//<![CDATA[\nvar b = ']]>'; //]]></script><p>Three.</p>"
    )
    for source in (page, page.removeprefix("<?xml version='1.0'?>")):
        assert parse(source.encode(), "a.html").text == "One.\n\nTwo.\n\nThree."


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("<![CDATA[open", "1open 2"),
        ("<![foo bar]>", "1 2"),
        ("<![ x>", "1 2"),
        ("<![>", "1 2"),
        ("<![if !mso]>x<![endif]>", "1x 2"),
        ("<!-- a -- ><![foo -->", "1 2"),
        ("<script><![foo>", "1 2"),
    ],
)
@pytest.mark.parametrize("start", ["", "<?xml version='1.0'?>"])
def test_marked_sections_that_are_broken_hide_no_more_than_themselves(start: str, mark: str, text: str):
    assert parse(f"{start}<b>1{mark} 2</b>".encode(), "a.html").text == text


@pytest.mark.parametrize("mark", ["#", "¶", "§", "🔗", "", " # ", "🔗\ufe0f", "<svg><path/></svg>"])
@pytest.mark.parametrize("place", ["{anchor}Head", "Head {anchor}", "<span>Head</span>{anchor}\n"])
def test_permalinks_are_no_part_of_a_heading(mark: str, place: str):
    heading = place.format(anchor=f'<a class="headerlink" href="#x">{mark}</a>')
    parsed = parse(make_html(f"<h2 id='x'>{heading}</h2><p>Text.</p>"), "a.html")
    assert parsed.text == "Head\n\nText."
    assert [heading.title for heading in parsed.headings] == ["Head"]


def test_other_links_and_signs_stay_in_headings_and_text():
    body = '<h2>The language C#</h2><h2><a href="#a">Issue #5</a></h2><p>Section <a href="#b">#</a></p>'
    assert parse(make_html(body), "a.html").text == "The language C#\n\nIssue #5\n\nSection #"


def test_cells_in_preformatted_text_are_set_apart():
    assert parse(b"<table><tr><td><pre>a<td>b", "a.html").text == "a | b"


def test_a_row_stays_one_line():
    body = "<table><tr><td>Term</td><td>first<br>second</td></tr><tr><td>a</td><td>b</td></tr></table>"
    assert parse(make_html(body), "a.html").text == "Term | first second\na | b"


@pytest.mark.thorough
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit",
    [
        "<nav>x",
        "<main>x",
        "<div>x",
        "<svg>",
        "<svg><select>",
        "<script>",
        "<!--",
        "<a ",
        "</",
        "<title>",
        "<ul><li>x",
        "<h1><a>",
        "<![CDATA[",
        "<![x",
        "<![CDATA[<!--<script>",
    ],
)
def test_fifty_thousand_open_elements_take_seconds(unit: str):
    parse((unit * 50_000).encode(), "a.html")


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_fifty_thousand_nested_regions_take_seconds():
    parse(("<nav>x<div>" * 50_000 + "</div></nav>" * 50_000).encode(), "a.html")


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_a_long_gap_in_preformatted_text_takes_no_long_time():
    parse(f"<pre>a{' ' * 100_000}b</pre>".encode(), "a.html")


def test_a_page_says_its_language_and_dates():
    head = '<meta property="article:published_time" content="2024-01-02"><meta name="DC.creator" content="Ann">'
    page = f'<html lang="de"><head>{head}</head><body>Text</body></html>'
    assert parse(page.encode(), "a.html").metadata == {"language": "de", "created": "2024-01-02", "author": "Ann"}


@pytest.mark.parametrize(
    "mark", ["hidden", 'hidden="hidden"', 'style="color: red; display:none"', "style='VISIBILITY: hidden'"]
)
def test_what_a_browser_does_not_show_is_not_read(mark: str):
    body = f"<p>Before.</p><div {mark}><p>Secret.</p><div>More.</div></div><p>After.</p>"
    assert parse(make_html(body), "a.html").text == "Before.\n\nAfter."


def test_a_hidden_element_that_never_ends_hides_nothing():
    assert parse(make_html("<p>Before.</p><div hidden><p>Secret."), "a.html").text == "Before.\n\nSecret."
    assert (
        parse(make_html('<p>Before.</p><div hidden="until-found">Found.</div>'), "a.html").text == "Before.\n\nFound."
    )


@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY j "x">',
        "<!ENTITY j 'a]>b'> <!-- ]> isn't it -->",
        "\n<!ELEMENT p ANY>\n<!ENTITY % k SYSTEM 'file:///etc'>\n",
    ],
)
def test_what_a_document_type_declares_is_no_text(declarations: str):
    page = f"""<?xml version="1.0"?>\n<!-- it's -->\n<!DOCTYPE html [{declarations}] >
<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Herons wait [sic] &amp; see &j;.</p></body></html>"""
    assert parse(page.encode(), "a.xhtml").text == "Herons wait [sic] & see &j;."


def test_a_document_type_that_never_ends_costs_no_text():
    page = b"<!DOCTYPE html [<!ENTITY j 'x><p>Herons wait.</p>" + b"[" * 100_000 + b"<p>Cranes dance.</p>"
    assert "Cranes dance." in parse(page, "a.html").text
