"""The sweeper: erases abandoned uploads, in every process and safely beside the others."""

import threading

from lumikb.kit.errors import LumiError
from lumikb.kit.telemetry import get_logger
from lumikb.knowledge.upload_service import UploadService

# Uploads stay for a while after their time is over, at most so long.
SWEEP_SECONDS_MAX = 3600.0

log = get_logger(__name__)


class UploadSweeper:
    """A background thread. It sweeps at the start, and then as often as uploads expire, at least hourly."""

    def __init__(self, uploads: UploadService, open_seconds: int) -> None:
        self._uploads = uploads
        self._seconds = min(SWEEP_SECONDS_MAX, open_seconds)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="upload-sweeper", daemon=True)

    def open(self) -> None:
        """Start sweeping."""
        self._thread.start()

    def close(self) -> None:
        """Stop, after what is being swept."""
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                swept = self._uploads.sweep()
                if swept:
                    log.info("abandoned uploads erased", count=swept)
            except LumiError as error:
                log.error("upload sweeper waits", reason=error.message)
            except Exception:
                log.exception("upload sweeper failed")
            self._stop.wait(self._seconds)
