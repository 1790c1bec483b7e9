"""What can go wrong with the record itself."""

from lumikb.kit.errors import UnavailableError


class RecordUnavailableError(UnavailableError):
    """The database does not answer, or refuses to write (disk full, read-only, gone)."""

    code = "RECORD_UNAVAILABLE"

    def __init__(self, message: str) -> None:
        super().__init__(message, service="record")
