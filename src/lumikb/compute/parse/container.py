"""Files that hold files: what all of them may hold together, and how their members come to stand in one text."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from lumikb.compute.parse.errors import (
    ArchiveLimitError,
    CorruptedError,
    EncryptedError,
    OutputLimitError,
    ParseError,
    UnsupportedFormatError,
)
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.text import NO_TEXT, TextBuilder, squeeze
from lumikb.compute.parse.unpack import check_unpacked, unpacked_bytes_max

MEMBER_SKIPPED = "MEMBER_SKIPPED"
WARNINGS_LEFT_OUT = "WARNINGS_LEFT_OUT"
DEPTH_MAX = 8
MEMBERS_MAX = 10_000
WARNINGS_MAX = 100
NAME_CHARS_MAX = 200


class Budget:
    """What one upload may hold in all its archives and messages together. Each step raises `ArchiveLimitError`."""

    def __init__(self, size_bytes: int) -> None:
        self.unpacked_bytes_left = unpacked_bytes_max(size_bytes)
        self._members_left = MEMBERS_MAX
        self._depth = 0

    def take(self, *, members: int, unpacked_bytes: int = 0) -> None:
        """Count members before they are unpacked."""
        self._members_left -= members
        if self._members_left < 0:
            raise ArchiveLimitError(f"This file holds more than {MEMBERS_MAX:,} files. Split it into parts.")
        check_unpacked(unpacked_bytes, self.unpacked_bytes_left)
        self.unpacked_bytes_left -= unpacked_bytes

    @contextmanager
    def deeper(self) -> Generator[None]:
        """A member is read, which may be a container itself."""
        if self._depth == DEPTH_MAX:
            raise ArchiveLimitError(
                f"This file holds archives within archives, more than {DEPTH_MAX} deep. Unpack it and upload the files."
            )
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


ReadMember = Callable[[bytes, str], ParsedText]
"""Parses a member by its name with the reader that fits."""


class MemberWriter:
    """Writes members to a `TextBuilder`, each under its name as a heading of rank `level`.

    A member that cannot be read is left out with the warning `MEMBER_SKIPPED: name: code`; the bounds on the whole
    are errors of the whole.
    """

    def __init__(self, builder: TextBuilder, read: ReadMember, level: int) -> None:
        self.warnings: list[str] = []
        self._builder = builder
        self._read = read
        self._level = level
        self._written = 0
        self._skipped: list[ParseError] = []

    def write(self, name: str, data: bytes) -> None:
        """Write the member called `name`, which is a label and no place; one without bytes is nothing."""
        if not data:
            return
        label = squeeze(name)[:NAME_CHARS_MAX]
        try:
            parsed = self._read(data, name)
        except (ArchiveLimitError, OutputLimitError):
            raise
        except ParseError as error:
            self.skip(name, error)
            return
        self._written += 1
        for warning in parsed.warnings:
            code, colon, fact = warning.partition(": ")
            self._warn(f"{code}: {label}{colon}{fact}")
        if NO_TEXT in parsed.warnings:
            return
        self._builder.append_block(label, level=self._level)
        self._builder.append("\n\n")
        self._builder.append_document(parsed, self._level)

    def skip(self, name: str, error: ParseError) -> None:
        """Leave a member out because of `error`."""
        self._skipped.append(error)
        self._warn(f"{MEMBER_SKIPPED}: {squeeze(name)[:NAME_CHARS_MAX]}: {error.stable_code}")

    def check_any(self) -> None:
        """Raises an error when there were members and none could be read: the first of these that one of them had.

        `EncryptedError`, `CorruptedError`, else `UnsupportedFormatError`.
        """
        if self._written or not self._skipped:
            return
        for error in self._skipped:
            if isinstance(error, EncryptedError):
                raise error
        if any(isinstance(error, CorruptedError) for error in self._skipped):
            raise CorruptedError("The files in this archive are damaged. Pack them again and upload that.")
        raise UnsupportedFormatError(
            "None of the files in this archive can be read. Unpack it and upload them one by one to see why.",
            skipped=self.warnings[:10],
        )

    def _warn(self, warning: str) -> None:
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(warning)
        elif len(self.warnings) == WARNINGS_MAX:
            self.warnings.append(WARNINGS_LEFT_OUT)
