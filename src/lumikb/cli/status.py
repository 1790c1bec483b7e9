"""`lumikb status`: where the server runs, how it is, what it holds."""

from typing import TYPE_CHECKING, Any

import typer

from lumikb import __version__
from lumikb.cli.output import AsJson, print_json
from lumikb.kit.words import counted
from lumikb.settings import Settings, load_settings

if TYPE_CHECKING:
    from lumikb.cli.client import Client

STATUSES = ("READY", "PROCESSING", "PENDING", "FAILED")


def status_command(as_json: AsJson = False) -> None:
    """Show where the server runs, how it is and what it holds."""
    from lumikb.cli.client import run

    settings = load_settings().settings
    report: dict[str, Any] = {
        "server": None,
        "data_dir": None if settings.url else str(settings.data_dir.resolve()),
        "version": __version__,
        "health": None,
        "counts": None,
    }
    if _has_data(settings):
        report |= run(_look)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _has_data(settings: Settings) -> bool:
    """Whether there is anything to look at; looking must not make an empty data directory."""
    return bool(settings.url or settings.database_url) or settings.database_path.exists()


async def _look(client: "Client") -> dict[str, Any]:
    report: dict[str, Any] = {}
    if client.place.kind != "in-process":
        status = await client.get("/status")
        report |= {"server": client.place.url, "version": status["version"], "health": await client.health()}
    documents = {status: (await client.get("/documents", limit=1, status=status))["total"] for status in STATUSES}
    bases = (await client.get("/knowledge-bases", limit=1))["total"]
    report["counts"] = {"knowledge_bases": bases, "documents": sum(documents.values()), "by_status": documents}
    return report


def _print(report: dict[str, Any]) -> None:
    lines = {
        "Server": report["server"] or "none runs; commands open the data directory themselves",
        "Version": report["version"],
    }
    if report["data_dir"]:
        lines["Data"] = report["data_dir"]
    if report["health"]:
        down = [f"{name}: {check['reason']}" for name, check in report["health"]["checks"].items() if not check["ok"]]
        lines["Health"] = " ".join([report["health"]["status"], *down])
    counts = report["counts"]
    if counts is None:
        lines["Holds"] = "nothing yet"
    else:
        states = ", ".join(f"{count} {status}" for status, count in counts["by_status"].items() if count)
        lines["Holds"] = (
            f"{counted(counts['knowledge_bases'], 'knowledge base')}, {counted(counts['documents'], 'document')}"
        )
        lines["Holds"] += f" ({states})" if states else ""
    for label, text in lines.items():
        typer.echo(f"{label:<8} {text}")
