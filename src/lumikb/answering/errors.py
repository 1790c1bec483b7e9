"""What can go wrong with conversations."""

from lumikb.kit.errors import NotFoundError


class ConversationNotFoundError(NotFoundError):
    """No such conversation, or not the caller's."""

    code = "CONVERSATION_NOT_FOUND"
