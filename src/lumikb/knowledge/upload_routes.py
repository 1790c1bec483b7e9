"""Routes of direct uploads, and of uploads that name their knowledge base in the form."""

from typing import Annotated, Any

from litestar import Request, Response, Router, get, post, put
from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from lumikb.http.bodies import ensure_json
from lumikb.http.permission import Permission, requires
from lumikb.kit.errors import LumiError
from lumikb.knowledge.models import NewDocument, Upload
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.upload_form import is_multipart, read_json_form, receive
from lumikb.knowledge.upload_links import UploadLinks
from lumikb.knowledge.upload_service import UploadService
from lumikb.knowledge.wire import (
    DocumentBody,
    PasswordForm,
    PresignForm,
    ReceivedBody,
    UploadPartBody,
    UploadTicketBody,
    document_body,
)
from lumikb.store.blobs.uploads import UploadTicket
from lumikb.store.record.engine import Record

_LINK = "upload_link"

ContentRange = Annotated[str | None, HeaderParameter(name="Content-Range", description="`bytes FIRST-LAST/SIZE`.")]


@post(
    "/documents",
    opt=requires(Permission.KB_WRITE, creates=True),
    status_code=201,
    request_max_body_size=None,
    summary="Upload a document, or begin a direct upload",
)
async def add_document(
    request: ActorRequest,
    documents: NamedDependency[DocumentService],
    uploads: NamedDependency[UploadService],
    upload_links: NamedDependency[UploadLinks],
    record: NamedDependency[Record],
) -> Response[UploadTicketBody | DocumentBody]:
    """With multipart/form-data the same as an upload to `/knowledge-bases/{kb_id}/documents`, whose answer (202) it
    gives; the form has `kb_id` or `collection`, too.

    With JSON the same as `/documents/presign`.
    """
    if not is_multipart(request):
        ensure_json(request)
        form = await read_json_form(request, PresignForm)
        return Response(await _begin(request, uploads, upload_links, form), status_code=201)
    new, blob, fields = await receive(request, documents, None)
    try:
        kb_id = await record.read_async(
            lambda read: uploads.writable_kb(read, request.user, fields.get("kb_id"), fields.get("collection"))
        )
    except LumiError:
        await documents.discard(blob)
        raise
    accepted = await documents.accept(request.user, kb_id, new, blob)
    return Response(document_body(accepted.document, duplicate=accepted.duplicate), status_code=202)


@post("/documents/presign", opt=requires(Permission.KB_WRITE, creates=True), summary="Begin a direct upload")
async def presign_document(
    request: ActorRequest,
    uploads: NamedDependency[UploadService],
    upload_links: NamedDependency[UploadLinks],
    data: PresignForm,
) -> UploadTicketBody:
    """Name the knowledge base (`kb_id` or `collection`), `filename` and `size_bytes`; with `sha256` the server checks
    what arrives. PUT the bytes to `url`, or each stretch to its own of the `parts`, then call `…/complete`.

    The addresses hold until `expires_at` and for this upload alone; who has one needs no credentials. 413
    `FILE_TOO_LARGE`, 429 `TOO_MANY_UPLOADS`.
    """
    return await _begin(request, uploads, upload_links, data)


@post(
    "/documents/{document_id:str}/complete",
    opt=requires(Permission.KB_WRITE, long=True),
    status_code=202,
    summary="Complete a direct upload",
)
async def complete_upload(
    request: ActorRequest,
    uploads: NamedDependency[UploadService],
    document_id: str,
    data: PasswordForm | None = None,
) -> DocumentBody:
    """Verify the bytes and enqueue their ingestion, as an upload does; the same when repeated until the upload expires.
    An encrypted file may come with its `password`.

    409 `UPLOAD_INCOMPLETE` when bytes are missing, 409 `UPLOAD_MISMATCH` when they are not those that were announced,
    410 `UPLOAD_EXPIRED`. Bytes that the knowledge base already has give their document back, with `duplicate_of`.
    """
    accepted = await uploads.complete(request.user, document_id, data.password if data else None)
    return document_body(accepted.document, duplicate=accepted.duplicate)


@get("/uploads/{document_id:str}", opt=requires(Permission.PUBLIC), summary="See how much of an upload arrived")
async def get_upload(
    upload_links: NamedDependency[UploadLinks], document_id: str, expires: int = 0, signature: str = ""
) -> Response[ReceivedBody]:
    """By the signed link alone. `Upload-Offset`, also of a HEAD, is where to go on after a broken connection."""
    return _received(*await upload_links.received(document_id, expires, signature))


@put(
    "/uploads/{document_id:str}",
    name=_LINK,
    opt=requires(Permission.PUBLIC),
    request_max_body_size=None,
    summary="Send the bytes of an upload",
)
async def put_upload(
    request: Request[Any, Any, Any],
    upload_links: NamedDependency[UploadLinks],
    document_id: str,
    expires: int = 0,
    signature: str = "",
    content_range: ContentRange = None,
) -> Response[ReceivedBody]:
    """By the signed link alone. The body is the file, or with `Content-Range` the stretch of it that begins where the
    last request broke off. What arrives is kept, also of a request that breaks off.

    409 `UPLOAD_INCOMPLETE` when the stretch leaves out bytes, 409 `UPLOAD_MISMATCH` when there are more than announced.
    """
    body = request.stream()
    return _received(*await upload_links.receive(document_id, expires, signature, content_range, body))


upload_router = Router(
    path="/",
    tags=["Documents"],
    route_handlers=[add_document, presign_document, complete_upload, get_upload, put_upload],
)


async def _begin(
    request: ActorRequest, uploads: UploadService, links: UploadLinks, form: PresignForm
) -> UploadTicketBody:
    new = NewDocument(form.filename, form.tags, form.metadata, form.priority, form.document_date)
    upload, ticket = await uploads.begin(
        request.user, new, form.size_bytes, form.sha256, kb_id=form.kb_id, collection=form.collection
    )
    return _ticket_body(request, links, upload, ticket)


def _ticket_body(request: ActorRequest, links: UploadLinks, upload: Upload, ticket: UploadTicket) -> UploadTicketBody:
    parts = [UploadPartBody(part.url, part.start, part.end) for part in ticket.parts]
    if not parts:
        path = request.app.route_reverse(_LINK, document_id=upload.id)
        url = f"{str(request.base_url).rstrip('/')}{path}?{links.query(upload)}"
    else:
        url = parts[0].url if len(parts) == 1 else None
    several = parts if len(parts) > 1 else []
    return UploadTicketBody(upload.id, url, {}, several, upload.expires_at)


def _received(received_bytes: int, size_bytes: int) -> Response[ReceivedBody]:
    return Response(ReceivedBody(received_bytes, size_bytes), headers={"Upload-Offset": str(received_bytes)})
