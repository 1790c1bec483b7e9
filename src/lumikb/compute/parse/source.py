"""Source code and configuration: the file as it stands, with a heading at each definition."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.text import TextBuilder, lines

LINE_CHARS_MAX = 400
"""Longer lines are data or minified, and define nothing that a reader looks for."""
TAB_COLUMNS = 8

Found = tuple[int, str, int]
"""Offset, title, level."""

_INDENT = r"(?P<indent>[ \t]*)"
_PYTHON = rf"{_INDENT}(?P<title>(?:async[ \t]+)?(?:def|class)[ \t]+\w+)"
_SCRIPT = (
    r"(?P<indent>)(?:(?:export|default|declare|abstract|async)[ \t]+)*"
    r"(?P<title>(?:function\*?|class|interface|enum|namespace|type)[ \t]+[\w$]+"
    r"|(?:const|let|var)[ \t]+[\w$]+(?=[^=]*=[ \t]*(?:async\b|function\b|\()))"
)
_GO = r"(?P<indent>)(?P<title>func[ \t]+(?:\([^)]*\)[ \t]*)?\w+|type[ \t]+\w+)"
_RUST = (
    rf"{_INDENT}(?:pub(?:\([^)]*\))?[ \t]+)?(?:(?:default|const|async|unsafe)[ \t]+)*"
    r"(?P<title>(?:fn|struct|enum|trait|union|mod|macro_rules!)[ \t]+\w+|impl\b[^{]*[^{ \t])"
)
_MODIFIERS = (
    r"(?:(?:public|private|protected|internal|static|final|abstract|sealed|partial|readonly|override|virtual|async|"
    r"open|data|inline|suspend|case|implicit|synchronized|native|default|extern|unsafe|fileprivate|mutating)[ \t]+)"
)
_JAVA = (
    rf"{_INDENT}(?:{_MODIFIERS}*+(?P<title>(?:class|interface|enum|record|struct|namespace|object|trait|protocol|"
    rf"extension|func|fun|def)[ \t]+[\w.]+)|{_MODIFIERS}++(?:[\w<>\[\],.?]+[ \t]+)*(?P<method>\w+)[ \t]*\()"
)
_C = (
    r"(?P<indent>)(?:(?:typedef[ \t]+)?(?P<title>(?:struct|class|enum|union|namespace)[ \t]+\w+)(?=[^;()]*$)"
    r"|(?!(?:if|for|while|else|switch|return|do|case)\b)(?:[A-Za-z_][\w:<>,]*[ \t*&]+)+(?P<method>[\w:~]+)[ \t]*"
    r"\([^;]*$)"
)
_RUBY = rf"{_INDENT}(?P<title>(?:def|class|module)[ \t]+[\w.:?!=]+)"
_PHP = rf"{_INDENT}{_MODIFIERS}*+(?P<title>(?:function|class|interface|trait|enum)[ \t]+\w+)"
_SHELL = r"(?P<indent>)(?P<title>function[ \t]+[\w-]+|[\w-]+(?=[ \t]*\(\)))"
_SQL = (
    r"(?i:(?P<indent>)(?P<title>create[ \t]+(?:(?:or[ \t]+replace|temp|temporary|unique|materialized|virtual)[ \t]+)*"
    r"(?:table|view|function|procedure|trigger|index|type|schema)[ \t]+(?:if[ \t]+not[ \t]+exists[ \t]+)?"
    r"[\w.\"`\[\]]+))"
)
_SECTION = r"(?P<indent>)(?P<title>\[{1,2}[^\]]+\]{1,2})[ \t]*(?:[#;].*)?$"
_YAML = r"(?P<indent>)(?P<title>[\w./-]+):(?:[ \t]|$)"
_PROTO = rf"{_INDENT}(?P<title>(?:message|service|rpc|enum|type|input|interface|extend)[ \t]+\w+)"
_PERL = rf"{_INDENT}(?P<title>(?:sub|package|(?:local[ \t]+)?function)[ \t]+[\w.:]+)"

_LANGUAGES = {
    _PYTHON: ".py .pyi",
    _SCRIPT: ".js .mjs .cjs .jsx .ts .tsx .vue",
    _GO: ".go",
    _RUST: ".rs",
    _JAVA: ".java .kt .kts .scala .cs .swift",
    _C: ".c .h .cc .cpp .cxx .hpp .m",
    _RUBY: ".rb",
    _PHP: ".php",
    _SHELL: ".sh .bash .zsh",
    _SQL: ".sql",
    _SECTION: ".toml .ini .cfg .conf",
    _YAML: ".yaml .yml",
    _PROTO: ".proto .graphql",
    _PERL: ".pl .pm .lua",
}
_PATTERNS = {extension: re.compile(pattern) for pattern, names in _LANGUAGES.items() for extension in names.split()}

_TEX = re.compile(r"[ \t]*\\(part|chapter|(?:sub){0,2}section|paragraph)\*?(?:\[[^\]]*\])?\{([^{}]+)")
_TEX_RANKS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph")
_ADOC = re.compile(r"(={1,6})[ \t]+(\S.*)")
_RST_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*")


def parse_source(data: bytes, filename: str, text_chars_max: int) -> ParsedText:
    """The decoded source as it stands. Headings are the lines that look like definitions of the language.

    A definition that is indented belongs to the one above it that is less so. Nothing says where a definition ends:
    what follows it up to the next one counts as its own.
    """
    text, warnings = decode(data, text_chars_max)
    builder = TextBuilder(text_chars_max)
    builder.append(text)
    extension = PurePath(filename).suffix.lower()
    for start, title, level in _headings(text, extension):
        builder.add_heading(title, level, at=start)
    return builder.build(warnings=warnings)


def _headings(text: str, extension: str) -> Iterator[Found]:
    if extension == ".tex":
        return _tex(text)
    if extension == ".adoc":
        return _adoc(text)
    if extension == ".rst":
        return _rst(text)
    pattern = _PATTERNS.get(extension)
    return _definitions(text, pattern) if pattern else iter(())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((start, line) for start, line in lines(text) if len(line) <= LINE_CHARS_MAX)


def _definitions(text: str, pattern: re.Pattern[str]) -> Iterator[Found]:
    open_columns: list[int] = []
    for start, line in _lines(text):
        found = pattern.match(line)
        if found is None:
            continue
        column = len((found["indent"] or "").expandtabs(TAB_COLUMNS))
        while open_columns and open_columns[-1] >= column:
            open_columns.pop()
        open_columns.append(column)
        group = "title" if found["title"] else "method"
        yield start + found.start(group), found[group], len(open_columns)


def _tex(text: str) -> Iterator[Found]:
    for start, line in _lines(text):
        if found := _TEX.match(line):
            yield start + found.start(2), found[2].rstrip(), _TEX_RANKS.index(found[1]) + 1


def _adoc(text: str) -> Iterator[Found]:
    for start, line in _lines(text):
        if found := _ADOC.fullmatch(line):
            yield start + found.start(2), found[2].rstrip(), len(found[1])


def _rst(text: str) -> Iterator[Found]:
    """A line above a rule at least as long as itself; the order in which kinds of rules come up is their rank."""
    ranks: list[str] = []
    above: tuple[int, str] = (0, "")
    rule_above = ""
    for start, line in _lines(text):
        rule = _RST_RULE.fullmatch(line)
        title = above[1].strip()
        if rule and title and len(line.rstrip()) >= len(title):
            kind = (rule_above[:1] if rule_above.rstrip() == line.rstrip() else "") + line[0]
            if kind not in ranks:
                ranks.append(kind)
            yield above[0] + above[1].index(title), title, ranks.index(kind) + 1
            above, rule_above = (0, ""), ""
        elif rule:
            above, rule_above = (0, ""), line
        else:
            rule_above = rule_above if not title else ""
            above = (start, line)
