"""Use cases that change documents that are there: names, tags, new versions, archiving, undoing a delete."""

import itertools
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from lumikb.audit.repository import append_event
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError, LumiError
from lumikb.knowledge import repository, version_repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.errors import DocumentNotFoundError, DuplicateDocumentError, UndoExpiredError
from lumikb.knowledge.events import tell_status
from lumikb.knowledge.models import Accepted, BulkAction, Document, DocumentStatus, NewDocument, is_name_warning
from lumikb.knowledge.removal import PURGE_JOB
from lumikb.knowledge.service import DocumentService, accepted_mime_type, checked
from lumikb.store.blobs.port import StoredBlob
from lumikb.store.jobs.repository import cancel_document_jobs, cancel_waiting
from lumikb.store.record.changes import append_change
from lumikb.store.record.engine import Record, UnitOfWork

BULK_IDS_MAX = 500
_OPEN = {DocumentStatus.PENDING, DocumentStatus.PROCESSING}


class DocumentEditor:
    """Changes documents. Every change is written to the audit log in the unit of work that makes it."""

    def __init__(self, record: Record, documents: DocumentService, bases: KnowledgeBaseService) -> None:
        self._record = record
        self._documents = documents
        self._bases = bases

    def update(
        self,
        unit: UnitOfWork,
        actor: Actor,
        kb_id: str,
        document_id: str,
        *,
        name: str | None,
        tags: list[str] | None,
        metadata: dict[str, Any] | None,
        document_date: datetime | UnsetType | None = UNSET,
    ) -> Document:
        """Change what the document is called and known by; None leaves as it is, but takes a user's date away."""
        document = self._documents.get(unit.connection, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
        new = checked(
            NewDocument(
                filename=document.name if name is None else name,
                tags=document.tags if tags is None else tags,
                metadata=document.metadata if metadata is None else metadata,
                document_date=document.document_date if document_date is UNSET else document_date,
            ),
            name_field="name",
        )
        values: dict[str, Any] = {"metadata": new.metadata, "document_date": new.document_date}
        if name is not None:
            parsers = itertools.filterfalse(is_name_warning, document.warnings)
            values |= {"name": new.filename, "warnings": [*new.warnings, *parsers]}
        repository.update_document(unit, document.id, **values)
        if tags is not None:
            repository.set_tags(unit, document.id, new.tags)
        given = {"name": name, "tags": tags, "metadata": metadata}
        changed = [field for field, value in given.items() if value is not None]
        changed = sorted(changed if document_date is UNSET else [*changed, "document_date"])
        _audit(unit, actor, "document.updated", document, changed=changed)
        return self._documents.get(unit.connection, actor, document.id)

    async def reupload(
        self, actor: Actor, kb_id: str, document_id: str, new: NewDocument, blob: StoredBlob
    ) -> Accepted:
        """Enqueue stored bytes as the next version; the present one answers until that is READY.

        The bytes of the newest version give the document back as it is; those of another document are refused.
        """
        try:
            new = checked(NewDocument(new.filename, priority=new.priority, password=new.password))
            mime_type = accepted_mime_type(blob.head, new.filename)
            return await self._record.write_async(
                lambda unit: self._add_version(unit, actor, kb_id, document_id, new, blob, mime_type)
            )
        except LumiError:
            await self._documents.discard(blob)
            raise

    def restore(self, unit: UnitOfWork, actor: Actor, kb_id: str, document_id: str) -> Document:
        """Undo a delete while the document's erasure has not begun."""
        self._bases.get(unit.connection, actor, kb_id, Permission.KB_WRITE, lock=True)
        document = repository.find_deleted(unit.connection, document_id)
        if document is None or document.kb_id != kb_id:
            raise DocumentNotFoundError("There is no such deleted document.")
        if not cancel_waiting(unit, PURGE_JOB, document.id):
            raise UndoExpiredError("The document is being erased. Upload it again.")
        if repository.find_duplicate(unit.connection, kb_id, document.sha256) is not None:
            raise DuplicateDocumentError("The same file was uploaded again since.")
        repository.update_document(unit, document.id, deleted_at=None)
        self._reveal(unit, document)
        _audit(unit, actor, "document.restored", document)
        if document.status in _OPEN:  # its job was cancelled by the delete
            return self._documents.enqueue_ingest(unit, actor, document.id, None, None)
        return document

    def bulk(
        self, actor: Actor, kb_id: str, action: BulkAction, document_ids: list[str], tags: list[str]
    ) -> dict[str, LumiError | None]:
        """Do the same to many documents, each in a unit of work of its own: id -> what went wrong. Blocks."""
        if not 1 <= len(document_ids) <= BULK_IDS_MAX:
            raise InvalidInputError(f"ids has 1 to {BULK_IDS_MAX} entries.", field="ids")
        if (action is BulkAction.TAG) != bool(tags):
            raise InvalidInputError("tags belong to the action tag, which needs some.", field="tags")
        self._record.read(lambda read: self._bases.get(read, actor, kb_id, Permission.KB_WRITE))
        return {document_id: self._try(actor, kb_id, action, document_id, tags) for document_id in document_ids}

    def _try(self, actor: Actor, kb_id: str, action: BulkAction, document_id: str, tags: list[str]) -> LumiError | None:
        try:
            self._record.write(lambda unit: self._act(unit, actor, kb_id, action, document_id, tags))
        except LumiError as error:
            return error
        return None

    def _act(
        self, unit: UnitOfWork, actor: Actor, kb_id: str, action: BulkAction, document_id: str, tags: list[str]
    ) -> None:
        match action:
            case BulkAction.DELETE:
                self._documents.delete(unit, actor, document_id, kb_id=kb_id)
            case BulkAction.RETRY:
                self._documents.retry(unit, actor, document_id, kb_id=kb_id)
            case BulkAction.TAG:
                document = self._documents.get(unit.connection, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
                self.update(unit, actor, kb_id, document_id, name=None, tags=[*document.tags, *tags], metadata=None)
            case BulkAction.ARCHIVE | BulkAction.UNARCHIVE:
                self._archive(unit, actor, kb_id, document_id, away=action is BulkAction.ARCHIVE)

    def _archive(self, unit: UnitOfWork, actor: Actor, kb_id: str, document_id: str, *, away: bool) -> None:
        document = self._documents.get(unit.connection, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
        before, after = DocumentStatus.READY, DocumentStatus.ARCHIVED
        if not away:
            before, after = after, before
        if document.status is not before:
            raise InvalidInputError(f"Only a document that is {before} becomes {after}.", status=str(document.status))
        repository.update_document(unit, document.id, status=after)
        keys = repository.chunk_keys_of(unit.connection, document)
        append_change(unit, kb_id, "remove" if away else "add", keys)
        tell_status(unit, document, after)
        _audit(unit, actor, "document.archived" if away else "document.unarchived", document)

    def _add_version(
        self,
        unit: UnitOfWork,
        actor: Actor,
        kb_id: str,
        document_id: str,
        new: NewDocument,
        blob: StoredBlob,
        mime_type: str,
    ) -> Accepted:
        self._bases.get(unit.connection, actor, kb_id, Permission.KB_WRITE, lock=True)
        document = self._documents.get(unit.connection, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
        known = repository.find_duplicate(unit.connection, kb_id, blob.sha256)
        if known is not None and known.id == document.id:
            return Accepted(document, duplicate=True)
        if known is not None:
            raise DuplicateDocumentError("Another document has these bytes.", document_id=known.id, name=known.name)
        self._documents.hold(unit, blob)
        cancel_document_jobs(unit, document.id)
        version_id = version_repository.create_version(unit, document, new.filename, blob, mime_type, actor.user_id)
        status = document.status_or(DocumentStatus.PENDING)
        repository.update_document(
            unit,
            document.id,
            latest_version_id=version_id,
            status=status,
            current_step=None,
            progress=0.0,
            error_code=None,
            error_message=None,
            warnings=new.warnings,
            retry_count=0,
        )
        _audit(unit, actor, "document.reuploaded", document, version=document.version + 1, size_bytes=blob.size_bytes)
        queued = self._documents.enqueue_ingest(unit, actor, document.id, new.priority, new.password)
        return Accepted(queued, duplicate=False)

    def _reveal(self, unit: UnitOfWork, document: Document) -> None:
        if document.status is not DocumentStatus.ARCHIVED:
            append_change(unit, document.kb_id, "add", repository.chunk_keys_of(unit.connection, document))
        tell_status(unit, document, document.status)


def _audit(unit: UnitOfWork, actor: Actor, action: str, document: Document, **details: Any) -> None:
    append_event(
        unit,
        action,
        actor_id=actor.user_id,
        resource_type="document",
        resource_id=document.id,
        **details,
    )
