"""Multipart uploads (RFC 7578) part by part as they arrive, never whole in memory."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from email.message import Message

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from lumikb.kit.errors import MalformedRequestError

PARTS_MAX = 32
FIELD_BYTES_MAX = 65_536

_WINDOWS_PATH = re.compile(r'; *filename *= *"((?:[a-z]:|\\)\\[^"]*)"', re.IGNORECASE)


class BadMultipartError(MalformedRequestError):
    """The body is not the multipart form that its header promises."""

    code = "BAD_MULTIPART"


@dataclass(frozen=True)
class Part:
    """One part. Read `content` to its end before asking for the next part."""

    name: str
    filename: str | None
    content: AsyncIterator[bytes]

    async def text(self) -> str:
        """The part as text; raises `BadMultipartError` beyond `FIELD_BYTES_MAX` bytes."""
        data = bytearray()
        async for chunk in self.content:
            data += chunk
            if len(data) > FIELD_BYTES_MAX:
                raise BadMultipartError(f"The field {self.name} has more than {FIELD_BYTES_MAX} bytes.")
        return data.decode("utf-8", "replace")


async def multipart_parts(content_type: str, body: AsyncIterator[bytes]) -> AsyncGenerator[Part]:
    """The parts of a body in order; raises `BadMultipartError`."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise BadMultipartError("Send the file as multipart/form-data, in a part called file.")
    events = _events(boundary, body)
    async for event in events:
        if isinstance(event, MultipartSegment):
            yield Part(event.name or "", _filename(event), _content(events))


def _filename(segment: MultipartSegment) -> str | None:
    """The name as it was sent: of a path such as `C:\\notes\\a.txt` the library drops all but the last part unseen."""
    path = _WINDOWS_PATH.search(dict(segment.headerlist)["Content-Disposition"])
    return path[1] if path else segment.filename


async def _content(events: AsyncIterator[MultipartSegment | bytes | None]) -> AsyncIterator[bytes]:
    async for event in events:
        if event is None:
            return
        if isinstance(event, bytes):
            yield event


async def _events(boundary: str, body: AsyncIterator[bytes]) -> AsyncGenerator[MultipartSegment | bytes | None]:
    """A segment where a part starts, bytes of its content, None where it ends."""
    try:
        with PushMultipartParser(boundary, max_segment_count=PARTS_MAX) as parser:
            async for chunk in body:
                if not chunk:  # the parser would take it for the end
                    continue
                for event in parser.parse(chunk):
                    yield bytes(event) if isinstance(event, bytearray) else event
            for event in parser.parse(b""):
                yield bytes(event) if isinstance(event, bytearray) else event
    except MultipartError as exc:
        raise BadMultipartError("The upload is not a complete multipart form. Upload it again.") from exc
