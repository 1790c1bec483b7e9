"""From settings to a blob store."""

from lumikb.settings import SettingError, Settings
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.local_uploads import LocalUploads
from lumikb.store.blobs.port import BlobStore
from lumikb.store.blobs.s3 import S3BlobStore
from lumikb.store.blobs.s3_requests import S3Location
from lumikb.store.blobs.s3_uploads import S3Uploads
from lumikb.store.blobs.uploads import UploadStore


def open_blob_store(settings: Settings) -> BlobStore:
    """The store that `blob_url` names, opened. Raises `SettingError` for a URL that no adapter reads."""
    incoming = settings.data_dir / "incoming"
    store: BlobStore
    if settings.blob_url:
        store = S3BlobStore(_location(settings), incoming)
    else:
        store = LocalBlobStore(settings.data_dir / "blobs", incoming)
    store.open()
    return store


def open_upload_store(settings: Settings, blobs: BlobStore) -> UploadStore:
    """Where clients send direct uploads: to the bucket where its keys are ours to sign with, else to this server."""
    store: UploadStore
    if isinstance(blobs, S3BlobStore) and blobs.requests is not None:
        store = S3Uploads(blobs, blobs.requests)
    else:
        store = LocalUploads(settings.data_dir / "uploads", blobs)
    store.open()
    return store


def _location(settings: Settings) -> S3Location:
    scheme, separator, rest = settings.blob_url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise SettingError("blob_url must be empty or `s3://bucket/prefix`")
    return S3Location(
        bucket=bucket,
        prefix=prefix.strip("/"),
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key,
    )
