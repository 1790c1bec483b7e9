"""What can go wrong with blobs."""

from lumikb.kit.errors import NotFoundError, TooLargeError, UnavailableError


class BlobNotFoundError(NotFoundError):
    """No blob has this address."""

    code = "BLOB_NOT_FOUND"

    def __init__(self, sha256: str) -> None:
        super().__init__("The stored file is missing.", sha256=sha256)


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
