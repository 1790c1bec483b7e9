"""Every setting, typed and documented: the only reader of the environment.

Order of precedence: environment (`LUMIKB_<NAME>`), then `lumikb.toml` (working directory, or `LUMIKB_CONFIG`), then the
defaults below. Names of the source platforms are read as aliases, with a notice.
"""

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lumikb.kit.errors import LumiError

ALIASES = {
    "PORT": "port",
    "LISTEN_ADDR": "listen_addr",
    "DATABASE_URL": "database_url",
    "JWT_SECRET": "jwt_secret",
    "CORS_ORIGINS": "cors_origins",
    "ADMIN_EMAIL": "admin_email",
    "ADMIN_PASSWORD": "admin_password",
}


class SettingError(LumiError):
    """A setting has a value that cannot be used; the message names it, where it came from and what it may be."""

    code = "INVALID_SETTING"


# What SQLAlchemy reads as one server; a second @ would make part of the password the name of a host.
_DATABASE_URL = re.compile(
    r"postgresql\+psycopg://(?:[^@\s]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^@\s/:?\[\]]*)(?::\d{1,5})?(?:/[^@\s/?]*)?(?:\?\S*)?"
)
# A name of labels as DNS has them, or an address in brackets; no user name, query or fragment.
_LLM_BASE_URL = re.compile(
    r"https?://(?:\[[0-9A-Fa-f:.]+\]|[\w-]{1,63}(?:\.[\w-]{1,63})*)(?::(?P<port>\d{1,5}))?(?:/[^\s?#@]*)?", re.ASCII
)


def setting(
    default: Any,
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A field of `Settings` with its help, its inclusive bounds or choices, and whether it is masked when shown."""
    facts = {"help": help_text, "min": low, "max": high, "choices": choices, "secret": secret}
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class Settings:
    """All settings of one process. Sizes in bytes, times in seconds, unless the name says otherwise."""

    host: str = setting("127.0.0.1", "Address the HTTP server listens on.")
    port: int = setting(8080, "Port of the HTTP server.", low=0, high=65535)
    data_dir: Path = setting(
        Path("lumikb-data"),
        "Directory of everything LumiKB keeps on this machine; the default is `./lumikb-data` where that exists, else "
        "`lumikb` in the user's data folder.",
    )
    database_url: str = setting(
        "",
        "The record: empty for SQLite in the data directory, or `postgresql://user:password@host/name`.",
        secret=True,
    )
    blob_url: str = setting("", "Original files: empty for the data directory, or `s3://bucket/prefix`.")
    s3_endpoint: str = setting("", "Endpoint of an S3-compatible server; empty for AWS.")
    s3_access_key_id: str = setting("", "S3 access key id.")
    s3_secret_access_key: str = setting("", "S3 secret access key.", secret=True)
    s3_region: str = setting("us-east-1", "S3 region.")
    jwt_secret: str = setting(
        "",
        "Key that signs access tokens, at least 32 characters; empty: made once and kept in the data directory.",
        secret=True,
    )
    token_life_seconds: int = setting(86_400, "Life of an access token.", low=60, high=31_536_000)
    session_life_seconds: int = setting(
        2_592_000,
        "Life of a session, which a refresh token can prolong its access token within.",
        low=60,
        high=31_536_000,
    )
    rate_login_per_minute: int = setting(
        10,
        "Sign-ins to an account from one client address that may go wrong within a minute; beyond that none is tried.",
        low=1,
        high=100_000,
    )
    admin_email: str = setting(
        "", "E-mail address of the first administrator; with `admin_password`, replaces the one-time link."
    )
    admin_password: str = setting("", "Password of the first administrator, at least 8 characters.", secret=True)
    cors_origins: str = setting(
        "", "Origins that may call from a browser, separated by commas; empty: same origin only."
    )
    upload_bytes_max: int = setting(104_857_600, "Largest file that is accepted.", low=1, high=1 << 40)
    upload_open_seconds: int = setting(
        86_400,
        "Time in which a direct upload is sent and completed; then its link ends and what arrived is erased. S3 signs "
        "for a week at most.",
        low=1,
        high=604_800,
    )
    request_bytes_max: int = setting(
        10_485_760, "Largest request body that is not a file upload.", low=1024, high=1 << 30
    )
    answer_seconds_max: float = setting(60.0, "Bound on an answer that is not streamed.", low=1, high=3600)
    fetch_seconds_max: float = setting(30.0, "Bound on fetching a document from an address.", low=1, high=600)
    fetch_private: bool = setting(
        False, "Whether documents may be fetched from this machine and its network, not only from the public web."
    )
    header_seconds_max: float = setting(15.0, "Bound on the arrival of a request's headers.", low=0.1, high=600)
    header_bytes_max: int = setting(65_536, "Size of a request's headers.", low=4096, high=1 << 24)
    heartbeat_seconds: float = setting(15.0, "Time between comment lines on an event stream.", low=0.05, high=300)
    stream_hold_seconds: float = setting(
        1.0,
        "Time that a streamed answer waits for its first token before its first byte, so that a model that fails at "
        "once is answered by an error status.",
        low=0,
        high=60,
    )
    drain_seconds: int = setting(30, "Time that open requests and jobs have to end at shutdown.", low=0, high=600)
    ingest_workers: int = setting(
        2, "Documents that are processed at the same time by one process, beside a small one.", low=1, high=64
    )
    parse_seconds_max: float = setting(
        30.0, "Bound on the processor time of parsing one document, and on half of its wall clock.", low=1, high=3600
    )
    parse_memory_bytes_max: int = setting(
        1_073_741_824, "Bound on the address space of a parser's process.", low=1 << 28, high=1 << 40
    )
    parse_text_chars_max: int = setting(
        50_000_000, "Longest text that is taken from one document, in characters.", low=1000, high=1 << 32
    )
    parse_documents_per_process: int = setting(
        50, "Documents after which a parser's process is replaced.", low=1, high=100_000
    )
    ingest_attempts_max: int = setting(
        3, "Tries that a document gets when something other than the document fails.", low=1, high=100
    )
    jobs_kept_days: int = setting(30, "Time after which a job that has ended is forgotten.", low=1, high=3650)
    ocr_languages: str = setting(
        "eng", "Languages of scans and images, as Tesseract names them, joined by `+`: `eng+deu`."
    )
    ocr_seconds_max: float = setting(
        1800.0,
        "Bound on reading one document of scanned pages; each page is bounded as a document is.",
        low=1,
        high=86_400,
    )
    ocr_data_dir: str = setting("", "Directory of Tesseract's data; empty: where systems keep it.")
    chunk_tokens: int = setting(254, "Largest chunk, in tokens of the embedding model.", low=16, high=254)
    chunk_overlap: int = setting(32, "Overlap of neighbouring chunks, in tokens.", low=0, high=128)
    chunk_strategy: str = setting(
        "headings",
        "Where chunks begin and end: at headings, else at paragraphs and sentences; filled with sentences across "
        "headings; or of a fixed size.",
        choices=("headings", "sentences", "fixed"),
    )
    embedding_model: str = setting(
        "all-MiniLM-L6-v2",
        "Embedding model of passages. The second one multiplies 8-bit integers: faster, and a little less exact.",
        choices=("all-MiniLM-L6-v2", "all-MiniLM-L6-v2-int8"),
    )
    token_vectors: bool = setting(
        True,
        "Whether passages keep a vector of each of their tokens, one bit a dimension: searches rank and answers choose "
        "better by them, at 50 bytes a token.",
    )
    embedding_threads: int = setting(2, "Threads of the embedding model.", low=1, high=256)
    embedding_engine: str = setting(
        "auto", "Engine of the embedding model: auto, openvino or onnx.", choices=("auto", "openvino", "onnx")
    )
    llm_base_url: str = setting(
        "",
        "Language model that answers: the address of any endpoint in OpenAI's format, such as "
        "`https://api.openai.com/v1` or `http://127.0.0.1:11434/v1` (Ollama); empty: answers by extraction.",
    )
    llm_api_key: str = setting("", "Key of the language model's endpoint, if it asks for one.", secret=True)
    llm_model: str = setting("", "Name of the language model at its endpoint.")
    llm_timeout_seconds: float = setting(60.0, "Bound on an answer of the language model.", low=1, high=3600)
    llm_first_token_timeout_seconds: float = setting(
        30.0, "Bound on the time until the language model begins to answer.", low=0.1, high=3600
    )
    llm_context_tokens: int = setting(
        8192, "Window of the language model: prompt and answer together, in its tokens.", low=4096, high=10_000_000
    )
    llm_answer_tokens_max: int = setting(
        1024,
        "Longest answer of the language model, its reasoning included, in its tokens; at most half of "
        "`llm_context_tokens`.",
        low=64,
        high=1_000_000,
    )
    search_candidates: int = setting(100, "Hits that each leg of a search brings to the fusion.", low=10, high=1000)
    search_depth_max: int = setting(
        1000, "Hits that each leg brings at most, for pages far down that a cursor asks for.", low=10, high=10_000
    )
    search_cache_entries: int = setting(
        256, "Rankings of the last searches that a process keeps, some 5 kB each; 0 for none.", low=0, high=100_000
    )
    search_history_kept: int = setting(
        200, "Searches that are remembered for each user, for their own eyes; 0 for none.", low=0, high=1000
    )
    index_poll_seconds: float = setting(
        1.0, "Time after which an idle follower looks at the change log.", low=0.05, high=60
    )
    undo_seconds: int = setting(30, "Time in which a delete can be undone.", low=0, high=86_400)
    answer_passages: int = setting(10, "Passages that an answer may draw on.", low=1, high=50)
    runs_max: int = setting(
        500,
        "Streamed searches and answers that one process has under way at the same time; ended ones are kept in memory "
        "up to the same number.",
        low=1,
        high=100_000,
    )
    kb_create_level: int = setting(2, "Permission level from which a user may create knowledge bases.", low=1, high=3)
    metrics_allow: str = setting(
        "127.0.0.1,::1", "Client addresses that may read /metrics, separated by commas; `*` for all."
    )
    log_format: str = setting("console", "Log lines as `console` or `json`.", choices=("console", "json"))
    log_level: str = setting(
        "info",
        "Least severe level that is logged: debug, info, warning or error.",
        choices=("debug", "info", "warning", "error"),
    )
    url: str = setting("", "Server that the command line talks to; empty: the one of the data directory.")
    api_key: str = setting("", "API key that the command line sends to the server at `url`.", secret=True)

    @property
    def database_path(self) -> Path:
        """Where the embedded record lies."""
        return self.data_dir / "lumikb.sqlite3"


def _convert(name: str, kind: type, raw: Any, origin: str) -> Any:
    try:
        if kind is bool:
            if str(raw).lower() not in {"1", "0", "true", "false", "yes", "no"}:
                raise ValueError
            return str(raw).lower() in {"1", "true", "yes"}
        return kind(raw)
    except (TypeError, ValueError) as exc:
        raise SettingError(f"{name} from {origin}: {raw!r} is not a valid {kind.__name__}") from exc


def _check_bounds(name: str, value: Any, bounds: Mapping[str, Any], origin: str) -> None:
    low, high, choices = bounds["min"], bounds["max"], bounds["choices"]
    if low is not None and not low <= value <= high:
        raise SettingError(f"{name} from {origin}: {value} must lie between {low:g} and {high:g}")
    if choices and value not in choices:
        raise SettingError(f"{name} from {origin}: {value!r} is none of {', '.join(choices)}")


def _check_database_url(url: str, origin: str) -> None:
    """The sentence never has the URL in it, for that has a password."""
    if not _DATABASE_URL.fullmatch(url):
        raise SettingError(
            f"database_url from {origin} is not of the form postgresql://user:password@host:port/name. "
            "In user and password, write @ as %40, / as %2F and : as %3A."
        )


def normalise_database_url(url: str) -> str:
    """One spelling for PostgreSQL URLs: `postgres://`, `+asyncpg` and an `ssl=` parameter become psycopg's."""
    url = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", url)
    return re.sub(r"([?&])ssl=", r"\1sslmode=", url)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`lumikb-data` in the working directory where it exists, else LumiKB's folder in the user's data folder.

    That is `$XDG_DATA_HOME` or `~/.local/share` (XDG Base Directory Specification 0.8), on macOS
    `~/Library/Application Support`.
    """
    here = Path("lumikb-data")
    if here.is_dir():
        return here
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "LumiKB"
    chosen = Path(environ.get("XDG_DATA_HOME", ""))
    # The specification has relative paths ignored.
    return (chosen if chosen.is_absolute() else Path.home() / ".local" / "share") / "lumikb"


@dataclass(frozen=True)
class LoadedSettings:
    """Settings with the origin of each value (`environment`, `file` or `default`) and notices for the operator."""

    settings: Settings
    origins: dict[str, str]
    notices: list[str]


def load_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> LoadedSettings:
    """Read the environment and `lumikb.toml`; `overrides` (command-line options) win. Raises `SettingError`."""
    environ = os.environ if environ is None else environ
    raw, origins, notices = _raw_values(environ)
    for name, value in overrides.items():
        if value is not None:
            raw[name], origins[name] = value, "command line"
    known = {item.name: item for item in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        item = known[name]
        converted = _convert(name, _kind(item.default), value, origins[name])
        _check_bounds(name, converted, item.metadata, origins[name])
        values[name] = converted
    if values.get("database_url"):
        values["database_url"] = normalise_database_url(values["database_url"])
        _check_database_url(values["database_url"], origins["database_url"])
    values.setdefault("data_dir", default_data_dir(environ))
    settings = Settings(**values)
    _check_secrets(settings)
    _check_language_model(settings)
    return LoadedSettings(settings, {name: origins.get(name, "default") for name in known}, notices)


def _kind(default: object) -> type:
    return Path if isinstance(default, Path) else type(default)


def _raw_values(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    known = {item.name for item in fields(Settings)}
    raw: dict[str, Any] = {}
    origins: dict[str, str] = {}
    notices: list[str] = []
    path = Path(environ.get("LUMIKB_CONFIG", "lumikb.toml"))
    if path.is_file():
        for name, value in _read_toml(path).items():
            if name not in known:
                raise SettingError(f"{name} in {path.name} is not a setting")
            raw[name], origins[name] = value, path.name
    elif "LUMIKB_CONFIG" in environ:
        raise SettingError(f"LUMIKB_CONFIG names {path}, which is not a file")
    for alias, name in ALIASES.items():
        if alias not in environ or f"LUMIKB_{name.upper()}" in environ:
            continue
        value = environ[alias]
        if name == "listen_addr":
            host, _, port = value.rpartition(":")
            raw["port"], origins["port"] = port, alias
            if host:
                raw["host"], origins["host"] = host, alias
        else:
            raw[name], origins[name] = value, alias
        notices.append(f"{alias} is read as LUMIKB_{name.upper()}; please use the new name")
    for name in known:
        variable = f"LUMIKB_{name.upper()}"
        if variable in environ:
            raw[name], origins[name] = environ[variable], variable
    notices += _unknown_variables(environ, known)
    return raw, origins, notices


def _unknown_variables(environ: Mapping[str, str], known: set[str]) -> Iterator[str]:
    """A notice for each variable that looks like a setting of ours and is none."""
    names = {f"LUMIKB_{name.upper()}" for name in known} | {"LUMIKB_CONFIG"}
    for variable in sorted(name for name in environ if name.startswith("LUMIKB_") and name not in names):
        from difflib import get_close_matches  # hardly ever needed

        meant = get_close_matches(variable, names, 1, cutoff=0.8)
        yield f"{variable} is not a setting and changes nothing" + (f"; is {meant[0]} meant?" if meant else "")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingError(f"{path} cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise SettingError(f"{path} is not TOML: {exc}") from exc


def _check_secrets(settings: Settings) -> None:
    if settings.jwt_secret and len(settings.jwt_secret) < 32:
        raise SettingError("jwt_secret must have at least 32 characters")
    if settings.admin_password and len(settings.admin_password) < 8:
        raise SettingError("admin_password must have at least 8 characters")
    if bool(settings.admin_email) != bool(settings.admin_password):
        raise SettingError("admin_email and admin_password are set together or not at all")


def _check_language_model(settings: Settings) -> None:
    """The sentences never have the URL or the key in them, for both may hold secrets."""
    if bool(settings.llm_base_url) != bool(settings.llm_model):
        raise SettingError("llm_base_url and llm_model are set together or not at all")
    found = _LLM_BASE_URL.fullmatch(settings.llm_base_url)
    if settings.llm_base_url and (found is None or int(found["port"] or 0) > 65535):
        raise SettingError(
            "llm_base_url is not of the form https://host:port/v1, without a user name, query or fragment; the key "
            "belongs into llm_api_key"
        )
    if not settings.llm_api_key.isascii() or not settings.llm_api_key.isprintable() or " " in settings.llm_api_key:
        raise SettingError("llm_api_key has characters that no key has, such as a space or a line end")
    if settings.llm_answer_tokens_max > settings.llm_context_tokens // 2:
        raise SettingError("llm_answer_tokens_max must be at most half of llm_context_tokens")
