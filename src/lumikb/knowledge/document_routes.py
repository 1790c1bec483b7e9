"""Routes of documents."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import Parameter
from sqlalchemy import Connection

from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.kit.pages import LIMIT_DEFAULT, Page, PageRequest
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.models import Document, DocumentFilter, DocumentSort, DocumentStatus, NewDocument, wanted_language
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.upload_form import UrlForm, is_json, read_json_form, receive
from lumikb.knowledge.web_service import WebDocuments
from lumikb.knowledge.wire import (
    DocumentBody,
    DocumentStatusBody,
    PasswordForm,
    document_body,
    document_status_body,
)
from lumikb.store.record.engine import Record

_KB = "/knowledge-bases/{kb_id:str}/documents"
_ONE = _KB + "/{document_id:str}"

Tags = Annotated[list[str] | None, Parameter(description="Documents that have all of these tags.")]
Statuses = Annotated[list[DocumentStatus] | None, Parameter(description="Repeat it for several; left out: all.")]
Language = Annotated[str | None, Parameter(description="A code such as en or de.")]
Author = Annotated[str | None, Parameter(description="A part of the author's name.")]


@get(_KB, opt=requires(Permission.KB_READ), summary="List documents")
async def list_documents(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
    sort_by: DocumentSort = DocumentSort.CREATED_AT,
    sort_order: Literal["asc", "desc"] = "desc",
    search: str | None = None,
    status: Statuses = None,
    mime_type: str | None = None,
    tags: Tags = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    language: Language = None,
    author: Author = None,
) -> PageBody[DocumentBody]:
    """Documents of a knowledge base. `search` looks in names; dates are the document's own, else of its upload.

    `language` and `author` are those that were extracted from the version that answers.
    """
    wanted = DocumentFilter(
        search,
        tuple(status or ()),
        mime_type,
        _split(tags),
        date_from,
        date_to,
        wanted_language(language),
        author,
        sort_by,
        sort_order == "desc",
    )
    asked = PageRequest(page, limit)
    found = await record.read_async(
        lambda connection: documents.list_documents(connection, request.user, [kb_id], wanted, asked)
    )
    return page_body(found, document_body)


@get("/documents", opt=requires(Permission.KB_READ), summary="List documents of all knowledge bases")
async def list_all_documents(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
    collection: str | None = None,
    status: Statuses = None,
    language: Language = None,
    author: Author = None,
) -> PageBody[DocumentBody]:
    """Documents of every knowledge base that the caller may read, or of the one called `collection`."""
    asked = PageRequest(page, limit)
    wanted = DocumentFilter(statuses=tuple(status or ()), language=wanted_language(language), author=author)

    def find(connection: Connection) -> Page[Document]:
        kb_ids = None if collection is None else [bases.get_by_name(connection, request.user, collection).id]
        return documents.list_documents(connection, request.user, kb_ids, wanted, asked)

    return page_body(await record.read_async(find), document_body)


@post(
    _KB,
    opt=requires(Permission.KB_WRITE, creates=True),
    status_code=202,
    request_max_body_size=None,
    summary="Upload a document",
)
async def upload_document(
    request: ActorRequest, documents: NamedDependency[DocumentService], web: NamedDependency[WebDocuments], kb_id: str
) -> DocumentBody:
    """Upload a file as multipart/form-data: part `file`; optional parts `tags` (JSON list or separated by commas),
    `metadata` (JSON object), `priority` (a smaller number is sooner), `document_date` (the document's own, which goes
    before the file's) and `password` (of an encrypted file). Or send JSON with a `url` to fetch, and optionally `name`
    and the same others.

    Answers 202 once the bytes are safe; processing follows, see `status`. 400 `EMPTY_FILE` or `MIME_TYPE_MISMATCH`, 413
    `FILE_TOO_LARGE`, 415 `UNSUPPORTED_FILE_TYPE`. Bytes that the knowledge base already has give their document back,
    with `duplicate_of`. Of a name with a path the last part is kept, without control characters: the warning
    `NAME_CHANGED` has the name that was sent.
    """
    if is_json(request):
        form = await read_json_form(request, UrlForm)
        new = NewDocument(
            form.name or "", form.tags, form.metadata, form.priority, form.document_date, password=form.password
        )
        accepted = await web.add(request.user, kb_id, form.url, new)
    else:
        new, blob, _ = await receive(request, documents, kb_id)
        accepted = await documents.accept(request.user, kb_id, new, blob)
    return document_body(accepted.document, duplicate=accepted.duplicate)


@get(_ONE, opt=requires(Permission.KB_READ), summary="Read a document's facts")
async def get_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
) -> DocumentBody:
    """A document with its status, newest version, tags and metadata."""
    return document_body(
        await record.read_async(lambda read: documents.get(read, request.user, document_id, kb_id=kb_id))
    )


@get("/documents/{document_id:str}", opt=requires(Permission.KB_READ), summary="Read a document's facts by its id")
async def get_any_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    document_id: str,
) -> DocumentBody:
    """The same, without naming the knowledge base."""
    return document_body(await record.read_async(lambda read: documents.get(read, request.user, document_id)))


@get(_ONE + "/status", opt=requires(Permission.KB_READ), summary="Read a document's status")
async def get_document_status(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
) -> DocumentStatusBody:
    """PENDING, PROCESSING (with step and percent), READY, FAILED (with the reason and what to do) or ARCHIVED."""
    return document_status_body(
        await record.read_async(lambda read: documents.get(read, request.user, document_id, kb_id=kb_id))
    )


@post(_ONE + "/retry", opt=requires(Permission.KB_WRITE), status_code=202, summary="Try a failed document again")
async def retry_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
    data: PasswordForm | None = None,
) -> DocumentBody:
    """Enqueue a FAILED document again, with its `password` if it is encrypted; 409 `NOT_RETRYABLE` for any other.

    The password is kept sealed until this try has ended, and never shown.
    """
    password = data.password if data else None
    return document_body(
        await record.write_async(
            lambda unit: documents.retry(unit, request.user, document_id, kb_id=kb_id, password=password)
        )
    )


@delete(_ONE, opt=requires(Permission.KB_WRITE), summary="Delete a document")
async def delete_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    kb_id: str,
    document_id: str,
) -> None:
    """Gone for every reader when this answers; erased from the record and the store soon after."""
    await record.write_async(lambda unit: documents.delete(unit, request.user, document_id, kb_id=kb_id))


@delete("/documents/{document_id:str}", opt=requires(Permission.KB_WRITE), summary="Delete a document by its id")
async def delete_any_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    record: NamedDependency[Record],
    document_id: str,
) -> None:
    """The same, without naming the knowledge base."""
    await record.write_async(lambda unit: documents.delete(unit, request.user, document_id))


document_router = Router(
    path="/",
    tags=["Documents"],
    route_handlers=[
        list_documents,
        list_all_documents,
        upload_document,
        get_document,
        get_any_document,
        get_document_status,
        retry_document,
        delete_document,
        delete_any_document,
    ],
)


def _split(values: list[str] | None) -> tuple[str, ...]:
    """Repeated and comma-separated values alike."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())
