"""Settings that cannot be used are one sentence, without secrets."""

from pathlib import Path

import pytest

from lumikb.settings import SettingError, load_settings

SECRET = "s3cr3t"


def load(tmp_path: Path, **values: str) -> str:
    environ = {"LUMIKB_DATA_DIR": str(tmp_path), **{f"LUMIKB_{name.upper()}": value for name, value in values.items()}}
    return load_settings(environ).settings.database_url


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        f"mysql://user:{SECRET}@host/name",
        f"postgresql//user:{SECRET}@host/name",
        f"postgresql://user:{SECRET}@x@host/name",
        f"postgresql://user:a@{SECRET}/x@host/name",
        f"postgresql://user:{SECRET}@host:port/name",
        f"postgresql://user:{SECRET}@host name/name",
        "sqlite:///file",
    ],
)
def test_a_database_url_of_another_form_is_told_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match="database_url from LUMIKB_DATABASE_URL") as raised:
        load(tmp_path, database_url=url)
    assert SECRET not in raised.value.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/name",
        "postgres://user@host/name?sslmode=require",
        "postgresql+asyncpg://user:p%40ss@host:5432/name",
        "postgresql://user:pa/ss@[::1]:5432/name",
        "postgresql:///name?host=/run/postgresql",
        "postgresql://host",
    ],
)
def test_a_database_url_of_postgresql_is_taken(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, database_url=url).startswith("postgresql+psycopg://")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "many", "not a valid int"),
        ("port", "70000", "between 0 and 65535"),
        ("answer_seconds_max", "nan", "between 1 and 3600"),
        ("log_level", "loud", "debug, info, warning, error"),
        ("log_format", "xml", "console, json"),
        ("embedding_engine", "gpu", "auto, openvino, onnx"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_can(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(SettingError, match=f"{name} from LUMIKB_{name.upper()}.*{said}"):
        load(tmp_path, **{name: value})


def test_a_settings_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lumikb.toml"
    path.write_text("port = \n")
    with pytest.raises(SettingError, match="not TOML"):
        load_settings({"LUMIKB_CONFIG": str(path)})


def test_a_variable_that_is_no_setting_is_told() -> None:
    loaded = load_settings({"LUMIKB_PROT": "8081", "LUMIKB_QUITE_ELSE": "1", "LUMIKB_PORT": "8082", "OTHER": "x"})
    assert loaded.notices == [
        "LUMIKB_PROT is not a setting and changes nothing; is LUMIKB_PORT meant?",
        "LUMIKB_QUITE_ELSE is not a setting and changes nothing",
    ]


MODEL = {"LUMIKB_LLM_BASE_URL": "http://127.0.0.1:11434/v1", "LUMIKB_LLM_MODEL": "qwen3"}


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://[::1]:8000/v1/", "http://ollama:11434/v1"])
def test_a_language_model_is_taken(tmp_path: Path, url: str) -> None:
    given = MODEL | {"LUMIKB_LLM_BASE_URL": url, "LUMIKB_LLM_API_KEY": "sk-1"}
    settings = load_settings(given, data_dir=tmp_path).settings
    assert (settings.llm_base_url, settings.llm_model, settings.llm_api_key) == (url, "qwen3", "sk-1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"LUMIKB_LLM_MODEL": ""}, "set together"),
        ({"LUMIKB_LLM_BASE_URL": ""}, "set together"),
        ({"LUMIKB_LLM_BASE_URL": "https://user:secret@host/v1"}, "llm_base_url"),
        ({"LUMIKB_LLM_BASE_URL": "https://host/v1?key=secret"}, "llm_base_url"),
        ({"LUMIKB_LLM_BASE_URL": "host:8000/v1"}, "llm_base_url"),
        ({"LUMIKB_LLM_BASE_URL": "file:///secret"}, "llm_base_url"),
        ({"LUMIKB_LLM_BASE_URL": "https://secret:99999/v1"}, "llm_base_url"),
        ({"LUMIKB_LLM_BASE_URL": "https://secret..org/v1"}, "llm_base_url"),
        ({"LUMIKB_LLM_API_KEY": "secret\n"}, "llm_api_key"),
        ({"LUMIKB_LLM_API_KEY": "secr\u00e9t"}, "llm_api_key"),
        ({"LUMIKB_LLM_CONTEXT_TOKENS": "4096", "LUMIKB_LLM_ANSWER_TOKENS_MAX": "2049"}, "at most half"),
    ],
)
def test_a_language_model_that_cannot_be_is_told_without_its_key(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingError, match=said) as raised:
        load_settings(MODEL | given, data_dir=tmp_path)
    assert "secret" not in raised.value.message
