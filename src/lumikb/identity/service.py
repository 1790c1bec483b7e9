"""Use cases of identity: first set-up, sign-in, API keys, and finding the actor behind a request's credentials."""

import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.http.context import RequestContext, current_request
from lumikb.identity import repository
from lumikb.identity.errors import (
    ApiKeyNotFoundError,
    BadCredentialsError,
    BadSetupTokenError,
    EmailTakenError,
    NotSignedInError,
    SetupDoneError,
)
from lumikb.identity.limits import SignInLimit
from lumikb.identity.models import Actor, ApiKey, Level, Scope, SignIn, User
from lumikb.identity.passwords import hash_password, verify_password
from lumikb.identity.policy import readable
from lumikb.identity.tokens import Claims, TokenSigner, fingerprint, new_secret
from lumikb.kit import clock
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.ids import new_id
from lumikb.store.record.engine import Record, UnitOfWork

# The account of the machine's own command line; nobody can sign in to it.
LOCAL_EMAIL = "local@localhost"
KEY_PREFIX = "lkb_"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


@dataclass(frozen=True)
class TokenLives:
    """How long access tokens and sessions live."""

    access: timedelta
    session: timedelta


class IdentityService:
    """Accounts and credentials. Passwords are hashed outside of transactions, which hashing would hold open."""

    def __init__(
        self, record: Record, signer: TokenSigner, lives: TokenLives, limit: SignInLimit, *, local_token: str | None
    ) -> None:
        self._record = record
        self._signer = signer
        self._lives = lives
        self._limit = limit
        self._local_token = local_token

    # First set-up

    def prepare(self, admin_email: str, admin_password: str) -> str | None:
        """Make the local account and, if configured, the administrator; gives a one-time token while there is none."""
        self._record.write(_ensure_local_user)
        if not self.needs_setup():
            return None
        if admin_email:
            self._create_admin(admin_email, admin_password)
            return None
        token = new_secret()
        self._record.write(lambda unit: repository.set_setup_token(unit, fingerprint(token)))
        return token

    def needs_setup(self) -> bool:
        """Whether there is no account yet but the local one."""
        return self._record.read(lambda connection: repository.count_users(connection, but=LOCAL_EMAIL)) == 0

    def set_up(self, token: str, email: str, password: str) -> SignIn:
        """Spend the one-time token on the first administrator, and sign in."""
        expected = self._record.read(repository.find_setup_token)
        if expected is None:
            raise SetupDoneError("LumiKB is set up already. Sign in instead.")
        if not hmac.compare_digest(expected, fingerprint(token)):
            raise BadSetupTokenError("This link is not valid. Use the newest one that the server printed.")
        self._create_admin(email, password, by_link=True)
        return self.sign_in(email, password)

    def _create_admin(self, email: str, password: str, *, by_link: bool = False) -> None:
        if not _EMAIL.fullmatch(email):
            raise InvalidInputError("This is not an e-mail address.", field="email")
        hashed = hash_password(password)

        def create(unit: UnitOfWork) -> None:
            if repository.find_user_by_email(unit.connection, email):
                raise EmailTakenError("There is an account with this e-mail address.")
            # Spent in the unit of work that uses it: of several at the same moment one finds it.
            if not repository.clear_setup_token(unit) and by_link:
                raise SetupDoneError("LumiKB is set up already. Sign in instead.")
            user = repository.create_user(unit, email, hashed, Level.ADMINISTRATOR, is_superuser=True)
            append_event(unit, "user.created", actor_id=user.id, resource_type="user", resource_id=user.id)

        self._record.write(create)

    # Sign-in

    def sign_in(self, email: str, password: str) -> SignIn:
        """Check the password and open a session; raises `BadCredentialsError` and `TooManySignInsError`."""
        request = current_request.get() or RequestContext("", None, None)
        with self._limit.attempt(email, request.ip):
            user = self._authenticate(email, password)
        refresh_token = new_secret()

        def open_session(unit: UnitOfWork) -> str:
            append_event(unit, "user.signed_in", actor_id=user.id)
            return repository.create_session(
                unit, user.id, fingerprint(refresh_token), self._lives.session, request.ip, request.user_agent
            )

        return self._sign_in(user, self._record.write(open_session), refresh_token)

    def _authenticate(self, email: str, password: str) -> User:
        user = self._record.read(lambda connection: repository.find_user_by_email(connection, email))
        if not verify_password(user.password_hash if user else None, password) or user is None or not user.is_active:
            self._record.write(
                lambda unit: append_event(unit, "user.signed_in", actor_id=user.id if user else None, outcome="refused")
            )
            raise BadCredentialsError("E-mail address or password is wrong.")
        return user

    def refresh(self, refresh_token: str) -> SignIn:
        """Exchange a refresh token for new tokens of the same session; the old one is spent."""
        new_refresh = new_secret()
        session_id = self._record.write(
            lambda unit: repository.rotate_refresh(unit, fingerprint(refresh_token), fingerprint(new_refresh))
        )
        return self._renewed(session_id, new_refresh)

    def renew(self, actor: Actor | None) -> SignIn:
        """New tokens of the session that the actor is signed in with."""
        session_id, new_refresh = actor.session_id if actor else None, new_secret()
        if session_id is not None:
            self._record.write(lambda unit: repository.set_refresh(unit, session_id, fingerprint(new_refresh)))
        return self._renewed(session_id, new_refresh)

    def _renewed(self, session_id: str | None, refresh_token: str) -> SignIn:
        user = session_id and self._record.read(lambda read: repository.find_session_user(read, session_id))
        if not session_id or not user:
            raise NotSignedInError("The session is over. Sign in again.")
        return self._sign_in(user, session_id, refresh_token)

    def sign_out(self, actor: Actor) -> None:
        """End the actor's session; its tokens stop working at once."""

        def end(unit: UnitOfWork) -> None:
            if actor.session_id is not None:
                repository.revoke_session(unit, actor.session_id)
            append_event(unit, "user.signed_out", actor_id=actor.user_id)

        self._record.write(end)

    def get_user(self, connection: Connection, actor: Actor) -> User:
        """The actor's own account."""
        user = repository.find_active_user(connection, actor.user_id)
        if user is None:
            raise NotSignedInError("The account is gone.")
        return user

    # API keys

    def create_api_key(
        self, actor: Actor, name: str, scopes: list[Scope], kb_ids: list[str] | None, expires_at: datetime | None
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown this once.

        A key makes no key that may more or lives longer, and none at all when it is limited to knowledge bases.
        """
        if not scopes:
            raise InvalidInputError("A key needs at least one scope: read, write or admin.", field="scopes")
        if actor.scopes is not None and not actor.scopes >= set(scopes):
            raise InvalidInputError("A key cannot grant more than it has.", field="scopes")
        if expires_at is not None and expires_at <= clock.now():
            raise InvalidInputError("expires_at has passed already.", field="expires_at")
        if actor.key_expires_at is not None:
            expires_at = min(expires_at or actor.key_expires_at, actor.key_expires_at)
        secret, owner = KEY_PREFIX + new_secret(), replace(actor, scopes=None)

        def create(unit: UnitOfWork) -> ApiKey:
            if kb_ids and not repository.are_readable(unit.connection, readable(owner), kb_ids):
                raise InvalidInputError("kb_ids names a knowledge base that is not there.", field="kb_ids")
            key = repository.create_api_key(
                unit,
                actor.user_id,
                name,
                secret[:12],
                fingerprint(secret),
                sorted(set(scopes)),
                kb_ids,
                expires_at,
            )
            append_event(unit, "api_key.created", actor_id=actor.user_id, resource_type="api_key", resource_id=key.id)
            return key

        return self._record.write(create), secret

    def delete_api_key(self, unit: UnitOfWork, actor: Actor, key_id: str) -> None:
        """Revoke one of the actor's keys."""
        if not repository.delete_api_key(unit, actor.user_id, key_id):
            raise ApiKeyNotFoundError("There is no such API key.")
        append_event(unit, "api_key.deleted", actor_id=actor.user_id, resource_type="api_key", resource_id=key_id)

    # Who is calling

    def find_actor(self, cookie: str | None, bearer: str | None, api_key: str | None) -> Actor | None:
        """The actor of the first credential that holds: cookie, bearer token, API key; None when none does."""
        attempts: list[tuple[str | None, Callable[[str], Actor | None]]] = [
            (cookie, lambda token: self._by_token(token, by_cookie=True)),
            (bearer, self._by_bearer),
            (api_key, self._by_api_key),
        ]
        for credential, find in attempts:
            actor = find(credential) if credential else None
            if actor is not None:
                return actor
        return None

    def local_actor(self) -> Actor:
        """The machine's own command line."""
        user = self._record.read(lambda connection: repository.find_user_by_email(connection, LOCAL_EMAIL))
        if user is None:
            raise NotSignedInError("The server is not ready yet.")
        return _actor(user)

    def _by_bearer(self, credential: str) -> Actor | None:
        if credential.startswith(KEY_PREFIX):
            return self._by_api_key(credential)
        if self._local_token and hmac.compare_digest(credential.encode(), self._local_token.encode()):
            return self.local_actor()
        return self._by_token(credential, by_cookie=False)

    def _by_token(self, token: str, *, by_cookie: bool) -> Actor | None:
        claims = self._signer.read(token)
        if claims is None:
            return None
        user = self._record.read(lambda connection: repository.find_session_user(connection, claims.sid))
        if user is None or user.id != claims.sub:
            return None
        return _actor(user, session_id=claims.sid, by_cookie=by_cookie)

    def _by_api_key(self, secret: str) -> Actor | None:
        found = self._record.read(lambda connection: repository.find_api_key(connection, fingerprint(secret)))
        if found is None:
            return None
        key, user = found
        if key.last_used_at is None or clock.now() - key.last_used_at > repository.SEEN_EVERY:
            self._record.write(lambda unit: repository.touch_api_key(unit, key.id))
        return _actor(
            user,
            scopes=frozenset(Scope(scope) for scope in key.scopes),
            kb_ids=None if key.kb_ids is None else frozenset(key.kb_ids),
            key_expires_at=key.expires_at,
        )

    def _sign_in(self, user: User, session_id: str, refresh_token: str) -> SignIn:
        now, life = int(time.time()), int(self._lives.access.total_seconds())
        claims = Claims(
            sub=user.id,
            email=user.email,
            is_superuser=user.is_superuser,
            permission_level=user.permission_level,
            groups=["administrators"] if user.permission_level == Level.ADMINISTRATOR else [],
            iat=now,
            nbf=now,
            exp=now + life,
            jti=new_id(),
            sid=session_id,
        )
        return SignIn(user, self._signer.sign(claims), refresh_token, life)


def _actor(
    user: User,
    *,
    session_id: str | None = None,
    by_cookie: bool = False,
    scopes: frozenset[Scope] | None = None,
    kb_ids: frozenset[str] | None = None,
    key_expires_at: datetime | None = None,
) -> Actor:
    return Actor(
        user_id=user.id,
        email=user.email,
        level=Level(user.permission_level),
        is_superuser=user.is_superuser,
        session_id=session_id,
        scopes=scopes,
        kb_ids=kb_ids,
        key_expires_at=key_expires_at,
        by_cookie=by_cookie,
    )


def _ensure_local_user(unit: UnitOfWork) -> None:
    if repository.find_user_by_email(unit.connection, LOCAL_EMAIL) is None:
        repository.create_user(unit, LOCAL_EMAIL, "!", Level.ADMINISTRATOR, is_superuser=True)
