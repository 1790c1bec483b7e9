"""Office Open XML packages (ECMA-376): a bounded ZIP of XML parts, each read as a stream of elements.

By expat: its memory does not grow with depth, so that deeply nested markup reads like any other, and every character
comes out as it went in. (kreuzberg 4.10 drops `<`, `>`, `&` and tabs from a paragraph's text.)
"""

import io
import posixpath
import re
from dataclasses import dataclass
from typing import IO
from xml.parsers import expat

from lumikb.compute.parse.errors import CorruptedError, unknown_encryption
from lumikb.compute.parse.text import squeeze
from lumikb.compute.parse.unpack import UNPACK_ERRORS, check_unpacked, open_zip, raise_corrupted, unpacked_bytes_max

PROPERTY_CHARS_MAX = 2000

_READ_BYTES = 1 << 16
_OVERLAP_BYTES = 256
_TEXT_ELEMENT = re.compile(rb"<(?:\w+:)?t(?:\s[^<>]*)?>[^<]*[^<\s]")

Attributes = dict[str, str]


def attribute(attributes: Attributes, name: str) -> str:
    """The value of the attribute of that local name under any prefix, empty when there is none."""
    if not attributes or name in attributes:
        return attributes.get(name, "")
    return prefixed(attributes, name)


def prefixed(attributes: Attributes, name: str) -> str:
    """As `attribute`, for an attribute that has a prefix: `r:id` beside a plain `id`."""
    return next((value for key, value in attributes.items() if key.endswith(f":{name}")), "")


def is_on(attributes: Attributes) -> bool:
    """Whether an element that switches something, such as `w:vanish`, switches it on (ECMA-376, 17.17.4)."""
    return attribute(attributes, "val") not in {"0", "false", "off"}


class PartReader:
    """Receives the elements of one part, by local name, in document order.

    Elements in `skipped` are left out whole. Where `elements` names some, the others are passed over, but not what is
    in them.
    """

    skipped: frozenset[str] = frozenset()
    elements: frozenset[str] | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        """An element opens."""

    def end(self, name: str) -> None:
        """An element closes."""

    def skip(self, name: str) -> None:
        """An element opens that is left out."""

    def text(self, data: str) -> None:
        """Characters; one run may come in pieces."""


@dataclass(frozen=True)
class Relationship:
    """A link from one part to another: the last segment of its type, and the other part's name."""

    kind: str
    target: str


class Package:
    """The parts of one Office file, EPUB or OpenDocument file.

    Raises `CorruptedError` when the ZIP is damaged, `EncryptedError` when its entries are locked and
    `ArchiveLimitError` when it unpacks to more than `unpacked_bytes_max` allows.
    """

    def __init__(self, data: bytes) -> None:
        self._zip = open_zip(data)
        entries = self._zip.infolist()
        if any(entry.flag_bits & 1 for entry in entries):
            raise unknown_encryption()
        check_unpacked(sum(entry.file_size for entry in entries), unpacked_bytes_max(len(data)))
        self._names = {entry.filename for entry in entries}
        self._replaced: dict[str, bytes] = {}
        # Of the part that was asked for last: readers ask for one kind after another.
        self._links: tuple[str, dict[str, Relationship]] | None = None

    def __contains__(self, part: str) -> bool:
        return part in self._names

    def replace(self, part: str, data: bytes) -> None:
        """Have `part` read from `data`: it has been decrypted."""
        self._replaced[part] = data

    def read(self, part: str, reader: PartReader) -> None:
        """Feed `part` to `reader`. Raises `CorruptedError` when it is missing or not well-formed."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_entities
        _connect(parser, reader)
        try:
            with self._open(part) as stream:
                while len(piece := stream.read(_READ_BYTES)) == _READ_BYTES:
                    parser.Parse(piece, False)
            parser.Parse(piece, True)
        except (*UNPACK_ERRORS, KeyError, expat.ExpatError) as exc:
            raise_corrupted(exc)

    def read_bytes(self, part: str) -> bytes:
        """The bytes of `part`. Raises `CorruptedError` when it is missing or damaged."""
        try:
            with self._open(part) as stream:
                return stream.read()
        except (*UNPACK_ERRORS, KeyError) as exc:
            raise_corrupted(exc)

    def relationships(self, part: str) -> dict[str, Relationship]:
        """The links of `part` (empty for the package itself) by id, without those that lead out of the package."""
        if self._links is None or self._links[0] != part:
            folder, name = posixpath.split(part)
            links = posixpath.join(folder, "_rels", f"{name}.rels")
            reader = _Relationships(folder)
            if links in self:
                self.read(links, reader)
            self._links = part, reader.found
        return self._links[1]

    def main_part(self, default: str) -> str:
        """The part that the document starts from. Raises `CorruptedError` when there is none."""
        links = self.relationships("").values()
        part = next((link.target for link in links if link.kind == "officeDocument"), default)
        if part not in self:
            raise CorruptedError("This file lacks its main part. Save it again from the program that made it.")
        return part

    def related(self, part: str, kind: str) -> list[str]:
        """The parts that `part` links to by `kind` and that are there."""
        targets = (link.target for link in self.relationships(part).values() if link.kind == kind)
        return [target for target in targets if target in self]

    def properties(self) -> tuple[str, dict[str, str]]:
        """Title, and what else the file says of itself."""
        reader = PropertyReader(_PROPERTIES)
        for part in self.related("", "core-properties")[:1]:
            self.read(part, reader)
        return reader.title_and_rest()

    def check_empty(self, parts: list[str]) -> None:
        """Raises `CorruptedError` when `parts`, of which nothing was read, hold text."""
        if self._holds_text(parts):
            raise CorruptedError(
                "The text of this file could not be read. Save it again from the program that made it."
            )

    def _holds_text(self, parts: list[str]) -> bool:
        """Whether any of `parts` has an element of text (`w:t`, `a:t`, `t`) that is not blank, read or not."""
        for part in parts:
            with self._open(part) as stream:
                kept = b""
                while piece := stream.read(_READ_BYTES):
                    kept = kept[-_OVERLAP_BYTES:] + piece
                    if _TEXT_ELEMENT.search(kept):
                        return True
        return False

    def _open(self, part: str) -> IO[bytes]:
        if part in self._replaced:
            return io.BytesIO(self._replaced[part])
        try:
            return self._zip.open(part)
        except ValueError as exc:
            # A damaged directory may place an entry before the file's start.
            raise_corrupted(exc)


class _Relationships(PartReader):
    def __init__(self, folder: str) -> None:
        self.found: dict[str, Relationship] = {}
        self._folder = folder

    def start(self, name: str, attributes: Attributes) -> None:
        if name != "Relationship" or attributes.get("TargetMode") == "External":
            return
        # A target with a leading slash starts at the package's root; names of ZIP entries have no leading slash.
        target = posixpath.normpath(posixpath.join("/", self._folder, attributes.get("Target", "")))
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.found[attributes.get("Id", "")] = Relationship(kind, target.lstrip("/"))


_PROPERTIES = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "created": "created",
    "modified": "modified",
    "language": "language",
}


class PropertyReader(PartReader):
    """Collects the text of the elements in `names`, by what LumiKB calls it; of several elements all, with commas."""

    def __init__(self, names: dict[str, str]) -> None:
        self.found: dict[str, str] = {}
        self._names = names
        self._name = ""
        self._parts: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        self._name = self._names.get(name, "")
        self._parts.clear()

    def end(self, name: str) -> None:
        value = squeeze("".join(self._parts))
        if self._name and value:
            before = self.found.get(self._name, "")
            if len(before) < PROPERTY_CHARS_MAX:
                self.found[self._name] = (f"{before}, {value}" if before else value)[:PROPERTY_CHARS_MAX]
        self._name = ""

    def text(self, data: str) -> None:
        if self._name:
            self._parts.append(data)

    def title_and_rest(self) -> tuple[str, dict[str, str]]:
        """The title, empty when there is none, and all else."""
        rest = {name: value for name, value in self.found.items() if name != "title"}
        return self.found.get("title", ""), rest


def _connect(parser: expat.XMLParserType, reader: PartReader) -> None:
    skipped, elements, depth = reader.skipped, reader.elements, 0

    def start(name: str, attributes: Attributes) -> None:
        nonlocal depth
        name = name.rpartition(":")[2]
        if depth or name in skipped:
            if not depth:
                reader.skip(name)
            depth += 1
        elif elements is None or name in elements:
            reader.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        if depth:
            depth -= 1
        else:
            name = name.rpartition(":")[2]
            if elements is None or name in elements:
                reader.end(name)

    def text(data: str) -> None:
        if not depth:
            reader.text(data)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text


def _refuse_entities(name: str, system_id: str | None, public_id: str | None, has_internal_subset: int) -> None:
    # Entities are declared between the brackets of a document type declaration, or in a file that is never fetched.
    # ECMA-376 part 2, 9.1.3.1 forbids such declarations altogether; EPUB's older parts name their public one.
    if has_internal_subset:
        raise CorruptedError("This file declares XML entities, which documents never do. Save it again.")
