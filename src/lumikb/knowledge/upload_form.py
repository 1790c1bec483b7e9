"""The multipart form of an upload, stored while it arrives."""

from typing import Any, TypeVar

import msgspec

from lumikb.http.bodies import JSON, wrong_field
from lumikb.http.multipart import multipart_parts
from lumikb.kit.errors import InvalidInputError, LumiError, MalformedRequestError, TooLargeError
from lumikb.knowledge.models import NewDocument
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.port import StoredBlob

JSON_FORM_BYTES_MAX = 100_000

Form = TypeVar("Form")


class MissingFileError(MalformedRequestError):
    """The form has no part called `file`."""

    code = "FILE_MISSING"


class UrlForm(msgspec.Struct, forbid_unknown_fields=True):
    """An address to fetch, and what the document is called and known by."""

    url: str
    name: str = ""
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    priority: int | None = None
    password: str | None = None


def is_json(request: ActorRequest) -> bool:
    """Whether the body is a form in JSON and not a file."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON


def is_multipart(request: ActorRequest) -> bool:
    """Whether the body is a form with parts."""
    return request.headers.get("content-type", "").lower().startswith("multipart/")


async def read_json_form(request: ActorRequest, kind: type[Form]) -> Form:
    """The form in JSON; raises `InvalidInputError` that names the field."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > JSON_FORM_BYTES_MAX:
            raise TooLargeError(f"A form has at most {JSON_FORM_BYTES_MAX} bytes.")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as exc:
        raise wrong_field(exc) from exc
    except msgspec.DecodeError as exc:
        raise MalformedRequestError("The body is not JSON.") from exc


async def receive(
    request: ActorRequest, documents: DocumentService, kb_id: str | None
) -> tuple[NewDocument, StoredBlob, dict[str, str]]:
    """Store the part `file` and read the others; what is wrong leaves nothing behind."""
    blob: StoredBlob | None = None
    filename = ""
    fields: dict[str, str] = {}
    try:
        async for part in multipart_parts(request.headers.get("content-type", ""), request.stream()):
            if part.name == "file" and blob is None:
                filename = part.filename or ""
                blob = await documents.store(request.user, kb_id, part.content)
            else:
                fields[part.name] = await part.text()
        if blob is None:
            raise MissingFileError("Send the file in a part called file.")
        return _new_document(filename, fields), blob, fields
    except LumiError:  # whatever follows the file may be wrong as well
        if blob is not None:
            await documents.discard(blob)
        raise


def _new_document(filename: str, fields: dict[str, str]) -> NewDocument:
    tags = fields.get("tags", "")
    try:
        return NewDocument(
            filename=filename,
            tags=msgspec.json.decode(tags, type=list[str]) if tags.lstrip().startswith("[") else tags.split(","),
            metadata=msgspec.json.decode(fields.get("metadata") or "{}", type=dict[str, Any]),
            priority=int(fields["priority"]) if fields.get("priority") else None,
            password=fields.get("password"),
        )
    except (msgspec.MsgspecError, ValueError) as exc:
        raise InvalidInputError(
            "tags is a list, metadata a JSON object, priority a number.", fields=sorted(fields)
        ) from exc
