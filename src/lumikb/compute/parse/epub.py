"""EPUB books: the chapters in reading order, with the table of contents and the chapters' own headings."""

import posixpath
import re
from collections import deque
from dataclasses import dataclass

from lumikb.compute.parse.errors import CorruptedError, EncryptedError
from lumikb.compute.parse.html import parse_html
from lumikb.compute.parse.models import Heading, ParsedText
from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, PropertyReader, attribute
from lumikb.compute.parse.text import TITLE_CHARS_MAX, TextBuilder, lines, squeeze

CHAPTER_MISSING = "CHAPTER_MISSING"
CONTENTS_MAX = 20_000
CONTENTS_DEPTH_MAX = 20
MISSING_TOLD_MAX = 20

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
# Fonts may be scrambled (EPUB 3.3, OCF 4.4; Adobe's older way): nothing that is read.
_FONT_SCRAMBLING = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
_CHAPTER_TYPES = {"application/xhtml+xml", "text/html"}
_NCX_TYPE = "application/x-dtbncx+xml"
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_PROPERTIES = {
    "title": "title",
    "creator": "author",
    "subject": "keywords",
    "description": "description",
    "publisher": "publisher",
    "date": "created",
    "language": "language",
}


def parse_epub(data: bytes, text_chars_max: int) -> ParsedText:
    """Every chapter of the spine. Raises `EncryptedError` when the chapters are locked (DRM).

    A chapter that the book names and does not hold is left out with the warning `CHAPTER_MISSING: name`.
    """
    package = Package(data)
    _check_not_encrypted(package)
    container = _Container()
    package.read(_CONTAINER, container)
    folder = posixpath.dirname(container.root)
    book = _Book(folder)
    package.read(container.root, book)
    contents = _contents(package, book)
    names = book.chapters()
    missing = [name for name in names if name not in package]
    if len(missing) == len(names):
        raise CorruptedError("This book holds none of its chapters. Get it again and upload that.")
    builder = TextBuilder(text_chars_max)
    for name in names:
        if name in package:
            chapter = parse_html(package.read_bytes(name), text_chars_max, is_xhtml=True)
            _write_chapter(builder, chapter, contents.get(name, []))
    warnings = [f"{CHAPTER_MISSING}: {squeeze(name)}" for name in missing[:MISSING_TOLD_MAX]]
    title, metadata = book.properties.title_and_rest()
    return builder.build(title=title, metadata=metadata | book.modified, warnings=warnings)


class _Encryption(PartReader):
    def __init__(self) -> None:
        self.locked = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "EncryptionMethod" and attribute(attributes, "Algorithm") not in _FONT_SCRAMBLING:
            self.locked = True


def _check_not_encrypted(package: Package) -> None:
    encryption = _Encryption()
    if _ENCRYPTION in package:
        package.read(_ENCRYPTION, encryption)
    if encryption.locked:
        raise EncryptedError("This book is locked by its shop (DRM). Upload a copy without such a lock.")


class _Container(PartReader):
    def __init__(self) -> None:
        self.root = ""

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "rootfile" and not self.root:
            self.root = attribute(attributes, "full-path")


class _Book(PartReader):
    """The package document: what the book says of itself, its files, and the order to read them in."""

    def __init__(self, folder: str) -> None:
        self.properties = PropertyReader(_PROPERTIES)
        self.modified: dict[str, str] = {}
        self.navigation = ""
        self.ncx = ""
        self._folder = folder
        self._files: dict[str, str] = {}
        self._spine: list[str] = []
        self._in_modified = False

    def chapters(self) -> list[str]:
        """Each chapter once, in reading order."""
        return list(dict.fromkeys(self._files[key] for key in self._spine if key in self._files))

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "item":
            self._note_file(attributes)
        elif name == "itemref":
            self._spine.append(attribute(attributes, "idref"))
        self._in_modified = attribute(attributes, "property") == "dcterms:modified"
        self.properties.start(name, attributes)

    def end(self, name: str) -> None:
        self._in_modified = False
        self.properties.end(name)

    def text(self, data: str) -> None:
        if self._in_modified:
            self.modified["modified"] = self.modified.get("modified", "") + data
        self.properties.text(data)

    def _note_file(self, attributes: Attributes) -> None:
        name = _resolved(self._folder, attribute(attributes, "href"))
        kind = attribute(attributes, "media-type")
        if kind in _CHAPTER_TYPES:
            self._files[attribute(attributes, "id")] = name
        if kind == _NCX_TYPE:
            self.ncx = name
        if "nav" in attribute(attributes, "properties").split():
            self.navigation = name


@dataclass(frozen=True)
class _Entry:
    """An entry of the table of contents; `level` from 1."""

    title: str
    level: int


class _Contents(PartReader):
    """The entries of a navigation document (EPUB 3) or an NCX (EPUB 2) by the file that they lead to."""

    def __init__(self, folder: str) -> None:
        self.found: dict[str, list[_Entry]] = {}
        self._folder = folder
        self._count = 0
        self._level = 0
        self._in_contents = False
        self._target: str | None = None
        self._title: list[str] = []
        self._in_label = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name in {"nav", "navMap"}:
            self._in_contents = name == "navMap" or "toc" in attribute(attributes, "type").split()
        elif name in {"ol", "navPoint"}:
            self._level += 1
        elif name == "a":
            self._target = attribute(attributes, "href")
            self._title.clear()
        elif name == "text":
            self._in_label = True
            self._title.clear()
        elif name == "content":
            self._add(attribute(attributes, "src"))

    def end(self, name: str) -> None:
        if name in {"nav", "navMap"}:
            self._in_contents = False
        elif name in {"ol", "navPoint"}:
            self._level -= 1
        elif name == "a" and self._target is not None:
            self._add(self._target)
            self._target = None
        elif name == "text":
            self._in_label = False

    def text(self, data: str) -> None:
        if self._target is not None or self._in_label:
            self._title.append(data)

    def _add(self, target: str) -> None:
        title = squeeze("".join(self._title))[:TITLE_CHARS_MAX].rstrip()
        if self._in_contents and title and self._count < CONTENTS_MAX:
            self._count += 1
            entry = _Entry(title, min(max(self._level, 1), CONTENTS_DEPTH_MAX))
            self.found.setdefault(_resolved(self._folder, target.partition("#")[0]), []).append(entry)


def _contents(package: Package, book: _Book) -> dict[str, list[_Entry]]:
    for name in (book.navigation, book.ncx):
        if name in package:
            contents = _Contents(posixpath.dirname(name))
            try:
                package.read(name, contents)
            except CorruptedError:
                # A book is worth reading without its table of contents, too.
                continue
            if contents.found:
                return contents.found
    return {}


def _resolved(folder: str, target: str) -> str:
    path = _ESCAPE.sub(lambda code: bytes.fromhex(code[1].decode()), target.encode()).decode("utf-8", "replace")
    return posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")


def _write_chapter(builder: TextBuilder, chapter: ParsedText, entries: list[_Entry]) -> None:
    """Write a chapter with its headings; those that the table of contents names have its rank.

    An entry is placed at the heading or the line that says the same, the first one at the chapter's start if none
    does, where a heading of the chapter's own keeps its words. The other headings keep their distance to the first one.
    """
    if not chapter.text:
        return
    placed = _placed(chapter, entries)
    if builder.length:
        builder.append("\n\n")
    headings = _merged(placed, chapter.headings) if placed else chapter.headings
    builder.append_document(ParsedText(text=chapter.text, headings=headings), 0)


def _merged(placed: list[Heading], own: list[Heading]) -> list[Heading]:
    first = placed[0]
    same = next((heading for heading in own if heading.start == first.start), None)
    top = min((heading.level for heading in own), default=1)
    shift = first.level - same.level if same else first.level + 1 - top
    by_start = {heading.start: heading for heading in placed}
    merged: list[Heading] = []
    above = 0
    for heading in sorted([*placed, *(one for one in own if one.start not in by_start)], key=lambda one: one.start):
        if by_start.get(heading.start) is heading:
            above = heading.level
            merged.append(heading)
        else:
            level = max(heading.level + shift, above + 1)
            merged.append(Heading(heading.start, heading.end, level, heading.title))
    return merged


def _placed(chapter: ParsedText, entries: list[_Entry]) -> list[Heading]:
    if not entries:
        return []
    places: dict[str, deque[int]] = {}
    for start, line in lines(chapter.text):
        places.setdefault(squeeze(line).casefold(), deque()).append(start + len(line) - len(line.lstrip()))
    own = {heading.start: heading for heading in chapter.headings}
    for heading in chapter.headings:
        # Before a line of the same words, such as an entry of a printed table of contents.
        places[heading.title.casefold()] = deque()
    for heading in chapter.headings:
        places[heading.title.casefold()].append(heading.start)
    placed: list[Heading] = []
    at = 0
    for number, entry in enumerate(entries):
        starts = places.get(entry.title.casefold(), deque())
        while starts and starts[0] < at:
            starts.popleft()
        if starts:
            at = starts.popleft()
            placed.append(_heading_at(chapter.text, at, entry, own.get(at)))
        elif number == 0:
            placed.append(_heading_at(chapter.text, 0, entry, own.get(0)))
    return placed


def _heading_at(text: str, start: int, entry: _Entry, own: Heading | None) -> Heading:
    if own is not None:
        return Heading(start, own.end, entry.level, own.title)
    end = start + len(entry.title) if text.startswith(entry.title, start) else start
    return Heading(start, end, entry.level, entry.title)
