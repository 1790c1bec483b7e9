"""Texts embedded a second: LumiKB's engine against sentence-transformers on torch, same model, same texts.

python -m bench.embed [--texts 256] [--rounds 5] [--threads 2]
"""

import argparse
import base64
import random
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import (
    BENCH,
    Run,
    Side,
    answer_runs,
    interleave,
    median,
    peer_python,
    print_table,
    timed,
    write_result,
)

# What the model is fed a text, its two marks included.
TOKENS = 128
PEER_BATCHES = (8, 16, 32, 64, 128)
PEER_BATCH_DEFAULT = 32
REQUIREMENTS = BENCH / "peers" / "embed_requirements.txt"

WORDS = re.findall(
    r"\w+",
    """water energy system method result theory paper market school report engine carbon signal matrix vessel garden
    doctor summer window winter planet letter supply demand design record memory copper silver bridge island animal
    forest the of and to in is that for with on as by at from this be are or an it""",
)


def make_texts(count: int, seed: int = 7) -> list[str]:
    """Texts of exactly `TOKENS` tokens: every word above is one token, and so is the full stop."""
    source = random.Random(seed)
    texts: list[str] = []
    for _ in range(count):
        sentences: list[str] = []
        left = TOKENS - 2
        while left:
            length = left if left < 24 else source.randint(8, 16)
            sentences.append(" ".join(source.choices(WORDS, k=length - 1)) + ".")
            left -= length
        texts.append(" ".join(sentences))
    return texts


def lumikb_side(cache: str, threads: str, count: str) -> tuple[dict[str, Any], Run]:
    from lumikb.compute.embed.load import load_models
    from lumikb.compute.embed.models import EmbeddingModel

    models = load_models(Path(cache), threads=int(threads), engine="auto")
    texts = make_texts(int(count))
    lengths = {len(tokens.ids) + 2 for tokens in models.tokenizer.encode_batch(texts)}
    if lengths != {TOKENS}:
        raise SystemExit(f"texts have {lengths} tokens")

    def run(request: dict[str, Any]) -> dict[str, Any]:
        embedder = models.embedder_of(EmbeddingModel(request["model"]))
        vectors: list[Any] = []
        seconds = timed(
            lambda: vectors.append(embedder.embed([tokens.ids for tokens in models.tokenizer.encode_batch(texts)]))
        )
        return {"seconds": seconds, "vectors": _pack(vectors[0])}

    for model in EmbeddingModel:
        run({"model": model})
    tiers = {model: models.embedder_of(model).tier for model in EmbeddingModel}
    return {"engine": type(models.embedder).__name__, "tiers": tiers}, run


def peer_side(model_folder: str, threads: str, count: str) -> tuple[dict[str, Any], Run]:
    import sentence_transformers
    import torch

    torch.set_num_threads(int(threads))
    model = sentence_transformers.SentenceTransformer(model_folder, device="cpu")
    model.max_seq_length = 256
    texts = make_texts(int(count))

    def run(request: dict[str, Any]) -> dict[str, Any]:
        vectors: list[Any] = []
        seconds = timed(
            lambda: vectors.append(model.encode(texts, batch_size=request["batch"], show_progress_bar=False))
        )
        return {"seconds": seconds, "vectors": _pack(vectors[0])}

    model.encode(texts[:8])
    return {"versions": [sentence_transformers.__version__, torch.__version__]}, run


def _pack(vectors: Any) -> str:
    return base64.b64encode(np.asarray(vectors, "<f4").tobytes()).decode("ascii")


def _unpack(packed: str) -> Any:
    return np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, 384)


def main() -> None:
    from lumikb.compute.embed.model_files import find_model_files

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    python = peer_python("embed", REQUIREMENTS)
    root = BENCH.parent
    shared = [str(options.threads), str(options.texts)]
    with tempfile.TemporaryDirectory() as cache:
        ours = Side.start("lumikb", [sys.executable, "-m", "bench.embed", "lumikb", cache, *shared], cwd=root)
        folder = str(find_model_files().weights.parent)
        peer = Side.start("peer", [str(python), "-m", "bench.embed", "peer", folder, *shared], cwd=root)
        answers = _measure(ours, peer, options.rounds)
        ours.stop()
        peer.stop()
    _report(answers, options, ours.ready, peer.ready)


def _measure(ours: Side, peer: Side, rounds: int) -> dict[str, list[dict[str, Any]]]:
    from lumikb.compute.embed.models import EmbeddingModel

    trial = interleave(2, {str(batch): lambda batch=batch: peer.run({"batch": batch}) for batch in PEER_BATCHES})
    best = min(PEER_BATCHES, key=lambda batch: min(run["seconds"] for run in trial[str(batch)]))
    print(f"peer's best batch of {PEER_BATCHES}: {best}", file=sys.stderr)
    runs = {f"LumiKB, {model}": lambda model=model: ours.run({"model": model}) for model in EmbeddingModel}
    for batch in sorted({PEER_BATCH_DEFAULT, best}):
        runs[f"sentence-transformers, batch {batch}"] = lambda batch=batch: peer.run({"batch": batch})
    return interleave(rounds, runs)


def _report(answers: dict[str, list[dict[str, Any]]], options: argparse.Namespace, *ready: dict[str, Any]) -> None:
    speeds = {name: options.texts / median(runs, "seconds") for name, runs in answers.items()}
    vectors = {name: _unpack(runs[0]["vectors"]) for name, runs in answers.items()}
    peer = max((name for name in speeds if not name.startswith("LumiKB")), key=speeds.__getitem__)
    rows: list[list[str]] = []
    for name, speed in speeds.items():
        cosines = (vectors[name] * vectors[peer]).sum(axis=1)
        figures = (f"{speed:.1f}", f"{speed / speeds[peer]:.2f}", f"{cosines.min():.6f}", f"{cosines.mean():.6f}")
        rows.append([name, *figures])
    print_table(["side", "texts/s", "to the better peer", "cosine min", "mean"], rows)
    result = {
        "texts": options.texts,
        "tokens": TOKENS,
        "rounds": options.rounds,
        "threads": options.threads,
        "sides": ready,
        "texts_per_second": speeds,
        "seconds": {name: [run["seconds"] for run in runs] for name, runs in answers.items()},
        "figures": rows,
    }
    print(write_result("embed", result).relative_to(BENCH.parent))


if __name__ == "__main__":
    sides = {"lumikb": lumikb_side, "peer": peer_side}
    if len(sys.argv) > 1 and sys.argv[1] in sides:
        answer_runs(lambda: sides[sys.argv[1]](*sys.argv[2:]))
    else:
        main()
