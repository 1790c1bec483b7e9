"""How pictures of text are to be read, apart from what reads them: the server's own process loads no parser."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DATA_DIRECTORIES = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)

_LANGUAGES = re.compile(r"[A-Za-z_]{3,30}(\+[A-Za-z_]{3,30}){0,7}")


@dataclass(frozen=True)
class OcrOptions:
    """Tesseract's names of the languages, joined by "+", and the directory of their data; empty: the usual ones.

    `before_page` is called before each page is read, which takes a second or more.
    """

    languages: str = "eng"
    data_dir: str = ""
    before_page: Callable[[], None] = lambda: None


def find_data(options: OcrOptions) -> Path | None:
    """The directory that holds the data of all languages, None when there is none."""
    if not _LANGUAGES.fullmatch(options.languages):
        return None
    names = [f"{name}.traineddata" for name in options.languages.split("+")]
    patterns = (options.data_dir,) if options.data_dir else DATA_DIRECTORIES
    directories = [path for pattern in patterns for path in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)]
    return next((path for path in directories if all((path / name).is_file() for name in names)), None)
