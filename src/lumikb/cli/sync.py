"""Mirroring a folder: which files are new, changed, moved or gone since the last time.

A file's document is the one of its SHA-256, whatever it was called, and only bytes that no document has are uploaded.
Thus the documents of files that change places are renamed, and no upload is refused for bytes that are there.
"""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lumikb.cli.client import Body, Client
from lumikb.cli.uploads import Outcome, Upload, outcome_of, upload_files

# Under these names a document's metadata tells which file of which folder it mirrors, and by folder which file of
# another mirrored folder has the same bytes: that one takes the document over when the first is gone.
FOLDER, PATH, SHARED = "sync_folder", "sync_path", "sync_shared"
DOCUMENTS_MAX = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What makes the knowledge base equal the folder; pairs are a document and the path of its file in the folder.

    `shared` documents mirror a file of another folder; `unshared` ones did when this folder had their bytes. Files of
    the same bytes have one document: all of them but one are `copies`, path -> path of that one.
    """

    unchanged: list[tuple[Body, str]] = field(default_factory=list[tuple[Body, str]])
    moved: list[tuple[Body, str]] = field(default_factory=list[tuple[Body, str]])
    shared: list[tuple[Body, str]] = field(default_factory=list[tuple[Body, str]])
    uploads: dict[str, Upload] = field(default_factory=dict[str, Upload])
    copies: dict[str, str] = field(default_factory=dict[str, str])
    gone: list[Body] = field(default_factory=list[Body])
    unshared: list[Body] = field(default_factory=list[Body])


async def sync_folder(
    client: Client, kb_id: str, folder: Path, files: Sequence[Path], *, wait: bool = True
) -> list[Outcome]:
    """Upload what is new or changed in the folder, and delete the documents whose file is gone.

    A document of the same bytes that came another way is adopted, all others of these are left alone. One that mirrors
    another folder's file is shared, and handed over to the other folder instead of being deleted.
    """
    root, local, sums = await asyncio.to_thread(_look, folder, files)
    listed = await client.list_rows(f"/knowledge-bases/{kb_id}/documents", DOCUMENTS_MAX)
    plan = make_plan(root, local, sums, listed["data"])
    return await _Mirror(client, kb_id, folder, root).carry_out(plan, wait=wait)


def make_plan(root: str, local: dict[str, Path], sums: dict[str, str], documents: Sequence[Body]) -> Plan:
    """Compare files (relative path -> file, and -> SHA-256) with all documents of the knowledge base."""
    plan = Plan()
    own = [document for document in documents if document["metadata"].get(FOLDER) == root]
    by_sum = {document["sha256"]: document for document in [*documents, *own]}
    paths_by_sum: dict[str, list[str]] = {}
    for path in local:
        paths_by_sum.setdefault(sums[path], []).append(path)
    # What these were made of is nowhere in the folder, and of no use to another one: they may take a new version.
    outdated = {_path_of(one): one for one in own if one["sha256"] not in paths_by_sum and not _sharers(one)}
    kept: set[str] = set()
    for sha256, paths in paths_by_sum.items():
        document = by_sum.get(sha256)
        if document is None:
            path = next((path for path in paths if path in outdated), paths[0])
            former = outdated.get(path)
            if former is not None:
                kept.add(former["id"])
                plan.uploads[path] = Upload(local[path], "changed", former["id"])
        else:
            kept.add(document["id"])
            path = _file_of(document, paths)
            if document["metadata"].get(FOLDER) == root:
                (plan.unchanged if path == _path_of(document) else plan.moved).append((document, path))
            elif FOLDER in document["metadata"]:
                plan.shared.append((document, path))
        if document is None or FOLDER not in document["metadata"]:
            plan.uploads.setdefault(path, Upload(local[path], "new", metadata={FOLDER: root, PATH: path}))
        plan.copies.update((copy, path) for copy in paths if copy != path)
    plan.gone.extend(document for document in own if document["id"] not in kept)
    plan.unshared.extend(one for one in documents if root in _sharers(one) and one["id"] not in kept)
    return plan


class _Mirror:
    def __init__(self, client: Client, kb_id: str, folder: Path, root: str) -> None:
        self._client = client
        self._kb_id = kb_id
        self._folder = folder
        self._root = root

    async def carry_out(self, plan: Plan, *, wait: bool) -> list[Outcome]:
        """What became of each file, and of each document whose file is gone."""
        by_path = {path: outcome_of(self._shown(path), "unchanged", document) for document, path in plan.unchanged}
        for document, path in plan.moved:
            await self._assign(document, self._root, path)
            by_path[path] = outcome_of(self._shown(path), "moved", document)
        for document, path in plan.shared:
            by_path[path] = await self._share(document, path, outcome_of(self._shown(path), "shared", document))
        uploaded = await upload_files(self._client, self._kb_id, list(plan.uploads.values()), wait=wait)
        for path, outcome in zip(plan.uploads, uploaded, strict=True):
            by_path[path] = await self._adopt(path, outcome) if outcome.duplicate else outcome
        for copy, path in plan.copies.items():
            by_path[copy] = self._copied(by_path[path], copy, path)
        gone = [await self._let_go(document) for document in plan.gone]
        gone += [await self._unshare(document) for document in plan.unshared]
        # A file that has new bytes is not gone, and its old ones neither.
        there = {outcome.path for outcome in by_path.values()}
        return [*by_path.values(), *(one for one in gone if one.result == "deleted" or one.path not in there)]

    async def _adopt(self, path: str, outcome: Outcome) -> Outcome:
        """Let the document that has the file's bytes mirror the file, unless it mirrors another one."""
        document = await self._client.get(self._address(outcome.document_id))
        if FOLDER in document["metadata"]:
            return await self._share(document, path, outcome)
        await self._assign(document, self._root, path)
        return replace(outcome, change="adopted")

    async def _share(self, document: Body, path: str, outcome: Outcome) -> Outcome:
        """Note on a document of another file that this one has its bytes, too."""
        metadata, sharers = document["metadata"], _sharers(document)
        if metadata[FOLDER] != self._root and sharers.get(self._root) != path:
            await self._patch(document, {"metadata": metadata | {SHARED: sharers | {self._root: path}}})
        file = f"{metadata[FOLDER]}/{_path_of(document)}"
        return replace(outcome, change="shared", duplicate=True, shared_with=file)

    async def _let_go(self, document: Body) -> Outcome:
        """Delete a document whose file is gone, or hand it over to another folder that has its bytes."""
        shown = self._shown(_path_of(document))
        heir = next(iter(_sharers(document).items()), None)
        if heir is not None:
            await self._assign(document, *heir)
            return Outcome(shown, "kept", "gone", document_id=document["id"])
        await self._client.delete(f"/documents/{document['id']}")
        return Outcome(shown, "deleted", "gone", document_id=document["id"])

    async def _unshare(self, document: Body) -> Outcome:
        """Take back what `_share` noted."""
        await self._patch(document, {"metadata": _without(document["metadata"], self._root)})
        return Outcome(self._shown(_sharers(document)[self._root]), "kept", "gone", document_id=document["id"])

    async def _assign(self, document: Body, folder: str, path: str) -> None:
        """From now on the document mirrors this file, and is called like it."""
        metadata = _without(document["metadata"], folder) | {FOLDER: folder, PATH: path}
        await self._patch(document, {"name": Path(path).name, "metadata": metadata})

    async def _patch(self, document: Body, changes: Body) -> None:
        await self._client.patch(self._address(document["id"]), changes)

    def _copied(self, outcome: Outcome, copy: str, path: str) -> Outcome:
        """What became of a file that has the bytes of another one."""
        if outcome.change == "refused":
            return replace(outcome, path=self._shown(copy))
        shared_with = outcome.shared_with or self._shown(path)
        return replace(outcome, path=self._shown(copy), change="shared", duplicate=True, shared_with=shared_with)

    def _address(self, document_id: str | None) -> str:
        return f"/knowledge-bases/{self._kb_id}/documents/{document_id}"

    def _shown(self, path: str) -> str:
        return _text(self._folder / path)


def _file_of(document: Body, paths: Sequence[str]) -> str:
    """Which of the files with its bytes the document mirrors: the same one as before, or one that is called like it."""
    if (former := _path_of(document)) in paths:
        return former
    return next((path for path in paths if Path(path).name == document["name"]), paths[0])


def _path_of(document: Body) -> str:
    return str(document["metadata"].get(PATH, document["name"]))


def _sharers(document: Body) -> dict[str, str]:
    """Folder -> path of the other files that have the document's bytes."""
    return document["metadata"].get(SHARED, {})


def _without(metadata: Body, folder: str) -> Body:
    """Metadata of a document that the folder does not share."""
    if folder not in metadata.get(SHARED, {}):
        return metadata
    others = {other: path for other, path in metadata[SHARED].items() if other != folder}
    rest = {name: value for name, value in metadata.items() if name != SHARED}
    return rest | {SHARED: others} if others else rest


def _look(folder: Path, files: Sequence[Path]) -> tuple[str, dict[str, Path], dict[str, str]]:
    """The folder's full path, and its files and their SHA-256 by relative path."""
    local = {_text(file.relative_to(folder)).replace(os.sep, "/"): file for file in files}
    return _text(folder.resolve()), local, {path: _sha256(file) for path, file in local.items()}


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
