"""What can go wrong between a text and its vector."""

from lumikb.kit.errors import InvalidInputError, LumiError, UnavailableError


class ModelMissingError(LumiError):
    """No embedding model is installed; the message says what to do."""

    code = "MODEL_MISSING"


class ModelCacheError(UnavailableError):
    """What the engines read of the model could not be written into the data directory."""

    code = "MODEL_CACHE_UNAVAILABLE"


class EngineError(LumiError):
    """An engine cannot run the model on this machine, or none can."""

    code = "EMBEDDING_ENGINE_FAILED"


class TextTooLongError(InvalidInputError):
    """A text has more tokens than the model reads."""

    code = "TEXT_TOO_LONG"
