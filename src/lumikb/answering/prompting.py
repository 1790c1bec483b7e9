"""Prompts: files that have a version in their names, filled with data that is fenced.

A fence is a line with a key that is made anew for each prompt, so that no document can know it. What merely looks like
a fence, or like the control words of models, is taken apart as well. See docs/howto/models.md.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from lumikb.answering.citations import ABSTENTION
from lumikb.answering.context import Source, estimated_tokens
from lumikb.llm.port import ChatMessage

ANSWER_PROMPT = "answer.v1"
CONDENSE_PROMPT = "condense.v1"
LABEL_CHARS_MAX = 200
TURN_CHARS_MAX = 600

_SEPARATOR = "\n---\n"
_KEY_BYTES = 6
# What could pass for a fence, or for a mark of a model's own template: <|im_end|>, </s>, [INST], <<SYS>>.
_FENCE_LIKE = re.compile(r"[<＜﹤](?=[/／\\\s]{0,8}(?:passage|turn)\b)|<(?=\|)|<(?=/?s>)|<(?=<?/?SYS)", re.IGNORECASE)
_CONTROL_WORD = re.compile(r"\[(?=/?INST\])|(?<=\|)>", re.IGNORECASE)
# Control characters, and the invisible tag characters that spell text only a model reads.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Exchange:
    """An earlier turn: what was asked, and what was answered."""

    question: str
    answer: str


@dataclass(frozen=True)
class _Prompt:
    system: Template
    user: Template


def answer_messages(question: str, full: str, sources: Sequence[Source]) -> list[ChatMessage]:
    """What the model is told to answer a question; `full` is the question as it can be understood alone."""
    # A model made the full question of earlier answers, and these of documents.
    asked = question if full == question else f"{question}\nIn full: {neutral(full)}"
    key = _new_key(source.text for source in sources)
    passages = "\n\n".join(_fenced_source(source, key) for source in sources)
    return _filled(ANSWER_PROMPT, key=key, passages=passages, question=asked, abstention=ABSTENTION)


def condense_messages(question: str, earlier: Sequence[Exchange]) -> list[ChatMessage]:
    """What the model is told to make a follow-up understandable alone."""
    turns = [f"Question: {turn.question}\nAnswer: {turn.answer[:TURN_CHARS_MAX]}" for turn in earlier]
    key = _new_key(turns)
    fenced = "\n".join(f"<turn-{key}>\n{neutral(turn)}\n</turn-{key}>" for turn in turns)
    return _filled(CONDENSE_PROMPT, key=key, turns=fenced, question=question)


def prompt_tokens(question: str, full: str) -> int:
    """Tokens of the prompt without any passage, estimated."""
    return sum(estimated_tokens(message.content) for message in answer_messages(question, full, []))


def source_tokens(source: Source) -> int:
    """Tokens of a source with its fence, estimated."""
    return estimated_tokens(_fenced_source(source, "0" * 2 * _KEY_BYTES)) + 1


def neutral(text: str) -> str:
    """The text with nothing in it that could pass for a fence or a model's control word; never longer than before."""
    return _CONTROL_WORD.sub("¦", _FENCE_LIKE.sub("‹", _INVISIBLE.sub("", text)))


def _fenced_source(source: Source, key: str) -> str:
    passage = source.hits[0].passage
    labels = [f"Document: {_label(passage.document_name)}"]
    if passage.section_header:
        labels.append(f"Heading: {_label(passage.section_header)}")
    head = "\n".join(labels)
    return f'<passage-{key} number="{source.number}">\n{head}\n\n{neutral(source.text)}\n</passage-{key}>'


def _label(text: str) -> str:
    return neutral(" ".join(text.split()))[:LABEL_CHARS_MAX]


def _new_key(texts: Iterable[str]) -> str:
    """A key that stands in none of the texts."""
    known = "\n".join(texts)
    while (key := secrets.token_hex(_KEY_BYTES)) in known:
        pass
    return key


def _filled(name: str, **values: str) -> list[ChatMessage]:
    prompt = _prompt(name)
    return [
        ChatMessage("system", prompt.system.substitute(values)),
        ChatMessage("user", prompt.user.substitute(values)),
    ]


@cache
def _prompt(name: str) -> _Prompt:
    text = (files("lumikb.answering") / "prompts" / f"{name}.md").read_text(encoding="utf-8")
    system, _, user = text.partition(_SEPARATOR)
    return _Prompt(Template(system.strip()), Template(user.strip()))
