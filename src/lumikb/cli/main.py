"""The command line: its commands, and how errors become exit codes."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from lumikb.cli import answers, bases, configuration, documents, evaluate, ingest, maintenance, sample, status
from lumikb.cli.output import print_json
from lumikb.kit import errors
from lumikb.settings import SettingError, load_settings

FAILED, USAGE, NOT_FOUND, REFUSED = 1, 2, 3, 4

app = typer.Typer(name="lumikb", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class UsageError(errors.LumiError):
    """The command line has no such command, or not with these arguments."""

    code = "USAGE"


class NotConfirmedError(errors.LumiError):
    """The command asked, and the answer was no."""

    code = "NOT_CONFIRMED"


@app.callback()
def lumikb() -> None:
    """Put documents in, get answers whose every claim opens the passage that proves it.

    Commands talk to the server named by LUMIKB_URL and LUMIKB_API_KEY, else to the one that runs on the data directory,
    else they open the data directory themselves. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused. With
    --json an error is a JSON object on standard error, in the form of the HTTP routes.
    """


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the platform until Ctrl-C."""
    from lumikb.kit.memory import multiply_in_one_thread

    multiply_in_one_thread()
    from lumikb.cli.serve import serve

    serve(load_settings(host=host, port=port))


app.command("ingest")(ingest.ingest_command)
app.command("search")(answers.search_command)
app.command("ask")(answers.ask_command)
app.command("eval")(evaluate.eval_command)
app.add_typer(bases.app, name="kb")
app.add_typer(documents.app, name="documents")
app.command("status")(status.status_command)
app.command("verify")(maintenance.verify_command)
app.add_typer(maintenance.index_app, name="index")
app.command("sample")(sample.sample_command)
app.add_typer(configuration.app, name="config")
app.command("version")(configuration.version_command)


def main() -> None:
    """Entry point of the `lumikb` command."""
    os.umask(0o077)  # documents, the record and keys are for this account's eyes only
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    arguments = sys.argv[1:] or ["--help"]
    try:
        ended = app(arguments, prog_name="lumikb", standalone_mode=False)
    except typer.TyperException as error:
        usage = UsageError(f"{error.format_message().rstrip('.')}. See `lumikb --help`.")
        sys.exit(complain(usage, error.exit_code, arguments))
    except typer.Abort:
        sys.exit(complain(NotConfirmedError("Nothing was done."), FAILED, arguments))
    except errors.LumiError as error:
        sys.exit(complain(error, exit_code(error), arguments))
    sys.exit(ended if isinstance(ended, int) else 0)


def complain(error: errors.LumiError, code: int, arguments: Sequence[str]) -> int:
    """Say on standard error what went wrong, as JSON where the command was to print JSON; gives the exit code back."""
    if "--json" in arguments:
        print_json(
            {
                "error": {
                    "code": error.stable_code,
                    "message": error.message,
                    "details": error.details,
                    "request_id": error.request_id,
                },
                "detail": error.message,
            },
            err=True,
        )
    else:
        typer.echo(f"lumikb: {error.message}", err=True)
    return code


def exit_code(error: errors.LumiError) -> int:
    """What scripts are told about an error."""
    if isinstance(error, errors.NotFoundError):
        return NOT_FOUND
    if isinstance(error, errors.UnauthenticatedError | errors.ForbiddenError):
        return REFUSED
    return USAGE if isinstance(error, errors.InvalidInputError | SettingError) else FAILED
