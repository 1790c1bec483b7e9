"""A start that cannot succeed ends in one sentence."""

import socket
from pathlib import Path

import pytest

from .test_cli import Cli

pytestmark = pytest.mark.acceptance

SECRET = "s3cr3t"


def refused(data_dir: Path, *arguments: object, code: int, **settings: str) -> str:
    """What the command says on standard error, checked to be one sentence without a secret."""
    out, err = Cli(data_dir, **settings)(*arguments, code=code)
    assert out == ""
    assert err.startswith("lumikb: ")
    assert err.count("\n") == 1
    assert SECRET not in err
    return err


@pytest.mark.parametrize("arguments", [("serve", "--port", 0), ("kb", "list")], ids=str)
def test_a_database_that_does_not_answer(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    url = f"postgresql://user:{SECRET}@127.0.0.1:9/name"
    said = refused(tmp_path / "data", *arguments, code=1, database_url=url)
    assert "LUMIKB_DATABASE_URL" in said
    assert "nothing listens" in said


def test_a_database_url_that_is_none(tmp_path: Path) -> None:
    url = f"postgresql://user:{SECRET}@127.0.0.1:port/name"
    assert "postgresql://user:password@host" in refused(tmp_path / "data", "serve", code=2, database_url=url)


def test_a_record_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lumikb.sqlite3").write_bytes(b"not a database, " * 100)
    assert "restore a backup" in refused(tmp_path / "data", "serve", "--port", 0, code=1)


def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "LUMIKB_DATA_DIR" in refused(tmp_path / "data", "serve", "--port", 0, code=1)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path / "data", "serve", "--port", port, code=1)
    assert f"Port {port} " in said
    assert "LUMIKB_PORT" in said


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", "serve", "--host", "192.0.2.1", "--port", 0, code=1)
    assert "LUMIKB_HOST" in said


def test_a_bucket_that_does_not_answer(tmp_path: Path) -> None:
    settings = {"blob_url": "s3://bucket", "s3_endpoint": "http://127.0.0.1:9", "s3_access_key_id": "id"}
    said = refused(tmp_path / "data", "serve", "--port", 0, code=1, s3_secret_access_key=SECRET, **settings)
    assert "LUMIKB_S3_ENDPOINT" in said
