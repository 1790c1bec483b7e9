import importlib.util
from pathlib import Path
from typing import Any

import pytest

from lumikb.cli.sample import sample_files
from lumikb.compute.parse.parse import parse

TEXT_CHARS_MAX = 100_000


def sources() -> Any:
    """The module beside this one that writes the sample's Word and PDF files."""
    spec = importlib.util.spec_from_file_location("sources", Path(__file__).with_name("sample_office_files.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sample_is_a_dozen_small_files_of_several_formats() -> None:
    files = sample_files()
    assert len(files) >= 12
    assert {file.suffix for file in files} == {".csv", ".docx", ".html", ".md", ".pdf", ".txt"}
    assert all(file.stat().st_size < 50_000 for file in files)


@pytest.mark.parametrize("file", sample_files(), ids=lambda file: file.name)
def test_every_file_can_be_read(file: Path) -> None:
    parsed = parse(file.read_bytes(), file.name, text_chars_max=TEXT_CHARS_MAX)
    assert len(parsed.text) > 500
    assert parsed.warnings == []


@pytest.mark.parametrize(("name", "make"), [("backup.docx", "make_docx"), ("privacy.pdf", "make_pdf")])
def test_office_files_say_what_their_sources_say(name: str, make: str) -> None:
    (file,) = [file for file in sample_files() if file.name == name]
    made = getattr(sources(), make)()
    read = [parse(data, name, text_chars_max=TEXT_CHARS_MAX) for data in (file.read_bytes(), made)]
    assert read[0].text == read[1].text
    assert [heading.title for heading in read[0].headings] == [heading.title for heading in read[1].headings]
