"""Knowledge bases, documents, versions and chunks, as services see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from lumikb.compute.chunk.models import ChunkParams, ChunkStrategy
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.compute.extract.language import language_code
from lumikb.compute.extract.models import Extracted
from lumikb.kit.errors import InvalidInputError
from lumikb.store.jobs.models import Job

# Of a document, and of a filter: each is a condition of its own in SQL.
TAGS_MAX = 50
# The warning of a document that is not called as it was sent, with the name that was sent behind a colon.
NAME_CHANGED = "NAME_CHANGED"
FIELD_IGNORED = "FIELD_IGNORED"


class KbStatus(StrEnum):
    """An archived knowledge base answers nobody, and keeps what it has."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class DocumentStatus(StrEnum):
    """Where a document stands. A document that is READY stays READY while a later version is processed."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    READY = "READY"
    FAILED = "FAILED"
    ARCHIVED = "ARCHIVED"

    @classmethod
    def of(cls, word: str) -> "DocumentStatus":
        """The status that the record says; FAILED for a word that is none, which `verify` names."""
        return next((status for status in cls if status == word), cls.FAILED)


class DocumentSort(StrEnum):
    """What a list of documents is ordered by."""

    NAME = "name"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    FILE_SIZE_BYTES = "file_size_bytes"
    STATUS = "status"


class BulkAction(StrEnum):
    """What can be done to many documents at once."""

    DELETE = "delete"
    RETRY = "retry"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    TAG = "tag"


class Step(StrEnum):
    """The steps of an ingestion, in order."""

    PARSE = "parse"
    CHUNK = "chunk"
    EMBED = "embed"
    STORE = "store"
    READY = "ready"


# Percent shown when a step begins; the next step's value bounds what is shown within it.
STEP_PROGRESS = {Step.PARSE: 10.0, Step.CHUNK: 30.0, Step.EMBED: 60.0, Step.STORE: 80.0, Step.READY: 100.0}


@dataclass(frozen=True)
class KnowledgeBase:
    """A knowledge base with its size. `total_size_bytes` sums the newest version of each document."""

    id: str
    name: str
    description: str
    owner_id: str
    status: KbStatus
    created_at: datetime
    updated_at: datetime
    document_count: int = 0
    total_size_bytes: int = 0


@dataclass(frozen=True)
class KbSettings:
    """How the documents of a knowledge base are processed; sizes in tokens of the embedding model."""

    chunk_tokens: int
    chunk_overlap: int
    chunk_strategy: ChunkStrategy
    ocr_languages: str
    embedding_model: EmbeddingModel = EmbeddingModel.FULL
    token_vectors: bool = True

    def overridden_by(self, overrides: Mapping[str, Any]) -> "KbSettings":
        """These with the knowledge base's own in their place; an overlap is cut to what such chunks allow."""
        merged = replace(self, **overrides)
        return replace(
            merged,
            chunk_overlap=min(merged.chunk_overlap, merged.chunk_tokens // 2),
            chunk_strategy=ChunkStrategy(merged.chunk_strategy),
            embedding_model=EmbeddingModel(merged.embedding_model),
        )

    @property
    def chunk_params(self) -> ChunkParams:
        """What the chunker is told."""
        return ChunkParams(self.chunk_tokens, self.chunk_overlap, self.chunk_strategy)

    def made_with(self, read_in: str) -> dict[str, Any]:
        """What a chunk set notes of its making. `read_in` are the languages its text was recognised in, if it was."""
        made_with: dict[str, Any] = {
            "chunk_tokens": self.chunk_tokens,
            "chunk_overlap": self.chunk_overlap,
            "chunk_strategy": str(self.chunk_strategy),
            "embedding_model": str(self.embedding_model),
            "token_vectors": self.token_vectors,
        }
        return made_with | {"ocr_languages": read_in} if read_in else made_with


@dataclass(frozen=True)
class PendingSettings:
    """Settings that a job is bringing about."""

    job: Job
    settings: KbSettings


@dataclass(frozen=True)
class KbSettingsState:
    """Settings in force, by name those that are the knowledge base's own, and the change under way.

    `documents_behind` counts documents that were made with other settings than those in force.
    """

    settings: KbSettings
    overridden: list[str]
    documents_behind: int
    pending: PendingSettings | None


@dataclass(frozen=True)
class KbStats:
    """What a knowledge base holds. `chunks` and `vectors` count what readers can reach."""

    documents: int
    documents_by_status: dict[str, int]
    chunks: int
    vectors: int
    total_size_bytes: int


@dataclass(frozen=True)
class Document:
    """A document with the facts of its newest version; `progress` in percent.

    `document_date` is what a user says. `extracted` is of the version that answers, whose number is `current_version`;
    None until there is one.
    """

    id: str
    kb_id: str
    name: str
    status: DocumentStatus
    current_step: str | None
    progress: float
    error_code: str | None
    error_message: str | None
    warnings: list[str]
    retry_count: int
    latest_version_id: str
    current_chunk_set_id: str | None
    metadata: dict[str, Any]
    document_date: datetime | None
    allowed_group_ids: list[str] | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int
    sha256: str
    size_bytes: int
    mime_type: str
    filename: str
    page_count: int | None
    char_count: int | None
    chunk_count: int
    job_id: str | None
    extracted: Extracted | None
    current_version: int | None
    tags: list[str] = field(default_factory=list[str])

    def status_or(self, unread: DocumentStatus) -> DocumentStatus:
        """What it is for its readers while nothing works on it; `unread` where they have nothing of it yet."""
        if self.status is DocumentStatus.ARCHIVED:
            return self.status
        return unread if self.current_chunk_set_id is None else DocumentStatus.READY

    @property
    def own_date(self) -> datetime | None:
        """When the document was written: as a user says, else as its file does."""
        return self.document_date or (self.extracted.date if self.extracted else None)


@dataclass(frozen=True)
class Version:
    """A version of a document; the `current` one is what searches and answers draw on."""

    id: str
    document_id: str
    number: int
    sha256: str
    size_bytes: int
    mime_type: str
    filename: str
    status: DocumentStatus
    parsed_sha256: str | None
    page_count: int | None
    char_count: int | None
    created_by: str
    created_at: datetime
    current: bool


@dataclass(frozen=True)
class DocumentFilter:
    """Which documents a list wants; None and () do not narrow. `tags` must all be there. Dates are inclusive.

    `language` is an ISO 639-1 code, `author` a part of a name, in whatever case.
    """

    search: str | None = None
    statuses: tuple[DocumentStatus, ...] = ()
    mime_type: str | None = None
    tags: tuple[str, ...] = ()
    date_from: datetime | None = None
    date_to: datetime | None = None
    language: str | None = None
    author: str | None = None
    sort_by: DocumentSort = DocumentSort.CREATED_AT
    descending: bool = True

    def __post_init__(self) -> None:
        if len(self.tags) > TAGS_MAX:
            raise InvalidInputError(f"At most {TAGS_MAX} tags.", field="tags")
        for field_name, moment in (("date_from", self.date_from), ("date_to", self.date_to)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidInputError(f"{field_name} needs a time zone, such as Z.", field=field_name)


@dataclass(frozen=True)
class Chunk:
    """A passage of a document: `text` stands at `[char_start, char_end)` of the version's text, exactly."""

    key: int
    chunk_id: str
    document_id: str
    kb_id: str
    ordinal: int
    char_start: int
    char_end: int
    text: str
    page_number: int | None
    section_header: str | None
    token_count: int


@dataclass(frozen=True)
class NewDocument:
    """What an upload says of itself; `warnings` tell what was changed of it.

    `id` is the document's, where it was given before the bytes came; `password` opens an encrypted file.
    """

    filename: str
    tags: list[str] = field(default_factory=list[str])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    priority: int | None = None
    document_date: datetime | None = None
    warnings: list[str] = field(default_factory=list[str])
    id: str | None = None
    password: str | None = field(default=None, repr=False)


def is_upload_warning(warning: str) -> bool:
    """Whether a document's warning is about its upload; all others come from its parser."""
    return warning.startswith((NAME_CHANGED, FIELD_IGNORED))


def is_name_warning(warning: str) -> bool:
    """Whether a document's warning is about its name."""
    return warning.startswith(NAME_CHANGED)


@dataclass(frozen=True)
class Accepted:
    """An accepted upload; `duplicate` when the knowledge base already had these bytes as this document."""

    document: Document
    duplicate: bool


@dataclass(frozen=True)
class Upload:
    """A direct upload. `sha256` is what its client announced, `blob_sha256` what we computed.

    `document_id` is the document that it became, None while it is open; `handle` the upload store's word for it.
    """

    id: str
    kb_id: str
    filename: str
    size_bytes: int
    sha256: str | None
    tags: list[str]
    metadata: dict[str, Any]
    priority: int | None
    document_date: datetime | None
    warnings: list[str]
    handle: str
    blob_sha256: str | None
    document_id: str | None
    duplicate: bool
    created_by: str
    created_at: datetime
    expires_at: datetime


def wanted_language(tag: str | None) -> str | None:
    """The language that a filter names, as an ISO 639-1 code: `de` for `de-AT`. Raises `InvalidInputError`."""
    code = None if tag is None else language_code(tag)
    if code is None and tag is not None:
        raise InvalidInputError("language is a code such as en or de.", field="language")
    return code
