"""What a search of the index may find."""

from collections.abc import Collection
from dataclasses import dataclass

from lumikb.store.index.analysis import AnalysedRow

Names = Collection[str] | None


@dataclass(frozen=True)
class Scope:
    """The allow lists of a search; None allows all."""

    kb_ids: Names
    document_ids: Names

    @property
    def ids(self) -> tuple[Names, Names]:
        """Both, in the order in which they are passed on."""
        return self.kb_ids, self.document_ids

    def allows(self, row: AnalysedRow) -> bool:
        """Whether the row may be found."""
        return (self.kb_ids is None or row.kb_id in self.kb_ids) and (
            self.document_ids is None or row.document_id in self.document_ids
        )
