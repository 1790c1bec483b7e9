"""Which coding of an answer's body a client takes, and its making."""

import gzip
import re
from collections.abc import Callable, Iterable
from typing import cast


def _zstd(body: bytes) -> bytes:
    import zstandard  # with the first answer that wants it, not with the start

    return zstandard.ZstdCompressor(level=3).compress(body)


def _brotli(body: bytes) -> bytes:
    import brotli

    return cast("bytes", brotli.compress(body, quality=4))  # pyright: ignore[reportUnknownMemberType]


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=5, mtime=0)


_QUALITY = re.compile(rb"0(\.\d{0,3})?|1(\.0{0,3})?")

# In the order of our preference: the quickest first.
CODINGS: dict[bytes, Callable[[bytes], bytes]] = {b"zstd": _zstd, b"br": _brotli, b"gzip": _gzip}


def best_coding(accepted: Iterable[bytes]) -> bytes | None:
    """The coding with the highest weight in the values of Accept-Encoding (RFC 9110, 12.5.3), None for none."""
    weights: dict[bytes, float] = {}
    for item in b",".join(accepted).lower().split(b","):
        name, *parameters = (part.strip() for part in item.split(b";"))
        weights[name] = _weight(parameters)
    others = weights.get(b"*", 0.0)
    offered = {name: weights.get(name, others) for name in CODINGS}
    best = max(offered, key=lambda name: offered[name])  # of equal ones the first
    return best if offered[best] > 0 else None


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0
