"""What LumiKB adds to a language model's own first token: search, prompt, stream. Without a peer.

    python -m bench.answers [--questions 100] [--documents 300] [--first-ms 200]

The model is the stand-in of the tests, a real HTTP server whose first token comes after a set time. What it takes when
it is asked directly is measured in the same run, and its median subtracted. Every question is another one, so none is
cached.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench.harness import BENCH, print_table, write_result

sys.path.insert(0, str(BENCH.parent / "tests"))

from support.model_server import running_model_server
from support.server import LumiClient, LumiServer

WARM = 5
SUBJECTS = ["lighthouse", "glacier", "orchard", "ferry", "observatory", "harbour", "tannery", "viaduct", "quarry"]
FACTS = ["was built in {}", "stands {} metres high", "employs {} people", "was sold for {} crowns"]


def texts(count: int, source: random.Random) -> Iterator[str]:
    """Documents of some passages each."""
    for number in range(count):
        sentences = [
            f"The {source.choice(SUBJECTS)} of ward {number} {source.choice(FACTS).format(source.randint(10, 2000))}."
            for _ in range(40)
        ]
        yield "\n\n".join(" ".join(sentences[at : at + 5]) for at in range(0, 40, 5))


def first_bytes(api: LumiClient, question: str) -> tuple[float, float]:
    """Milliseconds until the first byte of the stream, and until the first token of the answer."""
    begun = time.perf_counter()
    first = 0.0
    with api.stream("POST", "/chat", json={"query": question}) as response:
        for line in response.raise_for_status().iter_lines():
            first = first or 1000 * (time.perf_counter() - begun)
            if line == "event: chunk":
                return first, 1000 * (time.perf_counter() - begun)
    raise SystemExit("the answer had no token")


def searched(api: LumiClient, question: str) -> float:
    """Milliseconds of a search for as many passages as an answer draws on."""
    begun = time.perf_counter()
    api.search(question, limit=10)
    return 1000 * (time.perf_counter() - begun)


def own_first_token(http: httpx.Client, url: str, model: str, question: str) -> float:
    """Milliseconds until the model's own first token."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": question}]}
    begun = time.perf_counter()
    with http.stream("POST", f"{url}/chat/completions", json=body) as response:
        for line in response.raise_for_status().iter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                return 1000 * (time.perf_counter() - begun)
    raise SystemExit("the model had no token")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--first-ms", type=int, default=200, help="the model's time to its first token")
    options = parser.parse_args()
    name = f"stand-in:first_ms={options.first_ms}"
    source = random.Random(7)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = stack.enter_context(running_model_server())
        server = stack.enter_context(LumiServer(folder / "data", llm_base_url=model.url, llm_model=name))
        api = stack.enter_context(server.client())
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
        kb_id = api.create_kb("bench")
        uploaded = [
            api.upload(kb_id, f"{number}.txt", text.encode())["id"]
            for number, text in enumerate(texts(options.documents, source))
        ]
        for document_id in uploaded:
            api.wait_until_ended(document_id)
        questions = [
            f"How high is the {source.choice(SUBJECTS)} of ward {number} and since when?"
            for number in range(WARM + options.questions)
        ]
        measured: list[tuple[float, float, float, float]] = []
        for question in questions:
            own = own_first_token(http, model.url, name, question)
            measured.append((own, searched(api, question.upper()), *first_bytes(api, question)))
    own, search, byte, token = (sorted(column) for column in zip(*measured[WARM:], strict=True))
    median = statistics.median(own)
    rows = [
        ["the model's own first token", f"{median:.1f}", f"{_p95(own):.1f}"],
        ["a search alone, over /search/quick", f"{statistics.median(search):.1f}", f"{_p95(search):.1f}"],
    ]
    for what, times in (("first byte over /chat, minus that", byte), ("first token over /chat, minus that", token)):
        rows.append([what, f"{statistics.median(times) - median:.1f}", f"{_p95(times) - median:.1f}"])
    print_table(["ms", "p50", "p95"], rows)
    print(write_result("answers", vars(options) | {"rows": rows}).relative_to(BENCH.parent))


def _p95(times: list[float]) -> float:
    return times[int(0.95 * (len(times) - 1))]


if __name__ == "__main__":
    main()
