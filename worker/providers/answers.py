"""Reads what a provider's program answers, and says which field is wrong."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from app.domain.host_spec import HostSpec
from worker.providers.provider import Listed, Made

#: How a host is reached: all of it or nothing.
_REACHED = ("address", "port", "user", "host_key")
_LONGEST_ID = 200
_SHOWN = 80


class WrongAnswer(Exception):
    """The text is a sentence without its subject, which is the program.

    `found` stands in it between `before` and `after`, and is cut where it is long.
    """

    def __init__(self, before: str, found: str, after: str = "") -> None:
        self.before, self.found, self.after = before, found, after
        super().__init__(self.told(str))

    def told(self, clean: Callable[[str], str]) -> str:
        """The sentence; what is cleaned away is so before it is cut."""
        text = clean(self.found)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        # JSON can hold halves of characters, which no stream and no database takes.
        return f"{clean(self.before)}{shown}{self.after}".encode(errors="replace").decode()


def read_made(answer: bytes, tag: str) -> Made:
    """The answer to `create`; raises WrongAnswer."""
    return _made(_object(answer), tag)


def read_gone(answer: bytes) -> None:
    """The answer to `destroy`, which has to be outright; raises WrongAnswer."""
    gone = _value(_object(answer), "gone")
    if gone is not True:
        raise WrongAnswer("answered `gone`: ", _shown(gone), ", wanted `true`")


def read_listed(answer: bytes) -> tuple[Listed, ...]:
    """The answer to `list`; raises WrongAnswer."""
    machines = _value(_object(answer), "machines")
    if not isinstance(machines, list):
        raise WrongAnswer("answered `machines`: ", _shown(machines), ", wanted a list")
    return tuple(_listed(item) for item in machines)


def _listed(item: Any) -> Listed:
    if not isinstance(item, dict):
        raise WrongAnswer("answered ", _shown(item), " among its machines, wanted an object")
    tag = _text(item, "tag")
    is_told = any(item.get(name) is not None for name in _REACHED)
    return Listed(
        tag, _text(item, "id"), _time(item.get("created")), _made(item, tag) if is_told else None
    )


def _made(item: Mapping[str, Any], tag: str) -> Made:
    """The machine has to be one that can be registered as a host."""
    values = {name: _value(item, name) for name in _REACHED}
    if not isinstance(values["host_key"], str):
        raise WrongAnswer("answered `host_key`: ", _shown(values["host_key"]), ", wanted a key")
    if item.get("site_address") is not None:
        values["site_address"] = item["site_address"]
    try:
        spec = HostSpec(name="machine", **values)
    except ValidationError as error:
        first = error.errors()[0]
        why = first["msg"].removeprefix("Value error, ")
        found = _shown(first["input"])
        raise WrongAnswer(f"answered `{first['loc'][0]}`: ", found, f": {why}") from None
    return Made(
        tag,
        _text(item, "id"),
        spec.address,
        spec.port,
        spec.user,
        str(spec.host_key),
        spec.site_address,
    )


def _object(answer: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError) as error:
        text = _shown(answer.decode(errors="replace"))
        raise WrongAnswer("answered ", text, f", which is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise WrongAnswer("answered ", _shown(found), ", wanted an object")
    return found


def _value(item: Mapping[str, Any], name: str) -> Any:
    if name not in item:
        found = ", ".join(f"`{key}`" for key in list(item)[:10]) or "none"
        raise WrongAnswer(f"left out the field `{name}`; fields found: ", found)
    return item[name]


def _text(item: Mapping[str, Any], name: str) -> str:
    value = _value(item, name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isprintable():
        wanted = f", wanted a text of 1 to {_LONGEST_ID} characters"
        raise WrongAnswer(f"answered `{name}`: ", _shown(value), wanted)
    return value


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    wanted = ", wanted a time with its zone, as 2026-11-21T12:00:00Z"
    raise WrongAnswer("answered `created`: ", _shown(value), wanted)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
