"""`lumikb ingest`: files and folders into a knowledge base."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumikb.cli.output import AsJson, one_line, print_json, print_names
from lumikb.kit.errors import InvalidInputError, LumiError, NotFoundError
from lumikb.kit.words import counted

if TYPE_CHECKING:
    from lumikb.cli.client import Body, Client
    from lumikb.cli.uploads import Outcome


class NothingToIngestError(LumiError):
    """None of the given files is of a kind that LumiKB reads."""

    code = "NOTHING_TO_INGEST"


def ingest_command(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, metavar="PATH...", help="Files, and folders with all that is in them.")
    ],
    kb: Annotated[str, typer.Option(metavar="NAME", help="Name of the knowledge base; made when there is none.")],
    wait: Annotated[bool, typer.Option(help="Wait until the documents are READY or FAILED.")] = True,
    sync: Annotated[
        bool, typer.Option(help="Mirror one folder: upload what is new or changed, delete what is gone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put files and folders into a knowledge base.

    Hidden files, and files of a kind that LumiKB does not read, are skipped. Exit code 1 when a document fails.
    """
    if sync and (len(paths) != 1 or not paths[0].is_dir()):
        raise typer.BadParameter("--sync mirrors one folder.")
    from lumikb.cli.client import run
    from lumikb.cli.files import find_files

    found = find_files(paths)
    if not found.chosen:
        raise NothingToIngestError("There is no file here of a kind that LumiKB reads.")
    folder = paths[0] if sync else None
    body, outcomes = run(lambda client: _ingest(client, kb, found.chosen, folder, wait))
    body["skipped"] = [str(path) for path in found.skipped]
    if as_json:
        print_json(body)
    else:
        _print_summary(body, outcomes)
    raise typer.Exit(report_failures(outcomes, as_json=as_json))


async def get_or_create_kb(client: "Client", name: str, description: str = "") -> tuple["Body", bool]:
    """The knowledge base with this name, and whether it had to be made."""
    try:
        return await client.get_kb(name), False
    except NotFoundError:
        return await client.post("/knowledge-bases", {"name": name, "description": description}), True


def report_failures(outcomes: Sequence["Outcome"], *, as_json: bool) -> int:
    """Name each file that failed and the reason on standard error, unless the JSON says it; gives the exit code."""
    failed = [outcome for outcome in outcomes if outcome.result == "failed"]
    for outcome in () if as_json else failed:
        reason = outcome.error["message"] if outcome.error else "It failed."
        typer.echo(f"lumikb: {one_line(outcome.path)}: {one_line(reason)}", err=True)
    return 1 if failed else 0


async def _ingest(
    client: "Client", name: str, files: list[Path], folder: Path | None, wait: bool
) -> tuple[dict[str, Any], list["Outcome"]]:
    from lumikb.cli.sync import sync_folder
    from lumikb.cli.uploads import Upload, upload_files

    if not wait and client.place.kind == "in-process":
        raise InvalidInputError("--no-wait needs a server that goes on working: start one with `lumikb serve`.")
    kb, created = await get_or_create_kb(client, name)
    if folder is None:
        outcomes = await upload_files(client, kb["id"], [Upload(file) for file in files], wait=wait)
    else:
        outcomes = await sync_folder(client, kb["id"], folder, files, wait=wait)
    documents = [asdict(outcome) for outcome in outcomes]
    return {"kb_id": kb["id"], "kb_name": kb["name"], "kb_created": created, "documents": documents}, outcomes


def _print_summary(body: dict[str, Any], outcomes: Sequence["Outcome"]) -> None:
    if body["kb_created"]:
        typer.echo(f"Made the knowledge base {body['kb_name']}.")
    print_names("Skipped, of a kind that LumiKB does not read", body["skipped"])
    print_names("Already there", [_known(outcome) for outcome in outcomes if outcome.duplicate])
    print_names(
        "Gone, but kept for another mirrored folder", [outcome.path for outcome in outcomes if outcome.result == "kept"]
    )
    for outcome in outcomes:
        if outcome.warnings:
            typer.echo(f"{one_line(outcome.path)}: {', '.join(outcome.warnings)}")
    changes = [outcome.change for outcome in outcomes]
    if any(changes):
        counts = [f"{changes.count(name)} {name}" for name in ("new", "changed", "moved", "gone", "unchanged")]
        counts += [f"{changes.count(name)} {name}" for name in ("adopted", "shared", "refused") if name in changes]
        typer.echo(f"Mirrored: {', '.join(counts)}.")
    outcomes = [outcome for outcome in outcomes if outcome.change != "gone"]
    results = [outcome.result for outcome in outcomes]
    states = [f"{results.count(name)} {name}" for name in ("ready", "failed", "pending") if name in results]
    typer.echo(f"{counted(len(outcomes), 'file')} in {body['kb_name']}: {', '.join(states)}.")


def _known(outcome: "Outcome") -> str:
    return outcome.path if outcome.shared_with is None else f"{outcome.path} as {outcome.shared_with}"
