"""Moments and spans of time as they are typed: `2026-11-21T22:00:00Z`, `90s`, `1h30m`."""

import re
from datetime import UTC, datetime, timedelta

from app.cli.errors import UsageError

_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)


def moment(text: str, *, option: str) -> str:
    """RFC 3339 as the API wants it; a time without a zone is this machine's. Raises UsageError."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} is no time.", hint=f"For example {option} 2026-11-21T22:00:00Z"
        ) from None


def from_now(text: str, *, option: str) -> str:
    """The moment that lies so far ahead; raises UsageError."""
    found = _SPAN.fullmatch(text)
    days, hours, minutes, seconds = (
        (int(part or 0) for part in found.groups()) if found else [0] * 4
    )
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not span:
        raise UsageError(
            f"{option} {text!r} is no span of time.", hint=f"For example {option} 1h30m"
        )
    return (datetime.now(UTC) + span).isoformat()
