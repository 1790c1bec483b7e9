"""Use cases of jobs: who sees them, who cancels them, who tries them again."""

from collections.abc import Collection, Mapping
from typing import NoReturn

from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.identity.models import Actor, Level
from lumikb.kit.errors import ConflictError
from lumikb.kit.pages import Page, PageRequest
from lumikb.knowledge.errors import NotRetryableError
from lumikb.knowledge.removal import PURGE_JOB
from lumikb.knowledge.service import INGEST_JOB, DocumentService
from lumikb.knowledge.settings_service import REPROCESS_JOB, KbSettingsService
from lumikb.store.jobs import repository
from lumikb.store.jobs.errors import JobNotFoundError
from lumikb.store.jobs.models import DEAD_AFTER, OPEN, Job, JobHandler, JobStatus
from lumikb.store.record.engine import UnitOfWork

CANCELLED = "It was cancelled. Retry when it is wanted again."


class NotCancellableError(ConflictError):
    """The job has ended, or is of a kind that must be finished."""

    code = "NOT_CANCELLABLE"


class JobService:
    """One's own jobs, and everybody's for operators; a key that is limited to knowledge bases sees no others."""

    def __init__(
        self, handlers: Mapping[str, JobHandler], documents: DocumentService, kb_settings: KbSettingsService
    ) -> None:
        self._handlers = handlers
        self._documents = documents
        self._kb_settings = kb_settings

    def list_jobs(
        self,
        connection: Connection,
        actor: Actor,
        page: PageRequest,
        *,
        job_type: str | None,
        statuses: Collection[str] | None,
        kb_id: str | None,
    ) -> Page[Job]:
        """Jobs that the actor sees, newest first."""
        return repository.list_jobs(
            connection,
            page,
            job_type=job_type,
            statuses=statuses,
            kb_id=kb_id,
            created_by=_owner(actor),
            kb_ids=actor.kb_ids,
        )

    def get(self, connection: Connection, actor: Actor, job_id: str) -> Job:
        """A job that the actor sees; raises `JobNotFoundError`."""
        job = repository.find_job(connection, job_id)
        if job is None or (actor.kb_ids is not None and job.kb_id not in actor.kb_ids):
            _missing()
        if _owner(actor) not in {None, job.created_by}:
            _missing()
        return job

    def cancel(self, unit: UnitOfWork, actor: Actor, job_id: str) -> Job:
        """End an open job at once; who works on it stops within a second, and what it was to change stays as it was."""
        job = self.get(unit.connection, actor, job_id)
        handler = self._handlers[job.type]
        if not handler.cancellable:
            raise NotCancellableError("A job of this type goes on until it is done.", type=job.type)
        if not repository.end_job(unit, job.id, JobStatus.CANCELLED, JobStatus.CANCELLED.upper(), CANCELLED):
            raise NotCancellableError("The job has ended.", status=str(job.status))
        handler.fail(unit, job, JobStatus.CANCELLED.upper(), CANCELLED)
        append_event(unit, "job.cancelled", actor_id=actor.user_id, resource_type="job", resource_id=job.id)
        return repository.get_job(unit.connection, job.id)

    def retry(self, unit: UnitOfWork, actor: Actor, job_id: str) -> Job:
        """Do again what a job did not: gives the new job."""
        job = self.get(unit.connection, actor, job_id)
        if job.status in {*OPEN, JobStatus.COMPLETED}:
            raise NotRetryableError("Only a job that failed or was cancelled is tried again.", status=str(job.status))
        if job.type == INGEST_JOB and job.document_id is not None:
            document = self._documents.retry(unit, actor, job.document_id)
            return repository.get_job(unit.connection, document.job_id or "")
        if job.type == REPROCESS_JOB:
            return self._kb_settings.retry(unit, actor, job)
        if job.type == PURGE_JOB:
            again = repository.create_job(
                unit,
                job.type,
                created_by=actor.user_id,
                kb_id=job.kb_id,
                document_id=job.document_id,
                priority=job.priority,
                payload=job.payload,
            )
            return repository.get_job(unit.connection, again)
        raise NotRetryableError("A job of this type is not tried again.", type=job.type)

    def queue(self, connection: Connection) -> tuple[list[repository.QueueDepth], int]:
        """What waits, runs and failed, by type, and how many processes work on it."""
        return repository.queue_depths(connection), len(repository.live_executors(connection, DEAD_AFTER))


def _owner(actor: Actor) -> str | None:
    """Whose jobs the actor sees: None for everybody's."""
    return None if actor.level >= Level.OPERATOR else actor.user_id


def _missing() -> NoReturn:
    raise JobNotFoundError("There is no such job.")
