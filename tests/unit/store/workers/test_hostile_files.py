"""Each hostile file ends in a result or a reason of its own, within the bounds of the parser's process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hostile import FILES, write_sparse

from lumikb.compute.parse.errors import ParseError, ParserDiedError
from lumikb.store.workers.parser_pool import ParseLimits, ParserPool

pytestmark = pytest.mark.slow

LIMITS = ParseLimits(seconds_max=30, memory_bytes_max=1 << 30, text_chars_max=50_000_000, documents_per_process=100)
HARMLESS = {"names.zip", "deep.docx", "deep.odt", "deep.html", "line.txt", "brackets.md", "tags.html", "blank.epub"}
# What fits into every bound where the machine is fast.
AT_THE_BOUND = {"keys.json", "lines.csv", "quote.csv"}


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    opened = ParserPool(1, LIMITS)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_ends_in_a_reason(pool: ParserPool, tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    reason: ParseError | None = None
    try:
        pool.parse(path, name)
    except ParseError as exc:
        reason = exc
    assert not isinstance(reason, ParserDiedError)
    assert reason is not None or name in HARMLESS | AT_THE_BOUND


def test_files_of_a_gigabyte_end_in_a_reason(pool: ParserPool, tmp_path: Path):
    for path in write_sparse(tmp_path):
        with pytest.raises(ParseError) as caught:
            pool.parse(path, path.name)
        assert not isinstance(caught.value, ParserDiedError)
