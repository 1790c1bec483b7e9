"""The multipart form of an upload, stored while it arrives."""

from typing import Any

import msgspec

from lumikb.http.multipart import multipart_parts
from lumikb.kit.errors import InvalidInputError, LumiError, MalformedRequestError
from lumikb.knowledge.models import NewDocument
from lumikb.knowledge.routes import ActorRequest
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.port import StoredBlob


class MissingFileError(MalformedRequestError):
    """The form has no part called `file`."""

    code = "FILE_MISSING"


async def receive(request: ActorRequest, documents: DocumentService, kb_id: str) -> tuple[NewDocument, StoredBlob]:
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
        return _new_document(filename, fields), blob
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
        )
    except (msgspec.MsgspecError, ValueError) as exc:
        raise InvalidInputError(
            "tags is a list, metadata a JSON object, priority a number.", fields=sorted(fields)
        ) from exc
