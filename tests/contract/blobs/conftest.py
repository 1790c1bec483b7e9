"""Both adapters of the blob store, the second on a real S3 server (moto) on a loopback port."""

import warnings
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import obstore
import pytest

from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.port import BlobStore
from lumikb.store.blobs.s3 import S3BlobStore, S3Location

with warnings.catch_warnings():
    # moto's own dependencies warn about each other on import.
    warnings.simplefilter("ignore")
    from moto.server import ThreadedMotoServer

BUCKET = "originals"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def s3_endpoint() -> Generator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with httpx.Client(trust_env=False) as client:
        client.put(f"{endpoint}/{BUCKET}").raise_for_status()
    yield endpoint
    server.stop()


@pytest.fixture
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def s3_location(s3_endpoint: str, without_proxy: None, tmp_path: Path) -> S3Location:
    """A prefix of its own for each test."""
    return S3Location(
        bucket=BUCKET,
        prefix=f"kb/{tmp_path.name}",
        endpoint=s3_endpoint,
        access_key_id="test",
        secret_access_key="test",
    )


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    return tmp_path / "incoming"


@pytest.fixture(params=["local", "s3"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path, incoming: Path) -> Callable[[], BlobStore]:
    """Makes stores, not yet opened, on the same blobs."""
    if request.param == "local":
        return lambda: LocalBlobStore(tmp_path / "blobs", incoming)
    location: S3Location = request.getfixturevalue("s3_location")
    return lambda: S3BlobStore(location, incoming)


@pytest.fixture
def put_foreign(store: BlobStore, tmp_path: Path) -> Callable[[str, bytes], None]:
    """Puts bytes under any relative path, behind the store's back."""

    def put(relative: str, data: bytes) -> None:
        if isinstance(store, LocalBlobStore):
            path = tmp_path / "blobs" / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return
        assert isinstance(store, S3BlobStore)
        obstore.put(store.client, relative, data)

    return put


@pytest.fixture
def store(make_store: Callable[[], BlobStore]) -> Generator[BlobStore]:
    opened = make_store()
    opened.open()
    yield opened
    opened.close()
