"""No adapter lets an error of its vendor out."""

import errno
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn

import pytest

from lumikb.store.blobs.errors import BlobNotFoundError, BlobStoreUnavailableError
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.port import BlobStore
from lumikb.store.blobs.s3 import S3BlobStore, S3Location

pytestmark = pytest.mark.anyio

ADDRESS = "0" * 64


async def chunks() -> AsyncIterator[bytes]:
    yield b"data"


def any_file(directory: Path) -> bool:
    return any(path.is_file() for path in directory.rglob("*"))


async def assert_unavailable(store: BlobStore) -> None:
    calls: list[Callable[[], object]] = [
        store.check,
        lambda: store.put_bytes(b"data"),
        lambda: store.read(ADDRESS),
        lambda: store.size(ADDRESS),
        lambda: store.exists(ADDRESS),
        lambda: store.delete(ADDRESS),
        lambda: list(store.list()),
    ]
    for call in calls:
        with pytest.raises(BlobStoreUnavailableError) as caught:
            call()
        assert caught.value.details == {"service": "blobs"}
    with pytest.raises(BlobStoreUnavailableError):
        await store.put(chunks(), size_bytes_max=10)
    with pytest.raises(BlobStoreUnavailableError):
        [chunk async for chunk in store.stream(ADDRESS)]
    with pytest.raises(BlobStoreUnavailableError), store.local_copy(ADDRESS):
        pass


async def test_a_server_that_is_down(tmp_path: Path, without_proxy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lumikb.store.blobs.s3._RETRY", {"max_retries": 0})
    # Port 9 (discard) has no listener.
    location = S3Location("bucket", endpoint="http://127.0.0.1:9", access_key_id="a", secret_access_key="b")
    store = S3BlobStore(location, tmp_path / "incoming")
    store.open()
    await assert_unavailable(store)
    assert not any_file(tmp_path / "incoming")


async def test_a_bucket_that_is_missing(s3_location: S3Location, tmp_path: Path) -> None:
    location = S3Location("nowhere", endpoint=s3_location.endpoint, access_key_id="a", secret_access_key="b")
    store = S3BlobStore(location, tmp_path / "incoming")
    store.open()
    with pytest.raises(BlobStoreUnavailableError):
        store.check()
    with pytest.raises(BlobStoreUnavailableError):
        store.put_bytes(b"data")


async def test_a_store_that_is_closed(s3_location: S3Location, tmp_path: Path) -> None:
    store = S3BlobStore(s3_location, tmp_path / "incoming")
    store.open()
    store.close()
    await assert_unavailable(store)


async def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file, no directory")
    with pytest.raises(BlobStoreUnavailableError):
        LocalBlobStore(tmp_path / "blobs", tmp_path / "incoming").open()


async def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/path")

    store = LocalBlobStore(tmp_path / "blobs", tmp_path / "incoming")
    store.open()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BlobStoreUnavailableError, match="No space left") as caught:
        await store.put(chunks(), size_bytes_max=10)
    assert "/secret" not in str(caught.value)
    assert not any_file(tmp_path / "incoming")
    assert list(store.list()) == []


async def test_a_file_removed_by_hand_is_not_found(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs", tmp_path / "incoming")
    store.open()
    sha256 = store.put_bytes(b"data").sha256
    next((tmp_path / "blobs").glob("??/??/*")).unlink()
    with pytest.raises(BlobNotFoundError):
        store.read(sha256)
