"""`lumikb eval`: how well questions are answered, by one configuration or by two side by side."""

import time
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumikb.cli.answers import Kbs
from lumikb.cli.evaluation import FIGURES, Outcome, Question, figures, outcome_of, read_questions
from lumikb.cli.output import AsJson, one_line, print_json, print_table, working
from lumikb.cli.sample import KB_NAME
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.words import counted

if TYPE_CHECKING:
    from lumikb.cli.client import Client

# What a configuration may set: options of a search, and the knowledge base.
NUMBERS = ("keyword_weight", "min_score")
SETTINGS = ("kb", "hybrid", *NUMBERS)
MISSED_TOLD = 10


def eval_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="Questions, as JSON Lines."),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Take the questions about the sample, and its KB.")] = False,
    kb: Kbs = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Passages that a search gives for a question.")] = 10,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Search with this setting, repeatable.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Compare with a search that differs in this, repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well questions are answered.

    Each line of FILE is {"question": "…"} with expected_documents, expected_facts and answerable where they are known.
    Settings are keyword_weight, min_score, hybrid and kb.
    """
    from lumikb.cli.client import run

    if (file is None) == (not sample):
        raise InvalidInputError("Name a FILE with questions, or give --sample.")
    questions = read_questions(_text_of(file))
    named = kb or ([KB_NAME] if sample else None)
    first: dict[str, Any] = {"kb": named, "limit": limit, **_settings(given or [])}
    configurations = [first, {**first, **_settings(against)}] if against else [first]
    with working(f"Asking {counted(len(questions), 'question')}"):
        outcomes = run(lambda client: _ask_all(client, questions, configurations))
    if as_json:
        print_json(_body(configurations, outcomes))
    else:
        _print(configurations, outcomes, against or [])


def _text_of(file: Path | None) -> str:
    path = file or Path(str(resources.files("lumikb.sample"))) / "questions" / "sample.jsonl"
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is not text in UTF-8.") from error


def _settings(pairs: list[str]) -> dict[str, Any]:
    """Settings by their names; raises `InvalidInputError` for one that is none."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in SETTINGS or not value:
            raise InvalidInputError(f"{pair} is no setting. Write NAME=VALUE, with one of {', '.join(SETTINGS)}.")
        if name == "kb":
            found["kb"] = [value]
        elif name == "hybrid":
            if value not in {"true", "false"}:
                raise InvalidInputError("hybrid is true or false.")
            found[name] = value == "true"
        else:
            try:
                found[name] = float(value)
            except ValueError as error:
                raise InvalidInputError(f"{name} is a number from 0 to 1.") from error
    return found


async def _ask_all(
    client: "Client", questions: list[Question], configurations: list[dict[str, Any]]
) -> list[list[Outcome]]:
    """The outcomes of each configuration. They take turns, so that a busy machine slows both."""
    bodies = [
        {"kb_ids": await client.kb_ids(one["kb"]), **{name: value for name, value in one.items() if name != "kb"}}
        for one in configurations
    ]
    outcomes: list[list[Outcome]] = [[] for _ in configurations]
    for question in questions:
        for body, some in zip(bodies, outcomes, strict=True):
            begun = time.perf_counter()
            answer = await client.post("/search", {**body, "query": question.question})
            some.append(outcome_of(question, answer, round((time.perf_counter() - begun) * 1000, 1)))
    return outcomes


def _body(configurations: list[dict[str, Any]], outcomes: list[list[Outcome]]) -> dict[str, Any]:
    """The figures of the first configuration, and beside them those that it is compared with."""
    parts = [
        {**figures(some), "settings": one, "questions": [asdict(outcome) for outcome in some]}
        for one, some in zip(configurations, outcomes, strict=True)
    ]
    return {**parts[0], "against": parts[1] if len(parts) > 1 else None}


def _print(configurations: list[dict[str, Any]], outcomes: list[list[Outcome]], against: list[str]) -> None:
    found = [figures(some) for some in outcomes]
    rows = [[name, *(_shown(one[name]) for one in found)] for name in FIGURES]
    if len(found) > 1:
        for name, row in zip(FIGURES, rows, strict=True):
            row.append(_difference(found[0][name], found[1][name]))
    header = ["FIGURE", "VALUE"] if len(found) == 1 else ["FIGURE", "FIRST", " ".join(against), "DIFFERENCE"]
    print_table(header, rows)
    typer.echo(f"\n{counted(len(outcomes[0]), 'question')}, {configurations[0]['limit']} passages each.")
    missed = [one.question for one in outcomes[0] if one.answered != one.answerable]
    for question in missed[:MISSED_TOLD]:
        typer.echo(f"Wrongly answered or refused: {one_line(question, 100)}")
    if len(missed) > MISSED_TOLD:
        typer.echo(f"And {len(missed) - MISSED_TOLD} more; --json has all.")


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value <= 1 else f"{value:.1f}"


def _difference(one: float | None, other: float | None) -> str:
    return "–" if one is None or other is None else f"{other - one:+.3f}"
