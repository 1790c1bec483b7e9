"""A bounded cache: what was used last stays."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The last used values by key, `kept` at most. May be used from any thread."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those that are there."""
        found: dict[Key, Value] = {}
        with self._lock:
            for key in keys:
                if key in self._values:
                    self._values.move_to_end(key)
                    found[key] = self._values[key]
        return found

    def put(self, values: Mapping[Key, Value]) -> None:
        """Keep these, and let go of those that were not used for longest."""
        with self._lock:
            for key, value in values.items():
                self._values[key] = value
                self._values.move_to_end(key)
            while len(self._values) > self._kept:
                self._values.popitem(last=False)

    def forget(self, keys: Iterable[Key]) -> None:
        """Let go of these."""
        with self._lock:
            for key in keys:
                self._values.pop(key, None)

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._values.clear()
