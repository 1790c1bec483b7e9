"""Knowledge bases, documents and chunks on the wire."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from lumikb.compute.extract.models import SummarySentence
from lumikb.kit.clock import Moment
from lumikb.knowledge.models import BulkAction, Chunk, Document, KbStats, KnowledgeBase, Version


class KbBody(msgspec.Struct, kw_only=True):
    """A knowledge base. `permission_level` is the caller's own."""

    id: str
    name: str
    description: str
    owner_id: str
    status: str
    document_count: int
    total_size_bytes: int
    permission_level: str
    created_at: datetime
    updated_at: datetime


class KbCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A knowledge base to create."""

    name: str
    description: str = ""


class KbPatch(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is missing stays."""

    name: str | None = None
    description: str | None = None


class KbStatsBody(msgspec.Struct):
    """What a knowledge base holds."""

    documents: int
    documents_by_status: dict[str, int]
    chunks: int
    vectors: int
    total_size_bytes: int


class ErrorNote(msgspec.Struct):
    """Why a document failed: a stable code, and a sentence that says what to do."""

    code: str
    message: str


class ExtractedBody(msgspec.Struct, kw_only=True):
    """What the file says of itself or its text shows, of the version that answers; null and empty where neither does.

    `language` is an ISO 639-1 code. `keywords` and `summary` are verbatim; offsets count in the text of that `version`.
    """

    source: str
    version: int
    title: str | None
    author: str | None
    language: str | None
    date: datetime | None
    keywords: list[str]
    summary: list[SummarySentence]


class DocumentBody(msgspec.Struct, kw_only=True):
    """A document with the facts of its newest version.

    `document_date` is its own date: as a user says, else as the file does. `extracted` is null until it is READY.
    """

    id: str
    kb_id: str
    name: str
    original_filename: str
    mime_type: str
    file_size_bytes: int
    sha256: str
    status: str
    current_step: str | None
    progress: float
    last_error: ErrorNote | None
    warnings: list[str]
    retry_count: int
    version: int
    page_count: int | None
    chunk_count: int
    tags: list[str]
    metadata: dict[str, Any]
    document_date: datetime | None
    extracted: ExtractedBody | None
    allowed_group_ids: list[str] | None
    duplicate_of: str | None
    job_id: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class DocumentStatusBody(msgspec.Struct, kw_only=True):
    """Where a document stands; progress in percent."""

    id: str
    status: str
    current_step: str | None
    progress: float
    last_error: ErrorNote | None
    warnings: list[str]
    retry_count: int
    chunk_count: int
    updated_at: datetime


class PasswordForm(msgspec.Struct, forbid_unknown_fields=True):
    """What opens an encrypted file."""

    password: str | None = None


class PresignForm(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A file to send: one of `kb_id` and `collection`, what it is called, and how long it is."""

    kb_id: str | None = None
    collection: str | None = None
    filename: str
    size_bytes: int
    sha256: str | None = None
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    priority: int | None = None
    document_date: Moment | None = None


class UploadPartBody(msgspec.Struct):
    """An address for the bytes `[start, end)` of the file."""

    url: str
    start: int
    end: int


class UploadTicketBody(msgspec.Struct):
    """Where the bytes go: the whole file by PUT to `url`, or where that is null each of `parts` to its own address."""

    document_id: str
    url: str | None
    headers: dict[str, str]
    parts: list[UploadPartBody]
    expires_at: datetime


class ReceivedBody(msgspec.Struct):
    """How many bytes of an upload are there, and how many it has."""

    received_bytes: int
    size_bytes: int


class ContentBody(msgspec.Struct):
    """A stretch of a document's text; offsets count Unicode code points."""

    text: str
    start: int
    end: int
    total_chars: int


class PlaceBody(msgspec.Struct):
    """Rectangles on a page, one a line: [x0, y0, x1, y1] in fractions of the page from its top left."""

    page: int
    rects: list[list[float]]


class VersionBody(msgspec.Struct, kw_only=True):
    """A version of a document; the `current` one is what readers see."""

    version: int
    file_size_bytes: int
    sha256: str
    status: str
    created_by: str
    created_at: datetime
    current: bool


class VersionsBody(msgspec.Struct):
    """All versions of a document, newest first."""

    data: list[VersionBody]


class DocumentPatch(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is missing stays. A `document_date` of null lets the file's own date count again."""

    name: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    document_date: Moment | UnsetType | None = UNSET


class BulkForm(msgspec.Struct, forbid_unknown_fields=True):
    """What to do to which documents; `tags` for the action tag."""

    action: BulkAction
    ids: list[str]
    tags: list[str] = []


class BulkResult(msgspec.Struct):
    """What became of one document."""

    id: str
    ok: bool
    error: ErrorNote | None


class BulkBody(msgspec.Struct):
    """What became of each document, in the order of the request."""

    results: list[BulkResult]


class ClearedBody(msgspec.Struct):
    """How many documents were deleted."""

    deleted: int


class ChunkBody(msgspec.Struct, kw_only=True):
    """A passage of a document."""

    chunk_id: str
    document_id: str
    document_name: str
    version: int
    kb_id: str
    kb_name: str
    chunk_text: str
    content: str
    page_number: int | None
    section_header: str | None
    char_start: int
    char_end: int
    chunk_index: int
    total_chunks: int
    token_count: int
    metadata: dict[str, Any]


def kb_body(kb: KnowledgeBase) -> KbBody:
    """A knowledge base that the caller manages: with levels and ownership alone, who reads may do all."""
    return KbBody(
        id=kb.id,
        name=kb.name,
        description=kb.description,
        owner_id=kb.owner_id,
        status=kb.status,
        document_count=kb.document_count,
        total_size_bytes=kb.total_size_bytes,
        permission_level="ADMIN",
        created_at=kb.created_at,
        updated_at=kb.updated_at,
    )


def kb_stats_body(stats: KbStats) -> KbStatsBody:
    """Counts of a knowledge base."""
    return KbStatsBody(stats.documents, stats.documents_by_status, stats.chunks, stats.vectors, stats.total_size_bytes)


def error_note(code: str | None, message: str | None) -> ErrorNote | None:
    """Why something failed, if it did."""
    return None if code is None else ErrorNote(code, message or "")


def document_body(document: Document, *, duplicate: bool = False) -> DocumentBody:
    """A document; after an upload of bytes that were there already, `duplicate_of` is its own id."""
    return DocumentBody(
        id=document.id,
        kb_id=document.kb_id,
        name=document.name,
        original_filename=document.filename,
        mime_type=document.mime_type,
        file_size_bytes=document.size_bytes,
        sha256=document.sha256,
        status=document.status,
        current_step=document.current_step,
        progress=document.progress,
        last_error=error_note(document.error_code, document.error_message),
        warnings=document.warnings,
        retry_count=document.retry_count,
        version=document.version,
        page_count=document.page_count,
        chunk_count=document.chunk_count,
        tags=document.tags,
        metadata=document.metadata,
        document_date=document.own_date,
        extracted=_extracted_body(document),
        allowed_group_ids=document.allowed_group_ids,
        duplicate_of=document.id if duplicate else None,
        job_id=document.job_id,
        created_by=document.created_by,
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


def document_status_body(document: Document) -> DocumentStatusBody:
    """The status part of a document."""
    return DocumentStatusBody(
        id=document.id,
        status=document.status,
        current_step=document.current_step,
        progress=document.progress,
        last_error=error_note(document.error_code, document.error_message),
        warnings=document.warnings,
        retry_count=document.retry_count,
        chunk_count=document.chunk_count,
        updated_at=document.updated_at,
    )


def version_body(version: Version) -> VersionBody:
    """A version on the wire."""
    return VersionBody(
        version=version.number,
        file_size_bytes=version.size_bytes,
        sha256=version.sha256,
        status=version.status,
        created_by=version.created_by,
        created_at=version.created_at,
        current=version.current,
    )


def chunk_body(chunk: Chunk, document: Document, version: int, kb_name: str) -> ChunkBody:
    """A passage with the names a reader needs."""
    return ChunkBody(
        chunk_id=chunk.chunk_id,
        document_id=document.id,
        document_name=document.name,
        version=version,
        kb_id=chunk.kb_id,
        kb_name=kb_name,
        chunk_text=chunk.text,
        content=chunk.text,
        page_number=chunk.page_number,
        section_header=chunk.section_header,
        char_start=chunk.char_start,
        char_end=chunk.char_end,
        chunk_index=chunk.ordinal,
        total_chunks=document.chunk_count,
        token_count=chunk.token_count,
        metadata=document.metadata,
    )


def _extracted_body(document: Document) -> ExtractedBody | None:
    found = document.extracted
    if found is None or document.current_version is None:
        return None
    return ExtractedBody(
        source=found.source,
        version=document.current_version,
        title=found.title,
        author=found.author,
        language=found.language,
        date=found.date,
        keywords=found.keywords,
        summary=found.summary,
    )
