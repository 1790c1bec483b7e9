"""The contract of `BlobStore`, for every adapter."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lumikb.store.blobs.errors import BlobDamagedError, BlobNotFoundError, BlobTooLargeError
from lumikb.store.blobs.intact import intact_stream
from lumikb.store.blobs.port import HEAD_BYTES, STREAM_CHUNK_BYTES_MAX, BlobStore, blob_path

pytestmark = pytest.mark.anyio

LARGE = os.urandom(1 << 20) * 9 + b"tail"
MISSING = "0" * 64


async def chunked(data: bytes, size_bytes: int = 65_536) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size_bytes):
        yield data[at : at + size_bytes]


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def collect(store: BlobStore, sha256: str, start: int = 0, end: int | None = None) -> list[bytes]:
    return [chunk async for chunk in store.stream(sha256, start=start, end=end)]


@pytest.mark.parametrize("data", [b"", b"one", b"x" * HEAD_BYTES, LARGE], ids=["empty", "small", "head", "multipart"])
async def test_what_is_put_can_be_read(store: BlobStore, data: bytes) -> None:
    blob = await store.put(chunked(data), size_bytes_max=len(data))
    assert blob.sha256 == hashlib.sha256(data).hexdigest()
    assert blob.size_bytes == len(data) == store.size(blob.sha256)
    assert blob.head == data[:HEAD_BYTES]
    assert store.exists(blob.sha256)
    assert store.read(blob.sha256) == data
    with store.local_copy(blob.sha256) as path:
        assert path.read_bytes() == data


async def test_bytes_and_streams_share_addresses(store: BlobStore) -> None:
    streamed = await store.put(chunked(b"same"), size_bytes_max=100)
    assert store.put_bytes(b"same") == streamed
    assert list(store.list()) == [streamed.sha256]


async def test_a_blob_survives_the_store_object(make_store: Callable[[], BlobStore]) -> None:
    first = make_store()
    first.open()
    blob = first.put_bytes(b"kept")
    first.close()
    second = make_store()
    second.open()
    assert second.read(blob.sha256) == b"kept"
    second.close()


async def test_too_large_leaves_nothing(store: BlobStore, incoming: Path) -> None:
    with pytest.raises(BlobTooLargeError) as caught:
        await store.put(chunked(b"x" * 1001, 100), size_bytes_max=1000)
    assert caught.value.stable_code == "FILE_TOO_LARGE"
    assert caught.value.details == {"size_bytes_max": 1000}
    assert list(store.list()) == []
    assert names(incoming) == []


async def test_a_source_that_fails_leaves_nothing_and_its_error_passes(store: BlobStore, incoming: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("client went away")

    with pytest.raises(OSError, match="client went away"):
        await store.put(broken(), size_bytes_max=100)
    assert names(incoming) == []


async def test_cancellation_leaves_nothing(store: BlobStore, incoming: Path) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * STREAM_CHUNK_BYTES_MAX
            started.set()
            await asyncio.sleep(0.001)

    task = asyncio.create_task(store.put(endless(), size_bytes_max=1 << 40))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(incoming) == []


async def test_the_same_bytes_put_at_once_are_one_blob(store: BlobStore, incoming: Path) -> None:
    blobs = await asyncio.gather(*(store.put(chunked(b"race" * 1000), size_bytes_max=10_000) for _ in range(5)))
    assert len(set(blobs)) == 1
    assert list(store.list()) == [blobs[0].sha256]
    assert names(incoming) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 1), (5, 5), (10, 2_000_000), (len(LARGE) - 1, None), (3, len(LARGE) + 9), (len(LARGE) + 1, None)],
)
async def test_a_range_is_streamed_in_bounded_chunks(store: BlobStore, start: int, end: int | None) -> None:
    sha256 = store.put_bytes(LARGE).sha256
    chunks = await collect(store, sha256, start, end)
    assert b"".join(chunks) == LARGE[start:end]
    assert all(0 < len(chunk) <= STREAM_CHUNK_BYTES_MAX for chunk in chunks)


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4)])
async def test_a_senseless_range_is_refused(store: BlobStore, start: int, end: int | None) -> None:
    sha256 = store.put_bytes(b"0123456789").sha256
    with pytest.raises(ValueError, match="range"):
        await collect(store, sha256, start, end)


async def test_a_limit_on_reading_is_kept(store: BlobStore) -> None:
    sha256 = store.put_bytes(b"0123456789").sha256
    assert store.read(sha256, size_bytes_max=10) == b"0123456789"
    with pytest.raises(BlobTooLargeError):
        store.read(sha256, size_bytes_max=9)


async def test_a_damaged_blob_is_not_read(store: BlobStore, put_foreign: Callable[[str, bytes], None]) -> None:
    sha256 = hashlib.sha256(b"0123456789").hexdigest()
    put_foreign(blob_path(sha256), b"01234")
    with pytest.raises(BlobDamagedError):
        store.read(sha256)
    with pytest.raises(BlobDamagedError), store.local_copy(sha256):
        pass
    with pytest.raises(BlobDamagedError):
        await anext(intact_stream(store.stream(sha256), sha256))


@pytest.mark.parametrize("data", [b"", b"0123456789", b"x" * (3 * STREAM_CHUNK_BYTES_MAX + 7)])
async def test_an_intact_blob_passes_whole(store: BlobStore, data: bytes) -> None:
    sha256 = store.put_bytes(data).sha256
    assert b"".join([chunk async for chunk in intact_stream(store.stream(sha256), sha256)]) == data


async def test_a_missing_blob_is_not_found(store: BlobStore) -> None:
    assert not store.exists(MISSING)
    with pytest.raises(BlobNotFoundError):
        store.read(MISSING)
    with pytest.raises(BlobNotFoundError):
        store.size(MISSING)
    with pytest.raises(BlobNotFoundError):
        store.measure(MISSING)
    with pytest.raises(BlobNotFoundError):
        await collect(store, MISSING)
    with pytest.raises(BlobNotFoundError), store.local_copy(MISSING):
        pass


@pytest.mark.parametrize("damaged", [b"another", b"whole and soun", b"whole and rotten", b""])
async def test_a_damaged_blob_is_told_by_its_measure_and_replaced_by_the_same_bytes(
    store: BlobStore, put_foreign: Callable[[str, bytes], None], tmp_path: Path, damaged: bytes
) -> None:
    data = b"whole and sound!"
    blob = store.put_bytes(data)
    assert store.measure(blob.sha256) == blob
    taken = tmp_path / "taken"
    for put in (
        lambda: store.put_bytes(data),
        lambda: asyncio.run(store.put(chunked(data), size_bytes_max=100)),
        lambda: store.take_file(taken, blob),
    ):
        put_foreign(blob_path(blob.sha256), damaged)
        assert store.measure(blob.sha256).sha256 == hashlib.sha256(damaged).hexdigest()
        taken.write_bytes(data)
        await asyncio.to_thread(put)
        assert store.measure(blob.sha256) == blob
    assert list(store.list()) == [blob.sha256]


async def test_a_large_blob_is_measured_whole(store: BlobStore) -> None:
    blob = store.put_bytes(LARGE)
    assert store.measure(blob.sha256) == blob


async def test_deleting_twice_is_deleting_once(store: BlobStore) -> None:
    sha256 = store.put_bytes(b"gone").sha256
    store.delete(sha256)
    store.delete(sha256)
    assert not store.exists(sha256)
    assert list(store.list()) == []


@pytest.mark.parametrize("address", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 63 + "/", "0" * 64 + "\n"])
async def test_a_malformed_address_is_refused(store: BlobStore, address: str) -> None:
    for call in (store.read, store.size, store.exists, store.measure, store.delete):
        with pytest.raises(ValueError, match="64 lower-case hex"):
            call(address)
    with pytest.raises(ValueError, match="64 lower-case hex"):
        await collect(store, address)
    with pytest.raises(ValueError, match="64 lower-case hex"), store.local_copy(address):
        pass


async def test_all_blobs_are_listed(store: BlobStore) -> None:
    expected = {store.put_bytes(str(number).encode()).sha256 for number in range(20)}
    listed = list(store.list())
    assert len(listed) == 20
    assert set(listed) == expected


async def test_what_lies_in_the_wrong_place_is_listed_apart(
    store: BlobStore, put_foreign: Callable[[str, bytes], None]
) -> None:
    sha256 = store.put_bytes(b"in its place").sha256
    wrong = [f"{first}/{second}/{sha256}" for first, second in (("00", "11"), ("deep/er/00", "11"))] + [sha256]
    for relative in wrong:
        put_foreign(relative, b"in its place")
    put_foreign("00/11/notes.txt", b"nothing of ours")
    assert list(store.list()) == [sha256]
    assert sorted(store.list_strays()) == sorted([*wrong, "00/11/notes.txt"])
    for relative in wrong:
        store.delete_misplaced(relative)
    assert list(store.list_strays()) == ["00/11/notes.txt"]
    assert store.read(sha256) == b"in its place"
    for relative in (f"{sha256[:2]}/{sha256[2:4]}/{sha256}", "00/11/notes.txt", f"../{sha256}", f"/{sha256}"):
        with pytest.raises(ValueError, match="wrong place"):
            store.delete_misplaced(relative)


async def test_a_blob_is_announced_before_it_is_there(store: BlobStore) -> None:
    announced: list[tuple[str, bool]] = []
    blob = await store.put(
        chunked(b"news"),
        size_bytes_max=4,
        announce=lambda blob: announced.append((blob.sha256, store.exists(blob.sha256))),
    )
    assert announced == [(blob.sha256, False)]


async def test_only_old_spool_files_are_swept(store: BlobStore, incoming: Path) -> None:
    old, new = incoming / "old.part", incoming / "new.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (time.time() - 7200,) * 2)
    assert store.sweep_incoming(3600) == 1
    assert names(incoming) == ["new.part"]


async def test_a_healthy_store_says_so(store: BlobStore) -> None:
    store.check()


async def test_the_loop_runs_on_while_a_blob_is_put(store: BlobStore) -> None:
    longest, running = 0.0, True

    async def heartbeat() -> None:
        nonlocal longest
        while running:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    beat = asyncio.create_task(heartbeat())
    await store.put(chunked(LARGE), size_bytes_max=len(LARGE))
    running = False
    await beat
    # Hashing and fsync of 9 MiB take some 30 ms here; the bound leaves room for a busy machine.
    assert longest < 0.5
