"""Use cases of a knowledge base's settings: read, change, process again with those in force."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.compute.chunk.chunker import TOKENS_MAX_FLOOR, TOKENS_MAX_LIMIT
from lumikb.compute.parse.ocr_options import OcrOptions, find_data
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError
from lumikb.knowledge import settings_repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.errors import OcrLanguageMissingError, ReprocessOpenError
from lumikb.knowledge.models import KbSettings, KbSettingsState, PendingSettings
from lumikb.store.jobs.models import PRIORITY_BACKGROUND, Job
from lumikb.store.jobs.repository import create_job, find_open_job, get_job
from lumikb.store.record.engine import UnitOfWork

REPROCESS_JOB = "kb.reprocess"


class KbSettingsService:
    """Settings of knowledge bases; what one does not set by itself follows `defaults`, the server's.

    `ocr_data_dir` is where Tesseract's data lies; empty: where systems keep it.
    """

    def __init__(self, bases: KnowledgeBaseService, defaults: KbSettings, *, ocr_data_dir: str) -> None:
        self._bases = bases
        self._defaults = defaults.overridden_by({})
        self._ocr_data_dir = ocr_data_dir

    def get(self, connection: Connection, actor: Actor, kb_id: str) -> KbSettingsState:
        """What is in force, and what a job is bringing about."""
        self._bases.get(connection, actor, kb_id, Permission.KB_ADMIN)
        overrides = settings_repository.find_overrides(connection, kb_id) or {}
        settings = self._defaults.overridden_by(overrides)
        job = find_open_job(connection, REPROCESS_JOB, kb_id)
        return KbSettingsState(
            settings,
            overridden=sorted(overrides),
            documents_behind=settings_repository.count_behind(connection, kb_id, settings),
            pending=None if job is None else PendingSettings(job, target_of(job)),
        )

    def change(self, unit: UnitOfWork, actor: Actor, kb_id: str, changes: Mapping[str, Any]) -> KbSettingsState:
        """Set what `changes` names; None goes back to the server's.

        Takes effect at once where no document is behind it; else with the switch of a `kb.reprocess` job. Raises
        `ReprocessOpenError` while another change is under way.
        """
        self._bases.get(unit.connection, actor, kb_id, Permission.KB_ADMIN, lock=True)
        former = settings_repository.find_overrides(unit.connection, kb_id) or {}
        overrides = {name: value for name, value in {**former, **changes}.items() if value is not None}
        target = self._checked(overrides)
        if overrides != former:
            self._ensure_none_open(unit, kb_id)
            append_event(
                unit,
                "kb.settings_changed",
                actor_id=actor.user_id,
                resource_type="kb",
                resource_id=kb_id,
                changed=sorted(changes),
            )
            self._bring_about(unit, actor, kb_id, overrides, target)
        return self.get(unit.connection, actor, kb_id)

    def reprocess(self, unit: UnitOfWork, actor: Actor, kb_id: str) -> KbSettingsState:
        """Make documents anew that were made with other settings than those in force; a job that is at it goes on."""
        self._bases.get(unit.connection, actor, kb_id, Permission.KB_ADMIN, lock=True)
        if find_open_job(unit.connection, REPROCESS_JOB, kb_id) is None:
            overrides = settings_repository.find_overrides(unit.connection, kb_id) or {}
            self._bring_about(unit, actor, kb_id, overrides, self._defaults.overridden_by(overrides))
        return self.get(unit.connection, actor, kb_id)

    def retry(self, unit: UnitOfWork, actor: Actor, job: Job) -> Job:
        """Begin again what a job did not bring about; gives the new job."""
        kb_id = job.kb_id or ""
        self._bases.get(unit.connection, actor, kb_id, Permission.KB_ADMIN, lock=True)
        self._ensure_none_open(unit, kb_id)
        overrides = job.payload["overrides"]
        return get_job(unit.connection, self._start(unit, actor, kb_id, overrides, self._checked(overrides)))

    def _bring_about(
        self, unit: UnitOfWork, actor: Actor, kb_id: str, overrides: dict[str, Any], target: KbSettings
    ) -> None:
        if settings_repository.count_behind(unit.connection, kb_id, target):
            self._start(unit, actor, kb_id, overrides, target)
        else:
            settings_repository.set_overrides(unit, kb_id, overrides)

    def _start(self, unit: UnitOfWork, actor: Actor, kb_id: str, overrides: dict[str, Any], target: KbSettings) -> str:
        return create_job(
            unit,
            REPROCESS_JOB,
            created_by=actor.user_id,
            kb_id=kb_id,
            priority=PRIORITY_BACKGROUND,
            payload={"overrides": overrides, "target": asdict(target)},
        )

    def _ensure_none_open(self, unit: UnitOfWork, kb_id: str) -> None:
        job = find_open_job(unit.connection, REPROCESS_JOB, kb_id)
        if job is not None:
            raise ReprocessOpenError(
                "An earlier change of these settings is under way. Wait for its job, or cancel it.", job_id=job.id
            )

    def _checked(self, overrides: dict[str, Any]) -> KbSettings:
        target = self._defaults.overridden_by(overrides)
        if not TOKENS_MAX_FLOOR <= target.chunk_tokens <= TOKENS_MAX_LIMIT:
            raise InvalidInputError(
                f"chunk_tokens must lie between {TOKENS_MAX_FLOOR} and {TOKENS_MAX_LIMIT}.", field="chunk_tokens"
            )
        overlap = overrides.get("chunk_overlap", 0)
        if not 0 <= overlap <= target.chunk_tokens // 2:
            raise InvalidInputError(
                f"chunk_overlap must lie between 0 and half of chunk_tokens, here {target.chunk_tokens // 2}.",
                field="chunk_overlap",
            )
        if "ocr_languages" in overrides:
            self._check_languages(overrides["ocr_languages"])
        return target

    def _check_languages(self, languages: str) -> None:
        if find_data(OcrOptions(languages, self._ocr_data_dir)) is not None:
            return
        directory = find_data(OcrOptions("eng", self._ocr_data_dir))
        installed = sorted(path.stem for path in directory.glob("*.traineddata")) if directory else []
        raise OcrLanguageMissingError(
            f"Tesseract has no data for {languages}. There is: {', '.join(installed) or 'none'}. Name languages as "
            "Tesseract does, joined by +, or install their data on the server.",
            field="ocr_languages",
            available=installed,
        )


def target_of(job: Job) -> KbSettings:
    """The settings that a `kb.reprocess` job brings about."""
    return KbSettings(**job.payload["target"]).overridden_by({})
