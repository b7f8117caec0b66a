"""The `extension` section of a recipe: how packages are added to a site of that kind."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from app.domain import recipe_settings
from app.domain.extension import normalized
from app.domain.recipe_parts import MOST_STEPS, Action, Folder, Part, Script, Setting
from app.domain.recipe_rules import name_problem
from app.domain.recipe_settings import InvalidSettings
from app.domain.recipe_source import Path

#: A package, as PyPI finds it.
_Package = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$")]
_Actions = Annotated[tuple[Action, ...], Field(max_length=MOST_STEPS)]


class Media(Part):
    """Files for browsers, and where each of them has to be."""

    #: Prints the folders that the package brings them in, one a line, absolute or from the release.
    folders: Script
    #: Below the release.
    target: Folder


class Extensions(Part):
    #: One set for each extension.
    settings: dict[str, Setting] = Field(default_factory=dict)
    #: Into the release's own environment, before its static files are collected.
    install: Annotated[tuple[Action, ...], Field(min_length=1, max_length=MOST_STEPS)]
    media: Media | None = None
    #: Once for the instance, in the new release: they may change its data.
    enable: _Actions = ()
    disable: _Actions = ()
    #: After those of `disable`.
    uninstall: _Actions = ()
    #: Names of extensions that are neither disabled nor uninstalled.
    always_enabled: Annotated[tuple[_Package, ...], Field(max_length=MOST_STEPS)] = ()

    def resolve_settings(self, values: Mapping[str, object]) -> dict[str, str]:
        """Environment values for the settings of one extension; raises InvalidSettings."""
        resolved, errors = recipe_settings.resolve(self.settings, values)
        if errors:
            raise InvalidSettings(errors)
        return resolved


def contradictions(section: Extensions, taken: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """What the types cannot say: places in the section, and sentences.

    `taken` says of the recipe's own names what they are: a setting or a secret.
    """
    for name, setting in section.settings.items():
        if problem := name_problem(name):
            yield ("settings", name), problem
        if what := taken.get(name):
            yield ("settings", name), f"`{name}` is a {what} of the recipe already"
        for key, message in recipe_settings.contradictions(setting):
            yield ("settings", name, key), message
    if section.media and ".." in section.media.target.split("/"):
        yield ("media", "target"), "the folder must stay below its parent: no `..`"
    for number, name in enumerate(section.always_enabled):
        if normalized(name) != name:
            yield ("always_enabled", number), f"write `{normalized(name)}`, as PyPI finds it"
    yield from _twice(section)


def _twice(section: Extensions) -> Iterator[tuple[Path, str]]:
    for key in ("install", "enable", "disable", "uninstall"):
        seen: Counter[str] = Counter()
        for number, item in enumerate(getattr(section, key)):
            seen[item.name] += 1
            if seen[item.name] > 1:
                yield (key, number, "name"), f"the name `{item.name}` is used twice"
