"""Writes docs/reference from the code: settings, commands, routes, metrics, errors.

`python -m tools.reference` writes the pages; with `--check` it writes nothing and exits with 1 when one is stale.
"""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

import lumikb
from lumikb.api import errors
from lumikb.api.errors import STATUS_BY_ERROR
from lumikb.api.openapi import specification
from lumikb.cli.main import app as cli
from lumikb.kit.errors import LumiError
from lumikb.settings import ALIASES, Settings
from lumikb.wiring import Platform

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
SOURCES = Path(lumikb.__file__).parent
NOTICE = "<!-- Written by `make reference` from the code. Do not edit. -->"
VERBS = ("get", "post", "put", "patch", "delete")

Schema = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; gives the exit code."""
    stale = [name for name, text in pages().items() if _read(FOLDER / name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is stale: run `make reference`.", file=sys.stderr)
        return 1 if stale else 0
    for name, text in pages().items():
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(stale)} pages written." if stale else "All pages were up to date.")
    return 0


def pages() -> dict[str, str]:
    """The text of each page, by file name."""
    makers: dict[str, Callable[[], Iterator[str]]] = {
        "settings.md": settings_page,
        "cli.md": cli_page,
        "routes.md": routes_page,
        "metrics.md": metrics_page,
        "errors.md": errors_page,
    }
    return {name: "\n".join([NOTICE, "", *make()]).rstrip() + "\n" for name, make in makers.items()}


def settings_page() -> Iterator[str]:
    """Every field of `Settings`."""
    yield from (
        "# Settings",
        "",
        "The environment goes over `lumikb.toml` (in the working directory, or the file that `LUMIKB_CONFIG` names),",
        "that over the defaults. In the file a setting has its own name: `port = 8080`. `lumikb config show` prints",
        "every value and where it comes from; secrets are masked. A setting that cannot be used stops the start with a",
        "sentence that names it.",
        "",
        "| setting | environment | default | bounds | meaning |",
        "|---|---|---|---|---|",
    )
    for item in fields(Settings):
        low, high = item.metadata["min"], item.metadata["max"]
        bounds = "" if low is None else f"{low:,} to {high:,}"
        default = "empty" if item.default == "" else f"`{item.default}`"
        meaning = item.metadata["help"] + (" Secret." if item.metadata["secret"] else "")
        yield _row(f"`{item.name}`", f"`LUMIKB_{item.name.upper()}`", default, bounds, meaning)
    yield from ("", "## Names of other platforms", "", "Read with a notice where the LumiKB name is not set.", "")
    yield from ("| name | read as |", "|---|---|")
    for alias, name in ALIASES.items():
        target = "`host` and `port`" if name == "listen_addr" else f"`{name}`"
        yield _row(f"`{alias}`", target)


def cli_page() -> Iterator[str]:
    """Every command with its arguments and options."""
    root = typer.main.get_command(cli)
    yield from ("# Command line", "", root.help or "", "", "`lumikb COMMAND --help` shows the same.")
    for path, command in _commands(root, ("lumikb",)):
        arguments = [item for item in command.params if item.param_type_name == "argument"]
        options = [item for item in command.params if item.param_type_name == "option"]
        usage = " ".join([*path, *(_metavar(item) for item in arguments), *(["[OPTIONS]"] if options else [])])
        yield from ("", f"## {' '.join(path[1:])}", "", "```", usage, "```", "", command.help or "")
        if command.params:
            yield from ("", "| argument or option | meaning |", "|---|---|")
        for item in [*arguments, *options]:
            yield _row(_parameter(item), _parameter_help(item))


def routes_page() -> Iterator[str]:
    """Every route of the OpenAPI description, by its tag, then the bodies."""
    described = _platform()[0]
    yield from (
        "# Routes",
        "",
        "`/docs` of a running server shows the same with the types unfolded, `/openapi.json` has it for programs.",
        "`/api/x` is the same as `/api/v1/x`. Errors have one body: see [errors](errors.md). How to sign in, to stream",
        "and to resume: see [the API](../howto/api.md). `/metrics` is described in [metrics](metrics.md).",
    )
    groups: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, item in described["paths"].items():
        for verb in VERBS:
            if verb in item:
                tag = item[verb].get("tags", ["Health"])[0]
                groups.setdefault(tag, []).append((path, verb.upper(), item[verb]))
    groups["Health"].sort(key=lambda route: route[0])  # the framework keeps the paths of one handler as a set
    for tag, routes in groups.items():
        yield from ("", f"## {tag}")
        for path, verb, operation in routes:
            yield from _route(verb, path, operation)
    yield from ("", "## Bodies")
    for name, schema in sorted(described["components"]["schemas"].items()):
        yield from _body(name, schema)


def metrics_page() -> Iterator[str]:
    """Every metric of the registry."""
    yield from (
        "# Metrics",
        "",
        "`GET /metrics` in the Prometheus text format, for the addresses of the setting `metrics_allow`. `endpoint` is",
        "the template of a route, such as `/api/v1/jobs/{job_id:str}`, or `unmatched`.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    )
    for name, kind, labels, meaning in sorted(_platform()[1]):
        yield _row(f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), meaning)


def errors_page() -> Iterator[str]:
    """Every code that an error can carry."""
    yield from (
        "# Error codes",
        "",
        'An error over HTTP is `{"error": {"code", "message", "details", "request_id"}, "detail"}`; `detail` is the',
        "message, or for 422 the list of field errors. A document that FAILED has code and message in `last_error`, a",
        "job that failed in `error`. What to do about each: see [troubleshooting](../howto/troubleshooting.md).",
        "",
        "A code without a status belongs to a document, a job, a start or the command line. An upload that is refused",
        "at once because of its content carries such a code under 400, or 415 for a kind of file that nothing reads.",
        "",
        "| code | status | meaning |",
        "|---|---|---|",
    )
    for code, status, meaning in sorted(_error_classes()):
        yield _row(f"`{code}`", status, meaning)
    yield from ("", "Codes that are given in one place, without a class of their own:", "", "| code | message |")
    yield "|---|---|"
    for code, message in sorted(_literal_codes().items()):
        yield _row(f"`{code}`", message or "See troubleshooting.")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands below a group, in its order."""
    inner: dict[str, Any] | None = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, one in inner.items():
        yield from _commands(one, (*path, name))


def _metavar(item: Any) -> str:
    return item.metavar or item.name.upper()


def _parameter(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{_metavar(item)}`"
    names = ", ".join(f"`{name}`" for name in [*item.opts, *item.secondary_opts])
    return names if item.is_flag else f"{names} `{_metavar(item)}`"


def _parameter_help(item: Any) -> str:
    said = [item.help or ""]
    if item.required and item.param_type_name == "option":
        said.append("Required.")
    if item.default is not None and item.default != "" and not item.is_flag:
        said.append(f"Default: {item.default}.")
    if item.secondary_opts:
        said.append(f"Default: {item.opts[0] if item.default else item.secondary_opts[0]}.")
    return " ".join(said)


def _platform() -> tuple[Schema, list[tuple[str, str, tuple[str, ...], str]]]:
    """The OpenAPI description and the metrics (name, type, labels, meaning) of an application that is not opened."""
    with TemporaryDirectory() as folder:
        platform = Platform(Settings(data_dir=Path(folder)))
        described = specification(platform.app()._app)  # pyright: ignore
    collectors: Any = platform.registry._collector_to_names  # pyright: ignore
    metrics = [
        (one._name + ("_total" if one._type == "counter" else ""), one._type, one._labelnames, one._documentation)
        for one in collectors
    ]
    return described, metrics


def _route(verb: str, path: str, operation: Schema) -> Iterator[str]:
    yield from ("", f"### {verb} {path}", "", f"{operation.get('summary', '')}.".replace("?.", "?"))
    if operation.get("description"):
        yield from ("", operation["description"])
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("", "| parameter | type | meaning |", "|---|---|---|")
    for item in parameters:
        schema = item.get("schema", {})
        place = "path" if item["in"] == "path" else "required" if item.get("required") else _default(schema)
        yield _row(f"`{item['name']}`", _type(schema), " ".join(filter(None, [item.get("description", ""), place])))
    if "requestBody" in operation:
        yield from ("", f"Body: {_contents(operation['requestBody'])}.")
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            yield from ("", f"Answers {status}: {_contents(response)}.")


def _contents(part: Schema) -> str:
    kinds = [(kind, content.get("schema", {})) for kind, content in part.get("content", {}).items()]
    return ", or ".join(f"{_type(schema)} (`{kind}`)" for kind, schema in kinds) or "no body"


def _body(name: str, schema: Schema) -> Iterator[str]:
    yield from ("", f"### {_short(name)}", "", schema.get("description", "").strip())
    if "enum" in schema:
        yield from ("", f"One of {_type(schema)}.")
    if "properties" not in schema:
        return
    required = schema.get("required", [])
    yield from ("", "| field | type | |", "|---|---|---|")
    for field, inner in schema["properties"].items():
        facts = ["required"] if field in required else [_default(inner)]
        yield _row(f"`{field}`", _type(inner), " ".join([inner.get("description", ""), *facts]))


def _default(schema: Schema) -> str:
    return "" if schema.get("default") is None else f"Default: {schema['default']}."


def _short(name: str) -> str:
    """The name of a schema; a generic one carries the modules of its parts."""
    outer, _, inner = name.rstrip("_").partition("_")
    return f"{outer} of {inner.rpartition('.')[2]}" if inner else outer


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = _short(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{name.lower().replace(' ', '-')})"
    options = schema.get("oneOf") or schema.get("anyOf")
    if options is None and isinstance(schema.get("type"), list):
        options = [{**schema, "type": one} for one in schema["type"]]
    if options is not None:
        # null last, as a reader expects it
        return " or ".join(_type(one) for one in sorted(options, key=lambda one: one.get("type") == "null"))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and schema.get("additionalProperties"):
        return f"object of {_type(schema['additionalProperties'])}"
    if schema.get("format") in {"date-time", "binary"}:
        return {"date-time": "time", "binary": "file"}[schema["format"]]
    return schema.get("type", "anything")


def _error_classes() -> set[tuple[str, str, str]]:
    """Code, HTTP status and first line of the docstring of every error class that has a code."""
    for module in pkgutil.walk_packages(lumikb.__path__, "lumikb."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    found: set[tuple[str, str, str]] = set()
    waiting: list[type[LumiError]] = [LumiError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        status = next((str(status) for category, status in STATUS_BY_ERROR if issubclass(kind, category)), "–")
        if kind is not LumiError and kind.__module__.startswith("lumikb."):
            found.add((kind.code, status, (kind.__doc__ or "").strip().partition("\n")[0]))
    return found


def _literal_codes() -> dict[str, str]:
    """Codes written where an error is made, with the sentence beside them where that is a literal too."""
    known = {code for code, _, _ in _error_classes()}
    by_status: dict[int, str] = errors._CODES  # pyright: ignore
    found = {code: f"Answered with {status}." for status, code in by_status.items() if code not in known}
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            strings = _call_strings(node)
            code = next((text for text in strings if text.isupper() and "_" in text), None)
            if code is not None and code not in known and "LUMIKB" not in code:
                found.setdefault(code, next((text for text in strings if text.endswith(".")), ""))
    return found


def _call_strings(node: ast.AST) -> list[str]:
    """Literal strings given to what makes an error: a class, or the functions that write an error body."""
    if not isinstance(node, ast.Call):
        return []
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if not (name.endswith("Error") or name in {"error_body", "fail", "_fail", "_end"}):
        return []
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    return [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
