"""Which PDF pages are pictures of text, and what they look like."""

import re
from itertools import islice

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from pypdfium2 import raw

from lumikb.compute.parse.ocr import Picture

DPI = 300
PIXELS_MAX = 25_000_000
# A scan with a stamped page number or a running title has up to this many letters and digits of real text.
_POOR_LETTERS_MAX = 25
_POOR_CHARS_MAX = 500
_ODD = re.compile("[\ue000-\uf8ff\ufffd\x00-\x09\x0b-\x1f]")
_GARBLED_SHARE_MIN = 0.3
_SCAN_SHARE_MIN = 0.5
_OBJECTS_MAX = 2000


def is_scan(page: pypdfium2.PdfPage, text: str) -> bool:
    """Whether `text`, the page's own, says less than what the page shows: it draws without text or is a large image."""
    if not text:
        return next(iter(page.get_objects()), None) is not None
    return (_is_poor(text) or _is_garbled(text)) and _has_large_image(page)


def render_page(page: pypdfium2.PdfPage) -> Picture:
    """The page as it is displayed, at `DPI` or what `PIXELS_MAX` allows."""
    width, height = page.get_size()
    area = max(width * height, 1e-3)
    scale = min(DPI / 72, (PIXELS_MAX / area) ** 0.5)
    if max(width, height) * scale > PIXELS_MAX / 1000:
        scale = PIXELS_MAX / 1000 / max(width, height)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        pixels: NDArray[np.uint8] = bitmap.to_numpy().copy()
    finally:
        bitmap.close()
    return Picture(pixels.reshape(pixels.shape[:2]), round(scale * 72))


def letter_count(text: str) -> int:
    """Letters and digits in `text`."""
    return sum(map(str.isalnum, text))


def _is_poor(text: str) -> bool:
    return len(text) <= _POOR_CHARS_MAX and letter_count(text) <= _POOR_LETTERS_MAX


def _is_garbled(text: str) -> bool:
    """Whether many characters have no meaning: private use, replacement and control characters."""
    return len(_ODD.findall(text)) >= _GARBLED_SHARE_MIN * len(text)


def _has_large_image(page: pypdfium2.PdfPage) -> bool:
    left, bottom, right, top = page.get_bbox()
    area = (right - left) * (top - bottom)
    shown = 0.0
    for item in islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4), _OBJECTS_MAX):
        # Inside of a form, the bounds are in the form's own plane.
        if item.level:
            return True
        x0, y0, x1, y1 = item.get_bounds()
        shown += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
    return shown >= _SCAN_SHARE_MIN * area
