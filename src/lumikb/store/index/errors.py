"""What can go wrong with an index. None of these reaches a user: the follower answers each by rebuilding or waiting."""

from lumikb.kit.errors import LumiError, UnavailableError


class IndexEngineError(LumiError):
    """A vector engine refused an operation, or cannot find its own rows."""

    code = "INDEX_ENGINE"


class IndexDamagedError(LumiError):
    """Files of the index are missing or cannot be read."""

    code = "INDEX_DAMAGED"


class IndexGapError(LumiError):
    """The index on disk does not hold what this batch continues from."""

    code = "INDEX_GAP"


class IndexLockedError(UnavailableError):
    """Another process is writing the index."""

    code = "INDEX_LOCKED"

    def __init__(self) -> None:
        super().__init__("Another process is writing the search index.", service="index")


class IndexNotOpenError(UnavailableError):
    """The index is still being built."""

    code = "STARTING"

    def __init__(self) -> None:
        super().__init__("The search index is being built. Try again in a moment.", service="index")
