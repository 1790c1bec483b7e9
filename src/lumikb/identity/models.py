"""Who calls: users, sessions, API keys, and the actor that services see."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class Level(IntEnum):
    """Permission level of a user."""

    USER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3


class Scope(StrEnum):
    """What an API key may do; a larger scope does not include the smaller ones."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True)
class User:
    """An account."""

    id: str
    email: str
    password_hash: str
    first_name: str | None
    last_name: str | None
    permission_level: int
    is_superuser: bool
    is_active: bool
    is_verified: bool
    onboarding_completed: bool
    created_at: datetime
    updated_at: datetime
    last_active: datetime | None


@dataclass(frozen=True)
class Actor:
    """The caller of a request or command. `scopes` and `kb_ids` narrow an API key; None does not narrow."""

    user_id: str
    email: str
    level: Level
    is_superuser: bool
    session_id: str | None = None
    scopes: frozenset[Scope] | None = None
    kb_ids: frozenset[str] | None = None
    key_expires_at: datetime | None = None
    by_cookie: bool = False


@dataclass(frozen=True)
class ApiKey:
    """An API key as its owner sees it; the key itself is shown once, and only its hash is kept."""

    id: str
    user_id: str
    name: str
    prefix: str
    scopes: list[str]
    kb_ids: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class SignIn:
    """What a successful sign-in hands out; `expires_in` in seconds."""

    user: User
    access_token: str
    refresh_token: str
    expires_in: int
