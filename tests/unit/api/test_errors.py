"""Errors become answers in one place."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Request

import lumikb
from lumikb.api.errors import error_body, on_any_error, on_lumi_error, status_of
from lumikb.http.context import RequestContext, current_request
from lumikb.http.ranges import RangeNotSatisfiableError
from lumikb.kit import errors


def errors_of_the_package() -> Iterator[type[errors.LumiError]]:
    for module in pkgutil.walk_packages(lumikb.__path__, "lumikb."):
        if module.name.endswith("errors"):
            importlib.import_module(module.name)
    waiting: list[type[errors.LumiError]] = [errors.LumiError]
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += kind.__subclasses__()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.MalformedRequestError, 400),
        (errors.UnauthenticatedError, 401),
        (errors.ForbiddenError, 403),
        (errors.NotFoundError, 404),
        (errors.ConflictError, 409),
        (errors.ExpiredError, 410),
        (errors.TooLargeError, 413),
        (errors.UnsupportedTypeError, 415),
        (RangeNotSatisfiableError, 416),
        (errors.InvalidInputError, 422),
        (errors.BusyError, 429),
        (errors.UnavailableError, 503),
        (errors.TimedOutError, 504),
        (errors.LumiError, 500),
    ],
)
def test_each_category_has_its_status(kind: type[errors.LumiError], status: int) -> None:
    class Narrower(kind):  # type: ignore[valid-type, misc]
        """A slice's own."""

    assert status_of(kind("why")) == status
    assert status_of(Narrower("why")) == status


def test_every_code_is_stable_and_says_one_thing() -> None:
    for kind in errors_of_the_package():
        assert kind.code == kind.code.upper()
        assert kind.__doc__, kind


def test_the_body_holds_code_message_facts_and_request() -> None:
    token = current_request.set(RequestContext("request-1", None, None))
    try:
        body = error_body("CODE", "A sentence.", {"a": 1})
    finally:
        current_request.reset(token)
    assert (body.error.code, body.error.message, body.error.details) == ("CODE", "A sentence.", {"a": 1})
    assert body.error.request_id == "request-1"
    assert body.detail == "A sentence."


def test_a_refusal_of_credentials_names_the_scheme() -> None:
    response = on_lumi_error(None, errors.UnauthenticatedError("Sign in."))  # type: ignore[arg-type]
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("field", "source"), [("name", "body"), ("", "body"), ("limit", "query"), ("Idempotency-Key", "header")]
)
def test_a_refused_field_is_told_as_a_list_with_where_it_stands(field: str, source: str) -> None:
    request: Any = Request({"type": "http", "query_string": b"limit=0", "headers": []})  # type: ignore[arg-type]
    response: Any = on_lumi_error(request, errors.InvalidInputError("Too long.", field=field))
    assert response.content.detail == [{"loc": [source, field], "msg": "Too long.", "type": "value_error"}]


def test_who_is_to_wait_is_told_how_long() -> None:
    response = on_lumi_error(None, errors.BusyError("Wait."))  # type: ignore[arg-type]
    assert int(response.headers["Retry-After"]) > 0
    response = on_lumi_error(None, errors.BusyError("Wait.", retry_after_seconds=42))  # type: ignore[arg-type]
    assert response.headers["Retry-After"] == "42"


def test_a_defect_tells_nothing_of_itself() -> None:
    response: Any = on_any_error(None, RuntimeError("SELECT secret FROM /home/me"))  # type: ignore[arg-type]
    assert response.status_code == 500
    assert "secret" not in str(response.content)
    assert response.content.error.code == "INTERNAL_ERROR"
