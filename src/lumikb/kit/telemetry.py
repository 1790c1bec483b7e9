"""Log lines: an event's name and its facts, with the request's id, on standard error.

On the standard library: structlog would import rich and pygments with it, .25 s of every start (docs/decisions/0007).
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# Facts that every line of the present request or job carries.
_bound: ContextVar[dict[str, Any] | None] = ContextVar("bound_log_facts", default=None)

_FACTS = "lumikb_facts"


class EventLogger:
    """Writes events: `log.info("request", path="/", milliseconds=3)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **facts: Any) -> None:
        """Something for whoever looks closely."""
        self._write(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """Something that happened as it should."""
        self._write(logging.INFO, event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Something an operator may want to look at."""
        self._write(logging.WARNING, event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Something that failed. `exc_info` takes an exception whose traceback is to be shown."""
        self._write(logging.ERROR, event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        """An error with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, {"exc_info": True, **facts})

    def _write(self, level: int, event: str, facts: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            exc_info = facts.pop("exc_info", None)
            self._logger.log(level, event, exc_info=exc_info, extra={_FACTS: {**(_bound.get() or {}), **facts}})


def get_logger(name: str) -> EventLogger:
    """The logger of a module."""
    return EventLogger(name)


def bind_log_facts(**facts: Any) -> None:
    """Put these facts, and no others, on every line from here on in this context (a request)."""
    _bound.set(facts)


class _Formatter(logging.Formatter):
    """A line as text, or as JSON. Tracebacks show no local variables: these hold documents and credentials."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts: dict[str, Any] = getattr(record, _FACTS, {})
        traceback = self.formatException(record.exc_info) if record.exc_info else None
        if self._as_json:
            line = {"timestamp": moment, "level": record.levelname.lower(), "logger": record.name}
            line |= {"event": record.getMessage(), **facts} | ({"exception": traceback} if traceback else {})
            return json.dumps(line, default=str)
        text = f"{moment} {record.levelname.lower():7} {record.getMessage()}"
        for name, value in facts.items():
            text += f" {name}={value if _is_plain(value) else json.dumps(str(value))}"
        return f"{text}\n{traceback}" if traceback else text


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and value.isprintable() and " " not in value)


def set_up_logging(log_format: str, level: str) -> None:
    """Write log lines of this process as `console` or `json`, from `level` up; those of libraries from warning up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=log_format == "json"))
    threshold = getattr(logging, level.upper(), logging.INFO)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    logging.getLogger("lumikb").setLevel(threshold)
