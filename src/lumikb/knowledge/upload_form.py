"""The multipart form of an upload, stored while it arrives."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import msgspec

from lumikb.http.bodies import JSON, wrong_field
from lumikb.http.multipart import multipart_parts
from lumikb.kit.clock import Moment
from lumikb.kit.errors import InvalidInputError, LumiError, MalformedRequestError, TooLargeError
from lumikb.knowledge.models import FIELD_IGNORED, NewDocument
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.port import StoredBlob

JSON_FORM_BYTES_MAX = 100_000

Form = TypeVar("Form")


# Chunking is a setting of the knowledge base; a form may say it, and is told that this had no effect.
KB_FIELDS = ("chunk_size", "chunk_strategy")
FIELDS = {"kb_id", "collection", "tags", "metadata", "priority", "document_date", "password", *KB_FIELDS}


class MissingFileError(MalformedRequestError):
    """The form has no part called `file`."""

    code = "FILE_MISSING"


class UrlForm(msgspec.Struct, forbid_unknown_fields=True):
    """An address to fetch, and what the document is called and known by."""

    url: str
    name: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    priority: int | None = None
    document_date: Moment | None = None
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
            if part.name == "file":
                if blob is not None:
                    raise InvalidInputError("Send one file a request: this form has two.", field="file")
                filename = part.filename or ""
                blob = await documents.store(request.user, kb_id, part.content)
            else:
                fields[part.name] = await part.text()
        if blob is None:
            raise MissingFileError("Send the file in a part called file.")
        for unknown in fields.keys() - FIELDS:
            raise InvalidInputError(f"The form has no field {unknown}.", field=unknown)
        return _new_document(filename, fields), blob, fields
    except LumiError:  # whatever follows the file may be wrong as well
        if blob is not None:
            await documents.discard(blob)
        raise


def _new_document(filename: str, fields: dict[str, str]) -> NewDocument:
    ignored = [f"{FIELD_IGNORED}: {field}" for field in KB_FIELDS if field in fields]
    with _naming("tags", "a JSON list of names, or names separated by commas"):
        tags = fields.get("tags", "")
        names = msgspec.json.decode(tags, type=list[str]) if tags.lstrip().startswith("[") else tags.split(",")
    with _naming("metadata", "a JSON object"):
        metadata = msgspec.json.decode(fields.get("metadata") or "{}", type=dict[str, Any])
    with _naming("priority", "a whole number"):
        priority = int(fields["priority"]) if fields.get("priority") else None
    with _naming("document_date", "a moment such as 2026-01-31T00:00:00Z"):
        own_date = msgspec.convert(fields["document_date"], Moment) if fields.get("document_date") else None
    return NewDocument(filename, names, metadata, priority, own_date, ignored, password=fields.get("password"))


@contextmanager
def _naming(field: str, kind: str) -> Generator[None]:
    try:
        yield
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise InvalidInputError(f"{field} is {kind}.", field=field) from exc
