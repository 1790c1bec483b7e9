"""Writes `golden.json`, the reference vectors that every embedding engine is checked against at start.

Run it in the peers' environment (see README.md):

    bench/.envs/embed/bin/python bench/golden.py <model directory> src/lumikb/compute/embed/golden.json
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

# No text of one word: in bfloat16 those come to .9999 at best, on correct engines too. The vector is that of one token,
# and the rounding of the residual stream, which a mean over many tokens cancels, stays (rounding the same values in
# torch gives the same figures: one word .99987 to .99996, a sentence .99994 to .99998).
TEXTS = [
    "How do I reset my password?",
    "Invoice no. 2024-0815 is due on 31 January; the late fee is 1.5 % a month.",
    "The boundary layer on a flat plate becomes turbulent when the Reynolds number passes about 500,000.",
    "SELECT id, title FROM document WHERE kb_id = $1 ORDER BY created_at DESC LIMIT 20;",
    "Die Kündigungsfrist beträgt drei Monate zum Ende des Kalenderjahres.",
    "La crème brûlée doit refroidir au moins deux heures avant d'être servie.",
    "機械学習モデルの評価には、訓練データと独立したテストデータを用いる。",
    "Привет, мир! Это короткое предложение на русском языке.",
    "warranty terms for refurbished laptops",
    "☃ 🚀 naïve café — “quoted”, ½ × π ≈ 1.5708",
    'HTTP/1.1 409 Conflict Content-Type: application/problem+json {"type": "about:blank", "status": 409}',
    " ".join(
        f"Section {number}. The operator keeps a record of every inspection, notes the reading of gauge {number * 7}, "
        "and reports deviations above the limit to the supervisor on duty before the next shift begins."
        for number in range(1, 9)
    ),
]


def main() -> None:
    model_folder, target = sys.argv[1:]
    model = SentenceTransformer(model_folder, device="cpu")
    model.max_seq_length = 256
    vectors = model.encode(TEXTS, normalize_embeddings=True).astype("<f4")
    norms = np.linalg.norm(vectors, axis=1)
    if not np.allclose(norms, 1, atol=1e-5):
        raise SystemExit(f"norms are {norms}")
    content = {"texts": TEXTS, "vectors": base64.b64encode(vectors.tobytes()).decode("ascii")}
    Path(target).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
