import json

import pytest

from lumikb.compute.parse.errors import CorruptedError, OutputLimitError
from lumikb.compute.parse.json import VALUES_MAX
from lumikb.compute.parse.parse import parse


def test_each_value_says_where_it_stands():
    data = rb"""{"title": "T", "ok": true, "users": [{"name": "Ann", "tags": ["a", "b"], "o": {}}, {"name": "B\nC"}],
        "none": null, "grid": [[1, 2], [3]]}"""
    parsed = parse(data, "a.json")
    assert parsed.text == (
        "title: T\nok: true\n\nusers[0].name: Ann\nusers[0].tags: a; b\nusers[0].o: {}\nusers[1].name: B\nC\n\n"
        "none: null\n\ngrid[0]: 1; 2\ngrid[1]: 3"
    )
    assert [heading.title for heading in parsed.headings] == ["users", "none", "grid"]
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)


def test_numbers_are_as_they_are_written():
    numbers = ["1.10", "1e400", "-0", "12345678901234567890123", "1E+2", "1" * 5000]
    assert parse(f'{{"n": [{", ".join(numbers)}]}}'.encode(), "a.json").text == "n: " + "; ".join(numbers)


def test_a_key_that_comes_twice_is_read_twice():
    assert parse(b'{"a": 1, "a": 2}', "a.json").text == "a: 1\na: 2"


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_lines_of_json_are_records(name: str):
    data = '{"a": 1, "b": {"c": "x\u2028y"}}\n\n{"a": 2}\n'.encode()
    assert parse(data, name).text == "a: 1\nb.c: x\u2028y\n\na: 2"


def test_one_value_alone_is_its_text():
    assert parse(b'"just words"', "a.json").text == "just words"
    assert parse(b"[1, 2.50, null]", "a.json").text == "1; 2.50; null"
    assert parse(b'[{"a": 1}, {"a": 2}]', "a.json").text == "[0].a: 1\n\n[1].a: 2"


@pytest.mark.parametrize(
    "data", [b'{"a": 1', b'{"a" 1}', b"[" * 100_000, b'{"a":' * 500 + b"1" + b"}" * 500, b'{"a": 1}\n{"b"', b" \n"]
)
def test_what_is_no_json_or_nested_too_deep_is_corrupted(data: bytes):
    with pytest.raises(CorruptedError):
        parse(data, "a.json")


def test_the_line_of_the_damage_is_named():
    with pytest.raises(CorruptedError) as caught:
        parse(b'{"a": 1}\n{"b": }\n', "a.jsonl")
    assert "line 2" in caught.value.message


def test_an_object_of_very_many_keys_is_a_table_without_headings():
    data = json.dumps({str(number): {"a": 1} for number in range(20_000)}).encode()
    assert parse(data, "a.json").headings == []


def test_long_keys_are_cut_and_the_text_is_bounded():
    value: object = 1
    for _ in range(199):
        value = {"k" * 1000: value}
    assert len(parse(json.dumps(value).encode(), "a.json").text) < 50_000
    with pytest.raises(OutputLimitError):
        parse(json.dumps([value] * 50).encode(), "a.json", text_chars_max=1_000_000)


@pytest.mark.thorough
@pytest.mark.parametrize("value", [b"1", b"{}", b"[[]]", b'{"a":1}'], ids=["numbers", "objects", "lists", "members"])
def test_more_values_than_can_be_held_are_refused_before_they_are_read(value: bytes):
    data = b"[" + b",".join([value] * (VALUES_MAX + 1)) + b"]"
    for name in ("a.json", "a.jsonl"):
        with pytest.raises(OutputLimitError):
            parse(data, name)
