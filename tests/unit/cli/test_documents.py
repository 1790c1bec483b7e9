"""What `lumikb documents` takes."""

from lumikb.cli.documents import Status
from lumikb.knowledge.models import DocumentStatus


def test_the_states_are_those_of_documents() -> None:
    """The CLI has its own list, because it does not load the server's models."""
    assert [state.value for state in Status] == [state.value for state in DocumentStatus]
