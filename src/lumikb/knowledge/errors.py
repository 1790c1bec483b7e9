"""What can go wrong with knowledge bases and documents."""

from lumikb.kit.errors import (
    BusyError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidInputError,
    LumiError,
    MalformedRequestError,
    NotFoundError,
    UnavailableError,
    UnsupportedTypeError,
)


class KbNotFoundError(NotFoundError):
    """No such knowledge base, or not the caller's to see."""

    code = "KB_NOT_FOUND"


class KbNameTakenError(ConflictError):
    """Another knowledge base has this name."""

    code = "KB_NAME_TAKEN"


class ReprocessOpenError(ConflictError):
    """An earlier change of the knowledge base's settings is not done yet; `details["job_id"]` names its job."""

    code = "REPROCESS_OPEN"


class OcrLanguageMissingError(InvalidInputError):
    """The server has no data to recognise text in this language."""

    code = "OCR_LANGUAGE_MISSING"


class TextLostError(LumiError):
    """A document's text is no longer in the store."""

    code = "TEXT_LOST"


class DocumentNotFoundError(NotFoundError):
    """No such document, or not the caller's to see."""

    code = "DOCUMENT_NOT_FOUND"


class VersionNotFoundError(NotFoundError):
    """The document has no such version."""

    code = "VERSION_NOT_FOUND"


class DuplicateDocumentError(ConflictError):
    """Another document of the knowledge base has these bytes."""

    code = "DUPLICATE_DOCUMENT"


class UndoExpiredError(ExpiredError):
    """The delete can no longer be undone."""

    code = "UNDO_EXPIRED"


class NotConfirmedError(InvalidInputError):
    """Something that cannot be undone was not confirmed by name."""

    code = "NOT_CONFIRMED"


class DocumentNotReadyError(ConflictError):
    """The document has no text yet."""

    code = "DOCUMENT_NOT_READY"


class NotRetryableError(ConflictError):
    """Only a failed document can be tried again."""

    code = "NOT_RETRYABLE"


class RefusedFileError(MalformedRequestError):
    """The file cannot be accepted: empty, or not what its name says."""

    code = "FILE_REFUSED"


class RefusedTypeError(UnsupportedTypeError):
    """No parser reads this kind of file."""


class UploadLostError(UnavailableError):
    """The bytes were erased between upload and acceptance, as the last document that held them was purged."""

    code = "UPLOAD_LOST"


class UrlRefusedError(InvalidInputError):
    """The address is not one of the public web."""

    code = "URL_REFUSED"


class FetchFailedError(InvalidInputError):
    """The address gives no document."""

    code = "FETCH_FAILED"


class TooManyUploadsError(BusyError):
    """The caller has begun as many direct uploads as may be open."""

    code = "TOO_MANY_UPLOADS"


class BadUploadLinkError(ForbiddenError):
    """The address of an upload was not signed by this server, or is another upload's."""

    code = "BAD_UPLOAD_LINK"
