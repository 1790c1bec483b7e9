"""Direct uploads: begun by one request, sent by others, made documents by a last one."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from lumikb.store.record.tables.base import metadata
from lumikb.store.record.types import Id, Json, Sha256, UtcDateTime

uploads = Table(
    "uploads",
    metadata,
    Column("id", Id, primary_key=True),  # becomes the document's
    Column("kb_id", Id, ForeignKey("knowledge_bases.id"), nullable=False),
    Column("filename", String(1024), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Sha256),  # as announced
    Column("tags", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("priority", Integer),
    Column("document_date", UtcDateTime),  # as a user says
    Column("warnings", Json, nullable=False, server_default="[]"),  # about what was announced
    Column("handle", Text, nullable=False),  # the upload store's own word for it
    Column("blob_sha256", Sha256),  # as computed; noted before the blob is there, so that no crash leaves one unknown
    Column("document_id", Id),  # what it became; of bytes that were there already, another document
    Column("duplicate", Boolean, nullable=False),
    Column("created_by", Id, ForeignKey("users.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "expires_at"),
    Index(None, "blob_sha256"),
    Index(None, "created_by"),
)
