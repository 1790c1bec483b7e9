"""Pictures: text by OCR, a page for each frame of a TIFF."""

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.boxes import BoxWriter
from lumikb.compute.parse.errors import CorruptedError, ImageLimitError
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ocr import TEXT_RECOGNISED, Picture, Recogniser
from lumikb.compute.parse.ocr_options import OcrOptions
from lumikb.compute.parse.text import TextBuilder

if TYPE_CHECKING:
    from PIL import Image

PIXELS_MAX = 80_000_000
"""A page of A3 at 600 dpi has 70 million pixels."""

FRAMES_MAX = 1000
PAGE_SEPARATOR = "\n\n"
# Above this, pixels cost time and bring no words; below, letters of a screenshot are too small for Tesseract.
_RECOGNISED_PIXELS_MAX = 25_000_000
_SMALL_SIDE_MAX = 1800
_DPI_DEFAULT = 300


def parse_image(data: bytes, kind: Format, text_chars_max: int, options: OcrOptions) -> ParsedText:
    """Text that OCR reads off a picture; of moving pictures, the first.

    Raises `ImageLimitError` before decoding, `CorruptedError`, and `NoTextError` when there is no OCR.
    """
    from PIL import Image

    builder, boxes = TextBuilder(text_chars_max), BoxWriter()
    with warnings.catch_warnings(), Recogniser(options) as recogniser:
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=[kind.name])
            frames = getattr(image, "n_frames", 1) if kind is Format.TIFF else 1
            _check_size(image, frames)
            for frame in range(frames):
                image.seek(frame)
                _check_size(image, frames)
                page = recogniser.read(_picture(image))
                if frame:
                    builder.append(PAGE_SEPARATOR)
                builder.start_page(frame + 1)
                boxes.add(builder.append(page.text), page.boxes)
        except Image.DecompressionBombError as exc:
            raise _too_large() from exc
        except (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError) as exc:
            # Pillow's decoders raise these for damaged files.
            raise CorruptedError("This picture is damaged. Export it again and upload that.") from exc
    return builder.build(page_count=frames, warnings=[TEXT_RECOGNISED], boxes=boxes.build())


def _check_size(image: "Image.Image", frames: int) -> None:
    if image.width * image.height > PIXELS_MAX or frames > FRAMES_MAX:
        raise _too_large()


def _too_large() -> ImageLimitError:
    return ImageLimitError(
        f"This picture has more than {PIXELS_MAX // 1_000_000} million pixels or {FRAMES_MAX:,} pages. "
        "Make it smaller, or split it, and upload that.",
        pixels_max=PIXELS_MAX,
    )


def _picture(image: "Image.Image") -> Picture:
    """Grey pixels of the frame as it is displayed, in a size that suits Tesseract."""
    from PIL import Image, ImageOps

    shown = ImageOps.exif_transpose(image)
    if shown.mode.startswith("I;16") or shown.mode == "I":
        shown = Image.fromarray((np.asarray(shown).astype(np.uint32) >> 8).astype(np.uint8))
    if "A" in shown.getbands() or "transparency" in shown.info:
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown.convert("RGBA"))
    shown = shown.convert("L")
    scale = 2.0 if max(shown.size) <= _SMALL_SIDE_MAX else 1.0
    scale = min(scale, (_RECOGNISED_PIXELS_MAX / (shown.width * shown.height)) ** 0.5)
    if scale != 1:
        shown = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    pixels: NDArray[np.uint8] = np.asarray(shown)
    return Picture(pixels, _DPI_DEFAULT)
