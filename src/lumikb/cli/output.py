"""What commands print: JSON for scripts, plain lines and tables for people."""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else; errors too.")]

Language = Annotated[str | None, typer.Option(metavar="CODE", help="Only documents in this language, such as en.")]
Author = Annotated[str | None, typer.Option(metavar="NAME", help="Only documents by this author; a part will do.")]

_SIZES = ["B", "kB", "MB", "GB", "TB"]


def print_json(body: Any, *, err: bool = False) -> None:
    """Print a body as JSON; in UTF-8 whatever the terminal speaks (RFC 8259, section 8.1)."""
    typer.echo(json.dumps(body, ensure_ascii=False, indent=2).encode("utf-8", "replace"), err=err)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; the last one is as long as it is."""
    cells = [headings, *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(headings) - 1)]
    for row in cells:
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        typer.echo("  ".join([*padded, row[-1]]).rstrip())


def print_names(label: str, names: Sequence[str], names_max: int = 10) -> None:
    """Print how many there are and the first of them; nothing when there is none."""
    if not names:
        return
    more = f" and {len(names) - names_max} more" if len(names) > names_max else ""
    typer.echo(f"{label} ({len(names)}): {', '.join(one_line(name) for name in names[:names_max])}{more}")


def one_line(text: str, chars_max: int | None = None) -> str:
    """Text of documents made safe for a terminal: one line without control characters, cut with an ellipsis."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if chars_max is None or len(line) <= chars_max:
        return line
    return line[: chars_max - 1].rstrip() + "…"


def human_size(size_bytes: float) -> str:
    """Bytes in the decimal unit that leaves one to three digits."""
    unit = 0
    while size_bytes >= 999.5 and unit < len(_SIZES) - 1:
        size_bytes, unit = size_bytes / 1000, unit + 1
    return f"{size_bytes:.0f} {_SIZES[unit]}" if unit == 0 or size_bytes >= 10 else f"{size_bytes:.1f} {_SIZES[unit]}"


@contextmanager
def working(message: str) -> Generator[None]:
    """Show that long work goes on, on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield
