from pathlib import Path

import pytest

from lumikb.cli.configuration import MASK, shown_settings
from lumikb.settings import default_data_dir, load_settings


def test_secrets_are_masked_and_origins_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = {row["key"]: row for row in shown_settings(load_settings({"LUMIKB_API_KEY": "lkb_abc", "PORT": "81"}))}
    assert (shown["api_key"]["value"], shown["api_key"]["origin"]) == (MASK, "LUMIKB_API_KEY")
    assert (shown["jwt_secret"]["value"], shown["jwt_secret"]["origin"]) == ("", "default")
    assert (shown["port"]["value"], shown["port"]["origin"]) == (81, "PORT")
    assert "lkb_abc" not in str(shown)


def test_the_data_directory_of_the_working_directory_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    assert default_data_dir({"XDG_DATA_HOME": "/xdg"}) == Path("/xdg/lumikb")
    (tmp_path / "lumikb-data").mkdir()
    assert default_data_dir({"XDG_DATA_HOME": "/xdg"}) == Path("lumikb-data")


@pytest.mark.parametrize(
    ("platform", "environ", "under_home"),
    [
        ("linux", {}, ".local/share/lumikb"),
        ("linux", {"XDG_DATA_HOME": "not/absolute"}, ".local/share/lumikb"),
        ("darwin", {}, "Library/Application Support/LumiKB"),
    ],
)
def test_else_it_is_the_users_data_folder(
    platform: str, environ: dict[str, str], under_home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_data_dir(environ) == Path("/home/somebody") / under_home
