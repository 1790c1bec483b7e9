"""What can go wrong with a search."""

from lumikb.kit.errors import MalformedRequestError, NotFoundError


class MissingTargetError(MalformedRequestError):
    """`similar` without a document or a chunk to compare with."""

    code = "DOCUMENT_ID_MISSING"


class NothingToCompareError(NotFoundError):
    """The document or chunk is missing, not readable, or has no passages."""

    code = "DOCUMENT_NOT_FOUND"
