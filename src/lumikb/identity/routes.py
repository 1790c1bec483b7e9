"""Routes of sign-in and API keys."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency

from lumikb.http.bodies import ensure_json, wrong_field
from lumikb.http.permission import Permission, requires
from lumikb.identity import repository
from lumikb.identity.errors import BadCredentialsError
from lumikb.identity.models import Actor, ApiKey, Scope, SignIn, User
from lumikb.identity.service import IdentityService
from lumikb.kit.clock import Moment
from lumikb.kit.errors import InvalidInputError, MalformedRequestError
from lumikb.store.record.engine import Record

COOKIE = "lumikb_auth"
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}

ActorRequest = Request[Actor, None, State]
AnyRequest = Request[Actor | None, None, State]


class UserBody(msgspec.Struct, kw_only=True):
    """An account as its owner sees it."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    is_active: bool
    is_superuser: bool
    is_verified: bool
    permission_level: int
    groups: list[str]
    created_at: datetime
    updated_at: datetime
    last_active: datetime | None
    onboarding_completed: bool


class SignInBody(msgspec.Struct, kw_only=True):
    """Tokens of a new session; `expires_in` in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    user: UserBody


class SetupForm(msgspec.Struct, forbid_unknown_fields=True):
    """The first administrator, and the one-time token that the server printed."""

    token: str
    email: str
    password: str


class LoginForm(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: str
    password: str


class RefreshForm(msgspec.Struct, forbid_unknown_fields=True):
    """A refresh token; it is spent by use."""

    refresh_token: str


class ApiKeyForm(msgspec.Struct, forbid_unknown_fields=True):
    """A key to create. `kb_ids` null: all that its owner may see."""

    name: str
    scopes: list[Scope]
    kb_ids: list[str] | None = None
    expires_at: Moment | None = None


class ApiKeyBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A key; `key` is there only in the answer that creates it."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    kb_ids: list[str] | None
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    key: str | None = None


class ApiKeyList(msgspec.Struct):
    """One's keys."""

    data: list[ApiKeyBody]
    total: int


@post("/auth/setup", opt=requires(Permission.PUBLIC), status_code=200, summary="Create the administrator")
async def set_up(
    request: AnyRequest, identity: NamedDependency[IdentityService], record: NamedDependency[Record], data: SetupForm
) -> Response[SignInBody]:
    """Spend the one-time token on the first administrator; 410 `SETUP_DONE` afterwards."""
    done = await record.in_slow_pool(lambda: identity.set_up(data.token, data.email, data.password))
    return _signed_in(request, done)


@post("/auth/login", opt=requires(Permission.PUBLIC), status_code=200, summary="Sign in")
async def login(
    request: AnyRequest, identity: NamedDependency[IdentityService], record: NamedDependency[Record]
) -> Response[Any]:
    """JSON {email, password} answers 200 with tokens and the cookie, a form {username, password} 204 with the cookie.

    Wrong credentials: 401 for JSON, 400 for the form, both `LOGIN_BAD_CREDENTIALS`. After `rate_login_per_minute` wrong
    ones for an account from an address 429 `TOO_MANY_SIGN_INS` with `Retry-After`, also for the right password.
    """
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = await request.form()
        email, password = str(form.get("username", "")), str(form.get("password", ""))
        try:
            done = await record.in_slow_pool(lambda: identity.sign_in(email, password))
        except BadCredentialsError as error:
            raise MalformedRequestError(error.message, code=error.stable_code) from error
        return Response(None, status_code=204, cookies=[_cookie(request, done)])
    ensure_json(request)
    try:
        data = msgspec.json.decode(await request.body(), type=LoginForm)
    except msgspec.ValidationError as exc:
        raise wrong_field(exc) from exc
    except msgspec.DecodeError as exc:
        raise MalformedRequestError("The body is not JSON.", code="BAD_JSON") from exc
    return _signed_in(request, await record.in_slow_pool(lambda: identity.sign_in(data.email, data.password)))


@post("/auth/refresh", opt=requires(Permission.PUBLIC), status_code=200, summary="Renew an access token")
async def refresh(
    request: AnyRequest,
    identity: NamedDependency[IdentityService],
    record: NamedDependency[Record],
    data: RefreshForm | None = None,
) -> Response[SignInBody]:
    """Exchange a refresh token for a new pair, by which the old one is spent.

    Without a body a live cookie or access token is enough. 401 when the session is over.
    """
    if data is not None:
        return _signed_in(request, await record.in_slow_pool(lambda: identity.refresh(data.refresh_token)))
    return _signed_in(request, await record.in_slow_pool(lambda: identity.renew(request.user)))


@post("/auth/logout", opt=requires(Permission.SIGNED_IN), status_code=204, summary="Sign out")
async def logout(
    request: ActorRequest, identity: NamedDependency[IdentityService], record: NamedDependency[Record]
) -> Response[None]:
    """End the session; its tokens stop working at once."""
    await record.in_slow_pool(lambda: identity.sign_out(request.user))
    return Response(None, status_code=204, cookies=[Cookie(key=COOKIE, value="", max_age=0, path="/", httponly=True)])


@get("/users/me", opt=requires(Permission.SIGNED_IN), summary="Read one's own account")
async def get_me(
    request: ActorRequest, identity: NamedDependency[IdentityService], record: NamedDependency[Record]
) -> UserBody:
    """The caller's account."""
    return _user_body(await record.read_async(lambda connection: identity.get_user(connection, request.user)))


@get("/api-keys", opt=requires(Permission.LIST_KEYS), summary="List one's API keys")
async def list_keys(request: ActorRequest, record: NamedDependency[Record]) -> ApiKeyList:
    """One's own keys, without their secrets. 403 for a key that is limited to knowledge bases."""
    keys = await record.read_async(lambda connection: repository.list_api_keys(connection, request.user.user_id))
    return ApiKeyList([_key_body(key) for key in keys], len(keys))


@post("/api-keys", opt=requires(Permission.MANAGE_KEYS, creates=True, shown_once="key"), summary="Create an API key")
async def create_key(
    request: ActorRequest, identity: NamedDependency[IdentityService], record: NamedDependency[Record], data: ApiKeyForm
) -> ApiKeyBody:
    """A new key; its secret is in this answer and nowhere else.

    Sent again with its `Idempotency-Key` the request makes no second key: 409 `SECRET_SHOWN_ONCE`, with the key's `id`.
    """
    name = data.name.strip()
    if not 1 <= len(name) <= 255:
        raise InvalidInputError("A name has 1 to 255 characters.", field="name")
    key, secret = await record.in_slow_pool(
        lambda: identity.create_api_key(request.user, name, data.scopes, data.kb_ids, data.expires_at)
    )
    return _key_body(key, secret)


@delete("/api-keys/{key_id:str}", opt=requires(Permission.MANAGE_KEYS), summary="Revoke an API key")
async def delete_key(
    request: ActorRequest, identity: NamedDependency[IdentityService], record: NamedDependency[Record], key_id: str
) -> None:
    """The key stops working at once."""
    await record.write_async(lambda unit: identity.delete_api_key(unit, request.user, key_id))


identity_router = Router(
    path="/",
    tags=["Sign-in"],
    route_handlers=[set_up, login, refresh, logout, get_me, list_keys, create_key, delete_key],
)


def _user_body(user: User) -> UserBody:
    values = {name: value for name, value in user.__dict__.items() if name != "password_hash"}
    return UserBody(**values, groups=["Administrators"] if user.permission_level == 3 else ["Users"])


def _key_body(key: ApiKey, secret: str | None = None) -> ApiKeyBody:
    values = {name: value for name, value in key.__dict__.items() if name != "user_id"}
    return ApiKeyBody(**values, key=secret)


def _signed_in(request: AnyRequest, done: SignIn) -> Response[SignInBody]:
    body = SignInBody(
        access_token=done.access_token,
        refresh_token=done.refresh_token,
        token_type="bearer",  # noqa: S106 - the name of a scheme (RFC 6750), no secret
        expires_in=done.expires_in,
        user=_user_body(done.user),
    )
    return Response(body, status_code=200, cookies=[_cookie(request, done)])


def _cookie(request: AnyRequest, done: SignIn) -> Cookie:
    url = urlsplit(str(request.base_url))
    plain_local = url.scheme == "http" and url.hostname in _LOCAL_HOSTS
    return Cookie(
        key=COOKIE,
        value=done.access_token,
        max_age=done.expires_in,
        path="/",
        httponly=True,
        samesite="lax",
        secure=not plain_local,
    )
