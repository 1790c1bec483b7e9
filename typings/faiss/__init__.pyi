"""The part of FAISS that LumiKB uses. The package's own stubs leave these signatures partly unknown."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

METRIC_INNER_PRODUCT: int

class ScalarQuantizer:
    QT_8bit_uniform: int
    trained: Any

class IDSelector: ...

class IDSelectorBitmap(IDSelector):
    def __init__(self, bitmap: NDArray[np.uint8]) -> None: ...

class SearchParameters:
    def __init__(self, *, sel: IDSelector) -> None: ...

class UInt8Vector:
    def data(self) -> Any: ...

class IndexScalarQuantizer:
    sq: ScalarQuantizer
    codes: UInt8Vector
    code_size: int
    ntotal: int
    is_trained: bool
    def __init__(self, d: int, qtype: int, metric: int = ...) -> None: ...
    def add(self, x: NDArray[np.float32]) -> None: ...
    def sa_encode(self, x: NDArray[np.float32]) -> NDArray[np.uint8]: ...
    def search(
        self, x: NDArray[np.float32], k: int, *, params: SearchParameters | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...

def copy_array_to_vector(a: NDArray[np.float32], v: Any) -> None: ...
def rev_swig_ptr(ptr: Any, n: int) -> NDArray[np.uint8]: ...
def omp_set_num_threads(num_threads: int) -> None: ...
