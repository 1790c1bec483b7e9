"""`lumikb search` and `lumikb ask`."""

from typing import Annotated, Any

import typer

from lumikb.cli.output import AsJson, Author, Language, one_line, print_json, working
from lumikb.kit.words import counted

SNIPPET_CHARS = 300

Kbs = Annotated[
    list[str] | None, typer.Option("--kb", metavar="NAME", help="Name of a knowledge base, repeatable; none: all.")
]


def search_command(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    kb: Kbs = None,
    language: Language = None,
    author: Author = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Most results.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find passages by meaning and by words."""
    from lumikb.cli.client import Body, Client, run

    async def search(client: Client) -> Body:
        kb_ids = await client.kb_ids(kb)
        filters = {"language": language, "author": author}
        wanted = {"query": query, "kb_ids": kb_ids, "limit": limit, "filters": filters}
        return await client.post("/search/quick", wanted)

    with working("Searching"):
        body = run(search)
    if as_json:
        print_json(body)
        return
    for number, result in enumerate(body["results"], 1):
        typer.echo(f"{number}. {place_of(result)}  (score {result['score']:.2f})")
        typer.echo(f"   {one_line(result['content'], SNIPPET_CHARS)}\n")
    typer.echo(f"{counted(body['result_count'], 'passage')} found.")


def ask_command(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question about your documents.")],
    kb: Kbs = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents.

    Every claim has the passage that proves it. When the documents support no answer, none is given; that is no failure,
    and exits with 0.
    """
    from lumikb.cli.client import Body, Client, run

    async def ask(client: Client) -> Body:
        return await client.post("/chat", {"message": question, "kb_ids": await client.kb_ids(kb)})

    with working("Reading"):
        body = run(ask)
    if as_json:
        print_json(body)
        return
    for paragraph in str(body["answer"]).split("\n\n"):
        typer.echo(f"{one_line(paragraph)}\n")
    if body["abstained"]:
        typer.echo("No passage supports an answer. Ask in the words of the documents, or try `lumikb search`.")
    for claim in body["claims"]:
        if claim["verdict"] != "supported":
            told = "Only partly supported" if claim["verdict"] == "partly" else "Not supported"
            typer.echo(f"{told} by the passages: “{one_line(body['answer'][claim['start'] : claim['end']])}”\n")
    for citation in body["citations"]:
        typer.echo(f"[{citation['number']}] {place_of(citation)}")
        typer.echo(f"    “{one_line(citation['quoted_text'])}”")


def place_of(found: dict[str, Any]) -> str:
    """Where a passage or a cited sentence stands: document, page, heading, characters."""
    parts = [one_line(found["document_name"])]
    if found["page_number"] is not None:
        parts.append(f"p. {found['page_number']}")
    if found["section_header"]:
        parts.append(f"§ {one_line(found['section_header'])}")
    return ", ".join([*parts, f"chars {found['char_start']}-{found['char_end']}"])
