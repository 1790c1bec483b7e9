"""`lumikb kb`: knowledge bases."""

import sys
from typing import Annotated

import typer

from lumikb.cli.output import AsJson, human_size, one_line, print_json, print_table
from lumikb.kit.errors import InvalidInputError

ROWS_MAX = 1000

app = typer.Typer(help="List, create and delete knowledge bases.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the knowledge base.")]


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List knowledge bases."""
    from lumikb.cli.client import run

    body = run(lambda client: client.list_rows("/knowledge-bases", ROWS_MAX))
    if as_json:
        print_json(body)
        return
    if not body["data"]:
        typer.echo("There is no knowledge base yet. `lumikb ingest PATH --kb NAME` makes one.")
        return
    rows = [
        [one_line(kb["name"]), str(kb["document_count"]), human_size(kb["total_size_bytes"]), kb["id"]]
        for kb in body["data"]
    ]
    print_table(["NAME", "DOCUMENTS", "SIZE", "ID"], rows)


@app.command("create")
def create_command(
    name: Name,
    description: Annotated[str, typer.Option(help="What it is about.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create an empty knowledge base."""
    from lumikb.cli.client import run

    body = run(lambda client: client.post("/knowledge-bases", {"name": name, "description": description}))
    if as_json:
        print_json(body)
    else:
        typer.echo(f"Made the knowledge base {body['name']} ({body['id']}).")


@app.command("delete")
def delete_command(
    name: Name,
    purge: Annotated[bool, typer.Option("--purge", help="Erase its documents, instead of keeping them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a knowledge base."""
    from lumikb.cli.client import Body, Client, run

    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInputError("Nobody is here to confirm it: give --yes.")
        erased = " and erase its documents" if purge else ""
        typer.confirm(f"Delete the knowledge base {name}{erased}?", abort=True, err=True)

    async def delete(client: Client) -> Body:
        kb = await client.get_kb(name)
        await client.delete(f"/knowledge-bases/{kb['id']}", purge=str(purge).lower())
        return kb

    kb = run(delete)
    if as_json:
        print_json({"id": kb["id"], "name": kb["name"], "purged": purge})
    else:
        typer.echo(f"Deleted the knowledge base {kb['name']}{' and its documents' if purge else ''}.")
