"""What to settle in an HTML source before it is read: marked sections, and marks and elements that never end."""

import re
from html import escape

_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][^\s/>]*))")
_RAW_END = {name: re.compile(rf"</\s*{name}\s*>", re.IGNORECASE) for name in ("script", "style")}
_DOCTYPE = re.compile(
    r"""\A(?:\s|\ufeff|<\?[^>]*>|<!--(?:[^-]|-(?!->))*+-->)*+<!doctype\b[^\[<>]*+
    (\[(?:[^\]"'<]|<(?!!--)|<!--(?:[^-]|-(?!->))*+-->|"[^"]*"|'[^']*')*+\])\s*+>""",
    re.IGNORECASE | re.VERBOSE,
)
_COMMENT_END = re.compile("-->")
_CDATA = "<![CDATA["
_CDATA_MARK = re.compile(re.escape(_CDATA), re.IGNORECASE)
_SECTION = re.compile(rf"<!--|{re.escape(_CDATA)}|<(script|style)\b", re.IGNORECASE)
_SECTION_ENDS = _RAW_END | {"<!--": _COMMENT_END, _CDATA.lower(): re.compile(r"\]\]>")}


def without_declarations(source: str) -> str:
    """`source` without what its document type declares (XML 1.0, 2.8): Python's parser ends the type at the first `>`.

    Entities that are declared there stay unexpanded.
    """
    found = _DOCTYPE.search(source)
    return source if found is None else source[: found.start(1)] + source[found.end(1) :]


def without_marked_sections(source: str, *, read_cdata: bool) -> str:
    """`source` with each CDATA section as text (XML 1.0, 2.7) or, where CDATA is not to be read, without it.

    In scripts, styles and comments CDATA stays what it is. A section that never ends loses its mark and keeps its
    text. Every other `<![`, such as Outlook's `<![if !mso]>`, comes to hide what browsers hide: all up to the next `>`.
    Python's parser raises `AssertionError` for those it does not know. Linear in the length.
    """
    if "<![" not in source:
        return source
    pieces: list[str] = []
    copied = at = 0
    endless: set[str] = set()
    while match := _SECTION.search(source, at):
        at = match.end()
        kind = (match.group(1) or match.group()).lower()
        ending = None if kind in endless else _SECTION_ENDS[kind].search(source, at)
        if ending is None:
            endless.add(kind)
            continue
        if kind == _CDATA.lower():
            text = escape(source[at : ending.start()], quote=False) if read_cdata else ""
            pieces += [source[copied : match.start()], text]
            copied = ending.end()
        at = ending.end()
    pieces.append(source[copied:])
    return _CDATA_MARK.sub("", "".join(pieces)).replace("<![", "<?[")


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
