"""Facts about the request being served, for log lines and audit rows."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    """The request's id (echoed as `X-Request-ID`), the client's address, its user agent, and whether it was a HEAD."""

    request_id: str
    ip: str | None
    user_agent: str | None
    head: bool = False


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)
