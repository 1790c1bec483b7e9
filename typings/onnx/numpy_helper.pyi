from typing import Any

import numpy as np
from numpy.typing import NDArray

def from_array(array: NDArray[np.generic], name: str) -> Any: ...
