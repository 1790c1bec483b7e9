"""What one may be about to type."""

from typing import Any

import pytest
from support.server import LumiClient, poll

from .conftest import Library, assert_error, unique


def suggested(client: LumiClient, typed: str, **params: Any) -> list[str]:
    response = client.get("/search/suggestions", params={"q": typed, **params})
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"suggestions"}
    return response.json()["suggestions"]


@pytest.fixture
def reader(library: Library, key_client: Any) -> LumiClient:
    """Reads the library and nothing else; its searches are not those of others."""
    client: LumiClient = key_client("read", "write", kb_ids=[library.kb_id])
    client.delete("/search/history")
    poll(lambda: suggested(client, "lighth"), "the words of the library in the index")
    return client


def test_names_headings_and_words_are_completed(reader: LumiClient) -> None:
    assert suggested(reader, "lighth")[:1] == ["lighthouse.txt"]
    assert "Lighthouse" not in suggested(reader, "lighth")
    assert "lighthouse" in suggested(reader, "lighth")
    assert "Ferry contract" in suggested(reader, "ferry con")
    assert "Beekeeping" in suggested(reader, "BEEKEEP")
    assert suggested(reader, "rapes") == ["rapeseed"]


def test_a_word_is_completed_by_what_goes_with_those_before(reader: LumiClient) -> None:
    assert suggested(reader, "Maren od") == ["Maren odegaard"]
    assert suggested(reader, "rapeseed od") == []
    assert suggested(reader, "zzzz od") == []


def test_past_searches_come_first(reader: LumiClient) -> None:
    reader.post("/search/quick", json={"query": "the lighthouse keeper"})
    reader.post("/search/quick", json={"query": "honey"})
    reader.get("/search/history")
    assert suggested(reader, "lighth")[:2] == ["the lighthouse keeper", "lighthouse.txt"]
    assert suggested(reader, "") == ["honey", "the lighthouse keeper"]
    assert suggested(reader, "", limit=1) == ["honey"]
    assert suggested(reader, "hone", limit=1) == ["honey"]


@pytest.mark.parametrize(
    "typed", ['"', "%", "_", "a" * 200, "\u202e", "-", "l'", ".*", "\u6771", "(", "the lighth\u00f6"]
)
def test_whatever_is_typed_is_no_error(reader: LumiClient, typed: str) -> None:
    assert isinstance(suggested(reader, typed), list)


def test_bounds_are_told(reader: LumiClient) -> None:
    for params in ({"q": "a" * 201}, {"q": "a", "limit": 0}, {"q": "a", "limit": 21}):
        assert_error(reader.get("/search/suggestions", params=params), 422, "VALIDATION_ERROR")


def test_nothing_of_what_one_may_not_read_is_suggested(
    api: LumiClient, reader: LumiClient, anonymous: LumiClient, kb_id: str
) -> None:
    secret = "Xylographer"
    text = f"# {secret} heading\n\nThe {secret.lower()} cuts the lighthouse in wood.\n"
    document = api.upload_ready(kb_id, f"{secret}-name.md", text.encode())
    api.post("/search/quick", json={"query": f"{secret} of mine"})
    api.get("/search/history")
    seen = poll(lambda: [one for one in suggested(api, "xylogr") if one == "xylographer"], "the word in the index")
    assert seen
    assert set(suggested(api, "xylogr")) == {
        f"{secret} of mine", f"{secret}-name.md", f"{secret} heading", "xylographer"
    }  # fmt: skip
    assert suggested(reader, "xylogr") == suggested(reader, "lighthouse xylo") == []
    assert_error(anonymous.get("/search/suggestions", params={"q": "x"}), 401)
    api.delete(f"/documents/{document['id']}")
    api.delete("/search/history")
    poll(lambda: suggested(api, "xylogr") == [], "the end of the deleted document's words")


def test_names_of_other_knowledge_bases_end_with_the_right_to_read(api: LumiClient) -> None:
    kb_id = api.create_kb(unique("Gone"))
    api.upload_ready(kb_id, "quillwort.txt", b"About quillwort.")
    assert "quillwort.txt" in suggested(api, "quillw")
    api.delete(f"/knowledge-bases/{kb_id}")
    assert suggested(api, "quillw") == []
