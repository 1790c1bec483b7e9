"""The command line."""

import sys

import typer

from lumikb.kit.errors import LumiError

app = typer.Typer(name="lumikb", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def lumikb() -> None:
    """Put documents in, get answers whose every claim opens the passage that proves it."""


@app.command("serve")
def serve_command(
    host: str | None = typer.Option(None, help="Address to listen on."),
    port: int | None = typer.Option(None, help="Port to listen on."),
) -> None:
    """Serve the platform until Ctrl-C."""
    from lumikb.cli.serve import serve
    from lumikb.settings import load_settings

    serve(load_settings(host=host, port=port))


def main() -> None:
    """Entry point of the `lumikb` command."""
    try:
        app()
    except LumiError as error:
        typer.echo(f"lumikb: {error.message}", err=True)
        sys.exit(1)
