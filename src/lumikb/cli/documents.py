"""`lumikb documents`: what lies in the knowledge bases."""

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from lumikb.cli.output import AsJson, Author, Language, human_size, one_line, print_json, print_table

KBS_MAX = 1000
TITLE_CHARS = 40

app = typer.Typer(help="List and delete documents.")


class Status(StrEnum):
    """Where a document stands."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    READY = "READY"
    FAILED = "FAILED"
    ARCHIVED = "ARCHIVED"


@app.command("list")
def list_command(
    kb: Annotated[str | None, typer.Option(metavar="NAME", help="Name of a knowledge base; none: all.")] = None,
    status: Annotated[
        list[Status] | None, typer.Option(case_sensitive=False, help="Only documents that stand so; may be repeated.")
    ] = None,
    language: Language = None,
    author: Author = None,
    limit: Annotated[int, typer.Option(min=1, help="Most documents, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List documents, newest first."""
    from lumikb.cli.client import Body, Client, run

    async def read(client: Client) -> tuple[Body, dict[str, str]]:
        collection = None if kb is None else (await client.get_kb(kb))["name"]
        body = await client.list_rows(
            "/documents", limit, collection=collection, status=status, language=language, author=author
        )
        bases = await client.list_rows("/knowledge-bases", KBS_MAX)
        return body, {base["id"]: base["name"] for base in bases["data"]}

    body, names = run(read)
    if as_json:
        print_json(body)
        return
    rows = [_row(document, names) for document in body["data"]]
    print_table(["STATUS", "NAME", "TITLE", "KNOWLEDGE BASE", "PASSAGES", "SIZE", "ID", ""], rows)
    if body["total"] > len(rows):
        typer.echo(f"{len(rows)} of {body['total']} documents; --limit shows more.")


@app.command("delete")
def delete_command(
    document_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the document, as `documents list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Delete a document."""
    from lumikb.cli.client import run

    run(lambda client: client.delete(f"/documents/{quote(document_id, safe='')}"))
    if as_json:
        print_json({"id": document_id})
    else:
        typer.echo(f"Deleted the document {document_id}.")


def _row(document: dict[str, Any], kb_names: dict[str, str]) -> list[str]:
    error = document["last_error"]
    extracted: dict[str, Any] = document["extracted"] or {}
    return [
        document["status"],
        one_line(document["name"]),
        one_line(extracted.get("title") or "", TITLE_CHARS),
        one_line(kb_names.get(document["kb_id"], "")),
        str(document["chunk_count"]),
        human_size(document["file_size_bytes"]),
        document["id"],
        one_line(error["message"]) if error else "",
    ]
