"""What can go wrong with blobs."""

from typing import Any

from lumikb.kit.errors import ConflictError, ExpiredError, LumiError, TooLargeError, UnavailableError


class BlobNotFoundError(LumiError):
    """No blob has this address. Addresses come from the record only: it is the store that has lost something."""

    code = "BLOB_NOT_FOUND"

    def __init__(self, sha256: str, message: str = "The stored file is missing.") -> None:
        super().__init__(message, sha256=sha256)


class BlobDamagedError(BlobNotFoundError):
    """What lies at this address is something else: the bytes do not have this SHA-256 any more."""

    code = "BLOB_DAMAGED"

    def __init__(self, sha256: str) -> None:
        super().__init__(sha256, "The stored file is damaged: `lumikb verify` says what to do.")


class BlobTooLargeError(TooLargeError):
    """The content is longer than the caller allows."""

    code = "FILE_TOO_LARGE"

    def __init__(self, size_bytes_max: int) -> None:
        super().__init__(f"The file is larger than {size_bytes_max} bytes.", size_bytes_max=size_bytes_max)


class BlobStoreUnavailableError(UnavailableError):
    """The store does not answer, or cannot write (disk full, no permission, wrong bucket or key)."""

    code = "BLOB_STORE_UNAVAILABLE"

    def __init__(self, message: str) -> None:
        super().__init__(message, service="blobs")


class UploadIncompleteError(ConflictError):
    """Bytes of a direct upload are missing; `details` say how many are there, or which parts are not."""

    code = "UPLOAD_INCOMPLETE"

    def __init__(self, **details: Any) -> None:
        super().__init__("Bytes of the upload are missing. Send them, then complete it.", **details)


class UploadMismatchError(ConflictError):
    """The bytes of a direct upload are not those that were announced."""

    code = "UPLOAD_MISMATCH"


class UploadGoneError(ExpiredError):
    """The upload has expired or is completed: its address takes no bytes any more."""

    code = "UPLOAD_EXPIRED"

    def __init__(self) -> None:
        super().__init__("The upload has expired or is completed. Begin a new one.")


class UploadOvertakenError(ConflictError):
    """Another request goes on with the upload that this one was sending."""

    code = "UPLOAD_OVERTAKEN"

    def __init__(self) -> None:
        super().__init__("Another request goes on with this upload.")
