import io
from importlib.util import find_spec
from typing import Any

import pypdfium2
import pytest
from fpdf import FPDF
from PIL import Image
from support.documents import make_pdf
from support.hostile import make_png_header

from lumikb.compute.parse.boxes import confidence, locate
from lumikb.compute.parse.errors import CorruptedError, ImageLimitError, MimeTypeMismatchError, NoTextError
from lumikb.compute.parse.ocr import Recogniser, Word, _page_text, _parse_tsv
from lumikb.compute.parse.ocr_options import OcrOptions, find_data
from lumikb.compute.parse.parse import parse

pytestmark = pytest.mark.thorough

SENTENCES = "The harbour opens at seven.\nShips must report their cargo\nbefore they enter the basin."
NO_OCR = OcrOptions(data_dir="/nonexistent")

needs_ocr = pytest.mark.skipif(
    find_data(OcrOptions()) is None or find_spec("tesserocr") is None, reason="Tesseract is not installed"
)


def make_picture(text: str = SENTENCES, *, dpi: int = 200) -> Image.Image:
    document = pypdfium2.PdfDocument(make_pdf([text]))
    picture = document[0].render(scale=dpi / 72, grayscale=True).to_pil()
    document.close()
    return picture


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def make_scan(picture: Image.Image, text: str = "") -> bytes:
    """A page that shows `picture` over all of it, and `text` on top."""
    pdf = FPDF(format=(210, 297))
    pdf.add_page()
    pdf.set_font("Helvetica", size=8)
    pdf.image(picture, x=0, y=0, w=210, h=297)
    pdf.text(100, 290, text)
    return bytes(pdf.output())


def rect_of(parsed: Any, words: str) -> list[float]:
    start = parsed.text.index(words)
    [(_, [rect])] = locate(parsed, start, start + len(words))
    return rect


@needs_ocr
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_text_is_read_off_pictures_of_every_kind(kind: str):
    parsed = parse(saved(make_picture(), kind), f"a.{kind.lower()}")
    assert parsed.text == SENTENCES
    assert (parsed.page_count, parsed.warnings) == (1, ["TEXT_RECOGNISED"])
    assert (confidence(parsed, 0, len(parsed.text)) or 0) > 80


@needs_ocr
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_recognised_words_stand_where_the_page_shows_them(turn: int):
    pdf = make_pdf([SENTENCES])
    x0, y0, x1, y1 = rect_of(parse(pdf, "a.pdf"), "report their cargo")
    turned = {
        0: [x0, y0, x1, y1],
        90: [y0, 1 - x1, y1, 1 - x0],
        180: [1 - x1, 1 - y1, 1 - x0, 1 - y0],
        270: [1 - y1, x0, 1 - y0, x1],
    }[turn]
    parsed = parse(saved(make_picture().rotate(turn, expand=True), "PNG"), "a.png")
    assert rect_of(parsed, "report their cargo") == pytest.approx(turned, abs=0.02)


@needs_ocr
def test_a_scanned_page_is_read_and_pages_with_text_stay_as_they_are():
    document = pypdfium2.PdfDocument(make_scan(make_picture()))
    document.import_pages(pypdfium2.PdfDocument(make_pdf(["Printed page."])))
    out = io.BytesIO()
    document.save(out)
    parsed = parse(out.getvalue(), "a.pdf")
    assert parsed.text == f"{SENTENCES}\n\nPrinted page."
    assert parsed.warnings == ["TEXT_RECOGNISED"]
    assert parsed.page_at(parsed.text.index("Printed")) == 2
    assert confidence(parsed, parsed.text.index("Printed"), len(parsed.text)) is None
    assert rect_of(parsed, "report their cargo") == pytest.approx(
        rect_of(parse(make_pdf([SENTENCES]), "a.pdf"), "report their cargo"), abs=0.01
    )


@needs_ocr
def test_a_scan_with_a_stamped_page_number_is_read():
    parsed = parse(make_scan(make_picture(), "Page 3"), "a.pdf")
    assert SENTENCES in parsed.text
    assert "Page 3" in parsed.text


def test_a_page_with_a_text_layer_over_its_scan_is_not_recognised_again():
    parsed = parse(make_scan(make_picture(), "The harbour opens at seven, ships report."), "a.pdf", ocr=NO_OCR)
    assert (parsed.text, parsed.warnings) == ("The harbour opens at seven, ships report.", [])


@needs_ocr
def test_each_frame_of_a_tiff_is_a_page_and_of_a_gif_only_the_first_is_read():
    pictures = [make_picture("First frame here."), make_picture("Second frame there.")]
    parsed = parse(saved(pictures[0], "TIFF", save_all=True, append_images=pictures[1:]), "a.tiff")
    assert (parsed.text, parsed.page_count) == ("First frame here.\n\nSecond frame there.", 2)
    assert parsed.page_at(parsed.text.index("Second")) == 2
    parsed = parse(saved(pictures[0], "GIF", save_all=True, append_images=pictures[1:]), "a.gif")
    assert parsed.text == "First frame here."


@needs_ocr
@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "LA", "I;16", "CMYK"])
def test_every_colour_mode_is_read(mode: str):
    picture = make_picture()
    if mode == "I;16":
        picture = Image.frombytes("I;16", picture.size, b"".join(bytes([0, value]) for value in picture.tobytes()))
    elif mode in {"RGBA", "LA"}:
        ink = Image.new("L", picture.size, 0)
        picture = Image.merge("LA", (ink, picture.point(lambda value: 255 - value))).convert(mode)
    else:
        picture = picture.convert(mode)
    assert parse(saved(picture, "TIFF"), "a.tif").text == SENTENCES


@needs_ocr
def test_a_picture_that_a_camera_turned_is_read_upright():
    turned = make_picture().rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    parsed = parse(saved(turned, "JPEG", exif=exif), "a.jpg")
    assert rect_of(parsed, "The harbour")[1] < 0.1


@needs_ocr
def test_a_picture_without_words_gives_no_text():
    assert parse(saved(Image.new("L", (600, 400), "white"), "PNG"), "a.png").warnings == ["TEXT_RECOGNISED", "NO_TEXT"]


@pytest.mark.parametrize("data", [saved(make_picture(), "PNG"), make_scan(make_picture())])
def test_without_ocr_a_picture_of_text_is_an_error_that_says_what_to_install(data: bytes):
    with pytest.raises(NoTextError, match="apt-get install tesseract-ocr") as caught:
        parse(data, "a.pdf" if data.startswith(b"%PDF") else "a.png", ocr=NO_OCR)
    assert caught.value.stable_code == "OCR_UNAVAILABLE"


def test_a_missing_language_is_named():
    with pytest.raises(NoTextError, match="tesseract-ocr-tlh"):
        parse(saved(make_picture(), "PNG"), "a.png", ocr=OcrOptions(languages="eng+tlh"))


@pytest.mark.parametrize("languages", ["", "../../etc/passwd", "eng+", "eng;rm", "a" * 500])
def test_names_that_are_no_languages_find_no_data(languages: str):
    assert find_data(OcrOptions(languages=languages)) is None


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (80_000_001, 1)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(width: int, height: int):
    with pytest.raises(ImageLimitError) as caught:
        parse(make_png_header(width, height), "a.png", ocr=NO_OCR)
    assert caught.value.stable_code == "TOO_LARGE"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
def test_a_truncated_picture_is_corrupted_or_read_as_far_as_it_goes(kind: str, part: float):
    data = saved(make_picture(dpi=60).convert("RGB"), kind)
    with pytest.raises((CorruptedError, NoTextError)):
        parse(data[: int(len(data) * part)], f"a.{kind.lower()}", ocr=NO_OCR)


def test_a_picture_under_the_name_of_another_kind_is_a_mismatch():
    with pytest.raises(MimeTypeMismatchError):
        parse(saved(make_picture(), "PNG"), "a.jpg")


def test_words_become_lines_and_paragraphs_and_split_words_are_joined():
    def word(text: str, line: int, block: int, x: int, sure: int = 90) -> Word:
        return Word(text, (x, 10 * line, x + 10 * len(text), 10 * line + 8), sure, (block, line), (block,))

    page = _page_text(
        [word("A", 1, 1, 0), word("direc-", 1, 1, 20), word("tory", 2, 1, 0), word("Next", 3, 2, 0, 50)], 200, 100
    )
    assert page.text == "A directory\n\nNext"
    assert page.boxes.lines.tolist() == [0] * 7 + [1] * 4 + [1] * 2 + [2] * 4
    assert page.boxes.confidences is not None
    assert page.boxes.confidences[-1] == 50


def test_rows_that_are_not_words_or_unsure_are_left_out():
    rows = ["4 1 1 1 1 0 0 0 9 9 -1 ", "5 1 1 1 1 1 0 0 9 9 10.5 noise", "5 1 1 1 1 2 1 2 3 4 99.5 word", "cut off"]
    assert list(_parse_tsv("\n".join(rows).replace(" ", "\t"))) == [Word("word", (1, 2, 4, 6), 99, (1, 1, 1), (1, 1))]


def test_a_recogniser_that_read_nothing_was_not_loaded():
    with Recogniser(NO_OCR):
        pass
