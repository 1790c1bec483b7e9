"""What the outbox tells of documents."""

from lumikb.knowledge.models import Document
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.outbox import append_outbox


def tell_status(unit: UnitOfWork, document: Document, status: str) -> None:
    """Tell that a document has taken on a status, in the unit of work that gives it to it."""
    payload = {"document_id": document.id, "kb_id": document.kb_id, "status": str(status)}
    append_outbox(unit, "document.status", payload)
