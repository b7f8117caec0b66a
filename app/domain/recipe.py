"""Recipes: one document says how one kind of application is built, started and checked."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated

from pydantic import Field, ValidationError

from app.domain import (
    recipe_extension,
    recipe_rules,
    recipe_settings,
    recipe_source,
    recipe_static,
    recipe_wording,
)
from app.domain.recipe_extension import Extensions
from app.domain.recipe_parts import (
    MOST_PAGES,
    MOST_STEPS,
    URL_PATH,
    Action,
    Background,
    Check,
    DataPlace,
    Diagnosis,
    Part,
    Participant,
    Preflight,
    Secret,
    Setting,
    SettingType,
    Slug,
    Start,
    Stop,
    Text,
    UrlPath,
    Via,
)
from app.domain.recipe_rules import DEPLOY_KEY, name_problem
from app.domain.recipe_settings import InvalidSettings, SettingError, setting_error
from app.domain.recipe_source import (
    MAX_ERRORS,
    InvalidRecipe,
    Path,
    RecipeError,
    Source,
    unstorable,
)
from app.domain.recipe_static import Static

__all__ = [
    "DEPLOY_KEY",
    "InvalidRecipe",
    "InvalidSettings",
    "Recipe",
    "RecipeError",
    "SettingError",
    "name_problem",
    "parse",
]


_UNSTORABLE = "contains a character that cannot be stored (NUL or half a pair)"


class Recipe(Part):
    """The whole document; get one from `parse` or `from_document`, which check more."""

    name: Slug
    description: Text = ""
    settings: dict[str, Setting] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)
    preflight: Preflight = Preflight()
    build: Annotated[tuple[Action, ...], Field(max_length=MOST_STEPS)] = ()
    static: Static | None = None
    prepare: Annotated[tuple[Action, ...], Field(max_length=MOST_STEPS)] = ()
    participants: Annotated[tuple[Participant, ...], Field(max_length=MOST_STEPS)] = ()
    start: Start
    stop: Stop = Stop()
    check: Check
    #: Asked besides `check` while the site is watched after a switch.
    smoke: Annotated[tuple[UrlPath, ...], Field(max_length=MOST_PAGES)] = ()
    background: Background | None = None
    data: DataPlace = DataPlace.HOST
    extension: Extensions | None = None
    diagnose: tuple[Diagnosis, ...] = ()

    @staticmethod
    def from_document(document: object) -> "Recipe":
        """The same checks as `parse` for plain data, without lines; raises InvalidRecipe."""
        return _checked(Source(document))

    def document(self) -> dict[str, object]:
        """Plain JSON data, defaults left out; `from_document` reads it back."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the meaning: the same for two spellings of one recipe."""
        canonical = json.dumps(self.document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def participants_in_order(self) -> tuple[Participant, ...]:
        """Each after those it names in `after`; otherwise as written."""
        by_name = {participant.name: participant for participant in self.participants}
        after = {name: participant.after for name, participant in by_name.items()}
        return tuple(by_name[name] for name in recipe_rules.in_order(after))

    def resolve_settings(self, values: Mapping[str, object]) -> dict[str, str]:
        """Environment values for an instance's settings; raises InvalidSettings.

        Booleans become `1` and `0`; an optional setting with neither value nor default is left
        out; null counts as not given.
        """
        resolved, errors = recipe_settings.resolve(self.settings, values)
        path_setting = self.check.path_setting
        if path_setting in resolved and not re.fullmatch(URL_PATH, resolved[path_setting]):
            message = "wants a path of the site that starts with / and has no spaces"
            errors.append(setting_error(path_setting, message))
        if errors:
            raise InvalidSettings(errors)
        return resolved

    def missing_secrets(self, names: Iterable[str]) -> tuple[str, ...]:
        """Required secrets that are not among `names` and are not made up either."""
        have = set(names)
        return tuple(
            name
            for name, secret in self.secrets.items()
            if secret.required and secret.generate is None and name not in have
        )

    def secrets_to_generate(self, names: Iterable[str]) -> dict[str, int]:
        """Name and length of each secret to make up, given those that exist."""
        have = set(names)
        return {
            name: secret.generate
            for name, secret in self.secrets.items()
            if secret.generate is not None and name not in have
        }


def parse(source: str) -> Recipe:
    """Read and check a YAML recipe; raises InvalidRecipe with every error and its line."""
    return _checked(recipe_source.read(source))


def _checked(source: Source) -> Recipe:
    """Types first, then what one key says about another."""
    try:
        bad = list(islice(unstorable(source.data), MAX_ERRORS))
        if bad:
            raise InvalidRecipe([source.error(path, _UNSTORABLE) for path in bad])
        recipe = Recipe.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        raise InvalidRecipe(recipe_wording.errors(Recipe, source, error)) from None
    except (TypeError, ValueError, RecursionError):
        raise InvalidRecipe([RecipeError("", None, "this is not JSON data")]) from None
    # Finding what was meant by an unknown name costs far more than finding that it is unknown.
    first = islice(_contradictions(recipe), MAX_ERRORS)
    found = [source.error(path, message) for path, message in first]
    if found:
        raise InvalidRecipe(found)
    return recipe


def _contradictions(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    for section in ("settings", "secrets"):
        for name in getattr(recipe, section):
            if problem := name_problem(name):
                yield (section, name), problem
    for name in recipe.secrets.keys() & recipe.settings.keys():
        yield ("secrets", name), f"`{name}` is a setting already"
    for name, setting in recipe.settings.items():
        for key, message in recipe_settings.contradictions(setting):
            yield ("settings", name, key), message
    yield from _of_names(recipe)
    yield from _of_folders(recipe)
    yield from _of_static(recipe)
    yield from _of_extensions(recipe)
    yield from _of_participants(recipe.participants)
    yield from _of_start_and_check(recipe)


def _of_names(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    lists: list[tuple[Path, list[str]]] = [
        (("preflight", "commands"), [item.name for item in recipe.preflight.commands]),
        (("preflight", "wait_for"), [item.name for item in recipe.preflight.wait_for]),
        (("build",), [item.name for item in recipe.build]),
        (("prepare",), [item.name for item in recipe.prepare]),
        (("diagnose",), [item.name for item in recipe.diagnose]),
        (("participants",), [item.name for item in recipe.participants]),
    ]
    for number, participant in enumerate(recipe.participants):
        steps = [item.name for item in participant.created]
        lists.append((("participants", number, "created"), steps))
    if recipe.background:
        for key in ("start", "stop"):
            steps = [item.name for item in getattr(recipe.background, key)]
            lists.append((("background", key), steps))
    for path, names in lists:
        seen: Counter[str] = Counter()
        for number, name in enumerate(names):
            seen[name] += 1
            if seen[name] > 1:
                yield (*path, number, "name"), f"the name `{name}` is used twice"


def _of_folders(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    folders: list[tuple[Path, str]] = [
        (("preflight", "writable", number), folder)
        for number, folder in enumerate(recipe.preflight.writable)
    ]
    if recipe.static and recipe.static.path:
        folders.append((("static", "path"), recipe.static.path))
    if recipe.static and recipe.static.manifest:
        folders.append((("static", "manifest"), recipe.static.manifest))
    for path, folder in folders:
        if ".." in folder.split("/"):
            yield path, "the folder must stay below its parent: no `..`"


def _of_static(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    if recipe.static:
        for path, message in recipe_static.contradictions(recipe.static):
            yield ("static", *path), message
        yield from _of_release(recipe, recipe.static)


def _of_release(recipe: Recipe, static: Static) -> Iterator[tuple[Path, str]]:
    name = static.publish_setting
    for key, is_set in (("publish", static.publish), ("publish_setting", name is not None)):
        if is_set and static.path is None:
            yield ("static", key), "an asset release needs `path`: the folder of its files"
    if name is None:
        return
    setting = recipe.settings.get(name)
    if setting is None:
        miss = recipe_rules.near_miss(name, recipe.settings)
        yield ("static", "publish_setting"), f"there is no setting `{name}`{miss}"
    elif setting.type is not SettingType.BOOL:
        yield ("static", "publish_setting"), f"the setting `{name}` must be of type `bool`"


def _of_extensions(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    if recipe.extension:
        secrets = dict.fromkeys(recipe.secrets, "secret")
        taken = {**secrets, **dict.fromkeys(recipe.settings, "setting")}
        for path, message in recipe_extension.contradictions(recipe.extension, taken):
            yield ("extension", *path), message


def _of_participants(participants: tuple[Participant, ...]) -> Iterator[tuple[Path, str]]:
    names = [participant.name for participant in participants]
    for number, participant in enumerate(participants):
        for place, before in enumerate(participant.after):
            if before not in names:
                message = f"there is no participant `{before}`"
                yield (
                    ("participants", number, "after", place),
                    f"{message}{recipe_rules.near_miss(before, names)}",
                )
    known = {item.name: [name for name in item.after if name in names] for item in participants}
    if chain := recipe_rules.circle(known):
        message = f"participants wait for each other: {' -> '.join(chain)}"
        yield ("participants", names.index(chain[0]), "after"), message


def _of_start_and_check(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    supervised = recipe.start.via in {Via.SUPERVISORD, Via.SYSTEMD}
    if supervised and not recipe.start.env_file:
        why = "a supervisor starts the site without Liftlock and finds its values only there"
        yield ("start", "env_file"), f"`via: {recipe.start.via}` needs `env_file: true`: {why}"
    name = recipe.check.path_setting
    if name is not None and name not in recipe.settings:
        miss = recipe_rules.near_miss(name, recipe.settings)
        yield ("check", "path_setting"), f"there is no setting `{name}`{miss}"
