"""Charts of presentations, made by python-pptx as PowerPoint makes them, and of Word documents."""

import io
from collections.abc import Sequence

import pptx
import pytest
from pptx.chart.data import BubbleChartData, CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from support.documents import add_part, make_docx, replace_in_zip

from lumikb.compute.parse import ooxml_chart
from lumikb.compute.parse.errors import CorruptedError
from lumikb.compute.parse.parse import parse

Data = CategoryChartData | XyChartData
NAMESPACES = "xmlns:c='urn:c' xmlns:a='urn:a' xmlns:r='urn:r' xmlns:mc='urn:mc'"
QUARTERS = [("2024", [3.5, None]), ("2025", [4.4000000000000004, 1e-3])]


def by_category(series: Sequence[tuple[str, Sequence[float | None]]], categories: Sequence[str] = ("Q1", "Q2")) -> Data:
    data = CategoryChartData()
    data.categories = categories
    for name, values in series:
        data.add_series(name, values)
    return data


def deck(*charts: tuple[XL_CHART_TYPE, Data, str], title: str = "") -> bytes:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = title
    for kind, data, name in charts:
        chart = slide.shapes.add_chart(kind, Inches(0), Inches(0), Inches(4), Inches(3), data).chart
        chart.has_title = bool(name)
        if name:
            chart.chart_title.text_frame.text = name
    slide.shapes.add_textbox(Inches(0), Inches(4), Inches(4), Inches(1)).text_frame.text = "Below."
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def text_of(*charts: tuple[XL_CHART_TYPE, Data, str], title: str = "") -> str:
    return parse(deck(*charts, title=title), "a.pptx").text


def drawing(link: str = "rIdAdded") -> str:
    graphic = f"<a:graphic {NAMESPACES}><a:graphicData><c:chart r:id='{link}'/></a:graphicData></a:graphic>"
    return f"<w:r><w:drawing>{graphic}</w:drawing></w:r>"


def letter(chart: str, body: str = f"<w:p>{drawing()}</w:p>") -> bytes:
    space = f"<c:chartSpace {NAMESPACES}><c:chart>{chart}</c:chart></c:chartSpace>"
    return add_part(make_docx(body_xml=body), "word/document.xml", "chart", "word/charts/chart1.xml", space)


def points(*texts: str) -> str:
    return "".join(f"<c:pt idx='{index}'><c:v>{text}</c:v></c:pt>" for index, text in enumerate(texts))


def series(name: str, categories: str, *values: str) -> str:
    numbers = f"<c:val><c:numRef><c:f>S!A1</c:f><c:numCache>{points(*values)}</c:numCache></c:numRef></c:val>"
    return f"<c:ser><c:tx><c:v>{name}</c:v></c:tx>{categories}{numbers}</c:ser>"


def strings(*texts: str) -> str:
    return f"<c:cat><c:strRef><c:strCache>{points(*texts)}</c:strCache></c:strRef></c:cat>"


def test_a_chart_is_its_title_and_a_table_where_it_stands():
    data = by_category(QUARTERS)
    text = text_of((XL_CHART_TYPE.COLUMN_CLUSTERED, data, "Sales <by> quarter"), title="Results")
    assert text == "Results\n\nSales <by> quarter\n | 2024 | 2025\nQ1 | 3.5 | 4.4\nQ2 |  | 0.001\n\nBelow."


def test_a_chart_without_title_and_name_is_its_rows():
    assert text_of((XL_CHART_TYPE.PIE, by_category([("", [1, 2])]), "")) == "Q1 | 1\nQ2 | 2\n\nBelow."


def test_categories_in_levels_are_named_whole():
    data = CategoryChartData()
    for year in ("2024", "2025"):
        category = data.add_category(year)
        for quarter in ("Q1", "Q2"):
            category.add_sub_category(quarter)
    data.add_series("Sales", [1, 2, 3, 4])
    text = text_of((XL_CHART_TYPE.BAR_CLUSTERED, data, ""))
    assert text.startswith(" | Sales\n2024 Q1 | 1\n2024 Q2 | 2\n2025 Q1 | 3\n2025 Q2 | 4\n\n")


def test_series_of_a_scatter_with_their_own_values_make_tables_of_their_own():
    scatter = XyChartData()
    for name, pairs in (("A", [(0.7, 2.7), (1.8, 3.2)]), ("B", [(0.7, 1.0), (1.8, 2.0)]), ("C", [(9, 8)])):
        added = scatter.add_series(name)
        for x, y in pairs:
            added.add_data_point(x, y)
    text = text_of((XL_CHART_TYPE.XY_SCATTER, scatter, "Trial"))
    assert text.startswith("Trial\n | A | B\n0.7 | 2.7 | 1\n1.8 | 3.2 | 2\n | C\n9 | 8\n\n")


def test_sizes_of_bubbles_are_no_values():
    bubbles = BubbleChartData()
    bubbles.add_series("A").add_data_point(1, 2, 77)
    assert text_of((XL_CHART_TYPE.BUBBLE, bubbles, "")).startswith(" | A\n1 | 2\n\n")


def test_a_chart_of_a_word_document_stands_below_its_paragraph():
    runs = "<a:p><a:r><a:t>Sales </a:t></a:r><a:r><a:t>2024</a:t></a:r></a:p>"
    title = f"<c:title><c:tx><c:rich>{runs}</c:rich></c:tx></c:title>"
    axis = title.replace("Sales", "Axis")
    label = f"<c:dLbls><c:dLbl><c:idx val='0'/>{title}</c:dLbl></c:dLbls>"
    ser = series("EU", strings("Q1", "Q2"), "1", "#N/A").replace("<c:cat>", f"{label}<c:cat>")
    plot = f"<c:plotArea><c:barChart>{ser}</c:barChart><c:valAx>{axis}</c:valAx></c:plotArea>"
    body = f"<w:p><w:r><w:t>Before.</w:t></w:r>{drawing()}</w:p><w:p><w:r><w:t>After.</w:t></w:r></w:p>"
    parsed = parse(letter(title + plot, body), "a.docx")
    assert parsed.text == "Before.\n\nSales 2024\n | EU\nQ1 | 1\nQ2 | #N/A\n\nAfter."


def test_points_are_paired_by_their_index():
    late = "<c:pt idx='2'><c:v>30</c:v></c:pt><c:pt idx='0'><c:v>10</c:v></c:pt>"
    ser = series("S", strings("a", "b", "c")).replace("<c:numCache>", f"<c:numCache>{late}")
    assert parse(letter(ser), "a.docx").text == " | S\na | 10\nb | \nc | 30"


def test_a_series_without_categories_has_those_of_the_first():
    chart = series("A", strings("x", "y"), "1", "2") + series("B", "", "3", "4")
    assert parse(letter(chart), "a.docx").text == " | A | B\nx | 1 | 3\ny | 2 | 4"


def test_a_title_may_come_from_a_cell():
    title = f"<c:title><c:tx><c:strRef><c:strCache>{points('From a cell')}</c:strCache></c:strRef></c:tx></c:title>"
    assert parse(letter(title), "a.docx").text == "From a cell"


def test_a_chart_is_read_once_and_links_to_none_are_passed_over():
    body = f"<w:p>{drawing()}{drawing()}{drawing('rId1')}{drawing('none')}</w:p>"
    assert parse(letter(series("S", "", "1"), body), "a.docx").text == " | S\n | 1"


def test_a_chart_in_a_hidden_run_is_left_out():
    hidden = drawing().replace("<w:drawing>", "<w:rPr><w:vanish/></w:rPr><w:drawing>")
    assert parse(letter(series("S", "", "1"), f"<w:p>{hidden}</w:p>"), "a.docx").text == ""


def test_a_damaged_chart_is_a_damaged_file():
    data = letter(series("S", "", "1"))
    with pytest.raises(CorruptedError):
        parse(replace_in_zip(data, "word/charts/chart1.xml", b"</", b"<"), "a.docx")


@pytest.mark.parametrize(
    "chart",
    [
        "<c:lvl/><c:pt/><c:v>x</c:v><c:ser/>",
        "<c:ser><c:lvl/><c:cat/><c:val><c:pt idx='x'/></c:val></c:ser>",
        f"<c:ser><c:val><c:numLit><c:pt idx='{'9' * 5000}'><c:v>1e999</c:v></c:pt></c:numLit></c:val></c:ser>",
        "<c:ser><c:ser><c:ser/></c:ser></c:ser><c:cat><c:v>x</c:v></c:cat>",
    ],
)
def test_absurd_charts_are_no_error(chart: str):
    assert "\x00" not in parse(letter(chart), "a.docx").text


def test_rows_and_series_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ooxml_chart, "CELLS_MAX", 7)
    monkeypatch.setattr(ooxml_chart, "SERIES_MAX", 2)
    chart = "".join(series(name, strings("x", "y", "z"), "1", "2", "3") for name in "ABC")
    assert parse(letter(chart), "a.docx").text == " | A | B\nx | 1 | 1\ny | 2 | 2"


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_charts_of_very_many_points_take_seconds():
    runs = "<a:p><a:r><a:t>word </a:t></a:r></a:p>" * 100_000
    chart = f"<c:title>{runs}</c:title>" + series("S", strings(*["c"] * 50_000), *["1"] * 50_000) * 2
    assert len(parse(letter(chart), "a.docx").text.splitlines()) == 50_002
