"""Cursors: where the next page of a search begins, bound to that search and to what its caller may read."""

import base64
import binascii
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from lumikb.identity.models import Actor
from lumikb.retrieval.errors import BadCursorError
from lumikb.retrieval.models import SearchRequest

CURSOR_CHARS_MAX = 200
_OFFSET_MAX = 1_000_000
_BINDING_BYTES = 12


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    offset: int
    binding: str


def binding_of(actor: Actor, request: SearchRequest, kb_ids: Sequence[str]) -> str:
    """What a cursor is good for: this caller, this search whatever its page, these knowledge bases."""
    search = (
        actor.user_id,
        sorted(kb_ids),
        request.query,
        request.words,
        request.min_score,
        request.hybrid,
        request.keyword_weight,
        request.filters if request.filters.narrow else None,
        request.group_by,
        request.max_per_document,
        request.fold_duplicates,
    )
    return blake2b(repr(search).encode(errors="replace"), digest_size=_BINDING_BYTES).hexdigest()


def encode_cursor(offset: int, binding: str) -> str:
    """The cursor of the page that begins behind `offset` results."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(offset, binding))).decode().rstrip("=")


def decode_cursor(cursor: str, binding: str) -> int:
    """The offset of a cursor; raises `BadCursorError` for one of another search, or none at all."""
    try:
        padded = cursor[:CURSOR_CHARS_MAX] + "=" * (-len(cursor[:CURSOR_CHARS_MAX]) % 4)
        found = msgspec.json.decode(base64.b64decode(padded.encode("ascii"), b"-_", validate=True), type=_Cursor)
    except (ValueError, binascii.Error) as exc:
        raise BadCursorError("This is no cursor of a search. Send next_cursor as it was given.") from exc
    if found.binding != binding or not 0 < found.offset <= _OFFSET_MAX:
        raise BadCursorError(
            "This cursor belongs to another search, or what you may read has changed. Search again without cursor."
        )
    return found.offset
