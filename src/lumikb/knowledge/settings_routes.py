"""Routes of a knowledge base's settings."""

from dataclasses import asdict
from typing import Any

import msgspec
from litestar import Request, Router, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from lumikb.compute.chunk.models import ChunkStrategy
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.http.permission import Permission, requires
from lumikb.identity.models import Actor
from lumikb.knowledge.models import KbSettingsState
from lumikb.knowledge.settings_service import KbSettingsService
from lumikb.store.record.engine import Record

ActorRequest = Request[Actor, None, State]


class PendingSettingsBody(msgspec.Struct, kw_only=True):
    """Settings that a job is bringing about; `progress` in percent."""

    job_id: str
    progress: float
    chunk_tokens: int
    chunk_overlap: int
    chunk_strategy: ChunkStrategy
    ocr_languages: str
    embedding_model: EmbeddingModel
    token_vectors: bool


class KbSettingsBody(msgspec.Struct, kw_only=True):
    """The settings in force. `overridden` names those that are the knowledge base's own; the others are the server's.

    `documents_behind` were made with other settings than these, and stay so until they are processed again.
    """

    chunk_tokens: int
    chunk_overlap: int
    chunk_strategy: ChunkStrategy
    ocr_languages: str
    embedding_model: EmbeddingModel
    token_vectors: bool
    overridden: list[str]
    documents_behind: int
    pending: PendingSettingsBody | None


class KbSettingsPatch(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is missing stays, and null goes back to the server's setting.

    Sizes are in tokens of the embedding model. `ocr_languages` as Tesseract names them, joined by `+`: `eng+deu`.
    """

    chunk_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    chunk_overlap: int | msgspec.UnsetType | None = msgspec.UNSET
    chunk_strategy: ChunkStrategy | msgspec.UnsetType | None = msgspec.UNSET
    ocr_languages: str | msgspec.UnsetType | None = msgspec.UNSET
    embedding_model: EmbeddingModel | msgspec.UnsetType | None = msgspec.UNSET
    token_vectors: bool | msgspec.UnsetType | None = msgspec.UNSET


@get("/knowledge-bases/{kb_id:str}/settings", opt=requires(Permission.KB_ADMIN), summary="Read its settings")
async def get_kb_settings(
    request: ActorRequest, kb_settings: NamedDependency[KbSettingsService], record: NamedDependency[Record], kb_id: str
) -> KbSettingsBody:
    """How its documents are processed, and the change that is under way."""
    return settings_body(await record.read_async(lambda read: kb_settings.get(read, request.user, kb_id)))


@patch("/knowledge-bases/{kb_id:str}/settings", opt=requires(Permission.KB_ADMIN), summary="Change its settings")
async def update_kb_settings(
    request: ActorRequest,
    kb_settings: NamedDependency[KbSettingsService],
    record: NamedDependency[Record],
    kb_id: str,
    data: KbSettingsPatch,
) -> KbSettingsBody:
    """Change how its documents are processed.

    Where documents must be processed again, `pending` names the job that does it: until it has done all of them readers
    see what they saw, then everything is switched at once. Cancelling the job keeps the former settings. 409
    `REPROCESS_OPEN` while another change is under way, 422 `OCR_LANGUAGE_MISSING`.
    """
    changes: dict[str, Any] = msgspec.to_builtins(data)
    return settings_body(await record.write_async(lambda unit: kb_settings.change(unit, request.user, kb_id, changes)))


@post(
    "/knowledge-bases/{kb_id:str}/reprocess",
    opt=requires(Permission.KB_ADMIN),
    status_code=202,
    summary="Process its documents again",
)
async def reprocess_kb(
    request: ActorRequest, kb_settings: NamedDependency[KbSettingsService], record: NamedDependency[Record], kb_id: str
) -> KbSettingsBody:
    """Process again what was made with other settings than those in force, as after a change of the server's.

    Readers see what they saw until the job in `pending` has done all of it.
    """
    return settings_body(await record.write_async(lambda unit: kb_settings.reprocess(unit, request.user, kb_id)))


settings_router = Router(
    path="/", tags=["Knowledge bases"], route_handlers=[get_kb_settings, update_kb_settings, reprocess_kb]
)


def settings_body(state: KbSettingsState) -> KbSettingsBody:
    """Settings on the wire."""
    pending = None
    if state.pending is not None:
        job, target = state.pending.job, state.pending.settings
        pending = PendingSettingsBody(job_id=job.id, progress=job.progress, **asdict(target))
    return KbSettingsBody(
        **asdict(state.settings),
        overridden=state.overridden,
        documents_behind=state.documents_behind,
        pending=pending,
    )
