"""Hebrew and Arabic lines of a page in the order in which they are spoken, whatever the order they were drawn in.

The way back from the display order of the Unicode bidirectional algorithm (UAX 9), without embeddings and brackets.
"""

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.boxes import Boxes, has_box

# Over one letter a character: R and L letters, D digits, P what joins digits to one number, N the rest.
_LEFT_TO_RIGHT = re.compile("[LD][LDNP]*L|L|D(?:P?D)*")
_RIGHT_TO_LEFT = re.compile("R[RDNP]*R|R")
_NUMBER = re.compile("D(?:P?D)*")
_JOINERS = ".,:/-+"


def is_right_to_left(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points are of Hebrew, Arabic and their relatives."""
    found = codes >= 0x590
    at = np.flatnonzero(found)
    if len(at):
        high = codes[at]
        found[at] = (high <= 0x8FF) | ((high >= 0xFB1D) & (high <= 0xFDFF)) | ((high >= 0xFE70) & (high < 0xFEFF))
    return found


def logical_order(codes: NDArray[np.uint32], boxes: Boxes, lines: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """The characters with each line in logical order; None when no line has right-to-left letters."""
    rtl = is_right_to_left(codes)
    if not rtl.any():
        return None
    order = np.arange(len(codes))
    boxed = has_box(boxes)
    for line in np.unique(lines[rtl]):
        at = np.flatnonzero((lines == line) & boxed)
        # Only characters with a place move; line ends keep theirs.
        order[at] = at[_line_order([chr(code) for code in codes[at]], boxes[at, 0] + boxes[at, 2])]
    return order


def _line_order(chars: list[str], middles: NDArray[np.float32]) -> list[int]:
    clusters: list[list[int]] = []
    for index, char in enumerate(chars):
        if clusters and unicodedata.combining(char):
            clusters[-1].append(index)
        else:
            clusters.append([index])
    clusters.sort(key=lambda cluster: float(middles[cluster[0]]))
    kinds = "".join(_kind(chars[cluster[0]]) for cluster in clusters)
    if kinds.count("R") >= kinds.count("L"):
        clusters, kinds = clusters[::-1], kinds[::-1]
        clusters = _reversed_where(_LEFT_TO_RIGHT, clusters, kinds)
    else:
        for match in _RIGHT_TO_LEFT.finditer(kinds):
            run, run_kinds = clusters[match.start() : match.end()][::-1], match.group()[::-1]
            clusters[match.start() : match.end()] = _reversed_where(_NUMBER, run, run_kinds)
    return [index for cluster in clusters for index in cluster]


def _reversed_where(pattern: re.Pattern[str], clusters: list[list[int]], kinds: str) -> list[list[int]]:
    clusters = clusters.copy()
    for match in pattern.finditer(kinds):
        clusters[match.start() : match.end()] = clusters[match.start() : match.end()][::-1]
    return clusters


def _kind(char: str) -> str:
    match unicodedata.bidirectional(char):
        case "R" | "AL":
            return "R"
        case "L":
            return "L"
        case "EN" | "AN":
            return "D"
        case _:
            return "P" if char in _JOINERS else "N"
