"""Where elements of an HTML source never end, so that a reader leaves no text out because of them."""

import re

_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][^\s/>]*))")
_RAW_END = {name: re.compile(rf"</\s*{name}\s*>", re.IGNORECASE) for name in ("script", "style")}
_COMMENT_END = re.compile("-->")


def without_dangling_marks(source: str) -> str:
    """`source` with every `<!--` after the last comment end left out, and every `<` after the last `>` as text.

    Python's parser would search the whole rest of the source again for the end of each of them.
    """
    at = source.rfind("-->") + 1
    source = source[:at] + source[at:].replace("<!--", "")
    at = source.rfind(">") + 1
    return source[:at] + source[at:].replace("<", "&lt;")


def unclosed_starts(source: str) -> set[int]:
    """Offsets of the start tags that have no end tag of their own; an end tag belongs to the last one open.

    Void elements and those whose end may be left out are among them. Linear in the length.
    """
    open_starts: dict[str, list[int]] = {}
    endless: set[str] = set()
    at = 0
    while match := _TAG.search(source, at):
        comment, slash, name = match.groups()
        name = (name or comment).lower()
        at = match.end()
        if slash:
            starts = open_starts.get(name)
            if starts:
                starts.pop()
            continue
        if not comment:
            open_starts.setdefault(name, []).append(match.start())
        ending = _COMMENT_END if comment else _RAW_END.get(name)
        if ending is not None and name not in endless:
            found = ending.search(source, at)
            if found is None:
                endless.add(name)
            else:
                at = found.end() if comment else found.start()
    return {start for starts in open_starts.values() for start in starts}
