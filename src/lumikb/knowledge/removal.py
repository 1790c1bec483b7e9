"""Removing documents: gone for readers at once, erased by a job after the time in which a delete can be undone."""

from datetime import timedelta

from lumikb.audit.repository import append_event
from lumikb.kit import clock
from lumikb.knowledge import repository
from lumikb.knowledge.events import tell_status
from lumikb.knowledge.models import Document
from lumikb.store.jobs.models import PRIORITY_BULK
from lumikb.store.jobs.repository import cancel_document_jobs, create_job
from lumikb.store.record.changes import append_change
from lumikb.store.record.engine import UnitOfWork

PURGE_JOB = "document.purge"


def remove_document(unit: UnitOfWork, actor_id: str, document: Document, undo_seconds: int) -> None:
    """Hide the document from all readers in this unit of work, and enqueue its erasure."""
    moment = clock.now()
    cancel_document_jobs(unit, document.id)
    repository.update_document(unit, document.id, deleted_at=moment)
    append_change(unit, document.kb_id, "remove", repository.chunk_keys_of(unit.connection, document))
    create_job(
        unit,
        PURGE_JOB,
        created_by=actor_id,
        kb_id=document.kb_id,
        document_id=document.id,
        priority=PRIORITY_BULK,
        not_before=moment + timedelta(seconds=undo_seconds),
    )
    tell_status(unit, document, "DELETED")
    append_event(
        unit,
        "document.deleted",
        actor_id=actor_id,
        resource_type="document",
        resource_id=document.id,
        name=document.name,
    )
