"""Use cases of documents whose source is an address of the web."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import ConflictError
from lumikb.knowledge.edit_service import DocumentEditor
from lumikb.knowledge.models import Accepted, NewDocument
from lumikb.knowledge.service import DocumentService, checked
from lumikb.store.record.engine import Record

if TYPE_CHECKING:
    from lumikb.knowledge.web_source import Validators, WebSource

# Under these names a document's metadata tells where it comes from, and in which state it was fetched.
URL, ETAG, LAST_MODIFIED = "source_url", "source_etag", "source_last_modified"


class NoSourceError(ConflictError):
    """The document was uploaded, not fetched."""

    code = "NO_SOURCE_URL"


class WebDocuments:
    """Fetches documents and fetches them again. `seconds_max` bounds a fetch."""

    def __init__(
        self,
        record: Record,
        documents: DocumentService,
        editor: DocumentEditor,
        *,
        seconds_max: float,
        allow_private: bool,
    ) -> None:
        self._record = record
        self._documents = documents
        self._editor = editor
        self._seconds_max = seconds_max
        self._allow_private = allow_private
        self._source: WebSource | None = None

    async def add(self, actor: Actor, kb_id: str, url: str, new: NewDocument) -> Accepted:
        """Fetch an address and enqueue what it gives; the name is the server's unless one is given."""
        checked(replace(new, filename=new.filename or "page"), name_field="name")  # before anything is fetched
        await self._documents.ensure_writable(actor, kb_id)
        async with self._web().fetch(url) as fetched:
            blob = await self._documents.store(actor, kb_id, fetched.content)
        metadata = new.metadata | _source_metadata(url, fetched.validators)
        new = replace(new, filename=new.filename or fetched.filename, metadata=metadata)
        return await self._documents.accept(actor, kb_id, new, blob)

    async def fetch_again(self, actor: Actor, kb_id: str, document_id: str) -> Accepted:
        """Ask the document's address whether it changed; what changed becomes the next version."""
        document = await self._record.read_async(
            lambda read: self._documents.get(read, actor, document_id, Permission.KB_WRITE, kb_id=kb_id)
        )
        url = document.metadata.get(URL)
        if not isinstance(url, str):
            raise NoSourceError("This document was not fetched from an address. Use reupload.")
        async with self._web().fetch(url, _validators(document.metadata)) as fetched:
            if fetched.unchanged:
                return Accepted(document, duplicate=True)
            blob = await self._documents.store(actor, kb_id, fetched.content)
        accepted = await self._editor.reupload(actor, kb_id, document.id, NewDocument(fetched.filename), blob)
        metadata = document.metadata | _source_metadata(url, fetched.validators)
        await self._record.write_async(
            lambda unit: self._editor.update(unit, actor, kb_id, document.id, name=None, tags=None, metadata=metadata)
        )
        return Accepted(replace(accepted.document, metadata=metadata), duplicate=accepted.duplicate)

    def _web(self) -> "WebSource":
        if self._source is None:
            from lumikb.knowledge.web_source import WebSource  # .1 s of imports for who fetches

            self._source = WebSource(seconds_max=self._seconds_max, allow_private=self._allow_private)
        return self._source


def _source_metadata(url: str, validators: "Validators") -> dict[str, Any]:
    given = {ETAG: validators.etag, LAST_MODIFIED: validators.last_modified}
    return {URL: url} | {name: value for name, value in given.items() if value is not None}


def _validators(metadata: dict[str, Any]) -> "Validators":
    from lumikb.knowledge.web_source import Validators

    etag, last_modified = metadata.get(ETAG), metadata.get(LAST_MODIFIED)
    return Validators(
        etag if isinstance(etag, str) else None, last_modified if isinstance(last_modified, str) else None
    )
