"""The composition root: settings -> adapters -> services -> application; nothing else knows concrete adapters."""

import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lumikb import __version__
from lumikb.answering.model_answers import ModelAnswers
from lumikb.answering.proofs import Proofs
from lumikb.answering.service import AnswerService, ConversationService
from lumikb.answering.turns import Turns
from lumikb.api.app import AppOptions, Services, make_app
from lumikb.api.edge import Edge
from lumikb.compute.chunk.models import ChunkStrategy
from lumikb.compute.embed.load import Engine, Models, load_models
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.identity.limits import SignInLimit
from lumikb.identity.service import IdentityService, TokenLives
from lumikb.identity.tokens import TokenSigner
from lumikb.kit.errors import InvalidInputError, UnavailableError
from lumikb.kit.sealing import Sealer
from lumikb.kit.telemetry import get_logger
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.edit_service import DocumentEditor
from lumikb.knowledge.jobs import IngestHandler, PurgeHandler
from lumikb.knowledge.models import KbSettings
from lumikb.knowledge.removal import PURGE_JOB
from lumikb.knowledge.reprocess import ReprocessHandler
from lumikb.knowledge.service import INGEST_JOB, DocumentService
from lumikb.knowledge.settings_service import REPROCESS_JOB, KbSettingsService
from lumikb.knowledge.upload_links import UploadLinks
from lumikb.knowledge.upload_service import UploadService
from lumikb.knowledge.web_service import WebDocuments
from lumikb.operations.health import Health
from lumikb.operations.jobs import JobService
from lumikb.operations.relay import OutboxRelay, Subscriber
from lumikb.operations.routes import MetricsAccess, StatusBody
from lumikb.operations.start import check_blobs, check_record
from lumikb.operations.sweeper import UploadSweeper
from lumikb.operations.verify import Verifier
from lumikb.retrieval.history import SearchHistory
from lumikb.retrieval.service import RetrievalService
from lumikb.retrieval.suggestions import Suggestions
from lumikb.runs.service import RunService
from lumikb.runs.stream import RunStreamer
from lumikb.settings import SettingError, Settings
from lumikb.store.blobs.arrivals import Arrivals
from lumikb.store.blobs.factory import open_blob_store, open_upload_store
from lumikb.store.blobs.local_uploads import LocalUploads
from lumikb.store.index.follower import LocalIndex
from lumikb.store.jobs.models import JobHandler
from lumikb.store.record import changes
from lumikb.store.record.engine import Record, sqlite_url
from lumikb.store.record.migrate import migrate
from lumikb.store.record.outbox import OutboxEvent
from lumikb.store.workers.parser_pool import ParseLimits, ParserPool

if TYPE_CHECKING:
    from lumikb.llm.openai_model import OpenAiLanguageModel

CAPABILITIES = [
    "documents",
    "versions",
    "urls",
    "direct-uploads",
    "locate",
    "search",
    "answers",
    "conversations",
    "runs",
    "jobs",
    "kb-settings",
    "api-keys",
]

STEP_SECONDS_BUCKETS = (0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0, 300.0)

log = get_logger(__name__)


class NotStartedError(UnavailableError):
    """A part of the process is still starting."""

    code = "STARTING"


class LazyModels:
    """The embedding model, loaded by whoever needs it first."""

    def __init__(self, cache_dir: Path, threads: int, engine: Engine) -> None:
        self._cache_dir = cache_dir
        self._threads = threads
        self._engine: Engine = engine
        self._models: Models | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Models:
        """The loaded model."""
        with self._lock:
            if self._models is None:
                self._models = load_models(self._cache_dir, threads=self._threads, engine=self._engine)
            return self._models


class Platform:
    """Everything one process runs. `open` and `close` do the work; the application opens it by its lifespan.

    `alone` says that this process holds the lock of an embedded data directory, so no other one works on the record.
    """

    def __init__(self, settings: Settings, *, local_token: str | None = None) -> None:
        self.settings = settings
        self.alone = not settings.database_url
        self.record = Record(settings.database_url or sqlite_url(settings.database_path))
        self.blobs = open_blob_store(settings)
        self.models = LazyModels(
            settings.data_dir / "models", settings.embedding_threads, cast(Engine, settings.embedding_engine)
        )
        self.index = LocalIndex(self.record, settings.data_dir / "index", poll_seconds=settings.index_poll_seconds)
        # One more than there are workers: for the small document that is read beside large ones.
        self.parser = ParserPool(settings.ingest_workers + 1, _parse_limits(settings))
        self.bases = KnowledgeBaseService(kb_create_level=settings.kb_create_level, undo_seconds=settings.undo_seconds)
        secret = settings.jwt_secret or _kept_secret(settings.data_dir / "jwt-secret")
        passwords = Sealer(secret, "document password")
        # No other process stores files where this one does.
        self._owns_files = self.alone and not settings.blob_url
        arrivals = Arrivals(settings.data_dir / "arriving" if self._owns_files else None)
        self.documents = DocumentService(
            self.record,
            self.blobs,
            self.bases,
            passwords,
            arrivals,
            upload_bytes_max=settings.upload_bytes_max,
            undo_seconds=settings.undo_seconds,
        )
        upload_store = open_upload_store(settings, self.blobs)
        self.uploads = UploadService(
            self.record,
            self.blobs,
            upload_store,
            self.bases,
            self.documents,
            upload_bytes_max=settings.upload_bytes_max,
            open_seconds=settings.upload_open_seconds,
            check_jobs=self._check_jobs,
        )
        own_store = upload_store if isinstance(upload_store, LocalUploads) else None
        self.upload_links = UploadLinks(self.record, own_store, secret)
        self.sweeper = UploadSweeper(self.uploads, settings.upload_open_seconds)
        self.retrieval = RetrievalService(
            self.record,
            self.index,
            self.bases,
            self.models,
            candidates=settings.search_candidates,
            depth_max=settings.search_depth_max,
            rankings_kept=settings.search_cache_entries,
        )
        self.language_model = _language_model(settings)
        self.history = SearchHistory(self.record, kept=settings.search_history_kept)
        self.suggestions = Suggestions(self.record, self.index, self.bases, self.history)
        self.runs = RunService(self.record, runs_max=settings.runs_max)
        self.registry = CollectorRegistry()
        self._on_step = _step_timer(self.registry)
        self.relay = OutboxRelay(self.record, {"document.status": [_status_counter(self.registry)]})
        self.local_token = local_token or secrets.token_urlsafe(32)
        self.identity = _identity(settings, self.record, secret, self.local_token)
        self._stopping = threading.Event()
        self.verifier = Verifier(
            self.record,
            self.blobs,
            self.index,
            self.documents,
            self.uploads,
            arrivals,
            alone=self.alone,
            stopping=self._stopping.is_set,
        )
        self._opened_at = time.monotonic()
        # Set when what starts behind the server could not: it will never be ready.
        self.failed = threading.Event()
        defaults = _kb_defaults(settings)
        self.kb_settings = KbSettingsService(self.bases, defaults, ocr_data_dir=settings.ocr_data_dir)
        self._handlers = self._job_handlers(passwords, defaults)
        self.setup_token: str | None = None
        self._jobs: Any = None
        self._jobs_started = threading.Event()
        self._starter: threading.Thread | None = None

    def _job_handlers(self, passwords: Sealer, defaults: KbSettings) -> dict[str, JobHandler]:
        tools = self.record, self.blobs, self.parser, self.models
        stopping = self._stopping.is_set
        return {
            INGEST_JOB: IngestHandler(*tools, passwords, defaults, stopping=stopping),
            REPROCESS_JOB: ReprocessHandler(*tools, stopping=stopping),
            PURGE_JOB: PurgeHandler(self.record, self.blobs),
        }

    def open(self) -> None:
        """Open the record; the index and the job workers start behind it, and requests that need them wait.

        Once open it stays as it is. Raises `LumiError` with a sentence for the operator when something is missing.
        """
        if self._starter is not None:
            return
        self.record.open()
        check_record(self.record, self.settings)
        check_blobs(self.blobs, self.settings)
        migrate(self.record)
        self.setup_token = self._prepare_identity()
        self.relay.open()
        self.history.open()
        self.sweeper.open()
        self._starter = threading.Thread(target=self._start, name="start", daemon=True)
        self._starter.start()

    def _prepare_identity(self) -> str | None:
        try:
            return self.identity.prepare(self.settings.admin_email, self.settings.admin_password)
        except InvalidInputError as exc:
            raise SettingError(f"admin_email or admin_password: {exc.message}") from exc

    def close(self) -> None:
        """Stop in the reverse order; jobs that do not end in time resume at the next start."""
        if self._starter is not None:
            self._starter.join()
        if self._jobs is not None:
            dispatcher, engine = self._jobs
            dispatcher.close()
            self._stopping.set()
            self.parser.close()
            engine.close(self.settings.drain_seconds)
        self.sweeper.close()
        self.relay.close()
        self.history.close()
        self.retrieval.close()
        self.index.close()
        self.record.close()
        self.blobs.close()

    def app(self) -> Edge:
        """The HTTP application on these services, which opens and closes them."""
        conversations = ConversationService()
        answers = self._answers()
        editor = DocumentEditor(self.record, self.documents, self.bases)
        services = Services(
            record=self.record,
            identity=self.identity,
            bases=self.bases,
            documents=self.documents,
            editor=editor,
            kb_settings=self.kb_settings,
            web=WebDocuments(
                self.record,
                self.documents,
                editor,
                seconds_max=self.settings.fetch_seconds_max,
                allow_private=self.settings.fetch_private,
            ),
            uploads=self.uploads,
            upload_links=self.upload_links,
            retrieval=self.retrieval,
            history=self.history,
            suggestions=self.suggestions,
            answers=answers,
            conversations=conversations,
            turns=Turns(answers, conversations, self.record),
            runs=self.runs,
            streamer=RunStreamer(
                self.runs, self.settings.heartbeat_seconds, hold_seconds=self.settings.stream_hold_seconds
            ),
            health=Health(
                __version__,
                {
                    "database": self.record.check,
                    "blobs": self.blobs.check,
                    "index": self.index.check,
                    "jobs": self._check_jobs,
                },
            ),
            verifier=self.verifier,
            jobs=JobService(self._handlers, self.documents, self.kb_settings),
            platform_status=self._status(),
            registry=self.registry,
            metrics_access=MetricsAccess(_split(self.settings.metrics_allow)),
        )
        options = AppOptions(
            version=__version__,
            request_bytes_max=self.settings.request_bytes_max,
            upload_bytes_max=self.settings.upload_bytes_max,
            answer_seconds_max=self.settings.answer_seconds_max,
            cors_origins=tuple(sorted(_split(self.settings.cors_origins))),
        )
        Gauge("lumikb_index_rows", "Passages in the dense index.", registry=self.registry).set_function(
            lambda: float(len(self.index))
        )
        return make_app(services, options, self._lifespan)

    def _answers(self) -> AnswerService:
        proofs, passages = Proofs(self.blobs), self.settings.answer_passages
        by_model = None
        if self.language_model is not None:
            by_model = ModelAnswers(
                self.language_model,
                self.retrieval,
                proofs,
                passages=passages,
                context_tokens=self.settings.llm_context_tokens,
                answer_tokens_max=self.settings.llm_answer_tokens_max,
            )
        return AnswerService(self.retrieval, proofs, passages=passages, by_model=by_model)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncGenerator[None]:
        self.open()
        if self.language_model is not None:
            self.language_model.open()
        yield
        await self.runs.close()
        if self.language_model is not None:
            await self.language_model.close()
        self.close()

    def _start(self) -> None:
        """What takes a second to import or build: the index first, for searches may wait for it."""
        try:
            self.index.open()
            self.record.listen(changes.TOPIC, self.index.wake)
            self._start_jobs()
            if self._owns_files:
                erased = self.verifier.erase_leftovers(time.monotonic() - self._opened_at)
                if erased:
                    log.info("leftovers erased", count=erased)
        except Exception:
            log.exception("start failed")
            self.failed.set()

    def _start_jobs(self) -> None:
        from lumikb.store.jobs.dispatcher import Dispatcher
        from lumikb.store.jobs.engine import JobEngine

        engine = JobEngine(
            self.record,
            self._jobs_url(),
            self._handlers,
            self._stopping,
            concurrency=self.settings.ingest_workers,
            attempts_max=self.settings.ingest_attempts_max,
            background={REPROCESS_JOB},
        )
        engine.on_step = self._on_step
        engine.open()
        kept_for = timedelta(days=self.settings.jobs_kept_days)
        dispatcher = Dispatcher(self.record, engine, alone=self.alone, kept_for=kept_for)
        dispatcher.open()
        self._jobs = (dispatcher, engine)
        self._jobs_started.set()

    def _check_jobs(self) -> None:
        if not self._jobs_started.is_set():
            raise NotStartedError("The job engine is starting.", service="jobs")

    def _jobs_url(self) -> str:
        """DBOS's own store: an SQLite file beside the record, never the same, or a schema in the same PostgreSQL."""
        if self.settings.database_url:
            return self.settings.database_url
        return sqlite_url(self.settings.data_dir / "jobs.sqlite3")

    def _status(self) -> StatusBody:
        return StatusBody(
            version=__version__,
            profile="production" if self.settings.database_url else "embedded",
            capabilities=CAPABILITIES + (["language-model"] if self.language_model is not None else []),
            limits={
                "upload_bytes_max": self.settings.upload_bytes_max,
                "upload_open_seconds": self.settings.upload_open_seconds,
                "request_bytes_max": self.settings.request_bytes_max,
                "undo_seconds": self.settings.undo_seconds,
            },
        )


def _status_counter(registry: CollectorRegistry) -> Subscriber:
    """Counts what becomes of documents, as the outbox tells it."""
    counter = Counter("lumikb_document_status_total", "Documents that took on a status.", ["status"], registry=registry)

    def count(event: OutboxEvent) -> None:
        counter.labels(event.payload["status"]).inc()

    return count


def _step_timer(registry: CollectorRegistry) -> Callable[[str, str, float], None]:
    """Counts the seconds of jobs' steps. A step's name may end with a number: `embed 512` is `embed`."""
    histogram = Histogram(
        "lumikb_job_step_seconds",
        "Seconds of a step of a job that ended well.",
        ["type", "step"],
        buckets=STEP_SECONDS_BUCKETS,
        registry=registry,
    )

    def count(job_type: str, step: str, seconds: float) -> None:
        histogram.labels(job_type, step.partition(" ")[0]).observe(seconds)

    return count


def _kb_defaults(settings: Settings) -> KbSettings:
    return KbSettings(
        settings.chunk_tokens,
        settings.chunk_overlap,
        ChunkStrategy(settings.chunk_strategy),
        settings.ocr_languages,
        EmbeddingModel(settings.embedding_model),
        settings.token_vectors,
    )


def _identity(settings: Settings, record: Record, secret: str, local_token: str) -> IdentityService:
    lives = TokenLives(timedelta(seconds=settings.token_life_seconds), timedelta(seconds=settings.session_life_seconds))
    limit = SignInLimit(settings.rate_login_per_minute)
    return IdentityService(record, TokenSigner(secret), lives, limit, local_token=local_token)


def _language_model(settings: Settings) -> "OpenAiLanguageModel | None":
    if not settings.llm_base_url:
        return None
    from lumikb.llm.openai_model import OpenAiLanguageModel  # .1 s of imports for who has a model

    return OpenAiLanguageModel(
        settings.llm_base_url,
        settings.llm_api_key,
        settings.llm_model,
        seconds_max=settings.llm_timeout_seconds,
        first_token_seconds_max=settings.llm_first_token_timeout_seconds,
    )


def _parse_limits(settings: Settings) -> ParseLimits:
    return ParseLimits(
        seconds_max=settings.parse_seconds_max,
        memory_bytes_max=settings.parse_memory_bytes_max,
        text_chars_max=settings.parse_text_chars_max,
        documents_per_process=settings.parse_documents_per_process,
        ocr_data_dir=settings.ocr_data_dir,
        ocr_seconds_max=settings.ocr_seconds_max,
    )


def _split(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _kept_secret(path: Path) -> str:
    """The secret in the file, which is made on first use and readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        fresh.replace(path)
    return path.read_text()
