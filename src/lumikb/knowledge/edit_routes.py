"""Routes that change documents that are there."""

from typing import Annotated

from litestar import Router, delete, patch, post
from litestar.di import NamedDependency
from litestar.params import Parameter

from lumikb.http.permission import Permission, requires
from lumikb.kit.errors import LumiError
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.edit_service import DocumentEditor
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.upload_form import receive
from lumikb.knowledge.web_service import WebDocuments
from lumikb.knowledge.wire import (
    BulkBody,
    BulkForm,
    BulkResult,
    ClearedBody,
    DocumentBody,
    DocumentPatch,
    ErrorNote,
    document_body,
)
from lumikb.store.record.engine import Record

_KB = "/knowledge-bases/{kb_id:str}/documents"
_ONE = _KB + "/{document_id:str}"

Confirm = Annotated[str, Parameter(description="The name of the knowledge base.")]


@patch(_ONE, opt=requires(Permission.KB_WRITE), summary="Change a document's name, tags, metadata or date")
async def update_document(
    request: ActorRequest,
    editor: NamedDependency[DocumentEditor],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
    data: DocumentPatch,
) -> DocumentBody:
    """What is missing stays; `tags` and `metadata` are replaced as a whole. A name that cannot be kept as it is has the
    warning `NAME_CHANGED`.
    """
    return document_body(
        await record.write_async(
            lambda unit: editor.update(
                unit,
                request.user,
                kb_id,
                document_id,
                name=data.name,
                tags=data.tags,
                metadata=data.metadata,
                document_date=data.document_date,
            )
        )
    )


@post(
    _ONE + "/reupload",
    opt=requires(Permission.KB_WRITE, creates=True),
    status_code=202,
    request_max_body_size=None,
    summary="Upload a new version",
)
async def reupload_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    editor: NamedDependency[DocumentEditor],
    kb_id: str,
    document_id: str,
) -> DocumentBody:
    """Upload the next version as multipart/form-data: part `file`, optional parts `priority` and `password`.

    The present version answers until the new one is READY; passages that stay the same keep their embeddings. 409
    `DUPLICATE_DOCUMENT` when another document of the knowledge base has these bytes.
    """
    new, blob, _ = await receive(request, documents, kb_id)
    accepted = await editor.reupload(request.user, kb_id, document_id, new, blob)
    return document_body(accepted.document, duplicate=accepted.duplicate)


@post(_ONE + "/refetch", opt=requires(Permission.KB_WRITE), status_code=202, summary="Fetch a document again")
async def refetch_document(
    request: ActorRequest, web: NamedDependency[WebDocuments], kb_id: str, document_id: str
) -> DocumentBody:
    """Ask the address that the document came from whether it changed; what changed becomes the next version.

    Unchanged, the document comes back with `duplicate_of`, its own id.
    """
    accepted = await web.fetch_again(request.user, kb_id, document_id)
    return document_body(accepted.document, duplicate=accepted.duplicate)


@post(_ONE + "/restore", opt=requires(Permission.KB_WRITE), status_code=200, summary="Undo a delete")
async def restore_document(
    request: ActorRequest,
    editor: NamedDependency[DocumentEditor],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
) -> DocumentBody:
    """For `undo_seconds` after a delete; 410 `UNDO_EXPIRED` once the erasure has begun."""
    return document_body(await record.write_async(lambda unit: editor.restore(unit, request.user, kb_id, document_id)))


@post(_KB + "/bulk", opt=requires(Permission.KB_WRITE, long=True), status_code=200, summary="Change many documents")
async def change_documents(
    request: ActorRequest,
    editor: NamedDependency[DocumentEditor],
    record: NamedDependency[Record],
    kb_id: str,
    data: BulkForm,
) -> BulkBody:
    """Delete, retry, archive, unarchive or tag up to 500 documents; each succeeds or fails by itself."""
    outcomes = await record.in_slow_pool(lambda: editor.bulk(request.user, kb_id, data.action, data.ids, data.tags))
    return BulkBody([_bulk_result(document_id, error) for document_id, error in outcomes.items()])


@delete(_KB, opt=requires(Permission.KB_ADMIN, long=True), status_code=200, summary="Delete all documents")
async def clear_documents(
    request: ActorRequest,
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    kb_id: str,
    confirm: Confirm,
) -> ClearedBody:
    """Delete all documents of the knowledge base, whose name `confirm` must repeat."""
    return ClearedBody(await record.write_async(lambda unit: bases.clear(unit, request.user, kb_id, confirm)))


edit_router = Router(
    path="/",
    tags=["Documents"],
    route_handlers=[
        update_document,
        reupload_document,
        refetch_document,
        restore_document,
        change_documents,
        clear_documents,
    ],
)


def _bulk_result(document_id: str, error: LumiError | None) -> BulkResult:
    if error is None:
        return BulkResult(document_id, ok=True, error=None)
    return BulkResult(document_id, ok=False, error=ErrorNote(error.stable_code, error.message))
