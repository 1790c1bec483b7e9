"""What can go wrong with a search."""

from lumikb.kit.errors import MalformedRequestError, NotFoundError


class MissingTargetError(MalformedRequestError):
    """`similar` without a document or a chunk to compare with."""

    code = "DOCUMENT_ID_MISSING"


class NothingToCompareError(NotFoundError):
    """The document or chunk is missing, not readable, or has no passages."""

    code = "DOCUMENT_NOT_FOUND"


class BadCursorError(MalformedRequestError):
    """A cursor that was changed, or is of another search, or of a time when the caller could read something else."""

    code = "BAD_CURSOR"


class PastSearchNotFoundError(NotFoundError):
    """No such search in the caller's history."""

    code = "PAST_SEARCH_NOT_FOUND"


class PassageNotFoundError(NotFoundError):
    """The passage is missing, no longer current, or not the caller's to read."""

    code = "PASSAGE_NOT_FOUND"
