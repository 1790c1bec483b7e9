"""Multipart uploads, in pieces of any size."""

from collections.abc import AsyncIterator, Iterable

import pytest

from lumikb.http.multipart import FIELD_BYTES_MAX, PARTS_MAX, BadMultipartError, multipart_parts

pytestmark = pytest.mark.anyio

TYPE = "multipart/form-data; boundary=xyz"
FILE = b"line one\r\n--not the boundary\r\n\x00\xff and \xe2\x82\xac\r\n"
BODY = (
    b'--xyz\r\nContent-Disposition: form-data; name="tags"\r\n\r\na,b\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="r\xc3\xa9sum\xc3\xa9.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\n" + FILE + b"\r\n"
    b'--xyz\r\nContent-Disposition: form-data; name="empty"; filename=""\r\n\r\n\r\n'
    b"--xyz--\r\n"
)
EXPECTED = [("tags", None, b"a,b"), ("file", "r\u00e9sum\u00e9.txt", FILE), ("empty", "", b"")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def arriving(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def read(content_type: str, *pieces: bytes) -> list[tuple[str, str | None, bytes]]:
    found: list[tuple[str, str | None, bytes]] = []
    async for part in multipart_parts(content_type, arriving(pieces)):
        found.append((part.name, part.filename, b"".join([chunk async for chunk in part.content])))
    return found


def form(*parts: tuple[str, bytes]) -> bytes:
    segments = [
        b'--xyz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), data)
        for name, data in parts
    ]
    return b"".join(segments) + b"--xyz--\r\n"


async def test_parts_come_in_order_with_their_bytes() -> None:
    assert await read(TYPE, BODY) == EXPECTED


async def test_a_split_at_any_byte_changes_nothing() -> None:
    for at in range(len(BODY) + 1):
        assert await read(TYPE, BODY[:at], BODY[at:]) == EXPECTED


async def test_single_bytes_change_nothing() -> None:
    assert await read(TYPE, *(BODY[at : at + 1] for at in range(len(BODY)))) == EXPECTED


async def test_a_quoted_boundary_is_understood() -> None:
    assert await read('multipart/form-data; charset=utf-8; boundary="xyz"', BODY) == EXPECTED


@pytest.mark.parametrize(
    "content_type",
    ["", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=xyz", "application/json"],
)
async def test_without_a_boundary_of_a_form_the_body_is_refused(content_type: str) -> None:
    with pytest.raises(BadMultipartError, match="multipart/form-data"):
        await read(content_type, BODY)


async def test_a_body_that_ends_early_is_refused_wherever_it_ends() -> None:
    end = BODY.rindex(b"--xyz--") + len(b"--xyz--")
    for at in range(end):
        with pytest.raises(BadMultipartError, match="not a complete"):
            await read(TYPE, BODY[:at])


@pytest.mark.parametrize(
    ("sent", "filename"),
    [
        ('"C:\\Users\\me\\a.txt"', "C:\\Users\\me\\a.txt"),
        ('"\\\\host\\share\\a.txt"', "\\\\host\\share\\a.txt"),
        ('"folder/a; b.txt"', "folder/a; b.txt"),
        ('"a%22b%0A.txt"', 'a"b\n.txt'),
        ('"a\\"b.txt"', 'a"b.txt'),
        ('"a\\"', "a\\"),
        ("a.txt", "a.txt"),
        ('""', ""),
    ],
)
async def test_a_name_is_given_as_it_was_sent(sent: str, filename: str) -> None:
    header = f'--xyz\r\nContent-Disposition: form-data; name="file"; filename={sent}\r\n\r\n'
    assert await read(TYPE, header.encode(), b"x\r\n--xyz--\r\n") == [("file", filename, b"x")]


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        b"--abc\r\n\r\n--abc--\r\n",
        b"--xyz\r\n\r\nno headers\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: attachment\r\n\r\nx\r\n--xyz--\r\n",
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\nbroken header\r\n\r\nx\r\n--xyz--\r\n',
    ],
)
async def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadMultipartError):
        await read(TYPE, body)


async def test_more_parts_than_allowed_are_refused() -> None:
    assert len(await read(TYPE, form(*[("a", b"1")] * PARTS_MAX))) == PARTS_MAX
    with pytest.raises(BadMultipartError):
        await read(TYPE, form(*[("a", b"1")] * (PARTS_MAX + 1)))


async def test_a_field_is_read_up_to_its_bound() -> None:
    part = await anext(multipart_parts(TYPE, arriving([form(("note", b"a" * FIELD_BYTES_MAX))])))
    assert len(await part.text()) == FIELD_BYTES_MAX
    part = await anext(multipart_parts(TYPE, arriving([form(("note", b"a" * (FIELD_BYTES_MAX + 1)))])))
    with pytest.raises(BadMultipartError, match="note"):
        await part.text()


async def test_text_that_is_not_utf8_is_read_with_marks() -> None:
    async for part in multipart_parts(TYPE, arriving([form(("note", b"a\xff"))])):
        assert await part.text() == "a\ufffd"
