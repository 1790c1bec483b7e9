from pathlib import Path

import pytest

from lumikb.cli.files import find_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "a.TXT", "song.mp3", ".hidden.md", "README", "sub/c.docx", "sub/.git/d.md"):
        file = tmp_path / "papers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "papers"


def names(files: list[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_folder_gives_its_readable_files_in_order_without_hidden_ones(folder: Path) -> None:
    found = find_files([folder])
    assert names(found.chosen, folder) == ["a.TXT", "b.md", "sub/c.docx"]
    assert names(found.skipped, folder) == ["README", "song.mp3"]


def test_a_file_that_is_reached_twice_is_taken_once(folder: Path) -> None:
    assert names(find_files([folder / "b.md", folder, folder / "sub"]).chosen, folder) == [
        "b.md",
        "a.TXT",
        "sub/c.docx",
    ]


def test_a_file_given_by_name_may_lack_an_extension_or_be_hidden(folder: Path) -> None:
    found = find_files([folder / "README", folder / ".hidden.md", folder / "song.mp3"])
    assert names(found.chosen, folder) == ["README", ".hidden.md"]
    assert names(found.skipped, folder) == ["song.mp3"]


def test_links_to_folders_are_not_followed_and_broken_links_are_left_out(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "gone.md").symlink_to(folder / "nowhere.md")
    assert names(find_files([folder]).chosen, folder) == ["a.TXT", "b.md", "sub/c.docx"]
