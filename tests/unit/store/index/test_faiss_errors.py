import faiss
import numpy as np
import pytest

from lumikb.store.index.dense import FaissVectorScan
from lumikb.store.index.errors import IndexEngineError

DIMENSIONS = 8


def test_an_error_of_the_vendor_does_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Error in virtual void faiss::IndexFlatCodes::add")

    scan = FaissVectorScan(DIMENSIONS)
    monkeypatch.setattr(faiss.IndexScalarQuantizer, "add", fail)
    ordinals = np.zeros(1, np.int32)
    with pytest.raises(IndexEngineError, match="vector engine"):
        scan.add(np.array([1]), ordinals, ordinals, np.full((1, DIMENSIONS), 0.1, np.float32))
