import json
import sys

import pytest

from lumikb.cli.main import exit_code, main
from lumikb.kit import errors
from lumikb.settings import SettingError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.LumiError("x"), 1),
        (errors.ConflictError("x"), 1),
        (errors.InvalidInputError("x"), 2),
        (SettingError("x"), 2),
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


@pytest.mark.parametrize(
    ("arguments", "code", "error_code"),
    [
        (["search"], 2, "USAGE"),
        (["kb", "delete", "x"], 2, "VALIDATION_ERROR"),
        (["kb", "list"], 2, "INVALID_SETTING"),
    ],
)
def test_with_json_an_error_is_a_json_object_too(
    arguments: list[str],
    code: int,
    error_code: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["lumikb", *arguments, "--json"])
    monkeypatch.setenv("LUMIKB_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LUMIKB_API_KEY", "")
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (code, "")
    body = json.loads(shown.err)
    assert set(body) == {"error", "detail"}
    assert set(body["error"]) == {"code", "message", "details", "request_id"}
    assert body["error"]["code"] == error_code
    assert body["detail"] == body["error"]["message"]


def test_no_arguments_show_the_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["lumikb"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "ingest" in capsys.readouterr().out
