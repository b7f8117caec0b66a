"""When a job may begin and must have ended, as a caller asks for it."""

from datetime import UTC, datetime, timedelta

from app.errors import FieldError, Invalid

#: Farther ahead it is a mistake in the date.
_FARTHEST = timedelta(days=366)


def begin_of(not_before: datetime | None) -> datetime | None:
    """When the job may begin; None for at once, also when that time is over. Raises Invalid."""
    if not_before is None or not_before <= datetime.now(UTC):
        return None
    _check_near("/not_before", not_before)
    return not_before


def end_of(deadline: datetime | None, *, not_before: datetime | None) -> datetime | None:
    """By when it must have ended; raises Invalid for a time at which it cannot have ended."""
    if deadline is None:
        return None
    if deadline <= datetime.now(UTC):
        raise _invalid("/deadline", "this time is over")
    if not_before is not None and deadline <= not_before:
        raise _invalid("/deadline", "the job may only begin after this: it lies before not_before")
    _check_near("/deadline", deadline)
    return deadline


def _check_near(pointer: str, moment: datetime) -> None:
    if moment - datetime.now(UTC) > _FARTHEST:
        raise _invalid(pointer, f"this is more than {_FARTHEST.days} days ahead")


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(errors=(FieldError(pointer, detail),))
