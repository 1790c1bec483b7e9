"""What a start loads: /health waits for it."""

import subprocess
import sys


def test_a_start_loads_neither_parsers_nor_engines() -> None:
    late = "{'pypdfium2', 'onnx', 'onnxruntime', 'openvino', 'faiss', 'dbos', 'lumikb.compute.parse.parse'}"
    script = f"import sys, lumikb.wiring; print(sorted({late} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "[]"
