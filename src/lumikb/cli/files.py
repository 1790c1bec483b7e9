"""Which files of the given paths are ingested."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lumikb.compute.parse.formats import Format

EXTENSIONS = frozenset(extension for kind in Format for extension in kind.extensions)


@dataclass(frozen=True)
class FoundFiles:
    """Files to ingest, and those of a kind that LumiKB does not read."""

    chosen: list[Path] = field(default_factory=list[Path])
    skipped: list[Path] = field(default_factory=list[Path])


def find_files(paths: Sequence[Path]) -> FoundFiles:
    """The files that are given or lie in given folders at any depth, each once, in the order of their names.

    Hidden files and folders within a folder are left out, and links to folders are not followed. A file that is given
    by its own name is taken without an extension, too: its content may tell what it is.
    """
    found = FoundFiles()
    seen: set[Path] = set()
    for path in paths:
        for file in _in_folder(path) if path.is_dir() else [path]:
            place = file.resolve()
            if place in seen:
                continue
            seen.add(place)
            extension = file.suffix.lower()
            readable = extension in EXTENSIONS or (not extension and file == path)
            (found.chosen if readable else found.skipped).append(file)
    return found


def _in_folder(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            file for name in sorted(names) if not name.startswith(".") and (file := Path(parent, name)).is_file()
        )
