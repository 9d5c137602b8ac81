"""The clock of this process: handed to everything that needs the time."""

import time


def now_ms() -> int:
    """Return the time in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
