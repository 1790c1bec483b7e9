"""The declared schema, a file for each slice; importing this package declares all of it."""

from lumikb.store.record.tables import answering, identity, knowledge, operations, uploads, work
from lumikb.store.record.tables.base import metadata

__all__ = ["answering", "identity", "knowledge", "metadata", "operations", "uploads", "work"]
