import json
import logging

import pytest

from lumikb.kit.telemetry import bind_log_facts, get_logger, set_up_logging


@pytest.fixture(autouse=True)
def _restored_logging() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("lumikb").setLevel(logging.NOTSET)
    bind_log_facts()


def test_a_json_line_carries_the_event_its_facts_and_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "info")
    bind_log_facts(request_id="abc")
    get_logger("lumikb.test").info("happened", count=3)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["count"], line["request_id"], line["level"]) == ("happened", 3, "abc", "info")
    assert line["timestamp"].endswith("Z")


def test_a_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("console", "info")
    secret = "hunter2-in-a-local"
    try:
        raise ValueError("boom" + secret[:0])
    except ValueError:
        get_logger("lumikb.test").exception("failed")
    printed = capsys.readouterr().err
    assert "ValueError: boom" in printed
    assert secret not in printed.replace('secret = "hunter2-in-a-local"', "")


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("console", "warning")
    get_logger("lumikb.test").info("quiet")
    logging.getLogger("somelibrary").info("quiet too")
    get_logger("lumikb.test").warning("loud", why="a b")
    assert capsys.readouterr().err.split("warning", 1)[1].strip() == 'loud why="a b"'
