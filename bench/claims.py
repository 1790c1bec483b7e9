"""The check of answers on planted claims: precision and recall of each verdict, a confusion table, the time it takes.

    python -m bench.claims [--show]

The claims are those of tests/support/planted_claims.jsonl. Its half `tuning` was used to set the check's bounds and
rules, the half `apart` never: figures are told of both, and `--show` lists what was judged wrongly of the first alone.
The command fails when precision or recall of changed numbers or names on the half kept apart is below .9.

A supported claim that is called unsupported counts against the kind whose reason it was given; beside it stands the
precision that counts all such claims against each kind.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.harness import print_table, write_result
from lumikb.answering.verification import WEIGHTS, CheckedClaim, Embed, check_claims
from lumikb.compute.embed.load import Models, load_models

CLAIMS = Path(__file__).parents[1] / "tests" / "support" / "planted_claims.jsonl"
WANTED = 0.9
CHANGED = ("wrong_number", "wrong_name")
LABELS = ("supported", "wrong_number", "wrong_name", "negated", "unrelated")
UNSUPPORTED = "unsupported"
REASONS = {
    "wrong_number": "number_differs",
    "wrong_name": "name_absent",
    "negated": "negated",
    "unrelated": "no_overlap",
}
VERDICTS = ("supported", "partly", "unsupported")


@dataclass(frozen=True)
class Planted:
    """A claim about a passage, and what is right about it."""

    half: str
    language: str
    passage: str
    claim: str
    label: str
    how: str


@dataclass(frozen=True)
class Judged:
    """A planted claim and what the check made of it."""

    planted: Planted
    found: CheckedClaim


def read_claims(path: Path) -> list[Planted]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Planted(line["half"], line["language"], line["passage"], one["claim"], one["label"], one.get("how", ""))
        for line in lines
        if "passage" in line
        for one in line["claims"]
    ]


def embed_with(models: Models) -> Embed:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return models.embedder.embed([tokens.ids for tokens in models.tokenizer.encode_batch(texts)])

    return embed


def judge(planted: Planted, embed: Embed) -> Judged:
    """The worst verdict of its sentences, one as a rule."""
    found = check_claims(f"{planted.claim} [1]", {1: planted.passage}, embed)
    return Judged(planted, min(found, key=lambda one: WEIGHTS[one.verdict]))


def figures(judged: Sequence[Judged], labels: Sequence[str]) -> dict[str, float]:
    """Precision and recall of the verdict `unsupported` on claims with these labels, beside the supported ones.

    A supported claim that is judged unsupported counts against those labels whose reason it was given.
    """
    wrong = [one for one in judged if one.planted.label in labels]
    blamed = [
        one.found.reason for one in judged if one.planted.label == "supported" and one.found.verdict == UNSUPPORTED
    ]
    caught = sum(one.found.verdict == UNSUPPORTED for one in wrong)
    mistaken = sum(reason in {REASONS[label] for label in labels} for reason in blamed)
    precise, strict = caught + mistaken, caught + len(blamed)
    return {
        "claims": len(wrong),
        "precision": caught / max(1, precise),
        "precision_any_reason": caught / max(1, strict),
        "recall": caught / max(1, len(wrong)),
    }


def confusion(judged: Sequence[Judged]) -> list[list[str]]:
    rows: list[list[str]] = []
    kinds = [("supported", how) for how in ("verbatim", "paraphrased", "summarised")]
    kinds += [(label, "") for label in LABELS[1:]]
    for label, how in kinds:
        some = [one.found for one in judged if (one.planted.label, one.planted.how) == (label, how)]
        verdicts = Counter(found.verdict for found in some)
        reasons = Counter(found.reason for found in some if found.reason)
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        rows.append([f"{label} {how}".strip(), str(len(some)), *(str(verdicts[verdict]) for verdict in VERDICTS), why])
    return rows


def milliseconds_a_sentence(planted: Sequence[Planted], embed: Embed, rounds: int = 5) -> float:
    """What the check itself takes, its vectors given beforehand; each passage is read for its one claim."""
    known: dict[str, NDArray[np.float32]] = {}

    def remember(texts: Sequence[str]) -> NDArray[np.float32]:
        known.update(zip(texts, embed(texts), strict=True))
        return np.stack([known[text] for text in texts])

    def recall(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([known[text] for text in texts])

    for one in planted:
        judge(one, remember)
    before = time.process_time()
    for _ in range(rounds):
        for one in planted:
            judge(one, recall)
    return (time.process_time() - before) * 1000 / (rounds * len(planted))


def show(half: str, judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    groups: Mapping[str, Sequence[str]] = {
        **{label: (label,) for label in LABELS[1:]},
        "numbers and names": CHANGED,
        "all": LABELS[1:],
    }
    found = {name: figures(judged, labels) for name, labels in groups.items()}
    print(f"\nThe half {half}: {len(judged)} claims. The verdict unsupported, beside supported claims:\n")
    header = ["claims", "precision", "precision_any_reason", "recall"]
    rows = [[name, f"{one['claims']:.0f}", *(f"{one[key]:.3f}" for key in header[1:])] for name, one in found.items()]
    print_table(["planted", "claims", "precision", "whatever reason", "recall"], rows)
    print()
    print_table(["planted", "claims", *VERDICTS, "reasons"], confusion(judged))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="list the wrong verdicts of the half for tuning")
    options = parser.parse_args()
    planted = read_claims(CLAIMS)
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        embed = embed_with(load_models(Path(directory), threads=2, engine="auto"))
        for half in ("tuning", "apart"):
            judged = [judge(one, embed) for one in planted if one.half == half]
            results[half] = show(half, judged)
            if options.show and half == "tuning":
                for one in judged:
                    if (one.planted.label == "supported") != (one.found.verdict == "supported"):
                        print(f"{one.planted.label}: {one.found.verdict} {one.found.reason}: {one.planted.claim}")
        cost = milliseconds_a_sentence(planted, embed)
    print(f"\n{cost:.2f} ms of processor time a sentence beyond its vectors, one passage read for each.")
    write_result("claims", {"halves": results, "milliseconds_a_sentence": cost})
    short = [
        f"{name} {measure} {results['apart'][name][measure]:.3f}"
        for name in (*CHANGED, "numbers and names")
        for measure in ("precision", "recall")
        if results["apart"][name][measure] < WANTED
    ]
    if short:
        raise SystemExit(f"below {WANTED} on the half kept apart: {', '.join(short)}")


if __name__ == "__main__":
    main()
