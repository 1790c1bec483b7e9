"""Names of documents."""

import pytest

from lumikb.kit.errors import InvalidInputError
from lumikb.knowledge.models import NewDocument
from lumikb.knowledge.service import FILENAME_CHARS_MAX, checked


@pytest.mark.parametrize(
    ("sent", "kept", "told"),
    [
        ("report.pdf", "report.pdf", []),
        ("\u05d3\u05d5\u05d7.pdf", "\u05d3\u05d5\u05d7.pdf", []),
        ("a/../b.txt", "b.txt", ["NAME_CHANGED: a/../b.txt"]),
        ("\\\\host\\share\\b.txt", "b.txt", ["NAME_CHANGED: \\\\host\\share\\b.txt"]),
        (" b.txt ", "b.txt", ["NAME_CHANGED:  b.txt "]),
        (".profile.txt", "profile.txt", ["NAME_CHANGED: .profile.txt"]),
        ("a\0b\x85\u2028.txt", "ab.txt", ["NAME_CHANGED: a\ufffdb\ufffd\ufffd.txt"]),
        ("a\u202etxt.exe.txt", "atxt.exe.txt", ["NAME_CHANGED: a\ufffdtxt.exe.txt"]),
        ("x" * 300, "x" * 255, [f"NAME_CHANGED: {'x' * 255}"]),
        ("x" * 300 + ".txt", "x" * 251 + ".txt", [f"NAME_CHANGED: {'x' * 255}"]),
        ("x." + "y" * 2000, "x." + "y" * 253, [f"NAME_CHANGED: x.{'y' * 253}"]),
    ],
)
def test_a_name_is_kept_or_said_to_be_changed(sent: str, kept: str, told: list[str]) -> None:
    found = checked(NewDocument(sent))
    assert (found.filename, found.warnings) == (kept, told)
    assert len(found.filename) <= FILENAME_CHARS_MAX


@pytest.mark.parametrize("sent", ["", " ", "..", "a/..", "a/", "\n", "\\", ". ."])
def test_a_name_of_which_nothing_is_left_is_refused(sent: str) -> None:
    for field in ("filename", "name"):
        with pytest.raises(InvalidInputError) as refused:
            checked(NewDocument(sent), name_field=field)
        assert refused.value.details == {"field": field}
