"""From settings to the adapter."""

from pathlib import Path

import pytest

from lumikb.settings import SettingError, Settings
from lumikb.store.blobs.factory import open_blob_store
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.s3 import S3BlobStore, S3Location


def test_without_a_url_blobs_lie_in_the_data_directory(tmp_path: Path) -> None:
    store = open_blob_store(Settings(data_dir=tmp_path))
    assert isinstance(store, LocalBlobStore)
    sha256 = store.put_bytes(b"here").sha256
    assert (tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256).read_bytes() == b"here"


def test_an_s3_url_names_bucket_and_prefix(tmp_path: Path, s3_location: S3Location) -> None:
    store = open_blob_store(
        Settings(
            data_dir=tmp_path,
            blob_url=f"s3://{s3_location.bucket}/{s3_location.prefix}/",
            s3_endpoint=s3_location.endpoint,
            s3_access_key_id="test",
            s3_secret_access_key="test",
        )
    )
    assert isinstance(store, S3BlobStore)
    sha256 = store.put_bytes(b"there").sha256
    other = S3BlobStore(s3_location, tmp_path / "incoming")
    other.open()
    assert other.read(sha256) == b"there"


@pytest.mark.parametrize("url", ["gs://bucket", "s3://", "bucket", "file:///tmp"])
def test_a_url_that_no_adapter_reads_is_a_setting_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match="blob_url"):
        open_blob_store(Settings(data_dir=tmp_path, blob_url=url))
