import sys

import pytest

from lumikb.cli.main import exit_code, main
from lumikb.kit import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.LumiError("x"), 1),
        (errors.ConflictError("x"), 1),
        (errors.InvalidInputError("x"), 2),
        (errors.NotFoundError("x"), 3),
        (errors.UnauthenticatedError("x"), 4),
        (errors.ForbiddenError("x"), 4),
    ],
)
def test_every_category_has_its_exit_code(error: errors.LumiError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "lumikb: No such command 'nonsense'. See `lumikb --help`.\n"),
        (["ingest", "/nowhere/at/all", "--kb", "x"], 2, "does not exist"),
        (["search"], 2, "QUERY"),
        (["search", "x", "--limit", "99"], 2, "--limit"),
        (["kb", "delete", "x"], 2, "lumikb: Nobody is here to confirm it: give --yes.\n"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exits_with_two(
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["lumikb", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert ended.value.code == code
    assert shown.out == ""
    assert shown.err.startswith("lumikb: ")
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_no_arguments_show_the_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["lumikb"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "ingest" in capsys.readouterr().out
