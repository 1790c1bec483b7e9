"""Tables of words as they read best in a source: as text."""


def listed(text: str) -> list[str]:
    """The words of a table."""
    return text.split()
