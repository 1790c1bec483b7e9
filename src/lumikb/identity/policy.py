"""The one decision function: who may do what. Default deny.

Every route and every service asks `decide` (through `ensure` and `readable`), and nothing else decides. Levels and
ownership are all there is today; groups, grants and document restrictions join here, behind the same signature.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, true

from lumikb.http.permission import Permission
from lumikb.identity.errors import HiddenError, NotAllowedError, NotSignedInError
from lumikb.identity.models import Actor, Level, Scope
from lumikb.store.record.tables.knowledge import knowledge_bases

_SCOPE_FOR = {
    Permission.SIGNED_IN: Scope.READ,
    Permission.LIST_KEYS: Scope.READ,
    Permission.MANAGE_KEYS: Scope.ADMIN,
    Permission.CONVERSATION_WRITE: Scope.WRITE,
    Permission.HISTORY_WRITE: Scope.WRITE,
    Permission.KB_READ: Scope.READ,
    Permission.KB_GENERATE: Scope.READ,
    Permission.KB_WRITE: Scope.WRITE,
    Permission.KB_CREATE: Scope.WRITE,
    Permission.KB_ADMIN: Scope.ADMIN,
    Permission.OPERATE: Scope.ADMIN,
}

_OF_KEYS = {Permission.LIST_KEYS, Permission.MANAGE_KEYS}


@dataclass(frozen=True)
class KbTarget:
    """The knowledge base that a request touches."""

    id: str
    owner_id: str


@dataclass(frozen=True)
class Decision:
    """The answer and, for a refusal, its reason (for logs and audit, not for the caller)."""

    allowed: bool
    reason: str = ""


def decide(
    actor: Actor | None, permission: Permission, target: KbTarget | None = None, *, kb_create_level: int = 2
) -> Decision:
    """May `actor` do what `permission` names, to `target` if one is given?

    Without a target this answers for the route: could it be allowed for some knowledge base?
    """
    if permission is Permission.PUBLIC:
        return Decision(True)
    if actor is None:
        return Decision(False, "not signed in")
    needed = _SCOPE_FOR.get(permission)
    if needed is None:
        return Decision(False, f"no rule for {permission}")
    if actor.scopes is not None and needed not in actor.scopes:
        return Decision(False, f"the key lacks the scope {needed}")
    if permission is Permission.OPERATE and (actor.level < Level.OPERATOR or actor.kb_ids is not None):
        return Decision(False, "level below operator, or a key that is limited to knowledge bases")
    if permission is Permission.KB_CREATE and (actor.level < kb_create_level or actor.kb_ids is not None):
        return Decision(False, "may not create knowledge bases")
    if permission in _OF_KEYS and actor.kb_ids is not None:
        return Decision(False, "a key that is limited to knowledge bases has no part in keys")
    if target is not None:
        return _decide_kb(actor, target)
    return Decision(True)


def _decide_kb(actor: Actor, target: KbTarget) -> Decision:
    if actor.kb_ids is not None and target.id not in actor.kb_ids:
        return Decision(False, "the key does not name this knowledge base")
    if actor.is_superuser or actor.level is Level.ADMINISTRATOR or target.owner_id == actor.user_id:
        return Decision(True)
    return Decision(False, "no grant")


def ensure(
    actor: Actor | None, permission: Permission, target: KbTarget | None = None, *, kb_create_level: int = 2
) -> Actor | None:
    """Give the actor back, or raise: 401 without one, 404 where the target must stay hidden, 403 otherwise."""
    decision = decide(actor, permission, target, kb_create_level=kb_create_level)
    if decision.allowed:
        return actor
    if actor is None:
        raise NotSignedInError("Sign in first, or send an API key.")
    if target is not None and not decide(actor, Permission.KB_READ, target).allowed:
        raise HiddenError("There is no such knowledge base.")
    raise NotAllowedError("Your account or key may not do this.", needed=str(permission))


def readable(actor: Actor, permission: Permission = Permission.KB_READ) -> ColumnElement[bool]:
    """The knowledge bases on which the actor has the permission, as a condition on `knowledge_bases`."""
    if not decide(actor, permission).allowed:
        return false()
    condition = true()
    if not (actor.is_superuser or actor.level is Level.ADMINISTRATOR):
        condition = knowledge_bases.c.owner_id == actor.user_id
    if actor.kb_ids is not None:
        condition = condition & knowledge_bases.c.id.in_(actor.kb_ids)
    return condition
