"""`lumikb verify` and `lumikb index rebuild`."""

from typing import Annotated

import typer

from lumikb.cli.output import AsJson, one_line, print_json, print_table, working
from lumikb.kit.words import counted

# Both read all that there is.
LONG_SECONDS = 3600.0

index_app = typer.Typer(help="Look after the search index.")


@index_app.callback()
def index() -> None:
    """Look after the search index."""


def verify_command(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that record, files and index agree.

    Exit code 1 while something is wrong.
    """
    from lumikb.cli.client import run

    with working("Checking"):
        body = run(lambda client: client.post("/operations/verify", {"repair": repair}, seconds_max=LONG_SECONDS))
    findings = body["findings"]
    left = [finding for finding in findings if not finding["repaired"]]
    if as_json:
        print_json(body)
    else:
        if findings:
            rows = [
                ["repaired" if found["repaired"] else "found", found["kind"], found["id"], one_line(found["message"])]
                for found in findings
            ]
            print_table(["", "KIND", "ID", ""], rows)
        checked = ", ".join(f"{count} {name}" for name, count in body["checked"].items())
        typer.echo(f"Checked {checked}: {counted(len(left), 'problem') if left else 'all is well'}.")
    if left:
        raise typer.Exit(1)


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
