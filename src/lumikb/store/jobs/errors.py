"""What can go wrong with jobs."""

from lumikb.kit.errors import LumiError, NotFoundError


class JobNotFoundError(NotFoundError):
    """No such job, or not the caller's."""

    code = "JOB_NOT_FOUND"


class JobCancelledError(LumiError):
    """What the job was for is gone; raised inside a job, ends it as cancelled."""

    code = "CANCELLED"
