"""Use cases of knowledge bases. Each takes the caller's transaction; the edge opens and commits it."""

from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.http.permission import Permission
from lumikb.identity.errors import HiddenError
from lumikb.identity.models import Actor
from lumikb.identity.policy import KbTarget, ensure, readable
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.pages import Page, PageRequest
from lumikb.knowledge import base_repository, repository
from lumikb.knowledge.errors import KbNotFoundError, NotConfirmedError
from lumikb.knowledge.models import KbStats, KnowledgeBase
from lumikb.knowledge.removal import remove_document
from lumikb.store.record.engine import UnitOfWork

NAME_CHARS_MAX = 255
DESCRIPTION_CHARS_MAX = 2000
AVAILABLE_MAX = 20


class KnowledgeBaseService:
    """Knowledge bases: create, list, read, change, archive."""

    def __init__(self, *, kb_create_level: int, undo_seconds: int) -> None:
        self._kb_create_level = kb_create_level
        self._undo_seconds = undo_seconds

    def create(self, unit: UnitOfWork, actor: Actor, name: str, description: str) -> KnowledgeBase:
        """A new knowledge base of the actor's; raises `KbNameTakenError`."""
        ensure(actor, Permission.KB_CREATE, kb_create_level=self._kb_create_level)
        kb = base_repository.create_kb(unit, _checked_name(name), _checked_description(description), actor.user_id)
        append_event(unit, "kb.created", actor_id=actor.user_id, resource_type="kb", resource_id=kb.id, name=kb.name)
        return kb

    def list_kbs(self, connection: Connection, actor: Actor, page: PageRequest) -> Page[KnowledgeBase]:
        """What the actor may read, by name."""
        return base_repository.list_kbs(connection, readable(actor), page)

    def get(
        self,
        connection: Connection,
        actor: Actor,
        kb_id: str,
        permission: Permission = Permission.KB_READ,
        *,
        lock: bool = False,
    ) -> KnowledgeBase:
        """The knowledge base, if the actor has the permission; otherwise it does not exist (or 403 for a reader)."""
        return self._allowed(connection, actor, base_repository.find_kb(connection, kb_id, lock=lock), permission)

    def get_by_name(
        self, connection: Connection, actor: Actor, name: str, permission: Permission = Permission.KB_READ
    ) -> KnowledgeBase:
        """The same by name."""
        return self._allowed(connection, actor, base_repository.find_kb_by_name(connection, name), permission)

    def names(
        self, connection: Connection, actor: Actor, permission: Permission = Permission.KB_READ
    ) -> dict[str, str]:
        """Id -> name of all on which the actor has the permission."""
        return base_repository.kb_names(connection, readable(actor, permission))

    def chosen(
        self,
        connection: Connection,
        actor: Actor,
        kb_ids: list[str] | None,
        permission: Permission = Permission.KB_READ,
    ) -> dict[str, str]:
        """Id -> name of the chosen ones, for None of all with the permission; raises if one of them lacks it."""
        names = self.names(connection, actor, permission)
        if kb_ids is None:
            return names
        if any(kb_id not in names for kb_id in kb_ids):
            raise _missing(names)
        return {kb_id: names[kb_id] for kb_id in kb_ids}

    def update(
        self, unit: UnitOfWork, actor: Actor, kb_id: str, name: str | None, description: str | None
    ) -> KnowledgeBase:
        """Change name or description; None leaves as it is."""
        self.get(unit.connection, actor, kb_id, Permission.KB_ADMIN)
        values: dict[str, str] = {}
        if name is not None:
            values["name"] = _checked_name(name)
        if description is not None:
            values["description"] = _checked_description(description)
        base_repository.update_kb(unit, kb_id, values)
        append_event(
            unit, "kb.updated", actor_id=actor.user_id, resource_type="kb", resource_id=kb_id, changed=sorted(values)
        )
        return self.get(unit.connection, actor, kb_id, Permission.KB_ADMIN)

    def delete(self, unit: UnitOfWork, actor: Actor, kb_id: str, *, purge: bool) -> None:
        """Archive the knowledge base; with `purge` its documents are erased too."""
        kb = self.get(unit.connection, actor, kb_id, Permission.KB_ADMIN, lock=True)
        if purge:
            self._remove_documents(unit, actor, kb_id)
        base_repository.archive_kb(unit, kb_id)
        append_event(
            unit,
            "kb.deleted",
            actor_id=actor.user_id,
            resource_type="kb",
            resource_id=kb_id,
            name=kb.name,
            purge=purge,
        )

    def clear(self, unit: UnitOfWork, actor: Actor, kb_id: str, confirm: str) -> int:
        """Delete all documents, if `confirm` is the knowledge base's name; gives how many there were."""
        kb = self.get(unit.connection, actor, kb_id, Permission.KB_ADMIN, lock=True)
        if confirm != kb.name:
            raise NotConfirmedError("Repeat the name of the knowledge base in confirm.", field="confirm")
        return self._remove_documents(unit, actor, kb_id)

    def stats(self, connection: Connection, actor: Actor, kb_id: str) -> KbStats:
        """Counts of what it holds."""
        self.get(connection, actor, kb_id)
        return base_repository.kb_stats(connection, kb_id)

    def _remove_documents(self, unit: UnitOfWork, actor: Actor, kb_id: str) -> int:
        document_ids = repository.document_ids(unit.connection, kb_id)
        for document_id in document_ids:
            document = repository.find_document(unit.connection, document_id)
            if document is not None:
                remove_document(unit, actor.user_id, document, self._undo_seconds)
        return len(document_ids)

    def _allowed(
        self, connection: Connection, actor: Actor, kb: KnowledgeBase | None, permission: Permission
    ) -> KnowledgeBase:
        if kb is None:
            raise _missing(self.names(connection, actor))
        try:
            ensure(actor, permission, KbTarget(kb.id, kb.owner_id))
        except HiddenError:  # told apart from a missing one by nothing
            raise _missing(self.names(connection, actor)) from None
        return kb


def _missing(names: dict[str, str]) -> KbNotFoundError:
    available = sorted(names.values())[:AVAILABLE_MAX]
    return KbNotFoundError("There is no such knowledge base.", available=available)


def _checked_name(name: str) -> str:
    name = name.strip()
    # Names stand in addresses (`/collections/{name}`), where a slash would end them.
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable() or "/" in name:
        raise InvalidInputError(f"A name has 1 to {NAME_CHARS_MAX} printable characters, and no slash.", field="name")
    if name in {".", ".."}:  # which clients take out of an address
        raise InvalidInputError("A name is more than dots.", field="name")
    return name


def _checked_description(description: str) -> str:
    if len(description) > DESCRIPTION_CHARS_MAX:
        raise InvalidInputError(f"A description has at most {DESCRIPTION_CHARS_MAX} characters.", field="description")
    return description
