"""Permission marks: what a route asks of its caller. A route without a mark is refused at start-up and at run time."""

from enum import StrEnum
from typing import Any

MARK = "permission"
CREATES = "creates"
SHOWN_ONCE = "shown_once"
LONG = "long"


class Permission(StrEnum):
    """What a caller needs. The KB_* ones are decided again for the knowledge base that the request touches."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    LIST_KEYS = "keys.list"
    MANAGE_KEYS = "keys.manage"
    CONVERSATION_WRITE = "conversation.write"
    HISTORY_WRITE = "history.write"
    KB_CREATE = "kb.create"
    KB_READ = "kb.read"
    KB_WRITE = "kb.write"
    KB_GENERATE = "kb.generate"
    KB_ADMIN = "kb.admin"
    OPERATE = "operate"


def requires(
    permission: Permission, *, creates: bool = False, shown_once: str | None = None, long: bool = False
) -> dict[str, Any]:
    """The `opt` of a route handler.

    A POST that `creates` honours `Idempotency-Key`; `shown_once` names a secret in its answer, which is not kept to be
    given again. A `long` route is not bound by `answer_seconds_max`.
    """
    return {MARK: permission, CREATES: creates, SHOWN_ONCE: shown_once, LONG: long}
