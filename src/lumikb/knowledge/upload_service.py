"""Use cases of direct uploads: a client sends bytes past the API, to the store itself or by a link of ours."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import anyio.to_thread
from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.errors import InvalidInputError, LumiError
from lumikb.kit.ids import new_id
from lumikb.knowledge import upload_repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.derived import erase_unreferenced
from lumikb.knowledge.errors import DocumentNotFoundError, KbNotFoundError, RefusedFileError, TooManyUploadsError
from lumikb.knowledge.models import Accepted, NewDocument, Upload
from lumikb.knowledge.service import DocumentService, accepted_mime_type, check_extension, check_password, checked
from lumikb.store.blobs.errors import BlobTooLargeError, UploadGoneError, UploadMismatchError
from lumikb.store.blobs.port import HEAD_BYTES, BlobStore, StoredBlob
from lumikb.store.blobs.uploads import UploadStore, UploadTicket
from lumikb.store.record.engine import Record, UnitOfWork

# Of one user. Each may hold room in the store until it expires.
UPLOADS_OPEN_MAX = 1000
# What a crash left of an upload through the API is erased when it was not written to for so long.
SPOOL_SECONDS_MAX = 3600
_SWEEP_PAGE = 500
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UploadService:
    """Begins direct uploads, makes documents of them, and sweeps what was abandoned.

    An upload is open for `open_seconds`. `check_jobs` raises what tells that no job could be done now.
    """

    def __init__(
        self,
        record: Record,
        blobs: BlobStore,
        store: UploadStore,
        bases: KnowledgeBaseService,
        documents: DocumentService,
        *,
        upload_bytes_max: int,
        open_seconds: int,
        check_jobs: Callable[[], None],
    ) -> None:
        self._record = record
        self._blobs = blobs
        self._store = store
        self._bases = bases
        self._documents = documents
        self._upload_bytes_max = upload_bytes_max
        self._open_seconds = open_seconds
        self._check_jobs = check_jobs

    def writable_kb(self, connection: Connection, actor: Actor, kb_id: str | None, collection: str | None) -> str:
        """The id of the one knowledge base that is named, where the actor may write."""
        if (kb_id is None) == (collection is None):
            raise InvalidInputError("Name a knowledge base, by kb_id or by collection.", field="kb_id")
        if kb_id is not None:
            return self._bases.get(connection, actor, kb_id, Permission.KB_WRITE).id
        return self._bases.get_by_name(connection, actor, collection or "", Permission.KB_WRITE).id

    async def begin(
        self,
        actor: Actor,
        new: NewDocument,
        size_bytes: int,
        sha256: str | None,
        *,
        kb_id: str | None,
        collection: str | None,
    ) -> tuple[Upload, UploadTicket]:
        """Make room for a file; gives the upload and where its bytes go."""
        new = checked(new)
        check_extension(new.filename)
        self._check_announced(size_bytes, sha256)
        target = await self._record.read_async(lambda read: self.writable_kb(read, actor, kb_id, collection))
        upload_id = new_id()
        ticket = await anyio.to_thread.run_sync(self._store.begin, upload_id, size_bytes, self._open_seconds)
        moment = clock.now()
        upload = Upload(
            id=upload_id,
            kb_id=target,
            filename=new.filename,
            size_bytes=size_bytes,
            sha256=sha256,
            tags=new.tags,
            metadata=new.metadata,
            priority=new.priority,
            document_date=new.document_date,
            warnings=new.warnings,
            handle=ticket.handle,
            blob_sha256=None,
            document_id=None,
            duplicate=False,
            created_by=actor.user_id,
            created_at=moment,
            expires_at=moment.replace(microsecond=0) + timedelta(seconds=self._open_seconds),
        )
        try:
            await self._record.write_async(lambda unit: self._create(unit, actor, upload))
        except LumiError:
            await anyio.to_thread.run_sync(self._store.discard, upload_id, ticket.handle)
            raise
        return upload, ticket

    async def complete(self, actor: Actor, upload_id: str, password: str | None = None) -> Accepted:
        """Make the upload's bytes a document and enqueue its ingestion; repeated, it gives the same document.

        Raises `UploadIncompleteError`, `UploadMismatchError`, `UploadGoneError`, and what refuses any upload.
        """
        upload = await self._record.read_async(lambda read: self._get(read, actor, upload_id))
        try:
            return await self._complete(actor, upload, password)
        except UploadGoneError:
            again = await self._record.read_async(lambda read: self._get(read, actor, upload_id))
            if again.blob_sha256 is None:
                raise
            return await self._complete(actor, again, password)  # the same request at the same time has got further

    def count_open(self, connection: Connection) -> int:
        """How many uploads are under way, or were abandoned and not swept yet."""
        return upload_repository.count_open(connection)

    def abandoned(self) -> Iterator[str]:
        """Ids of uploads whose time is over, and of what lies in the store without any. Blocks."""
        expired = self._record.read(lambda read: upload_repository.list_expired(read, clock.now(), _SWEEP_PAGE))
        known = {upload.id for upload in expired if upload.document_id is None}
        yield from sorted(known)
        for upload_id, _ in self._leftovers():
            if upload_id not in known:
                known.add(upload_id)
                yield upload_id

    def sweep(self) -> int:
        """Erase abandoned uploads and forget completed ones whose time is over; gives how many were abandoned. Blocks.

        Safe beside requests and other processes: each upload is decided in a unit of work, under its lock.
        """
        abandoned = 0
        while expired := self._record.read(lambda read: upload_repository.list_expired(read, clock.now(), _SWEEP_PAGE)):
            for upload in expired:
                if self._record.write(lambda unit, upload=upload: self._forget(unit, upload.id)):
                    self._store.discard(upload.id, upload.handle)
                    abandoned += 1
        for upload_id, handle in self._leftovers():
            self._store.discard(upload_id, handle)
            abandoned += 1
        self._blobs.sweep_incoming(max(self._open_seconds, SPOOL_SECONDS_MAX))
        return abandoned

    def _leftovers(self) -> Iterator[tuple[str, str]]:
        """What lies in the store, long enough, of no open upload: a crash came between the store and the record."""
        for upload_id, handle in self._store.list(older_than_seconds=self._open_seconds):
            upload = self._record.read(lambda read, one=upload_id: upload_repository.find_upload(read, one))
            if upload is None or upload.document_id is not None:
                yield upload_id, handle

    def _check_announced(self, size_bytes: int, sha256: str | None) -> None:
        if size_bytes < 0:
            raise InvalidInputError("size_bytes must not be negative.", field="size_bytes")
        if size_bytes == 0:
            raise RefusedFileError("The file is empty.", code="EMPTY_FILE")
        if size_bytes > self._upload_bytes_max:
            raise BlobTooLargeError(self._upload_bytes_max)
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise InvalidInputError("sha256 is 64 lower-case hexadecimal digits.", field="sha256")

    def _create(self, unit: UnitOfWork, actor: Actor, upload: Upload) -> None:
        self._bases.get(unit.connection, actor, upload.kb_id, Permission.KB_WRITE, lock=True)
        if upload_repository.count_open(unit.connection, actor.user_id) >= UPLOADS_OPEN_MAX:
            raise TooManyUploadsError(
                f"You have {UPLOADS_OPEN_MAX} uploads open. Complete some, or wait for their end."
            )
        upload_repository.create_upload(unit, upload)
        append_event(
            unit,
            "upload.begun",
            actor_id=actor.user_id,
            resource_type="upload",
            resource_id=upload.id,
            name=upload.filename,
            size_bytes=upload.size_bytes,
        )

    def _get(self, connection: Connection, actor: Actor, upload_id: str) -> Upload:
        """The upload, if the actor may write to its knowledge base."""
        upload = upload_repository.find_upload(connection, upload_id)
        if upload is None:
            raise DocumentNotFoundError("There is no such upload.")
        try:
            self._bases.get(connection, actor, upload.kb_id, Permission.KB_WRITE)
        except KbNotFoundError:  # told apart from a missing one by nothing
            raise DocumentNotFoundError("There is no such upload.") from None
        return upload

    async def _complete(self, actor: Actor, upload: Upload, password: str | None) -> Accepted:
        if upload.document_id is not None:
            document_id = upload.document_id
            document = await self._record.read_async(lambda read: self._documents.get(read, actor, document_id))
            return Accepted(document, upload.duplicate)
        if upload.expires_at <= clock.now():
            raise UploadGoneError
        self._check_jobs()
        check_password(password)
        blob = await self._store_blob(upload)
        new = NewDocument(
            upload.filename,
            upload.tags,
            upload.metadata,
            upload.priority,
            upload.document_date,
            upload.warnings,
            id=upload.id,
            password=password,
        )
        mime_type = accepted_mime_type(blob.head, upload.filename)
        accepted = await self._record.write_async(lambda unit: self._accept(unit, actor, new, blob, mime_type))
        await anyio.to_thread.run_sync(self._store.discard, upload.id, upload.handle)
        return accepted

    async def _store_blob(self, upload: Upload) -> StoredBlob:
        """Verify the bytes, then store them, under a name that the record knows before they are there."""
        known = upload.blob_sha256
        if known is not None and await anyio.to_thread.run_sync(self._blobs.exists, known):
            return await self._describe(known)
        await anyio.to_thread.run_sync(self._store.seal, upload.id, upload.handle, upload.size_bytes)
        blob = await anyio.to_thread.run_sync(self._store.measure, upload.id)
        if blob.size_bytes != upload.size_bytes or upload.sha256 not in {None, blob.sha256}:
            raise UploadMismatchError(
                "The bytes that arrived are not those that were announced. Begin a new upload.",
                size_bytes=blob.size_bytes,
                sha256=blob.sha256,
            )
        accepted_mime_type(blob.head, upload.filename)  # refused files are never stored
        if not await self._record.write_async(
            lambda unit: upload_repository.update_upload(unit, upload.id, blob_sha256=blob.sha256)
        ):
            raise UploadGoneError
        await anyio.to_thread.run_sync(self._store.place, upload.id, blob)
        return blob

    async def _describe(self, sha256: str) -> StoredBlob:
        head = b"".join([piece async for piece in self._blobs.stream(sha256, end=HEAD_BYTES)])
        return StoredBlob(sha256, await anyio.to_thread.run_sync(self._blobs.size, sha256), head)

    def _accept(self, unit: UnitOfWork, actor: Actor, new: NewDocument, blob: StoredBlob, mime_type: str) -> Accepted:
        upload = upload_repository.find_upload(unit.connection, new.id or "", lock=True)
        if upload is None:
            raise UploadGoneError
        if upload.document_id is not None:  # the same request at the same time
            return Accepted(self._documents.get(unit.connection, actor, upload.document_id), upload.duplicate)
        accepted = self._documents.enqueue(unit, actor, upload.kb_id, new, blob, mime_type)
        upload_repository.update_upload(unit, upload.id, document_id=accepted.document.id, duplicate=accepted.duplicate)
        return accepted

    def _forget(self, unit: UnitOfWork, upload_id: str) -> bool:
        """Forget an upload whose time is over, with what it stored; gives whether it was abandoned."""
        upload = upload_repository.find_upload(unit.connection, upload_id, lock=True)
        if upload is None:
            return False
        upload_repository.delete_upload(unit, upload_id)
        if upload.document_id is not None:
            return False
        if upload.blob_sha256 is not None:
            erase_unreferenced(unit, self._blobs, upload.blob_sha256)
        append_event(
            unit,
            "upload.abandoned",
            actor_id=upload.created_by,
            resource_type="upload",
            resource_id=upload_id,
            name=upload.filename,
        )
        return True
