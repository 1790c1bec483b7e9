"""What must answer before the process serves, and what its operator is told when it does not."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lumikb.settings import Settings
from lumikb.store.blobs.errors import BlobStoreUnavailableError
from lumikb.store.blobs.port import BlobStore
from lumikb.store.record.engine import Record
from lumikb.store.record.errors import RecordUnavailableError

# By what libpq and PostgreSQL say. Their own words stay out: of a URL with a mistake they may repeat the password.
_REASONS = (
    ("password authentication failed", "it does not take this user and password"),
    ("does not exist", "it has no database or user of this name"),
    ("resolve host", "its host is unknown"),
    ("refused", "nothing listens at its address"),
    ("timeout", "it does not answer in time"),
    ("invalid", "a parameter of its address is wrong"),
)


def check_record(record: Record, settings: Settings) -> None:
    """Raise `RecordUnavailableError` with a sentence for the operator unless the database answers."""
    try:
        record.check()
    except (RecordUnavailableError, SQLAlchemyError) as exc:
        said = _said(exc)
        if settings.database_url:
            reason = next((reason for words, reason in _REASONS if words in said), "it does not answer")
            message = f"The database of LUMIKB_DATABASE_URL cannot be used: {reason}. Start it, or correct the setting."
        else:
            message = (
                f"The database {settings.database_path} cannot be used ({said}). Look at the disk's room and the "
                "file's owner, or restore a backup."
            )
        raise RecordUnavailableError(message) from exc


def check_blobs(blobs: BlobStore, settings: Settings) -> None:
    """Raise `BlobStoreUnavailableError` with a sentence for the operator unless a bucket that is set answers."""
    if not settings.blob_url:
        return
    try:
        blobs.check()
    except BlobStoreUnavailableError as exc:
        raise BlobStoreUnavailableError(
            f"The bucket of LUMIKB_BLOB_URL cannot be used. {exc.message} Start its server, or correct "
            "LUMIKB_BLOB_URL, LUMIKB_S3_ENDPOINT, LUMIKB_S3_ACCESS_KEY_ID and LUMIKB_S3_SECRET_ACCESS_KEY."
        ) from exc


def _said(error: BaseException) -> str:
    """The driver's own message."""
    cause = error.__cause__ if isinstance(error, RecordUnavailableError) else error
    return str(cause.orig) if isinstance(cause, DBAPIError) else str(cause)
