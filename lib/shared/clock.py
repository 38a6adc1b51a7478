"""The only place that reads the clock; everywhere else `now` is an argument."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """This instant in UTC, whole seconds (cut)."""
    return datetime.now(UTC).replace(microsecond=0)


def precise_now() -> datetime:
    """This instant in UTC with its fraction; for streams and measurements, never stored on a case."""
    return datetime.now(UTC)
