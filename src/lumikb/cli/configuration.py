"""`lumikb config show` and `lumikb version`."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from lumikb import __version__
from lumikb.cli.output import AsJson, print_json, print_table
from lumikb.settings import LoadedSettings, Settings, load_settings

MASK = "********"

app = typer.Typer(help="Show the settings.")


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command("show")
def show_command(as_json: AsJson = False) -> None:
    """Show every setting, its value and where that comes from; secrets are masked."""
    shown = shown_settings(load_settings())
    if as_json:
        print_json(shown)
        return
    print_table(["SETTING", "ORIGIN", "VALUE"], [[row["key"], row["origin"], str(row["value"])] for row in shown])


def version_command(as_json: AsJson = False) -> None:
    """Show the version of this program."""
    if as_json:
        print_json({"version": __version__})
    else:
        typer.echo(f"lumikb {__version__}")


def shown_settings(loaded: LoadedSettings) -> list[dict[str, Any]]:
    """All settings as {key, value, origin, secret, help}; a secret that is set has a mask for its value."""
    rows: list[dict[str, Any]] = []
    for item in fields(Settings):
        value, secret = getattr(loaded.settings, item.name), item.metadata["secret"]
        if secret and value:
            value = MASK
        rows.append(
            {
                "key": item.name,
                "value": str(value) if isinstance(value, Path) else value,
                "origin": loaded.origins[item.name],
                "secret": secret,
                "help": item.metadata["help"],
            }
        )
    return rows
