"""Suggestions while somebody types: past searches of one's own, names, headings and words of what one may read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from lumikb.identity.models import Actor
from lumikb.identity.policy import readable
from lumikb.kit.errors import InvalidInputError
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.models import KbStatus
from lumikb.retrieval.history import SearchHistory
from lumikb.store.index.analysis import Analysis
from lumikb.store.index.follower import LocalIndex
from lumikb.store.record.changes import ARCHIVED, alive
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.knowledge import chunks, documents, knowledge_bases

TYPED_CHARS_MAX = 200
LIMIT_MAX = 20
# Of each kind, before they are joined; names and headings that hold the letters elsewhere are passed over.
_OWN_MAX = 3
_NAMES_READ = 50
_PASSAGES_READ = 40
_WORDS_MAX = 20
# A letter begins too many words for any of them to be meant.
_PREFIX_CHARS_MIN = 2


@dataclass(frozen=True)
class _Typed:
    """What was typed, as its words: all of them whole but the last, which may go on."""

    text: str
    head: list[str]
    prefix: str

    def begins(self, words: Sequence[str]) -> bool:
        """Whether each word that was typed is there, and one begins with the last."""
        return set(self.head).issubset(words) and any(word.startswith(self.prefix) for word in words)


class Suggestions:
    """Completes what a user types, within the knowledge bases that he may read now. The methods block.

    Words come from the index as it was committed: for half a second those of a new document are missing, and those of a
    document just deleted may still be completed. Names and headings are of the record.
    """

    def __init__(self, record: Record, index: LocalIndex, bases: KnowledgeBaseService, history: SearchHistory) -> None:
        self._record = record
        self._index = index
        self._bases = bases
        self._history = history
        self._analysis = Analysis()

    def suggest(self, actor: Actor, text: str, limit: int) -> list[str]:
        """Up to `limit` texts, each once: past searches, then names, headings, and what was typed with a word ended.

        Nothing typed: the last searches. Raises `InvalidInputError` for what is too long.
        """
        if len(text) > TYPED_CHARS_MAX:
            raise InvalidInputError(f"q has at most {TYPED_CHARS_MAX} characters.", field="q")
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidInputError(f"limit must lie between 1 and {LIMIT_MAX}.", field="limit")
        typed = self._typed(text)
        found = self._record.read(lambda read: self._past(read, actor, typed, limit))
        if typed.prefix:
            found += self._of_documents(actor, typed)
        return _distinct(found)[:limit]

    def _typed(self, text: str) -> _Typed:
        words = self._words(text)
        return _Typed(" ".join(text.split()), words[:-1], words[-1] if words else "")

    def _past(self, connection: Connection, actor: Actor, typed: _Typed, limit: int) -> list[str]:
        past = [one.query for one in self._history.own(connection, actor)]
        if not typed.prefix:
            return past[:limit]
        return [query for query in past if typed.begins(self._words(query))][:_OWN_MAX]

    def _of_documents(self, actor: Actor, typed: _Typed) -> list[str]:
        kb_ids = self._record.read(lambda read: list(self._bases.names(read, actor)))
        if not kb_ids or len(typed.prefix) < _PREFIX_CHARS_MIN:
            return []
        words = self._index.completions(typed.head, typed.prefix, kb_ids, _WORDS_MAX)
        keys = self._index.passages_with(typed.head, words, kb_ids, _PASSAGES_READ)

        def read(connection: Connection) -> list[str]:
            names = self._fitting(_names(connection, actor, typed), typed)
            return [*names, *self._fitting(_headings(connection, actor, keys), typed)]

        before = typed.text[: typed.text.rfind(" ") + 1]
        return [*self._record.read(read), *(before + word for word in words if word != typed.prefix)]

    def _fitting(self, texts: Iterable[str], typed: _Typed) -> list[str]:
        return [text for text in _distinct(texts) if typed.begins(self._words(text))]

    def _words(self, text: str) -> list[str]:
        return [word.exact for word in self._analysis.located(text)]


def _names(connection: Connection, actor: Actor, typed: _Typed) -> list[str]:
    """Names of documents that hold what was typed last."""
    rows = connection.execute(
        select(documents.c.name)
        .join(knowledge_bases, knowledge_bases.c.id == documents.c.kb_id)
        .where(
            readable(actor),
            knowledge_bases.c.status == KbStatus.ACTIVE,
            documents.c.deleted_at.is_(None),
            documents.c.status != ARCHIVED,
            func.lower(documents.c.name).contains(typed.prefix, autoescape=True),
            *(func.lower(documents.c.name).contains(word, autoescape=True) for word in typed.head),
        )
        .limit(_NAMES_READ)
    )
    return list(rows.scalars())


def _headings(connection: Connection, actor: Actor, chunk_keys: Sequence[int]) -> list[str]:
    """The headings right above these passages, as far as they are live and readable."""
    rows = connection.execute(
        select(chunks.c.section_header)
        .join(documents, documents.c.id == chunks.c.document_id)
        .join(knowledge_bases, knowledge_bases.c.id == chunks.c.kb_id)
        .where(
            alive(),
            knowledge_bases.c.status == KbStatus.ACTIVE,
            readable(actor),
            chunks.c.key.in_(chunk_keys),
            chunks.c.section_header.is_not(None),
        )
        .distinct()
    )
    return [heading.rpartition(" > ")[2] for heading in rows.scalars()]


def _distinct(texts: Iterable[str]) -> list[str]:
    return list({text.casefold(): text for text in reversed([*texts])}.values())[::-1]
