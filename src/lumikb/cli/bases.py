"""`lumikb kb`: knowledge bases."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumikb.cli.output import AsJson, human_size, one_line, print_json, print_table, working
from lumikb.compute.chunk.models import ChunkStrategy
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.kit.errors import InvalidInputError, LumiError

if TYPE_CHECKING:
    from lumikb.cli.client import Body, Client

ROWS_MAX = 1000
POLL_SECONDS = 0.5
SETTINGS = ("chunk_tokens", "chunk_overlap", "chunk_strategy", "ocr_languages", "embedding_model", "token_vectors")

app = typer.Typer(help="List, create, set and delete knowledge bases.")

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


class ReprocessEndedError(LumiError):
    """The documents could not be processed again; the former settings are in force."""

    code = "REPROCESS_FAILED"


@app.command("settings")
def settings_command(
    name: Name,
    chunk_tokens: Annotated[int | None, typer.Option(help="Largest passage, in tokens of the model.")] = None,
    chunk_overlap: Annotated[int | None, typer.Option(help="Overlap of neighbouring passages, in tokens.")] = None,
    chunk_strategy: Annotated[ChunkStrategy | None, typer.Option(help="Where passages begin and end.")] = None,
    ocr_languages: Annotated[str | None, typer.Option(help="Languages of scans and images, such as eng+deu.")] = None,
    embedding_model: Annotated[EmbeddingModel | None, typer.Option(help="Model of the passages' vectors.")] = None,
    token_vectors: Annotated[
        bool | None, typer.Option("--token-vectors/--no-token-vectors", help="Keep a vector of each token.")
    ] = None,
    reset: Annotated[list[str] | None, typer.Option(metavar="SETTING", help="Follow the server in this one.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the documents have been processed again.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show the settings of a knowledge base, or change them.

    A change processes its documents again; until all are done, searches and answers draw on what was there.
    """
    from lumikb.cli.client import run

    values = (chunk_tokens, chunk_overlap, chunk_strategy, ocr_languages, embedding_model, token_vectors)
    given = dict(zip(SETTINGS, values, strict=True))
    changes: dict[str, Any] = {setting: value for setting, value in given.items() if value is not None}
    for setting in reset or ():
        if setting not in SETTINGS:
            raise InvalidInputError(f"{setting} is none of {', '.join(SETTINGS)}.")
        changes[setting] = None
    body = run(lambda client: _change_settings(client, name, changes, wait))
    if as_json:
        print_json(body)
    else:
        _print_settings(body)


async def _change_settings(client: "Client", name: str, changes: dict[str, Any], wait: bool) -> "Body":
    path = f"/knowledge-bases/{(await client.get_kb(name))['id']}/settings"
    if not changes:
        return await client.get(path)
    if not wait and client.place.kind == "in-process":
        raise InvalidInputError("--no-wait needs a server that goes on working: start one with `lumikb serve`.")
    body = await client.patch(path, changes)
    if not wait or body["pending"] is None:
        return body
    with working("Processing the documents again"):
        job = await _ended_job(client, body["pending"]["job_id"])
    if job["status"] != "completed":
        reason = job["error"]["message"] if job["error"] else "It was cancelled."
        raise ReprocessEndedError(f"The settings are as they were. {reason}")
    return await client.get(path)


async def _ended_job(client: "Client", job_id: str) -> "Body":
    while True:
        job = await client.get(f"/jobs/{job_id}")
        if job["status"] not in {"queued", "processing"}:
            return job
        await asyncio.sleep(POLL_SECONDS)


def _print_settings(body: "Body") -> None:
    rows = [
        [setting, str(body[setting]), "its own" if setting in body["overridden"] else "the server's"]
        for setting in SETTINGS
    ]
    print_table(["SETTING", "VALUE", "ORIGIN"], rows)
    if body["pending"]:
        typer.echo(f"A change is under way: {body['pending']['progress']:g} %, job {body['pending']['job_id']}.")
    elif body["documents_behind"]:
        typer.echo(f"Documents that were made with other settings: {body['documents_behind']}.")
