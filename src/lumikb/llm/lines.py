"""Lines of a body that is read as it arrives, within bounds."""

from collections.abc import AsyncIterator

from lumikb.llm.errors import ModelFailedError

LINE_BYTES_MAX = 1 << 20
BODY_BYTES_MAX = 16 << 20


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines, without their ends and white space around; a last one without an end counts.

    Raises `ModelFailedError` past `LINE_BYTES_MAX` or `BODY_BYTES_MAX`.
    """
    held, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            held += line
            _check(len(held), size)
            yield bytes(held).strip()
            held.clear()
        held += rest
        _check(len(held), size)
    if held:
        yield bytes(held).strip()


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    """The whole body; raises `ModelFailedError` past `BODY_BYTES_MAX`."""
    body = await begin_of(chunks, BODY_BYTES_MAX + 1)
    _check(0, len(body))
    return body


async def begin_of(chunks: AsyncIterator[bytes], bytes_max: int) -> bytes:
    """The body's beginning."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) >= bytes_max:
            break
    return bytes(body[:bytes_max])


def _check(line: int, body: int) -> None:
    if line > LINE_BYTES_MAX or body > BODY_BYTES_MAX:
        raise ModelFailedError("The language model's server sent more than any answer has.", "too_large")
