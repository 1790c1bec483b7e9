"""The generated reference says what the code says."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

# The framework announces changes of its next major release when the application is built.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_tool", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(reference: ModuleType) -> dict[str, str]:
    return reference.pages()


@pytest.mark.parametrize("name", ["settings.md", "cli.md", "routes.md", "metrics.md", "errors.md"])
def test_page_equals_what_the_code_gives(pages: dict[str, str], name: str) -> None:
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == pages[name], "run `make reference`"


@pytest.mark.thorough
def test_check_fails_when_a_page_is_stale(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "settings.md is stale" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_troubleshooting_knows_every_error_code(pages: dict[str, str]) -> None:
    codes = set(re.findall(r"^\| `([A-Z_]+)` ", pages["errors.md"], re.MULTILINE))
    known = set(re.findall(r"`([A-Z_]+)`", (DOCS / "howto" / "troubleshooting.md").read_text(encoding="utf-8")))
    assert codes <= known, f"docs/howto/troubleshooting.md lacks {sorted(codes - known)}"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[\[<>=;~ ]", line)[0] for line in project["dependencies"]}
    reasons = (DOCS / "decisions" / "0007-dependencies.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([\w.-]+)` ", reasons, re.MULTILINE))
    assert needed == told
