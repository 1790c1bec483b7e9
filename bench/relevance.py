"""How well the cosine of a passage says that it is relevant: a logistic fit on even queries, tried on odd ones.

    python -m bench.relevance --data ../shared/data/cranfield

Pairs are the candidates of the product's search with their cosines; a passage counts as relevant where its document was
judged so. Reported: the fit; log loss and calibration error of both halves beside that of always saying the share of
relevant ones; and how well one threshold for all queries separates (AUC over all pairs) beside the order within a query
(mean AUC of the queries). See docs/decisions/0018.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.harness import print_table, write_result
from bench.quality import Collection, read_jsonl, read_qrels
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.settings import Settings
from lumikb.wiring import Platform

BINS = 10
STEPS = 50
Floats = NDArray[np.float64]


def fit(cosines: Floats, relevant: Floats) -> Floats:
    """Slope and intercept of the most likely logistic curve, by Newton's method."""
    design = np.column_stack([cosines, np.ones_like(cosines)])
    weights = np.zeros(2)
    for _ in range(STEPS):
        chance = logistic(cosines, weights)
        spread = chance * (1 - chance)
        weights += np.linalg.solve(design.T @ (design * spread[:, None]), design.T @ (relevant - chance))
    return weights


def logistic(cosines: Floats, weights: Floats) -> Floats:
    return 1 / (1 + np.exp(-(weights[0] * cosines + weights[1])))


def log_loss(chance: Floats, relevant: Floats) -> float:
    return float(-np.mean(relevant * np.log(chance) + (1 - relevant) * np.log(1 - chance)))


def calibration_error(chance: Floats, relevant: Floats) -> float:
    """Mean gap between what was said and what was so, over bins of as many pairs each."""
    order = np.argsort(chance)
    gaps = [abs(chance[some].mean() - relevant[some].mean()) for some in np.array_split(order, BINS)]
    return float(np.mean(gaps))


def auc(scores: Floats, relevant: Floats) -> float:
    """How often a relevant one scores above one that is not."""
    good, bad = scores[relevant == 1], scores[relevant == 0]
    return float((good[:, None] > bad[None, :]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with corpus.jsonl, queries.jsonl, qrels.tsv")
    options = parser.parse_args()
    judged = read_qrels(options.data / "qrels.tsv")
    queries = [query for query in read_jsonl(options.data / "queries.jsonl") if query["_id"] in judged]
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Settings(data_dir=Path(folder)))
        platform.open()
        collection = Collection(platform, read_jsonl(options.data / "corpus.jsonl"), EmbeddingModel.FULL)
        pairs = [pairs_of(collection, query["text"], judged[query["_id"]]) for query in queries]
        platform.close()
    halves = {"even": pairs[1::2], "odd": pairs[0::2]}
    joined = {half: (np.concatenate([c for c, _ in some]), np.concatenate([r for _, r in some]))
              for half, some in halves.items()}  # fmt: skip
    weights = fit(*joined["even"])
    rows: list[dict[str, object]] = []
    for half, (cosines, relevant) in joined.items():
        chance, share = logistic(cosines, weights), np.full_like(relevant, joined["even"][1].mean())
        each = [auc(c, r) for c, r in halves[half] if 0 < r.sum() < len(r)]
        needed = [float(c[r == 1].min()) for c, r in halves[half] if r.sum()]
        rows.append({
            "pairs": len(cosines), "relevant": round(float(relevant.mean()), 4),
            "log loss": round(log_loss(chance, relevant), 4), "of the share": round(log_loss(share, relevant), 4),
            "calibration error": round(calibration_error(chance, relevant), 4),
            "AUC over all": round(auc(cosines, relevant), 3), "AUC within a query": round(float(np.mean(each)), 3),
            "highest chance": round(float(chance.max()), 3),
            "least relevant cosine, 10th and 90th percentile":
                [round(float(value), 3) for value in np.percentile(needed, [10, 90])],
        })  # fmt: skip
    facts = {"slope": round(float(weights[0]), 3), "intercept": round(float(weights[1]), 3), "halves": rows}
    print(f"\nchance = 1 / (1 + exp(-({facts['slope']} cosine + {facts['intercept']})))\n")
    print_table(["figure", *halves], [[name, *(str(row[name]) for row in rows)] for name in rows[0]])
    write_result("relevance", facts)


def pairs_of(collection: Collection, query: str, relevant: dict[str, int]) -> tuple[Floats, Floats]:
    found = collection.scored(query)
    return np.array([score for _, score in found]), np.array([float(name in relevant) for name, _ in found])


if __name__ == "__main__":
    main()
