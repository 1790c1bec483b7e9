"""What stands in a query besides words: phrases, signs, fields; identifiers and typing errors."""

from typing import Any

import pytest
from support.server import LumiClient

from .conftest import Library, unique

NUMBERS = (*range(7790, 7807), *range(7808, 7825))
NEIGHBOURS = "".join(
    f"# RFC {number}\n\nRFC {number} defines problem details for error E-{number - 6765}, as 7807 others do.\n\n"
    for number in NUMBERS
)
FILES = {
    "codes.md": f"{NEIGHBOURS}# Of problems\n\nRFC 7807 is about bodies of errors, as E-1042 is.\n".encode(),
    "guns.txt": b"The machine gun act of 1934 taxes arms.",
    "sewing.txt": b"A sewing machine is no weapon. The gun of the harbour fires at noon.",
    "drafts.txt": b"This draft about the harbour gun is not finished.",
}


@pytest.fixture(scope="module")
def codes(api: LumiClient) -> tuple[str, str]:
    """Id and name of a knowledge base with neighbours of everything."""
    name = unique("Codes")
    kb_id = api.create_kb(name)
    api.patch(f"/knowledge-bases/{kb_id}/settings", json={"chunk_tokens": 32, "chunk_overlap": 0}).raise_for_status()
    uploaded = [api.upload(kb_id, file, data, tags=f"of-{file[:4]}")["id"] for file, data in FILES.items()]
    assert {api.wait_until_ended(document_id)["status"] for document_id in uploaded} == {"READY"}
    return kb_id, name


@pytest.fixture
def quick(api: LumiClient, codes: tuple[str, str]) -> Any:
    def search(query: str, **options: Any) -> dict[str, Any]:
        response = api.post("/search/quick", json={"query": query, "kb_ids": [codes[0]], "limit": 50, **options})
        assert response.status_code == 200, response.text
        return response.json()

    return search


def names(body: dict[str, Any]) -> set[str]:
    return {result["document_name"] for result in body["results"]}


@pytest.mark.parametrize("hybrid", [True, False])
def test_a_phrase_must_be_there_word_for_word(quick: Any, hybrid: bool) -> None:
    assert names(quick("machine gun", hybrid=hybrid)) == set(FILES)
    found = quick('what of the "Machine Gun"?', hybrid=hybrid)
    assert names(found) == {"guns.txt"}
    assert found["message"] == "1 passage found."
    assert found["query"] == 'what of the "Machine Gun"?'
    assert names(quick('"harbour" "gun"', hybrid=hybrid)) == {"sewing.txt", "drafts.txt"}


def test_a_phrase_that_nobody_wrote_is_told_and_left_aside(quick: Any, api: LumiClient, codes: tuple[str, str]) -> None:
    found = quick('"gun of the machine" harbour -draft')
    assert {"sewing.txt", "guns.txt"} <= names(found)
    assert "drafts.txt" not in names(found)
    assert "No passage holds “gun of the machine” word for word" in found["message"]
    answered = api.post("/search", json={"query": '"gun of the machine"', "kb_ids": [codes[0]]}).json()
    assert "No passage holds" in answered["message"]


@pytest.mark.parametrize("hybrid", [True, False])
def test_what_is_left_out_is_found_by_neither_leg(quick: Any, hybrid: bool) -> None:
    assert "drafts.txt" not in names(quick("harbour gun -draft", hybrid=hybrid))
    assert "guns.txt" not in names(quick('gun -"machine gun"', hybrid=hybrid))
    assert "sewing.txt" in names(quick('gun -"machine gun"', hybrid=hybrid))


def test_fields_narrow_a_search(quick: Any, codes: tuple[str, str]) -> None:
    assert names(quick("gun title:sewing")) == {"sewing.txt"}
    assert names(quick("gun title:SEW title:txt")) == {"sewing.txt"}
    assert names(quick("gun type:md")) == {"codes.md"}
    assert names(quick("gun tag:of-guns")) == {"guns.txt"}
    assert names(quick("gun author:nobody")) == set()
    assert names(quick(f'gun kb:"{codes[1].upper()}"')) == set(FILES)
    assert names(quick("gun after:2000-01-01 before:2999")) == set(FILES)
    assert names(quick("gun before:2000-01-01")) == set()
    assert names(quick("gun title:sewing", filters={"tags": ["of-guns"]})) == set()


def test_a_knowledge_base_that_one_does_not_have_is_told(quick: Any) -> None:
    found = quick("gun kb:elsewhere")
    assert (found["results"], found["message"]) == (
        [], "0 passages found. You have no knowledge base called elsewhere.",
    )  # fmt: skip


@pytest.mark.parametrize("query", ["RFC: 7807", "C::std", "gun: harbour", "type:gun harbour", "-5 harbour --gun -g"])
def test_what_only_looks_like_syntax_finds_by_its_words(quick: Any, query: str) -> None:
    assert names(quick(query)) == set(FILES)


@pytest.mark.parametrize("query", ["RFC 7807", "what is E-1042", '"RFC 7807"', '"e-1042"'])
def test_an_identifier_is_found_among_its_neighbours(quick: Any, query: str) -> None:
    assert "RFC 7807 is about" in quick(query)["results"][0]["chunk_text"]


@pytest.mark.parametrize("query", ["Maren Odegard", "Oedgaard", "the Kestrol of Odegaardd"])
def test_a_name_is_found_though_it_was_mistyped(api: LumiClient, library: Library, query: str) -> None:
    found = api.search(query, kb_ids=[library.kb_id], keyword_weight=1.0, limit=1)
    assert found[0]["document_name"] == "expedition.pptx"


def test_a_question_of_a_chat_is_words_alone(api: LumiClient, library: Library) -> None:
    asked = api.ask('How far is the "lamp of the lighthouse" seen -lighthouse?', kb_ids=[library.kb_id])
    assert "nineteen miles" in asked["answer"]


def test_the_language_is_that_of_streams_too(api: LumiClient, codes: tuple[str, str]) -> None:
    params = {"query": 'gun -"machine gun" title:txt', "kb_ids": codes[0]}
    found = api.get("/search", params=params, headers={"Accept": "application/json"}).json()
    assert names(found) == {"sewing.txt", "drafts.txt"}
