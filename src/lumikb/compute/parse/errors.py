"""Why a document could not be read: a stable code and a sentence that says what to do."""

from lumikb.kit.errors import LumiError


class ParseError(LumiError):
    """Root of the parse errors: the document, not the program, is the cause; parsing again gives the same result."""

    code = "PARSE_FAILED"


class EmptyFileError(ParseError):
    """The file has no bytes."""

    code = "EMPTY_FILE"


class EncryptedError(ParseError):
    """The file needs a password, another one, or is encrypted in a way that is not read."""

    code = "ENCRYPTED"


def password_error(password: str | None) -> EncryptedError:
    """What a file behind a password says to `password`: asks for one, or for another one than this."""
    if password is None:
        return EncryptedError("This file needs a password. Retry with it, or remove it and upload the file again.")
    return EncryptedError("This password does not open the file. Try another one.")


def unknown_encryption() -> EncryptedError:
    """What a file says that no password opens here."""
    return EncryptedError("This file is encrypted in a way that cannot be read. Remove that and upload it again.")


class CorruptedError(ParseError):
    """The file is truncated or damaged."""

    code = "CORRUPTED"


class MimeTypeMismatchError(ParseError):
    """The content is not what the name says."""

    code = "MIME_TYPE_MISMATCH"


class UnsupportedFormatError(ParseError):
    """No parser reads this kind of file."""

    code = "UNSUPPORTED_FILE_TYPE"


class NoTextError(ParseError):
    """The file has pictures of text only, as a scan has, and the server has no OCR to read them."""

    code = "OCR_UNAVAILABLE"


class TimeLimitError(ParseError):
    """Parsing took longer than the bound on wall clock or processor time."""

    code = "TIMED_OUT"


class MemoryLimitError(ParseError):
    """Parsing wanted more memory than the bound."""

    code = "OUT_OF_MEMORY"


class OutputLimitError(ParseError):
    """The document's text is longer than the bound."""

    code = "TOO_LARGE"


class ParserDiedError(ParseError):
    """The parser's process ended without an answer: the file crashed it."""

    code = "PARSER_CRASHED"
    # The system may have ended the process for want of memory.
    retryable = True


class ImageLimitError(ParseError):
    """The picture has more pixels or pages than the bound."""

    code = "TOO_LARGE"


class ArchiveLimitError(ParseError):
    """The file unpacks to more data than the bound, as a ZIP bomb does."""

    code = "TOO_LARGE"
