"""Knowledge bases, documents, their versions, chunk sets and chunks, and the log of chunk changes.

A document has versions (bytes), a version has chunk sets (a chunking and a model), and a document points at the chunk
set that answers now. Readers reach chunks only through that pointer: it is the gate.

A chunk set with a `job_id` belongs to a reprocessing: it waits to take over from the set `replaces_id`, or it was
replaced. What still has one when that job has ended is erased.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from lumikb.store.record.tables.base import metadata
from lumikb.store.record.types import BigKey, Bytes, Id, Json, Sha256, UtcDateTime

knowledge_bases = Table(
    "knowledge_bases",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("active_name", String(255), unique=True),  # case-folded name; NULL once archived, so that it is free again
    Column("description", String(2000), nullable=False),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("settings", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kb_id", Id, ForeignKey("knowledge_bases.id"), nullable=False),
    Column("name", String(1024), nullable=False),
    Column("status", String(16), nullable=False),
    Column("current_step", String(16)),
    Column("progress", Float(), nullable=False),  # percent
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("warnings", Json, nullable=False),
    Column("retry_count", Integer, nullable=False),
    Column("latest_version_id", Id, nullable=False),
    Column("current_chunk_set_id", Id),  # what readers see; NULL until the first version is ready
    Column("job_id", Id),  # the newest job that worked on it
    Column("metadata", Json, nullable=False),
    Column("document_date", UtcDateTime),  # as a user says
    Column("allowed_group_ids", Json),
    Column("created_by", Id, ForeignKey("users.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    # Of `document_versions.extracted` of the version that answers: what filters look at.
    Column("extracted_date", UtcDateTime),
    Column("language", String(8)),
    Column("author", String(300)),  # case-folded
    Index(None, "kb_id", "created_at"),
    Index(None, "kb_id", "language"),
    Index(None, "kb_id", "name"),
    Index(None, "deleted_at"),
)

document_tags = Table(
    "document_tags",
    metadata,
    Column("document_id", Id, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String(255), primary_key=True),
    Index(None, "tag"),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("document_id", Id, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sha256", Sha256, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("filename", String(1024), nullable=False),
    Column("status", String(16), nullable=False),
    Column("parsed_sha256", Sha256),  # derived blob: text with its page and heading map
    Column("page_count", Integer),
    Column("char_count", BigInteger),
    Column("created_by", Id, ForeignKey("users.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("extracted", Json),  # what the file and its text tell about it, once it could be read
    UniqueConstraint("document_id", "number"),
    Index(None, "sha256"),
    Index(None, "parsed_sha256"),
)

chunk_sets = Table(
    "chunk_sets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("version_id", Id, ForeignKey("document_versions.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", Id, nullable=False),
    Column("model_id", String(255), nullable=False),
    Column("model_tier", String(16), nullable=False),  # vectors of tiers that do not mix are told apart by it
    Column("params", Json, nullable=False),  # the settings that it was made with
    Column("chunk_count", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("job_id", Id),
    Column("replaces_id", Id),
    Index(None, "version_id"),
    Index(None, "job_id", "replaces_id", unique=True),
    Index(None, "document_id"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("key", BigKey, primary_key=True, autoincrement=True),  # what indexes store; never given twice
    Column("chunk_id", Id, nullable=False, unique=True),  # what the wire shows
    Column("chunk_set_id", Id, ForeignKey("chunk_sets.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", Id, nullable=False),
    Column("kb_id", Id, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("char_start", BigInteger, nullable=False),
    Column("char_end", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_sha256", Sha256, nullable=False),
    Column("page_number", Integer),
    Column("section_header", Text),
    Column("token_count", Integer, nullable=False),
    Column("embedding", Bytes, nullable=False),  # little-endian float16
    UniqueConstraint("chunk_set_id", "ordinal"),
    Index(None, "document_id"),
    sqlite_autoincrement=True,
)

chunk_tokens = Table(
    "chunk_tokens",
    metadata,
    Column("chunk_key", BigKey, ForeignKey("chunks.key", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("tokens", Bytes, nullable=False),  # `lumikb.compute.embed.tokens.TokenVectors.pack`
)

change_log = Table(
    "change_log",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("kb_id", Id, nullable=False),
    Column("op", String(8), nullable=False),  # add or remove
    Column("chunk_keys", Bytes, nullable=False),  # little-endian int64
    Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
