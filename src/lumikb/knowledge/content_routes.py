"""Routes of what a document holds: text, passages, the file, versions."""

import re
from typing import Any
from urllib.parse import quote

from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.response import Stream
from sqlalchemy import Connection

from lumikb.compute.parse.boxes import locate
from lumikb.http.conditions import is_known
from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.http.ranges import byte_range
from lumikb.http.routes import begun, is_head
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.pages import LIMIT_DEFAULT, PageRequest
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.models import Chunk, Version
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.wire import ChunkBody, ContentBody, PlaceBody, VersionBody, VersionsBody, chunk_body, version_body
from lumikb.store.record.engine import Record

CONTENT_CHARS_MAX = 1_000_000
LOCATE_CHARS_MAX = 100_000
_ONE = "/knowledge-bases/{kb_id:str}/documents/{document_id:str}"


@get(_ONE + "/content", opt=requires(Permission.KB_READ), summary="Read a document's text")
async def get_document_content(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
    start: int = 0,
    end: int | None = None,
    version: int | None = None,
) -> ContentBody:
    """The text at `[start, end)` in code points, up to 1,000,000 of them: what citations and chunks point into.

    Of the version that readers see, unless another is named.
    """
    if start < 0 or (end is not None and end < start):
        raise InvalidInputError("start and end must not be negative or reversed.", field="start")

    def read(connection: Connection) -> str:
        document = documents.get(connection, request.user, document_id, kb_id=kb_id)
        return documents.parsed_text(documents.version(connection, document, version)).text

    text = await record.read_async(read)
    stop = min(len(text), start + CONTENT_CHARS_MAX, len(text) if end is None else end)
    begin = min(start, stop)
    return ContentBody(text[begin:stop], begin, stop, len(text))


@get(_ONE + "/chunks", opt=requires(Permission.KB_READ), summary="List a document's passages")
async def list_document_chunks(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
) -> PageBody[ChunkBody]:
    """The passages that searches find, in the order of the text."""
    asked = PageRequest(page, limit)

    def read(connection: Connection) -> PageBody[ChunkBody]:
        document = documents.get(connection, request.user, document_id, kb_id=kb_id)
        kb_name = bases.get(connection, request.user, kb_id).name
        number = documents.version(connection, document, None).number

        def to_wire(chunk: Chunk) -> ChunkBody:
            return chunk_body(chunk, document, number, kb_name)

        return page_body(documents.chunks(connection, document, asked), to_wire)

    return await record.read_async(read)


@get(_ONE + "/download", opt=requires(Permission.KB_READ), summary="Download the original file")
async def download_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
    version: int | None = None,
) -> Response[Any]:
    """The bytes as they were uploaded, of the version that readers see unless another is named.

    Honours a `Range` of one range, and `If-Range` with the `ETag` of an earlier answer: a file that changed since is
    sent whole. With `If-None-Match` it is sent only if it changed; else the answer is 304, without a body.
    """

    def find(read: Connection) -> Version:
        document = documents.get(read, request.user, document_id, kb_id=kb_id)
        return documents.version(read, document, version)

    file = await record.read_async(find)
    etag = f'"{file.sha256}"'
    if is_known(request.headers.getall("if-none-match", []), etag):
        return Response(None, headers={"ETag": etag}, status_code=304)
    # A part that does not belong to what the client has of the file is of no use to it (RFC 9110, section 13.1.5).
    same = request.headers.get("if-range", etag) == etag
    wanted = byte_range(request.headers.get("range"), file.size_bytes) if same else None
    await documents.ensure_whole(file)
    start, end = wanted or (0, file.size_bytes)
    ascii_name = re.sub(r"[^\w.\- ]", "_", file.filename, flags=re.ASCII)
    headers = {
        # Said here, as the framework would add a charset, which the file may not have.
        "Content-Type": file.mime_type,
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "Content-Disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file.filename)}",
        "ETag": etag,
    }
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
    status = 206 if wanted is not None else 200
    if is_head():
        return Response(b"", headers=headers, status_code=status)
    return Stream(await begun(documents.content(file, start, end)), headers=headers, status_code=status)


@get(_ONE + "/locate", opt=requires(Permission.KB_READ), summary="Find a stretch of text on its pages")
async def locate_document_text(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
    start: int,
    end: int,
    version: int | None = None,
) -> list[PlaceBody]:
    """Where the text at `[start, end)` stands: per page a rectangle for each line, in fractions of the page from its
    top left. Empty for documents without a fixed layout.
    """
    if not 0 <= start <= end <= start + LOCATE_CHARS_MAX:
        raise InvalidInputError(f"start and end bound up to {LOCATE_CHARS_MAX} characters.", field="end")

    def find(connection: Connection) -> list[PlaceBody]:
        document = documents.get(connection, request.user, document_id, kb_id=kb_id)
        parsed = documents.parsed_text(documents.version(connection, document, version))
        return [PlaceBody(page, rects) for page, rects in locate(parsed, start, end)]

    return await record.in_slow_pool(lambda: record.read(find))


@get(_ONE + "/versions", opt=requires(Permission.KB_READ), summary="List a document's versions")
async def list_document_versions(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
) -> VersionsBody:
    """All versions, newest first; the current one answers."""

    def read(connection: Connection) -> list[VersionBody]:
        document = documents.get(connection, request.user, document_id, kb_id=kb_id)
        return [version_body(version) for version in documents.versions(connection, document)]

    return VersionsBody(await record.read_async(read))


content_router = Router(
    path="/",
    tags=["Documents"],
    route_handlers=[
        get_document_content,
        list_document_chunks,
        download_document,
        locate_document_text,
        list_document_versions,
    ],
)
