"""`lumikb verify` and `lumikb index rebuild`."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumikb.cli.output import AsJson, one_line, print_json, print_table, working
from lumikb.kit.errors import NotFoundError
from lumikb.kit.words import counted

if TYPE_CHECKING:
    from lumikb.cli.client import Body, Client

# Both read all that there is.
LONG_SECONDS = 3600.0
POLL_SECONDS = 0.25

index_app = typer.Typer(help="Look after the search index.")


@index_app.callback()
def index() -> None:
    """Look after the search index."""


def verify_command(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look whether files are there, and do not read them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that record, files and index agree.

    Reads every stored file and compares every passage with its document's text. Exit code 1 while something is wrong.
    Documents that a repair processes anew are waited for where no server runs that would go on with them.
    """
    from lumikb.cli.client import run

    with working("Checking"):
        body = run(lambda client: _verify(client, repair=repair, quick=quick))
    findings = body["findings"]
    left = [finding for finding in findings if not finding["repaired"]]
    if as_json:
        print_json(body)
    else:
        if findings:
            rows = [[_state(found), found["kind"], found["id"], one_line(found["message"])] for found in findings]
            print_table(["", "KIND", "ID", ""], rows)
        checked = ", ".join(f"{count} {name}" for name, count in body["checked"].items())
        waiting = len({finding["id"] for finding in findings if finding["waits"]})
        waits = f"{counted(waiting, 'document')} waiting to be processed" if waiting else ""
        problems = counted(len(left), "problem") if left else ""
        how = " without reading files" if quick else ""
        typer.echo(f"Checked {checked}{how}: {', '.join(filter(None, [problems, waits])) or 'all is well'}.")
    if left:
        raise typer.Exit(1)


async def _verify(client: "Client", *, repair: bool, quick: bool) -> "Body":
    options = {"repair": repair, "quick": quick}
    body = await client.post("/operations/verify", options, seconds_max=LONG_SECONDS)
    if repair and client.place.kind == "in-process":
        until = time.monotonic() + LONG_SECONDS
        waiting = [finding for finding in body["findings"] if finding["waits"]]
        ended = {one: await _ended(client, one, until) for one in {finding["id"] for finding in waiting}}
        for finding in waiting:
            document = ended[finding["id"]]
            if document is not None:
                error = document["last_error"]
                finding |= {"waits": False, "repaired": error is None}
                finding["message"] += f" It failed: {error['message']}" if error else ""
    return body


async def _ended(client: "Client", document_id: str, until: float) -> "Body | None":
    """The document once nothing works on it; None when that takes too long, or nobody may see it."""
    while time.monotonic() < until:
        try:
            document = await client.get(f"/documents/{document_id}")
        except NotFoundError:
            return None
        if document["progress"] >= 100 or document["last_error"]:
            return document
        await asyncio.sleep(POLL_SECONDS)
    return None


def _state(finding: dict[str, Any]) -> str:
    if finding["waits"]:
        return "waits"
    return "repaired" if finding["repaired"] else "found"


@index_app.command("rebuild")
def rebuild_command(as_json: AsJson = False) -> None:
    """Make the search index anew from the record."""
    from lumikb.cli.client import run

    with working("Rebuilding the index"):
        body = run(lambda client: client.post("/operations/index/rebuild", {}, seconds_max=LONG_SECONDS))
    if as_json:
        print_json(body)
    else:
        typer.echo(f"Rebuilt the index: {counted(body['rows'], 'passage')}.")
