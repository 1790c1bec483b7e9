"""The model's graph with products of 8-bit integers: its weights by output channel, its activations by tensor.

What goes into a product is first evened out: a few channels are ten times as large as the others, and would take nearly
all of the 8 bits. Dividing each channel by a factor and multiplying the weights' rows by it changes no product; the
factors are shared out between activations and weights (SmoothQuant, https://arxiv.org/abs/2211.10438, with alpha .75).
"""

from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.graph import GRAPH_VERSION, GraphBuilder, GraphFiles, build_once, digest_of, save_graph
from lumikb.compute.embed.model_files import ModelFiles, read_weights

_WEIGHT_MAX = 127
_ACTIVATION_STEPS = 255


class Calibration:
    """What `bench/int8_calibration.py` found out about what goes into each of the graph's products, in their order.

    `smoothing` are the factors of all input channels, one product after the other; `ranges`, of shape (products, 2),
    the lowest and highest value after the division by them.
    """

    def __init__(self, smoothing: NDArray[np.float32], ranges: NDArray[np.float32]) -> None:
        self._smoothing = smoothing
        self._ranges = iter(ranges.tolist())
        self._at = 0

    def take(self, channels: int) -> tuple[NDArray[np.float32], float, float]:
        """Factors, lowest and highest value of the next product."""
        factors = self._smoothing[self._at : self._at + channels]
        self._at += channels
        low, high = next(self._ranges)
        return factors, low, high


def read_calibration() -> Calibration:
    """The package's own."""
    with (
        resources.as_file(resources.files("lumikb.compute.embed").joinpath("int8.npz")) as path,
        np.load(path, allow_pickle=False) as arrays,
    ):
        return Calibration(arrays["smoothing"].astype(np.float32), arrays["ranges"])


def ensure_int8_graph(model: ModelFiles, files: GraphFiles, cache_dir: Path) -> GraphFiles:
    """This graph of these weights, built now (about a second) unless the cache has it; the words are of `files`."""
    folder = cache_dir / f"graph-int8-{GRAPH_VERSION}-{digest_of(model)}"
    graph = GraphFiles(folder / "encoder.onnx", folder / "encoder.weights", files.words)

    def write(building: Path) -> None:
        built = Int8GraphBuilder(read_weights(model.weights), read_calibration()).build()
        save_graph(built, building / graph.graph.name, graph.weights.name)

    build_once(folder, write)
    return graph


class Int8GraphBuilder(GraphBuilder):
    """`GraphBuilder` whose products with weights are of integers."""

    def __init__(self, tensors: dict[str, NDArray[np.generic]], calibration: Calibration) -> None:
        super().__init__(tensors)
        self._calibration = calibration

    def product(self, value: str, weight: str, output: str) -> str:
        """See `GraphBuilder.product`: both sides as quantised integers, which the engine multiplies as such."""
        weights = self.initializers.pop(weight).astype(np.float32)
        factors, low, high = self._calibration.take(len(weights))
        shares = self.constant(output + ".shares", np.float32(1) / factors)
        even = self.node("Mul", [value, shares], output + ".even")
        left = self._quantised_activation(even, output, min(low, 0.0), max(high, 0.0))
        right = self._quantised_weights(weights * factors[:, None], output)
        return self.node("MatMul", [left, right], output)

    def _quantised_activation(self, value: str, output: str, low: float, high: float) -> str:
        step = (high - low) / _ACTIVATION_STEPS
        scale = self.constant(output + ".scale", np.array(step, np.float32))
        zero = self.constant(output + ".zero", np.array(round(-low / step), np.uint8))
        integers = self.node("QuantizeLinear", [value, scale, zero], output + ".integers")
        return self.node("DequantizeLinear", [integers, scale, zero], output + ".left")

    def _quantised_weights(self, weights: NDArray[np.float32], output: str) -> str:
        steps = np.abs(weights).max(axis=0) / _WEIGHT_MAX
        integers = np.clip(np.rint(weights / steps), -_WEIGHT_MAX, _WEIGHT_MAX).astype(np.int8)
        scale = self.constant(output + ".weight.scale", steps)
        zero = self.constant(output + ".weight.zero", np.zeros(len(steps), np.int8))
        whole = self.constant(output + ".weight", integers)
        return self.node("DequantizeLinear", [whole, scale, zero], output + ".right", axis=1)
