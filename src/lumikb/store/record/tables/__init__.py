"""The declared schema, a file for each slice; importing this package declares all of it."""

from lumikb.store.record.tables import answering, identity, knowledge, operations, retrieval, uploads, work
from lumikb.store.record.tables.base import metadata

__all__ = ["answering", "identity", "knowledge", "metadata", "operations", "retrieval", "uploads", "work"]
