import stat
from pathlib import Path

import pytest

from lumikb.cli.data_dir import DataDir, DataDirBusyError, DataDirUnusableError


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path / "data"), DataDir(tmp_path / "data")
    first.acquire()
    with pytest.raises(DataDirBusyError):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_an_announced_server_is_found_by_its_owner_only(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    data_dir.acquire()
    token = data_dir.announce("http://127.0.0.1:1")
    assert DataDir(tmp_path).running_server() == ("http://127.0.0.1:1", token)
    assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600
    data_dir.release()
    assert DataDir(tmp_path).running_server() is None


def test_what_a_killed_server_left_is_taken_down(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"url": "http://127.0.0.1:1", "token": "x"}')
    data_dir = DataDir(tmp_path)
    data_dir.acquire()
    assert data_dir.running_server() is None
    data_dir.release()


def test_an_unusable_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusableError, match="cannot be written"):
        DataDir(tmp_path / "file").acquire()


def test_a_directory_that_takes_no_new_file_is_told_and_left_unlocked(tmp_path: Path) -> None:
    (tmp_path / "server.new").mkdir()  # permissions would not hold root back
    with pytest.raises(DataDirUnusableError, match="LUMIKB_DATA_DIR"):
        DataDir(tmp_path).acquire()
    (tmp_path / "server.new").rmdir()
    data_dir = DataDir(tmp_path)
    data_dir.acquire()
    data_dir.release()
