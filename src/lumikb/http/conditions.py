"""Conditional requests (RFC 9110, section 13)."""

import re
from collections.abc import Sequence

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def is_known(if_none_match: Sequence[str], etag: str) -> bool:
    """Whether the client has what the strong `etag` names, by the values of its `If-None-Match` headers.

    That is a list of tags, of which weak ones count too, or `*` for whatever there is.
    """
    return any(value.strip() == "*" or etag in _TAG.findall(value) for value in if_none_match)
