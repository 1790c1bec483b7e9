"""Questions to evaluate by, and the figures that their answers come to. No network, no files."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lumikb.kit.errors import InvalidInputError
from lumikb.kit.words import counted

# What the figure `recall_at_5` looks at.
RECALL_DEPTH = 5
QUESTION_CHARS_MAX = 500
BAD_LINES_TOLD = 5

FIGURES = (
    "recall_at_5",
    "mrr",
    "citation_precision",
    "support_rate",
    "answered",
    "abstained_right",
    "latency_ms_p50",
)


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a questions file.

    `expected_documents` are names or ids of documents that answer it, `expected_facts` what a passage that answers it
    says, in any case. `answerable` false: the documents do not tell, and the right answer is to abstain.
    """

    question: str
    expected_documents: list[str] = []
    expected_facts: list[str] = []
    answerable: bool = True


@dataclass
class Outcome:
    """What a configuration made of a question. A figure is None where the question says nothing about it."""

    question: str
    answered: bool
    latency_ms: float
    answerable: bool = True
    recall_at_5: float | None = None
    reciprocal_rank: float | None = None
    citations: list[bool] = field(default_factory=list[bool])
    verdicts: list[str] = field(default_factory=list[str])


def read_questions(text: str) -> list[Question]:
    """The questions of a file in JSON Lines; blank lines are skipped.

    Raises `InvalidInputError` that names the bad lines by their numbers.
    """
    questions: list[Question] = []
    bad: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            questions.append(_checked(msgspec.convert(json.loads(line), Question)))
        except (ValueError, msgspec.ValidationError) as error:
            bad.append(f"Line {number}: {_reason(error)}")
    if bad:
        more = f" And {counted(len(bad) - BAD_LINES_TOLD, 'more line')}." if len(bad) > BAD_LINES_TOLD else ""
        raise InvalidInputError(f"{' '.join(bad[:BAD_LINES_TOLD])}{more}", lines=bad)
    if not questions:
        raise InvalidInputError('There is no question: write lines such as {"question": "…"}.')
    return questions


def outcome_of(asked: Question, body: dict[str, Any], latency_ms: float) -> Outcome:
    """How an answer compares with what was expected; `body` is that of `POST /search`."""
    outcome = Outcome(asked.question, not body["abstained"], latency_ms, asked.answerable)
    outcome.verdicts = [claim["verdict"] for claim in body["claims"]]
    if not asked.answerable or not (asked.expected_documents or asked.expected_facts):
        return outcome
    found = [_expected_in(asked, result, result["content"]) for result in body["results"]]
    wanted = len(_wanted(asked))
    outcome.recall_at_5 = len(set[str]().union(*found[:RECALL_DEPTH])) / wanted
    outcome.reciprocal_rank = next((1 / rank for rank, some in enumerate(found, 1) if some), 0.0)
    outcome.citations = [bool(_expected_in(asked, one, one["excerpt"])) for one in body["citations"]]
    return outcome


def figures(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """The figures of a configuration, each None where no question tells."""
    verdicts = [verdict for one in outcomes for verdict in one.verdicts]
    return {
        "recall_at_5": _mean(one.recall_at_5 for one in outcomes),
        "mrr": _mean(one.reciprocal_rank for one in outcomes),
        "citation_precision": _mean(relevant for one in outcomes for relevant in one.citations),
        "support_rate": _mean(verdict == "supported" for verdict in verdicts),
        "answered": _mean(one.answered for one in outcomes if one.answerable),
        "abstained_right": _mean(not one.answered for one in outcomes if not one.answerable),
        "latency_ms_p50": round(statistics.median(one.latency_ms for one in outcomes), 1),
    }


def _checked(question: Question) -> Question:
    if not question.question.strip():
        raise ValueError("the question is empty")
    if len(question.question) > QUESTION_CHARS_MAX:
        raise ValueError(f"the question has more than {QUESTION_CHARS_MAX} characters")
    if not question.answerable and _wanted(question):
        raise ValueError("a question that is not answerable expects no documents and no facts")
    return question


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "it is no JSON object."
    return f"{str(error).rstrip('.')}."


def _wanted(asked: Question) -> set[str]:
    return {f"document {name.casefold()}" for name in asked.expected_documents} | {
        f"fact {_plain(fact)}" for fact in asked.expected_facts
    }


def _expected_in(asked: Question, place: dict[str, Any], text: str) -> set[str]:
    """Which of the expected documents and facts a passage is of or has."""
    names = {place["document_name"].casefold(), place["document_id"].casefold()}
    plain = _plain(text)
    documents = {f"document {name.casefold()}" for name in asked.expected_documents if name.casefold() in names}
    return documents | {f"fact {_plain(fact)}" for fact in asked.expected_facts if _plain(fact) in plain}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _mean(values: Iterable[float | bool | None]) -> float | None:
    given = [float(value) for value in values if value is not None]
    return round(statistics.fmean(given), 4) if given else None
