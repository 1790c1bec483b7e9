"""SQL of accounts, sessions, API keys and the one-time setup token."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from lumikb.identity.models import ApiKey, User
from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.identity import api_keys, sessions, users
from lumikb.store.record.tables.knowledge import knowledge_bases
from lumikb.store.record.tables.operations import settings

SETUP_KEY = "setup_token_sha256"
# Seen times are written at most once in this time, so that reads stay reads.
SEEN_EVERY = timedelta(minutes=5)


def create_user(unit: UnitOfWork, email: str, password_hash: str, level: int, *, is_superuser: bool) -> User:
    """A new active account."""
    moment = clock.now()
    user = User(
        id=new_id(),
        email=email.lower(),
        password_hash=password_hash,
        first_name=None,
        last_name=None,
        permission_level=level,
        is_superuser=is_superuser,
        is_active=True,
        is_verified=True,
        onboarding_completed=False,
        created_at=moment,
        updated_at=moment,
        last_active=None,
    )
    unit.connection.execute(insert(users).values(**user.__dict__))
    return user


def find_user_by_email(connection: Connection, email: str) -> User | None:
    """The account with this address, or None."""
    row = connection.execute(select(users).where(users.c.email == email.lower())).first()
    return None if row is None else User(**as_dict(row))


def find_active_user(connection: Connection, user_id: str) -> User | None:
    """The account, unless it is deactivated or missing."""
    row = connection.execute(select(users).where(users.c.id == user_id, users.c.is_active)).first()
    return None if row is None else User(**as_dict(row))


def count_users(connection: Connection, *, but: str) -> int:
    """How many accounts there are, apart from the one with the address `but`."""
    return connection.execute(select(func.count()).select_from(users).where(users.c.email != but)).scalar_one()


def create_session(
    unit: UnitOfWork, user_id: str, refresh_sha256: str, life: timedelta, ip: str | None, user_agent: str | None
) -> str:
    """A new session; gives its id."""
    session_id, moment = new_id(), clock.now()
    unit.connection.execute(
        insert(sessions).values(
            id=session_id,
            user_id=user_id,
            refresh_sha256=refresh_sha256,
            ip=ip,
            user_agent=(user_agent or "")[:512] or None,
            created_at=moment,
            last_active=moment,
            expires_at=moment + life,
        )
    )
    return session_id


def find_session_user(connection: Connection, session_id: str) -> User | None:
    """The user of a session that is neither over nor revoked."""
    row = connection.execute(
        select(users)
        .join(sessions, sessions.c.user_id == users.c.id)
        .where(sessions.c.id == session_id, *_live_session(), users.c.is_active)
    ).first()
    return None if row is None else User(**as_dict(row))


def rotate_refresh(unit: UnitOfWork, old_sha256: str, new_sha256: str) -> str | None:
    """Replace a live session's refresh token; gives the session's id, None when the old token does not hold."""
    session_id = unit.connection.execute(
        select(sessions.c.id).where(sessions.c.refresh_sha256 == old_sha256, *_live_session()).with_for_update()
    ).scalar()
    if session_id is not None:
        set_refresh(unit, session_id, new_sha256)
    return session_id


def set_refresh(unit: UnitOfWork, session_id: str, new_sha256: str) -> None:
    """Give a session another refresh token."""
    unit.connection.execute(
        update(sessions).where(sessions.c.id == session_id).values(refresh_sha256=new_sha256, last_active=clock.now())
    )


def revoke_session(unit: UnitOfWork, session_id: str) -> None:
    """End a session now."""
    unit.connection.execute(update(sessions).where(sessions.c.id == session_id).values(revoked_at=clock.now()))


def create_api_key(
    unit: UnitOfWork,
    user_id: str,
    name: str,
    prefix: str,
    key_sha256: str,
    scopes: list[str],
    kb_ids: list[str] | None,
    expires_at: datetime | None,
) -> ApiKey:
    """A new key."""
    key = ApiKey(new_id(), user_id, name, prefix, scopes, kb_ids, clock.now(), expires_at, None)
    unit.connection.execute(insert(api_keys).values(**key.__dict__, key_sha256=key_sha256))
    return key


def are_readable(connection: Connection, readable: ColumnElement[bool], kb_ids: list[str]) -> bool:
    """Whether all of these knowledge bases are there, not archived, and within the condition."""
    active = knowledge_bases.c.active_name.is_not(None)
    found = connection.execute(select(knowledge_bases.c.id).where(active, readable))
    return set(kb_ids) <= set(found.scalars())


def list_api_keys(connection: Connection, user_id: str) -> list[ApiKey]:
    """The user's keys, newest first."""
    rows = connection.execute(select(api_keys).where(api_keys.c.user_id == user_id).order_by(api_keys.c.id.desc()))
    return [_api_key(row) for row in rows]


def delete_api_key(unit: UnitOfWork, user_id: str, key_id: str) -> bool:
    """Revoke one of the user's keys; whether there was one."""
    found = unit.connection.execute(delete(api_keys).where(api_keys.c.id == key_id, api_keys.c.user_id == user_id))
    return found.rowcount > 0


def find_api_key(connection: Connection, key_sha256: str) -> tuple[ApiKey, User] | None:
    """The key with this hash and its user, unless expired or the user is deactivated."""
    row = connection.execute(select(api_keys).where(api_keys.c.key_sha256 == key_sha256)).first()
    if row is None or (row.expires_at is not None and row.expires_at <= clock.now()):
        return None
    user = find_active_user(connection, row.user_id)
    return None if user is None else (_api_key(row), user)


def touch_api_key(unit: UnitOfWork, key_id: str) -> None:
    """Note that the key was used."""
    unit.connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=clock.now()))


def set_setup_token(unit: UnitOfWork, sha256: str) -> None:
    """Keep the hash of the newest one-time token."""
    clear_setup_token(unit)
    unit.connection.execute(insert(settings).values(key=SETUP_KEY, value=sha256, updated_at=clock.now()))


def find_setup_token(connection: Connection) -> str | None:
    """The hash of the one-time token, None once it is spent."""
    return connection.execute(select(settings.c.value).where(settings.c.key == SETUP_KEY)).scalar()


def clear_setup_token(unit: UnitOfWork) -> bool:
    """Spend the one-time token; whether there was one."""
    return unit.connection.execute(delete(settings).where(settings.c.key == SETUP_KEY)).rowcount > 0


def _live_session() -> tuple[Any, Any]:
    return sessions.c.revoked_at.is_(None), sessions.c.expires_at > clock.now()


def _api_key(row: Row[Any]) -> ApiKey:
    values = as_dict(row)
    del values["key_sha256"]
    return ApiKey(**values)
