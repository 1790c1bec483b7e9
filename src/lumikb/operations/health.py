"""Health: what this process depends on, and whether it answers."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lumikb.kit.errors import LumiError

CHECK_SECONDS_MAX = 2.0


class Check(msgspec.Struct, omit_defaults=True):
    """The result of one check; the time it took in milliseconds."""

    ok: bool
    milliseconds: float
    reason: str | None = None


class HealthBody(msgspec.Struct, kw_only=True):
    """healthy: all checks pass; degraded: one that readers can do without fails; unhealthy: the record fails.

    `timestamp` in Unix seconds.
    """

    status: str
    service: str
    timestamp: int
    version: str
    dependencies: dict[str, bool]
    checks: dict[str, Check]


@dataclass(frozen=True)
class Health:
    """Runs the checks. A check is a blocking call that raises `LumiError` when its dependency is down."""

    version: str
    checks: dict[str, Callable[[], None]]

    async def look(self) -> HealthBody:
        """Run all checks at the same time, each within `CHECK_SECONDS_MAX`."""
        results = await asyncio.gather(*(self._run(check) for check in self.checks.values()))
        checks = dict(zip(self.checks, results, strict=True))
        if all(check.ok for check in results):
            status = "healthy"
        else:
            status = "degraded" if checks["database"].ok else "unhealthy"
        return HealthBody(
            status=status,
            service="lumikb",
            timestamp=int(time.time()),
            version=self.version,
            dependencies={name: check.ok for name, check in checks.items()},
            checks=checks,
        )

    async def _run(self, check: Callable[[], None]) -> Check:
        begun = time.perf_counter()
        reason = None
        try:
            await asyncio.wait_for(asyncio.to_thread(check), CHECK_SECONDS_MAX)
        except LumiError as error:
            reason = error.message
        except TimeoutError:
            reason = f"No answer within {CHECK_SECONDS_MAX:g} s."
        return Check(reason is None, round((time.perf_counter() - begun) * 1000, 3), reason)
