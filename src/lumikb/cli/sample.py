"""`lumikb sample`: a small knowledge base about LumiKB itself."""

import hashlib
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lumikb.cli.ingest import get_or_create_kb, report_failures
from lumikb.cli.output import AsJson, print_json
from lumikb.kit.words import counted

if TYPE_CHECKING:
    from lumikb.cli.client import Client
    from lumikb.cli.uploads import Outcome

KB_NAME = "LumiKB sample"
KB_DESCRIPTION = "Short texts about running LumiKB."
QUESTIONS = (
    "How can I restore a backup?",
    "What happens when a file is behind a password?",
    "Does LumiKB send my documents to the internet?",
)
ROWS_MAX = 1000


def sample_command(as_json: AsJson = False) -> None:
    """Make the knowledge base "LumiKB sample".

    Prints questions to try. Repeating it brings the knowledge base up to date.
    """
    from lumikb.cli.client import run

    body, outcomes = run(_make)
    code = report_failures(outcomes, as_json=as_json)
    if as_json:
        print_json(body)
    else:
        ready = sum(outcome.result == "ready" for outcome in outcomes)
        typer.echo(f"{counted(ready, 'document')} about LumiKB are in the knowledge base {KB_NAME}. Try:\n")
        for question in QUESTIONS:
            typer.echo(f'  lumikb ask "{question}"')
    raise typer.Exit(code)


def sample_files() -> list[Path]:
    """The files of the sample, by name."""
    folder = Path(str(resources.files("lumikb.sample")))
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".py")


async def _make(client: "Client") -> tuple[dict[str, Any], list["Outcome"]]:
    from lumikb.cli.uploads import Upload, upload_files

    files = sample_files()
    kb, created = await get_or_create_kb(client, KB_NAME, KB_DESCRIPTION)
    outcomes = await upload_files(client, kb["id"], [Upload(file) for file in files])
    await _remove_former(client, kb, files)
    documents = [{**asdict(outcome), "path": Path(outcome.path).name} for outcome in outcomes]
    body = {"kb_id": kb["id"], "kb_name": kb["name"], "kb_created": created, "documents": documents}
    return {**body, "questions": list(QUESTIONS)}, outcomes


async def _remove_former(client: "Client", kb: dict[str, Any], files: list[Path]) -> None:
    """Delete what an earlier version of the sample left under the same names; the user's own documents stay."""
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    listed = await client.list_rows("/documents", ROWS_MAX, collection=kb["name"])
    for document in listed["data"]:
        if digests.get(document["original_filename"], document["sha256"]) != document["sha256"]:
            await client.delete(f"/documents/{document['id']}")
