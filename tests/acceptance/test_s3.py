"""The main job with the original files in an S3 store."""

import os
import warnings
from collections.abc import Callable, Generator

import httpx
import pytest
from support.server import LumiServer

from .main_job import check_main_job, check_survives

with warnings.catch_warnings():
    # moto's own dependencies warn about each other on import.
    warnings.simplefilter("ignore")
    from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]


@pytest.fixture
def endpoint() -> Generator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with httpx.Client(trust_env=False) as client:
        client.put(f"http://{host}:{port}/originals").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


def test_the_main_job_and_what_is_left_of_it_after_a_restart(
    serve: ServerFactory, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower() in {"http_proxy", "https_proxy", "all_proxy"}]:
        monkeypatch.delenv(name)
    server = serve(
        blob_url="s3://originals/kb", s3_endpoint=endpoint, s3_access_key_id="test", s3_secret_access_key="test"
    )
    with server.client() as api:
        check_main_job(api, "Opera")
    assert not list((server.data_dir / "blobs").glob("*")) if (server.data_dir / "blobs").exists() else True
    assert server.stop() == 0
    server.start()
    with server.client() as api:
        check_survives(api, "Opera")
