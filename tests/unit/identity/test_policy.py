"""The decision function, as a table."""

from dataclasses import replace

import pytest

from lumikb.http.permission import Permission
from lumikb.identity.errors import HiddenError, NotAllowedError, NotSignedInError
from lumikb.identity.models import Actor, Level, Scope
from lumikb.identity.policy import KbTarget, decide, ensure

OWN = KbTarget("kb-own", "user")
OTHERS = KbTarget("kb-others", "somebody-else")

USER = Actor("user", "user@example.org", Level.USER, is_superuser=False)
OPERATOR = replace(USER, level=Level.OPERATOR)
ADMINISTRATOR = replace(USER, level=Level.ADMINISTRATOR)
SUPERUSER = replace(USER, is_superuser=True)

SIGNED_IN = [permission for permission in Permission if permission is not Permission.PUBLIC]
OF_A_KB = [Permission.KB_READ, Permission.KB_WRITE, Permission.KB_GENERATE, Permission.KB_ADMIN]


def key(actor: Actor, *scopes: Scope, kb_ids: tuple[str, ...] | None = None) -> Actor:
    return replace(actor, scopes=frozenset(scopes), kb_ids=None if kb_ids is None else frozenset(kb_ids))


def test_public_is_for_everybody() -> None:
    assert decide(None, Permission.PUBLIC).allowed
    assert decide(USER, Permission.PUBLIC).allowed


@pytest.mark.parametrize("permission", SIGNED_IN)
@pytest.mark.parametrize("target", [None, OWN])
def test_anonymous_gets_nothing_else(permission: Permission, target: KbTarget | None) -> None:
    assert not decide(None, permission, target).allowed


@pytest.mark.parametrize(
    ("actor", "permission", "allowed"),
    [
        (USER, Permission.SIGNED_IN, True),
        (USER, Permission.KB_READ, True),
        (USER, Permission.KB_WRITE, True),
        (USER, Permission.KB_GENERATE, True),
        (USER, Permission.KB_ADMIN, True),
        (USER, Permission.KB_CREATE, False),
        (USER, Permission.OPERATE, False),
        (OPERATOR, Permission.KB_CREATE, True),
        (OPERATOR, Permission.OPERATE, True),
        (ADMINISTRATOR, Permission.KB_CREATE, True),
        (ADMINISTRATOR, Permission.OPERATE, True),
    ],
)
def test_levels_decide_for_a_route(actor: Actor, permission: Permission, allowed: bool) -> None:
    assert decide(actor, permission).allowed is allowed


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("needed", [1, 2, 3])
def test_creating_takes_the_level_that_the_setting_says(level: Level, needed: int) -> None:
    actor = replace(USER, level=level)
    assert decide(actor, Permission.KB_CREATE, kb_create_level=needed).allowed is (level >= needed)


@pytest.mark.parametrize("permission", OF_A_KB)
@pytest.mark.parametrize(
    ("actor", "target", "allowed"),
    [
        (USER, OWN, True),
        (USER, OTHERS, False),
        (OPERATOR, OTHERS, False),
        (ADMINISTRATOR, OTHERS, True),
        (SUPERUSER, OTHERS, True),
    ],
)
def test_a_knowledge_base_is_its_owners_and_the_administrators(
    actor: Actor, permission: Permission, target: KbTarget, allowed: bool
) -> None:
    assert decide(actor, permission, target).allowed is allowed


@pytest.mark.parametrize(
    ("scope", "permissions"),
    [
        (Scope.READ, {Permission.SIGNED_IN, Permission.LIST_KEYS, Permission.KB_READ, Permission.KB_GENERATE}),
        (
            Scope.WRITE,
            {Permission.CONVERSATION_WRITE, Permission.HISTORY_WRITE, Permission.KB_WRITE, Permission.KB_CREATE},
        ),
        (Scope.ADMIN, {Permission.KB_ADMIN, Permission.OPERATE, Permission.MANAGE_KEYS}),
    ],
)
def test_a_key_may_do_what_its_scope_names_and_no_more(scope: Scope, permissions: set[Permission]) -> None:
    actor = key(SUPERUSER_ADMINISTRATOR, scope)
    assert {permission for permission in SIGNED_IN if decide(actor, permission).allowed} == permissions


SUPERUSER_ADMINISTRATOR = replace(ADMINISTRATOR, is_superuser=True)


@pytest.mark.parametrize("permission", OF_A_KB)
def test_a_key_reaches_only_the_knowledge_bases_that_it_names(permission: Permission) -> None:
    actor = key(SUPERUSER_ADMINISTRATOR, *Scope, kb_ids=("kb-own",))
    assert decide(actor, permission, OWN).allowed
    assert not decide(actor, permission, OTHERS).allowed


def test_a_key_that_names_knowledge_bases_may_not_create_any() -> None:
    assert not decide(key(SUPERUSER_ADMINISTRATOR, *Scope, kb_ids=("kb-own",)), Permission.KB_CREATE).allowed


@pytest.mark.parametrize("permission", [Permission.LIST_KEYS, Permission.MANAGE_KEYS])
def test_a_key_that_names_knowledge_bases_has_no_part_in_keys(permission: Permission) -> None:
    assert decide(key(SUPERUSER_ADMINISTRATOR, *Scope), permission).allowed
    assert not decide(key(SUPERUSER_ADMINISTRATOR, *Scope, kb_ids=("kb-own",)), permission).allowed


def test_a_key_that_names_none_reaches_none() -> None:
    assert not decide(key(SUPERUSER_ADMINISTRATOR, *Scope, kb_ids=()), Permission.KB_READ, OWN).allowed


def test_a_key_gives_no_more_than_its_owner_has() -> None:
    actor = key(USER, *Scope)
    assert not decide(actor, Permission.OPERATE).allowed
    assert not decide(actor, Permission.KB_READ, OTHERS).allowed


@pytest.mark.parametrize("permission", SIGNED_IN)
def test_every_permission_has_a_rule(permission: Permission) -> None:
    assert decide(SUPERUSER_ADMINISTRATOR, permission).allowed
    assert not decide(key(SUPERUSER_ADMINISTRATOR), permission).allowed


def test_a_refusal_says_why_for_the_log() -> None:
    assert decide(USER, Permission.OPERATE).reason


def test_ensure_gives_the_actor_back() -> None:
    assert ensure(USER, Permission.KB_READ, OWN) is USER
    assert ensure(None, Permission.PUBLIC) is None


def test_ensure_asks_the_anonymous_to_sign_in() -> None:
    with pytest.raises(NotSignedInError):
        ensure(None, Permission.KB_READ, OWN)


def test_ensure_hides_what_the_actor_may_not_read() -> None:
    with pytest.raises(HiddenError):
        ensure(USER, Permission.KB_ADMIN, OTHERS)


def test_ensure_tells_a_reader_that_more_is_not_allowed() -> None:
    with pytest.raises(NotAllowedError):
        ensure(key(USER, Scope.READ), Permission.KB_WRITE, OWN)


def test_ensure_tells_that_a_level_is_too_low() -> None:
    with pytest.raises(NotAllowedError):
        ensure(USER, Permission.OPERATE)
