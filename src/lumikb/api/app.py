"""The HTTP application: routers, dependencies, middleware, error mapping, OpenAPI."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from typing import Any

from litestar import Litestar, MediaType, Router
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from prometheus_client import CollectorRegistry

from lumikb.answering.conversation_routes import conversation_router
from lumikb.answering.routes import answer_router
from lumikb.answering.service import AnswerService, ConversationService
from lumikb.answering.turns import Turns
from lumikb.api.authentication import Authentication
from lumikb.api.edge import Edge
from lumikb.api.errors import on_any_error, on_http_error, on_lumi_error, on_unreadable_body
from lumikb.api.idempotency import Idempotency
from lumikb.api.methods import name_all_methods
from lumikb.api.pages import SpecificationAlone, page_handlers, refuse_unknown_page
from lumikb.http.bodies import StrictRequest
from lumikb.http.permission import MARK, Permission, requires
from lumikb.identity.routes import identity_router
from lumikb.identity.service import IdentityService
from lumikb.kit.errors import LumiError
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.content_routes import content_router
from lumikb.knowledge.document_routes import document_router
from lumikb.knowledge.edit_routes import edit_router
from lumikb.knowledge.edit_service import DocumentEditor
from lumikb.knowledge.routes import kb_router
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.settings_routes import settings_router
from lumikb.knowledge.settings_service import KbSettingsService
from lumikb.knowledge.upload_links import UploadLinks
from lumikb.knowledge.upload_routes import upload_router
from lumikb.knowledge.upload_service import UploadService
from lumikb.knowledge.web_service import WebDocuments
from lumikb.operations.health import Health
from lumikb.operations.job_routes import job_router
from lumikb.operations.jobs import JobService
from lumikb.operations.routes import MetricsAccess, StatusBody, operation_router, root_handlers
from lumikb.operations.verify import Verifier
from lumikb.retrieval.history import SearchHistory
from lumikb.retrieval.history_routes import history_router
from lumikb.retrieval.routes import retrieval_router
from lumikb.retrieval.service import RetrievalService
from lumikb.retrieval.suggestions import Suggestions
from lumikb.runs.routes import run_router
from lumikb.runs.service import RunService
from lumikb.runs.stream import RunStreamer
from lumikb.store.record.engine import Record

API_PREFIX = "/api/v1"
ROUTERS = [
    identity_router,
    kb_router,
    document_router,
    retrieval_router,
    history_router,
    answer_router,
    conversation_router,
    run_router,
    operation_router,
    job_router,
    content_router,
    edit_router,
    settings_router,
    upload_router,
]
CORS_HEADERS = [
    "Accept",
    "Authorization",
    "Content-Type",
    "X-Request-ID",
    "X-API-Key",
    "Idempotency-Key",
    "Last-Event-ID",
]
CORS_EXPOSED = ["X-Request-ID", "X-Run-Id", "Retry-After", "Upload-Offset"]


@dataclass(frozen=True)
class Services:
    """What route handlers are given, by the name of their parameter."""

    record: Record
    identity: IdentityService
    bases: KnowledgeBaseService
    documents: DocumentService
    editor: DocumentEditor
    kb_settings: KbSettingsService
    web: WebDocuments
    uploads: UploadService
    upload_links: UploadLinks
    retrieval: RetrievalService
    history: SearchHistory
    suggestions: Suggestions
    answers: AnswerService
    conversations: ConversationService
    turns: Turns
    runs: RunService
    streamer: RunStreamer
    health: Health
    verifier: Verifier
    jobs: JobService
    platform_status: StatusBody
    registry: CollectorRegistry
    metrics_access: MetricsAccess


@dataclass(frozen=True)
class AppOptions:
    """Bounds and origins of the HTTP application. Bytes and seconds."""

    version: str
    request_bytes_max: int
    upload_bytes_max: int
    answer_seconds_max: float
    cors_origins: tuple[str, ...]


Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def make_app(services: Services, options: AppOptions, lifespan: Lifespan) -> Edge:
    """The whole application behind its edge; raises `ValueError` when a route lacks its permission mark."""
    app = Litestar(
        route_handlers=[*root_handlers, Router(path=API_PREFIX, route_handlers=list(ROUTERS))],
        dependencies={item.name: _provide(getattr(services, item.name)) for item in fields(services)},
        middleware=[
            DefineMiddleware(Authentication, identity=services.identity, record=services.record),
            DefineMiddleware(Idempotency, record=services.record, upload_bytes_max=options.upload_bytes_max),
        ],
        exception_handlers={
            LumiError: on_lumi_error,
            HTTPException: on_http_error,
            UnicodeDecodeError: on_unreadable_body,
            RecursionError: on_unreadable_body,
            Exception: on_any_error,
        },
        openapi_config=_openapi(options.version),
        cors_config=_cors(options.cors_origins),
        request_class=StrictRequest,
        request_max_body_size=options.request_bytes_max,
        lifespan=[lifespan],
        before_send=[name_all_methods],
        logging_config=None,
        debug=False,
    )
    unmarked = [str(handler) for route in app.routes for handler in _handlers(route) if not _is_marked(handler)]
    if unmarked:
        raise ValueError(f"routes without a permission mark: {', '.join(unmarked)}")
    return Edge(app, services.registry, answer_seconds_max=options.answer_seconds_max)


def _provide(value: Any) -> Provide:
    def give() -> Any:
        return value

    return Provide(give, sync_to_thread=False, use_cache=True)


def _handlers(route: Any) -> list[Any]:
    return list(getattr(route, "route_handlers", None) or [route.route_handler])


def _is_marked(handler: Any) -> bool:
    """OPTIONS is the framework's own: it names methods and reads nothing."""
    return set(handler.http_methods) == {"OPTIONS"} or isinstance(handler.opt.get(MARK), Permission)


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_headers=CORS_HEADERS,
        expose_headers=CORS_EXPOSED,
        allow_credentials=True,
        max_age=300,
    )


def _openapi(version: str) -> OpenAPIConfig:
    schemes: dict[str, Any] = {
        "bearer": SecurityScheme(type="http", scheme="bearer", description="An access token or an API key."),
        "api_key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
    }
    return OpenAPIConfig(
        title="LumiKB",
        version=version,
        description="Put documents in, get answers whose every claim opens the passage that proves it.",
        use_handler_docstrings=True,
        components=Components(security_schemes=schemes),
        security=[{"bearer": []}, {"api_key": []}],
        render_plugins=[SpecificationAlone(media_type=MediaType.JSON)],
        openapi_router=Router(
            path="/",
            route_handlers=list(page_handlers),
            opt=requires(Permission.PUBLIC),
            include_in_schema=False,
            after_request=refuse_unknown_page,
        ),
    )
