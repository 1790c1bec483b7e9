"""Use cases of documents: accept, list, read, retry, remove."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio.to_thread
import msgspec
from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.compute.parse.errors import EncryptedError, ParseError, UnsupportedFormatError
from lumikb.compute.parse.formats import detect_format, named_format
from lumikb.compute.parse.models import ParsedText
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError, LumiError
from lumikb.kit.pages import Page, PageRequest
from lumikb.kit.sealing import Sealer
from lumikb.knowledge import repository, version_repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.derived import erase_unreferenced, get_parsed
from lumikb.knowledge.errors import (
    DocumentNotFoundError,
    DocumentNotReadyError,
    KbNotFoundError,
    NotRetryableError,
    RefusedFileError,
    RefusedTypeError,
    UploadLostError,
    VersionNotFoundError,
)
from lumikb.knowledge.events import tell_status
from lumikb.knowledge.models import (
    NAME_CHANGED,
    TAGS_MAX,
    Accepted,
    Chunk,
    Document,
    DocumentFilter,
    DocumentStatus,
    NewDocument,
    Version,
)
from lumikb.knowledge.removal import remove_document
from lumikb.store.blobs.arrivals import Arrivals
from lumikb.store.blobs.errors import BlobDamagedError
from lumikb.store.blobs.intact import intact_stream
from lumikb.store.blobs.port import BlobStore, StoredBlob
from lumikb.store.jobs.models import PRIORITY_INTERACTIVE, PRIORITY_SMALL
from lumikb.store.jobs.repository import create_job, find_job
from lumikb.store.record.engine import Record, UnitOfWork

INGEST_JOB = "document.ingest"
FILENAME_CHARS_MAX = 255
EXTENSION_CHARS_MAX = 20
TAG_CHARS_MAX = 100
METADATA_BYTES_MAX = 16_384
PRIORITY_MAX = 1000
PASSWORD_CHARS_MAX = 255
# A note, a mail, a few pages: some seconds of work, where a packed PDF of 300 kB may have as many pages.
SMALL_BYTES_MAX = 100_000

# Control characters, line ends, and what turns the direction of writing (Unicode TR 36, section 3.1.1).
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class DocumentService:
    """Documents of knowledge bases. `undo_seconds` is how long a deleted document is kept from erasure."""

    def __init__(
        self,
        record: Record,
        blobs: BlobStore,
        bases: KnowledgeBaseService,
        passwords: Sealer,
        arrivals: Arrivals,
        *,
        upload_bytes_max: int,
        undo_seconds: int,
    ) -> None:
        self._passwords = passwords
        self._arrivals = arrivals
        self._record = record
        self._blobs = blobs
        self._bases = bases
        self._upload_bytes_max = upload_bytes_max
        self._undo_seconds = undo_seconds

    async def store(self, actor: Actor, kb_id: str | None, content: AsyncIterator[bytes]) -> StoredBlob:
        """Store an upload's bytes, once it is clear that the actor may write here; raises `BlobTooLargeError`.

        A form that names its knowledge base behind the file has none yet: `accept` decides. As long as the caller holds
        what it is given, the blob counts as arriving.
        """
        if kb_id is not None:
            await self.ensure_writable(actor, kb_id)
        return await self._blobs.put(content, size_bytes_max=self._upload_bytes_max, announce=self._arrivals.add)

    async def ensure_writable(self, actor: Actor, kb_id: str) -> None:
        """Raise what an upload to the knowledge base would, before anything is sent or fetched."""
        await self._record.read_async(lambda read: self._bases.get(read, actor, kb_id, Permission.KB_WRITE))

    async def accept(self, actor: Actor, kb_id: str, new: NewDocument, blob: StoredBlob) -> Accepted:
        """Enqueue the ingestion of stored bytes in one unit of work; refuses what no parser could read.

        The same bytes twice in a knowledge base are one document: it is given back, and tried again if it had failed.
        """
        try:
            new = checked(new)
            mime_type = accepted_mime_type(blob.head, new.filename)
            accepted = await self._record.write_async(
                lambda unit: self.enqueue(unit, actor, kb_id, new, blob, mime_type)
            )
        except LumiError:
            await self.discard(blob)
            raise
        await anyio.to_thread.run_sync(self._arrivals.end, blob.sha256)
        return accepted

    async def discard(self, blob: StoredBlob) -> None:
        """Erase bytes that were stored for an upload that is refused, unless a document has them."""
        await self._record.write_async(lambda unit: erase_unreferenced(unit, self._blobs, blob.sha256))
        await anyio.to_thread.run_sync(self._arrivals.end, blob.sha256)

    def hold(self, unit: UnitOfWork, blob: StoredBlob) -> None:
        """Keep stored bytes from erasure until this unit of work refers to them; raises `UploadLostError`."""
        repository.lock_blob(unit, blob.sha256)
        if not self._blobs.exists(blob.sha256):
            raise UploadLostError("The upload met the erasure of the same file. Upload it again.", service="blobs")

    def list_documents(
        self, connection: Connection, actor: Actor, kb_ids: list[str] | None, wanted: DocumentFilter, page: PageRequest
    ) -> Page[Document]:
        """Documents of the chosen knowledge bases, or of all that the actor may read."""
        chosen = self._bases.chosen(connection, actor, kb_ids)
        return repository.list_documents(connection, list(chosen), wanted, page)

    def get(
        self,
        connection: Connection,
        actor: Actor,
        document_id: str,
        permission: Permission = Permission.KB_READ,
        *,
        kb_id: str | None = None,
    ) -> Document:
        """The document, if the actor has the permission on its knowledge base (and it lies in `kb_id`, if given)."""
        document = repository.find_document(connection, document_id)
        if document is None or (kb_id is not None and document.kb_id != kb_id):
            if kb_id is not None:
                self._bases.get(connection, actor, kb_id, permission)
            raise DocumentNotFoundError("There is no such document.")
        try:
            self._bases.get(connection, actor, document.kb_id, permission)
        except KbNotFoundError:
            if kb_id is None:  # asked for by its own id: told apart from a missing one by nothing
                raise DocumentNotFoundError("There is no such document.") from None
            raise
        return document

    def chunks(self, connection: Connection, document: Document, page: PageRequest) -> Page[Chunk]:
        """The document's passages in order."""
        return repository.list_chunks(connection, document, page)

    async def ensure_whole(self, file: Version) -> None:
        """Raise `BlobNotFoundError` or `BlobDamagedError` where the original is gone or not as long as it was."""
        if await anyio.to_thread.run_sync(self._blobs.size, file.sha256) != file.size_bytes:
            raise BlobDamagedError(file.sha256)

    def content(self, file: Version, start: int, end: int) -> AsyncIterator[bytes]:
        """The original bytes from `start` up to and without `end`; those of a whole file are checked as they pass."""
        chunks = self._blobs.stream(file.sha256, start=start, end=end)
        return intact_stream(chunks, file.sha256) if (start, end) == (0, file.size_bytes) else chunks

    def versions(self, connection: Connection, document: Document) -> list[Version]:
        """All versions, newest first."""
        return version_repository.list_versions(connection, document)

    def version(self, connection: Connection, document: Document, number: int | None) -> Version:
        """One version; None asks for the one that readers see, or the newest before there is one."""
        version = None
        if number is None or 1 <= number <= document.version:
            version = version_repository.find_version(connection, document, number)
        if version is None:
            raise VersionNotFoundError(f"The document has no version {number}.", versions=document.version)
        return version

    def parsed_text(self, version: Version) -> ParsedText:
        """Text and map of a version; blocks. Raises `DocumentNotReadyError` before it has been parsed."""
        if version.parsed_sha256 is None:
            raise DocumentNotReadyError("The document has no text yet. Wait until it is READY.")
        return get_parsed(self._blobs, version.parsed_sha256)

    def retry(
        self,
        unit: UnitOfWork,
        actor: Actor,
        document_id: str,
        *,
        kb_id: str | None = None,
        password: str | None = None,
    ) -> Document:
        """Try a failed document again, or the newest version of one, which failed while an older one is READY."""
        check_password(password)
        document = self.get(unit.connection, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
        if document.status is not DocumentStatus.FAILED and document.error_code is None:
            raise NotRetryableError("Only a FAILED document can be tried again.", status=str(document.status))
        return self._try_again(unit, actor, document, password)

    def process_again(self, unit: UnitOfWork, actor: Actor, document_id: str) -> Document:
        """Process the newest version anew, whatever its status, for an operator who may do so in every knowledge base.

        What readers see answers until that is done.
        """
        return self._try_again(unit, actor, _existing(unit.connection, document_id), None)

    def delete(self, unit: UnitOfWork, actor: Actor, document_id: str, *, kb_id: str | None = None) -> None:
        """Gone for readers with this unit of work, erased afterwards."""
        document = self.get(unit.connection, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
        remove_document(unit, actor.user_id, document, self._undo_seconds)

    def enqueue(
        self, unit: UnitOfWork, actor: Actor, kb_id: str, new: NewDocument, blob: StoredBlob, mime_type: str
    ) -> Accepted:
        """`accept`, within a unit of work, of what was checked; raises `UploadLostError` when the blob is gone."""
        self._bases.get(unit.connection, actor, kb_id, Permission.KB_WRITE, lock=True)
        known = repository.find_duplicate(unit.connection, kb_id, blob.sha256)
        if known is not None:
            if known.status is DocumentStatus.FAILED:
                known = self._requeue(unit, actor, known, new.password)
            return Accepted(known, duplicate=True)
        self.hold(unit, blob)
        document_id = repository.create_document(unit, kb_id, new, blob, mime_type, actor.user_id)
        append_event(
            unit,
            "document.uploaded",
            actor_id=actor.user_id,
            resource_type="document",
            resource_id=document_id,
            name=new.filename,
            size_bytes=blob.size_bytes,
        )
        queued = self.enqueue_ingest(unit, actor, document_id, new.priority, new.password)
        return Accepted(queued, duplicate=False)

    def enqueue_ingest(
        self, unit: UnitOfWork, actor: Actor, document_id: str, priority: int | None, password: str | None
    ) -> Document:
        """Enqueue the ingestion of a document's newest version; gives the document as it is then."""
        document = _existing(unit.connection, document_id)
        job_id = create_job(
            unit,
            INGEST_JOB,
            created_by=actor.user_id,
            kb_id=document.kb_id,
            document_id=document.id,
            priority=priority or (PRIORITY_SMALL if document.size_bytes <= SMALL_BYTES_MAX else PRIORITY_INTERACTIVE),
            sealed=self._passwords.seal(password, document.id) if password else None,
        )
        repository.update_document(unit, document.id, job_id=job_id)
        tell_status(unit, document, document.status)
        return replace(document, job_id=job_id)

    def _try_again(self, unit: UnitOfWork, actor: Actor, document: Document, password: str | None) -> Document:
        append_event(
            unit, "document.retried", actor_id=actor.user_id, resource_type="document", resource_id=document.id
        )
        return self._requeue(unit, actor, document, password)

    def _requeue(self, unit: UnitOfWork, actor: Actor, document: Document, password: str | None) -> Document:
        repository.update_document(
            unit,
            document.id,
            status=document.status_or(DocumentStatus.PENDING),
            current_step=None,
            progress=0.0,
            error_code=None,
            error_message=None,
            retry_count=document.retry_count + 1,
        )
        job = find_job(unit.connection, document.job_id or "")
        return self.enqueue_ingest(unit, actor, document.id, job.priority if job else None, password)


def _existing(connection: Connection, document_id: str) -> Document:
    document = repository.find_document(connection, document_id)
    if document is None:
        raise DocumentNotFoundError("There is no such document.")
    return document


def accepted_mime_type(head: bytes, filename: str) -> str:
    """The type by content; raises what refuses the upload."""
    try:
        return detect_format(head, filename).mime_type
    except EncryptedError:
        # Accepted, and failed by the parser: a password can be given to a document, not to a refused upload.
        named = named_format(filename)
        return "application/octet-stream" if named is None else named.mime_type
    except UnsupportedFormatError as error:
        raise RefusedTypeError(error.message, **error.details) from error
    except ParseError as error:
        raise RefusedFileError(error.message, code=error.stable_code, **error.details) from error


def check_extension(filename: str) -> None:
    """Raise what refuses a name's type, before any byte of it has come."""
    try:
        named_format(filename)
    except UnsupportedFormatError as error:
        raise RefusedTypeError(error.message, **error.details) from error


def safe_name(given: str, field: str) -> str:
    """The last part of a path, without control characters, dots at its ends, and what is too long.

    Raises `InvalidInputError` about `field` when nothing is left.
    """
    name = _CONTROL.sub("", given.replace("\\", "/").rpartition("/")[2]).strip().strip(".").strip()
    if not name:
        raise InvalidInputError("The document needs a name that is more than a path, dots and spaces.", field=field)
    if len(name) > FILENAME_CHARS_MAX:
        stem, dot, extension = name.rpartition(".")
        suffix = dot + extension if stem and len(extension) <= EXTENSION_CHARS_MAX else ""
        name = name[: FILENAME_CHARS_MAX - len(suffix)] + suffix
    return name


def checked(new: NewDocument, *, name_field: str = "filename") -> NewDocument:
    """A safe file name without path parts, and bounded tags and metadata; a changed name is told by a warning."""
    name = safe_name(new.filename, name_field)
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", new.filename)[:FILENAME_CHARS_MAX]
    warnings = new.warnings if name == new.filename else [*new.warnings, f"{NAME_CHANGED}: {shown}"]
    tags = sorted({tag.strip() for tag in new.tags if tag.strip()})
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_CHARS_MAX for tag in tags):
        raise InvalidInputError(f"At most {TAGS_MAX} tags of {TAG_CHARS_MAX} characters.", field="tags")
    metadata = msgspec.json.encode(new.metadata)
    if len(metadata) > METADATA_BYTES_MAX or rb"\u0000" in metadata:
        raise InvalidInputError(f"Metadata has at most {METADATA_BYTES_MAX} bytes, and no NUL.", field="metadata")
    if new.priority is not None and not 1 <= new.priority <= PRIORITY_MAX:
        raise InvalidInputError(f"priority must lie between 1 and {PRIORITY_MAX}.", field="priority")
    check_password(new.password)
    return replace(new, filename=name, tags=tags, warnings=warnings)


def check_password(password: str | None) -> None:
    """Raise `InvalidInputError` for one that no file has; the sentence does not repeat it."""
    if password is not None and len(password) > PASSWORD_CHARS_MAX:
        raise InvalidInputError(f"A password has at most {PASSWORD_CHARS_MAX} characters.", field="password")
