import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import make_docx, make_html, make_pptx, make_xlsx

from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.compute.parse.parse import parse

NEWLINE = "\n"
ROWS = ["\r", "\r\n", "| a ", "a | b\n", "a: b; ", "`", " |", "; ", ": ", "- a. b\n", ". . . . 1\n", "a 1\n"]


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["It costs 3.14 EUR.", "That is all."],
        ["See e.g. the report by Dr. J. R. Smith.", "It is long."],
        ["Errors follow RFC 7807.", "Others do not."],
        ["Really?", "Yes!", "He said “no.”", "Then he left."],
        ["The U.S. Army came.", "It left."],
        ["They live in the U.S.", "The others do not."],
        ["See Fig. 3 and pp. 10-12.", "They show it."],
        ["Wait... what happened?", "Nothing."],
        ["these words are in small letters.", "so is the rest of it."],
        ["the flow is laminar .", "the plate is flat ."],
        ["Visit example.com today.", "It is v2.1.0 now."],
        ["Bring pens, paper, etc. for the test.", "Then go."],
        ["He works at Acme Inc. in Berlin.", "She does not."],
    ],
)
def test_sentences_on_one_line(sentences: list[str]) -> None:
    assert _sentences(" ".join(sentences)) == sentences


def test_ideographic_stops_need_no_space() -> None:
    assert _sentences("これは文です。次の文！終わり？はい") == ["これは文です。", "次の文！", "終わり？", "はい"]


def test_headings_lists_and_blank_lines_are_boundaries() -> None:
    text = "# Title\nIntro text\n\n1. First item\n2. Second item\n- bullet\n* other\n\n  Last"

    assert _sentences(text) == [
        "# Title",
        "Intro text",
        "1. First item",
        "2. Second item",
        "- bullet",
        "* other",
        "Last",
    ]


@pytest.mark.parametrize("number", ["7", "4.2", "10.2.13", "iv", "XII", "(iii"])
def test_the_number_in_front_of_a_paragraph_is_no_sentence(number: str):
    first = f"{number}. The first is {'very ' * 40}long."
    assert _sentences(f"Before.\n\n{first} The next.") == ["Before.", first, "The next."]


@pytest.mark.parametrize("word", ["mix", "civil", "1998", "ill"])
def test_a_word_that_looks_like_a_number_ends_its_sentence(word: str):
    assert _sentences(f"That is\n{word}. The next.")[-1] == "The next."


def test_a_wrapped_line_is_no_boundary() -> None:
    text = "The report that was written at the end of the year by Albert\nEinstein says so. Its\nsecond part does not."

    assert _sentences(text) == [
        "The report that was written at the end of the year by Albert\nEinstein says so.",
        "Its\nsecond part does not.",
    ]


LONG = "a rather long value of this cell that goes on and on"


def test_rows_of_a_markdown_table_are_units():
    rows = ["| Name | Note |", "|---|---|", f"| Pen | {LONG}. It is blue. |", f"| ink | {LONG} |", f"|cap|{LONG}|"]
    text = f"The table below shows all that there is in the shop at present\n{NEWLINE.join(rows)}\nSome prose after it."

    assert _sentences(text) == [text.split("\n")[0], *rows, "Some prose after it."]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (f"Name,Note\nPen,{LONG}. It is blue.\nInk,{LONG}; not all\nCap,\n".encode(), "a.csv"),
        (
            f"Name,The note that says everything about it,Pieces in the shop at present\nPen,{LONG}. Blue.,\n".encode(),
            "a.csv",
        ),
        (f"Note\tName\n{LONG}. One.\t\n{LONG}. Two.\t\n".encode(), "a.tsv"),
        (f"1,2,{LONG},{LONG}\n3,4,{LONG},{LONG}\n".encode(), "a.csv"),
        (make_xlsx({"Shop": [["Name", "Note"], ["Pen", f"{LONG}. It is blue."], ["Ink", LONG], ["Cap"]]}), "a.xlsx"),
        (
            make_docx([("Normal", "Text.")], table=[["Name", "Note"], ["Pen", f"{LONG}. Blue."], ["ink", LONG]]),
            "a.docx",
        ),
        (make_pptx([("Title", "", "")], table=[["Name", "Note"], ["Pen", f"{LONG}. Blue."], ["ink", LONG]]), "a.pptx"),
        (
            make_html(f"<table><tr><th>Name<th>Note<tr><td>Pen<td>{LONG}. It.<br>Is<tr><td>ink<td>{LONG}</table>"),
            "a.html",
        ),
    ],
)
def test_rows_are_units_as_the_parsers_write_them(data: bytes, name: str):
    text = parse(data, name).text
    rows = [line for line in text.split("\n") if line]

    if name.endswith(".tsv"):
        # A row of one cell is prose but for its label: its sentences stay apart, and it joins no other row.
        assert not any("\n" in sentence for sentence in _sentences(text))
    else:
        assert _sentences(text) == rows


def test_a_row_names_its_columns():
    text = parse(f"Item,Price,Note\nPen,3,{LONG}\n".encode(), "a.csv").text

    assert _sentences(text) == ["Item; Price; Note", f"Item: Pen; Price: 3; Note: {LONG}"]


def test_a_wide_row_is_cut_between_cells():
    row = "; ".join(f"Column {number}: value number {number}" for number in range(60))

    pieces = _sentences(row)

    assert len(pieces) > 2
    assert all(len(piece) <= 600 and piece.startswith("Column ") for piece in pieces)
    assert " ".join(pieces) == row


def test_a_cell_of_many_sentences_is_cut_into_them():
    note = " ".join(f"Sentence {number} of the note." for number in range(40))

    pieces = _sentences(f"Name: Pen; Note: {note}; Size: 3")

    assert pieces[0] == "Name: Pen;"
    assert pieces[1:3] == ["Note: Sentence 0 of the note.", "Sentence 1 of the note."]
    assert pieces[-1] == "Size: 3"


def test_prose_with_bars_and_semicolons_keeps_its_sentences():
    text = "Run `cat a | grep b` first. Then wait; it takes long: an hour. Note: it may fail. See below; ask: why?"

    assert len(_sentences(text)) == 4


def test_a_short_list_item_is_one_unit_and_a_long_one_its_sentences():
    sentence = f"It is {LONG} for long."
    text = f"Do this:\n- Press it. Then wait.\n2) Turn it\n   off. Go.\n* {' '.join([sentence] * 4)}"

    assert _sentences(text) == [
        "Do this:",
        "- Press it. Then wait.",
        "2) Turn it\n   off. Go.",
        f"* {sentence}",
        *[sentence] * 3,
    ]


def test_lines_of_a_contents_list_are_units():
    lines = [
        "Introduction ........ 3",
        "the second chapter . . . . . . 14",
        "1.2 how to install it on every machine there is……… 15",
        "scope 17",
        "and all the words that are used in this book, in the order of letters 18",
    ]

    assert _sentences("\n".join(lines)) == lines


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_make_no_difference(line_end: str):
    text = (
        "# Title\nIntro text\n\nThe report that was written at the end of the year by Albert\nEinstein says so. Its\n"
        "second part does not.\n \n1. First item\n2. Second\n   item\n\n\n| a | b |\n|---|---|\n| c | d |\n\nEnd 3\n"
        "all 4\n"
    )

    sentences = _sentences(text.replace("\n", line_end))

    assert [sentence.replace(line_end, "\n") for sentence in sentences] == _sentences(text)


def test_a_range_of_the_text_gives_offsets_in_the_text() -> None:
    text = "Zero. One here. Two there. Three."

    assert [text[start:end] for start, end in sentence_spans(text, 6, 26)] == ["One here.", "Two there."]


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text('aB .!?\n\r。"-1#|;:`', max_size=80))
def test_spans_are_trimmed_ordered_and_complete(text: str) -> None:
    spans = sentence_spans(text)

    last = 0
    for start, end in spans:
        assert last <= start < end
        assert not text[last:start].strip()
        assert text[start:end] == text[start:end].strip()
        last = end
    assert not text[last:].strip()


@pytest.mark.thorough
@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", [".", "\n", " ", "a", ". ", "a. ", "。", "1.", ".\n", "a.b", "\n \n", '."', *ROWS])
def test_hostile_texts_take_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))

    sentence_spans(text)
