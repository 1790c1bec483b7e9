"""What a comparison of record, files and index gives."""

import msgspec


class Finding(msgspec.Struct):
    """One difference: what kind, the id it concerns, a sentence, and whether it has been mended.

    `waits` says that a job which mends it is under way, or has just been enqueued.
    """

    kind: str
    id: str
    message: str
    repaired: bool = False
    waits: bool = False
