import pytest

from lumikb.compute.parse.parse import parse

PYTHON = """import os


class Store(Base):
    def open(self) -> None:
        if True:
            def inner(): ...

    async def close(self): ...


def main(argv):
    return 0
"""


def headings(text: str, name: str) -> list[tuple[str, int]]:
    parsed = parse(text.encode(), name)
    assert parsed.text == text
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)
    return [(heading.title, heading.level) for heading in parsed.headings]


def test_a_line_of_code_knows_its_function_and_class():
    assert headings(PYTHON, "a.py") == [
        ("class Store", 1),
        ("def open", 2),
        ("def inner", 3),
        ("async def close", 2),
        ("def main", 1),
    ]
    parsed = parse(PYTHON.encode(), "a.py")
    assert parsed.heading_path_at(parsed.text.index("if True")) == ["class Store", "def open"]


@pytest.mark.parametrize(
    ("name", "text", "titles"),
    [
        (
            "a.js",
            "export default class A {\n}\nexport const run = async (x) => {\n}\nlet n = 1\n",
            ["class A", "const run"],
        ),
        ("a.ts", "export interface I {}\ntype T = string\nfunction f() {}\n", ["interface I", "type T", "function f"]),
        ("a.go", "func (s *Server) Run(x int) {\n}\ntype A struct {\n", ["func (s *Server) Run", "type A"]),
        (
            "a.rs",
            "pub(crate) async fn go() {}\nimpl<T> A for B {\n    fn in_it() {}\n",
            ["fn go", "impl<T> A for B", "fn in_it"],
        ),
        (
            "A.java",
            "public class A {\n    public static void main(String[] a) {\n        call(x);\n",
            ["class A", "main"],
        ),
        (
            "a.c",
            "static int *run(struct a *x,\n    int y)\n{\n    if (x) return;\n}\nint n = f(x);\nstruct b {\n",
            ["run", "struct b"],
        ),
        ("a.cpp", "void Server::run(int x) {\nnamespace n {\n", ["Server::run", "namespace n"]),
        (
            "A.cs",
            "namespace N;\npublic sealed class A {\n    private async Task<int> Run(int x)\n",
            ["namespace N", "class A", "Run"],
        ),
        ("a.rb", "module M\n  class A\n    def run?\n", ["module M", "class A", "def run?"]),
        ("a.php", "<?php\nfinal class A {\n  public function run() {\n", ["class A", "function run"]),
        ("a.sh", "run() {\n  echo\n}\nfunction stop {\n", ["run", "function stop"]),
        (
            "a.sql",
            'create or replace view v as\nCREATE TABLE IF NOT EXISTS "t" (\n',
            ["create or replace view v", 'CREATE TABLE IF NOT EXISTS "t"'],
        ),
        ("a.toml", "[tool.ruff]\nx = 1\n[[a]]\n", ["[tool.ruff]", "[[a]]"]),
        ("a.yaml", "on:\n  push: 1\njobs: {}\n# c\n- a: 1\n", ["on", "jobs"]),
        ("a.tex", "\\section*{One}\n\\subsection[short]{Two}\n", ["One", "Two"]),
        ("a.adoc", "= Title\n\n== Part\n====\nblock\n", ["Title", "Part"]),
        ("a.rst", "=====\nTitle\n=====\n\nPart\n----\n\ntext\n\n-----\n\ntoo long a title\n---\n", ["Title", "Part"]),
        ("a.xml", "<a>\n  <b/>\n</a>\n", []),
    ],
)
def test_definitions_of_each_language(name: str, text: str, titles: list[str]):
    assert [title for title, _ in headings(text, name)] == titles


def test_ranks_of_markup_follow_its_own_order():
    assert headings("\\chapter{A}\n\\section{B}\n", "a.tex") == [("A", 2), ("B", 3)]
    assert headings("One\n===\n\nTwo\n---\n\nThree\n=====\n", "a.rst") == [("One", 1), ("Two", 2), ("Three", 1)]


def test_line_ends_and_encodings_stay():
    parsed = parse("def grüße():\r\n\tpass\r".encode("cp1252"), "a.py")
    assert parsed.text == "def grüße():\r\n\tpass\r"
    assert [heading.title for heading in parsed.headings] == ["def grüße"]


@pytest.mark.thorough
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.java", "static " * 55),
        ("a.c", "a * " * 99),
        ("a.rs", "pub " * 99),
        ("a.sql", "create " + "or replace " * 35),
    ],
)
def test_lines_made_to_take_long_take_seconds(name: str, line: str):
    assert headings((line + "\n") * 20_000, name) == []
