"""What can go wrong around a parser that is not the document's fault."""

from lumikb.kit.errors import LumiError, UnavailableError


class ParseCancelledError(LumiError):
    """The caller cancelled, or the pool was closed, while the document was parsed."""

    code = "CANCELLED"


class ParserUnavailableError(UnavailableError):
    """A parser's process could not be started or ended before it took the document: trying again may help."""
