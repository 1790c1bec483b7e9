"""Mirroring a folder: which files are new, changed, moved or gone since the last time."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lumikb.cli.client import Body, Client
from lumikb.cli.uploads import Outcome, Upload, outcome_of, upload_files

# Under these names a document's metadata tells which file of which folder it mirrors.
FOLDER, PATH = "sync_folder", "sync_path"
DOCUMENTS_MAX = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What makes the knowledge base equal the folder. Moved documents come with their file's new path."""

    uploads: list[Upload] = field(default_factory=list[Upload])
    moved: list[tuple[Body, str]] = field(default_factory=list[tuple[Body, str]])
    gone: list[Body] = field(default_factory=list[Body])
    unchanged: list[tuple[Body, str]] = field(default_factory=list[tuple[Body, str]])


async def sync_folder(
    client: Client, kb_id: str, folder: Path, files: Sequence[Path], *, wait: bool = True
) -> list[Outcome]:
    """Upload what is new or changed in the folder, and delete the documents whose file is gone.

    A document of the same bytes that came another way is adopted, all others of these are left alone.
    """
    root, local, sums = await asyncio.to_thread(_look, folder, files)
    listed = await client.list_rows(f"/knowledge-bases/{kb_id}/documents", DOCUMENTS_MAX)
    mirrored = [document for document in listed["data"] if document["metadata"].get(FOLDER) == root]
    plan = make_plan(root, local, sums, mirrored)

    def shown(path: str) -> str:
        return _text(folder / path)

    outcomes = [outcome_of(shown(path), "unchanged", document) for document, path in plan.unchanged]
    for document, path in plan.moved:
        body = {"name": Path(path).name, "metadata": document["metadata"] | {PATH: path}}
        await client.patch(f"/knowledge-bases/{kb_id}/documents/{document['id']}", body)
        outcomes.append(outcome_of(shown(path), "moved", document))
    uploaded = await upload_files(client, kb_id, plan.uploads, wait=wait)
    for upload, outcome in zip(plan.uploads, uploaded, strict=True):
        outcomes.append(await _adopted(client, kb_id, upload, outcome) if outcome.duplicate else outcome)
    for document in plan.gone:
        await client.delete(f"/documents/{document['id']}")
        outcomes.append(Outcome(shown(document["metadata"][PATH]), "deleted", "gone", document_id=document["id"]))
    return outcomes


def make_plan(root: str, local: dict[str, Path], sums: dict[str, str], mirrored: Sequence[Body]) -> Plan:
    """Compare files (relative path -> file, and -> SHA-256) with the documents that mirror them."""
    plan = Plan()
    by_path: dict[str, Body] = {}
    for document in mirrored:
        if document["metadata"].get(PATH) in by_path:
            plan.gone.append(document)
        else:
            by_path[document["metadata"].get(PATH)] = document
    missing = {document["sha256"]: document for path, document in by_path.items() if path not in local}
    mirrored_sums = {document["sha256"] for path, document in by_path.items() if sums.get(path) == document["sha256"]}
    for path, file in local.items():
        document = by_path.get(path)
        if document is not None and document["sha256"] == sums[path]:
            plan.unchanged.append((document, path))
        elif document is not None and sums[path] in mirrored_sums:
            plan.gone.append(document)  # its file became a copy of another one, which is there
        elif document is not None:
            plan.uploads.append(Upload(file, change="changed", document_id=document["id"]))
        elif (moved := missing.pop(sums[path], None)) is not None:
            plan.moved.append((moved, path))
        else:
            metadata: dict[str, Any] = {FOLDER: root, PATH: path}
            plan.uploads.append(Upload(file, change="new", metadata=metadata))
    kept = {document["id"] for document, _ in plan.moved}
    plan.gone.extend(document for path, document in by_path.items() if path not in local and document["id"] not in kept)
    return plan


async def _adopted(client: Client, kb_id: str, upload: Upload, outcome: Outcome) -> Outcome:
    """What became of a file whose bytes were there: its document mirrors it from now on, unless it mirrors another."""
    path = f"/knowledge-bases/{kb_id}/documents/{outcome.document_id}"
    metadata = (await client.get(path))["metadata"]
    if FOLDER in metadata:
        return replace(outcome, change="unchanged")
    await client.patch(path, {"metadata": metadata | upload.metadata})
    return replace(outcome, change="adopted")


def _look(folder: Path, files: Sequence[Path]) -> tuple[str, dict[str, Path], dict[str, str]]:
    """The folder's full path, and its files and their SHA-256 by relative path."""
    local = {_text(file.relative_to(folder)).replace(os.sep, "/"): file for file in files}
    return _text(folder.resolve()), local, {path: _sha256(file) for path, file in local.items()}


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
