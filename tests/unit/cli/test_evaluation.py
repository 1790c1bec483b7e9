"""Questions files, and the figures that answers come to."""

from typing import Any

import pytest

from lumikb.cli.evaluate import eval_command
from lumikb.cli.evaluation import FIGURES, Question, figures, outcome_of, read_questions
from lumikb.cli.sample import sample_files
from lumikb.kit.errors import InvalidInputError


def passage(name: str, text: str = "") -> dict[str, Any]:
    return {"document_name": name, "document_id": f"id-{name}", "content": text, "excerpt": text}


def body(results: list[dict[str, Any]], citations: list[dict[str, Any]], verdicts: tuple[str, ...] = ()) -> Any:
    claims = [{"verdict": verdict} for verdict in verdicts]
    return {"abstained": not claims, "claims": claims, "results": results, "citations": citations}


def test_recall_and_rank_look_at_documents_and_facts() -> None:
    asked = Question("q", ["A.md"], ["ten  Days"])
    found = [passage("b.md"), passage("a.md"), passage("c.md", "It takes TEN\ndays.")]
    outcome = outcome_of(asked, body(found, [found[1], found[0]], ("supported",)), 5.0)
    assert (outcome.recall_at_5, outcome.reciprocal_rank, outcome.citations) == (1.0, 0.5, [True, False])
    late = [passage("b.md")] * 5 + [passage("a.md")]
    outcome = outcome_of(asked, body(late, []), 5.0)
    assert (outcome.recall_at_5, outcome.reciprocal_rank) == (0.0, pytest.approx(1 / 6))


def test_a_document_may_be_named_by_its_id() -> None:
    assert outcome_of(Question("q", ["id-a.md"]), body([passage("a.md")], []), 1.0).recall_at_5 == 1.0


def test_figures_of_answered_and_refused_questions() -> None:
    told = outcome_of(Question("a"), body([], [], ("supported", "partly")), 10.0)
    silent = outcome_of(Question("b"), body([], []), 30.0)
    right = outcome_of(Question("c", answerable=False), body([], []), 20.0)
    wrong = outcome_of(Question("d", answerable=False), body([], [], ("supported", "supported")), 40.0)
    assert figures([told, silent, right, wrong]) == {
        "recall_at_5": None,
        "mrr": None,
        "citation_precision": None,
        "support_rate": 0.75,
        "answered": 0.5,
        "abstained_right": 0.5,
        "latency_ms_p50": 25.0,
    }
    assert tuple(figures([told])) == FIGURES


def test_bad_lines_are_named_by_their_numbers() -> None:
    lines = ['{"question": "a"}', "", "nonsense", '{"question": 3}', '{"query": "a"}', '{"question": " "}', "[]"]
    with pytest.raises(InvalidInputError) as raised:
        read_questions("\n".join([*lines, '{"question": "a", "answerable": false, "expected_facts": ["b"]}']))
    message = raised.value.message
    assert [f"Line {number}:" in message for number in range(1, 9)] == [False, False, *[True] * 5, False]
    assert message.endswith("And 1 more line.")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_questions_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no question"):
        read_questions(text)


def test_questions_about_the_sample_name_its_documents() -> None:
    folder = sample_files()[0].parent
    questions = read_questions((folder / "questions" / "sample.jsonl").read_text(encoding="utf-8"))
    names = {file.name for file in sample_files()}
    assert {name for one in questions for name in one.expected_documents} == names
    assert sum(not one.answerable for one in questions) >= 4


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("colour=red", "is no setting"),
        ("hybrid", "is no setting"),
        ("hybrid=maybe", "true or false"),
        ("keyword_weight=much", "number"),
    ],
)
def test_a_setting_that_is_none_is_refused(option: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        eval_command(sample=True, given=[option])


def test_either_a_file_or_the_sample() -> None:
    with pytest.raises(InvalidInputError, match="--sample"):
        eval_command()
