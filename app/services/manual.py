"""What a lock placed by hand says to those whom it keeps from beginning."""

from collections.abc import Mapping

from app.domain.lock import Noun, manual_words, parse_name
from app.errors import ManualLock
from app.store.locks import Manual


def refusal(manual: Manual, names: Mapping[str, str]) -> ManualLock:
    """For a request; `names` are those of its instance and host."""
    return ManualLock(
        words_of(manual, names),
        hint=f"Ask {manual.actor}, or read more: liftlock locks show {shown(manual, names)}",
        lock=shown(manual, names),
        message=manual.message,
        actor=manual.actor,
        since=manual.since,
    )


def words_of(manual: Manual, names: Mapping[str, str]) -> str:
    return manual_words(
        shown(manual, names), message=manual.message, actor=manual.actor, since=manual.since
    )


def shown(manual: Manual, names: Mapping[str, str]) -> str:
    """Its name for people."""
    noun = parse_name(manual.name).noun
    return manual.name if noun is Noun.ALL else f"manual:{noun}:{names[noun]}"
