"""From what somebody gave for the settings of a recipe to the variables that its scripts see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from app.domain.recipe_parts import Setting, SettingType
from app.domain.recipe_rules import near_miss
from app.domain.recipe_source import MAX_ERRORS, pointer


@dataclass(frozen=True)
class SettingError:
    """What is wrong with one setting; `pointer` is `/settings/NAME`."""

    pointer: str
    message: str


class InvalidSettings(Exception):
    """The settings do not fit the recipe; `errors` says why."""

    def __init__(self, errors: list[SettingError]) -> None:
        super().__init__("\n".join(f"{error.pointer}: {error.message}" for error in errors))
        self.errors = errors


def resolve(
    settings: Mapping[str, Setting], values: Mapping[str, object]
) -> tuple[dict[str, str], list[SettingError]]:
    """Environment values, and what is wrong.

    Booleans become `1` and `0`; an optional setting with neither value nor default is left out;
    null counts as not given.
    """
    given = {name: value for name, value in values.items() if value is not None}
    unknown = islice((name for name in given if name not in settings), MAX_ERRORS)
    errors = [
        setting_error(name, f"unknown setting{near_miss(name, settings)}") for name in unknown
    ]
    resolved: dict[str, str] = {}
    for name, setting in settings.items():
        value = given.get(name, setting.default)
        if value is None:
            if setting.required:
                errors.append(setting_error(name, "this setting is required"))
            continue
        try:
            resolved[name] = setting.text(value)
        except ValueError as error:
            errors.append(setting_error(name, str(error)))
    return resolved, errors


def setting_error(name: str, message: str) -> SettingError:
    return SettingError(pointer(("settings", name)), message)


def contradictions(setting: Setting) -> Iterator[tuple[str, str]]:
    """What the types cannot say: keys of the setting, and sentences."""
    if (setting.type is SettingType.CHOICE) != bool(setting.choices):
        yield "choices", "`choices` belongs to the type `choice`, and that type needs it"
        return
    if setting.default is None:
        return
    if setting.required:
        yield "default", "a required setting has no default"
    try:
        setting.text(setting.default)
    except ValueError as error:
        yield "default", f"the default {error}"
