"""The section `extension`: how packages are added to a site."""

import json

import pytest

from app.domain.recipe import InvalidRecipe, InvalidSettings, Recipe, parse
from app.domain.recipe_extension import Extensions
from app.domain.recipe_rules import EXTENSION

SMALLEST = "name: site\nstart: {run: exec serve}\ncheck: {}\n"
INSTALL = "install: [{name: package, run: pip}]"
WHOLE = """\
extension:
  settings:
    APP: {required: true, description: the app}
    DEBUG: {type: bool, default: false}
  install: [{name: package, run: pip install "$EXTENSION_REQUIREMENT"}]
  media: {folders: folders, target: public/static}
  enable: [{name: tables, run: make}, {name: data, run: fill}]
  disable: [{name: tables, run: unmake}]
  uninstall: [{name: leftovers, run: remove}]
  always_enabled: [django-taggit]
"""


def section(source: str) -> Extensions:
    found = parse(SMALLEST + source).extension
    assert found is not None
    return found


def errors(source: str, before: str = "") -> list[tuple[str, str]]:
    with pytest.raises(InvalidRecipe) as caught:
        parse(f"{SMALLEST}{before}extension: {{{source}}}")
    return [(error.pointer, error.message) for error in caught.value.errors]


def test_a_recipe_without_the_section_takes_no_extensions() -> None:
    assert parse(SMALLEST).extension is None


def test_the_smallest_section_says_how_a_package_is_installed() -> None:
    found = section(f"extension: {{{INSTALL}}}")
    assert [item.name for item in found.install] == ["package"]
    assert (found.media, found.enable, found.disable, found.uninstall) == (None, (), (), ())


def test_the_whole_section_is_read_and_read_back() -> None:
    recipe = parse(SMALLEST + WHOLE)
    assert Recipe.from_document(json.loads(json.dumps(recipe.document()))) == recipe
    found = recipe.extension
    assert found is not None
    assert found.media is not None
    assert (found.media.target, found.always_enabled) == ("public/static", ("django-taggit",))


def test_a_section_without_a_way_to_install_is_refused() -> None:
    assert errors("enable: []") == [("/extension/install", "the key `install` is missing")]
    assert errors("install: []") == [("/extension/install", "`install` wants at least one entry")]


@pytest.mark.parametrize("key", ["install", "enable", "disable", "uninstall"])
def test_two_actions_of_one_name_in_a_list_are_refused(key: str) -> None:
    lists = {"install": INSTALL}
    lists[key] = f"{key}: [{{name: a, run: x}}, {{name: a, run: y}}]"
    assert errors(", ".join(lists.values())) == [
        (f"/extension/{key}/1/name", "the name `a` is used twice")
    ]


def test_the_media_stay_below_the_release() -> None:
    assert errors(f"{INSTALL}, media: {{folders: x, target: a/../../b}}") == [
        ("/extension/media/target", "the folder must stay below its parent: no `..`")
    ]


@pytest.mark.parametrize("name", [*EXTENSION, "PATH", "RELEASE_DIR"])
def test_no_setting_of_an_extension_takes_a_name_that_liftlock_sets(name: str) -> None:
    ((pointer, message),) = errors(f"{INSTALL}, settings: {{{name}: {{}}}}")
    assert pointer == f"/extension/settings/{name}"
    assert "is reserved" in message


@pytest.mark.parametrize("name", EXTENSION)
def test_nor_does_a_setting_of_the_recipe(name: str) -> None:
    with pytest.raises(InvalidRecipe, match="is reserved"):
        parse(f"{SMALLEST}settings: {{{name}: {{}}}}")


@pytest.mark.parametrize(("kind", "of"), [("setting", "settings"), ("secret", "secrets")])
def test_a_name_means_one_thing_in_a_recipe(kind: str, of: str) -> None:
    found = errors(f"{INSTALL}, settings: {{APP: {{}}}}", before=f"{of}: {{APP: {{}}}}\n")
    assert found == [("/extension/settings/APP", f"`APP` is a {kind} of the recipe already")]


def test_a_setting_whose_default_does_not_fit_is_refused() -> None:
    ((pointer, _),) = errors(f"{INSTALL}, settings: {{SIZE: {{type: int, default: big}}}}")
    assert pointer == "/extension/settings/SIZE/default"


def test_always_enabled_ones_are_named_as_pypi_finds_them() -> None:
    assert errors(f"{INSTALL}, always_enabled: [a--b]") == [
        ("/extension/always_enabled/0", "write `a-b`, as PyPI finds it")
    ]
    ((pointer, _),) = errors(f"{INSTALL}, always_enabled: [Django_Taggit]")
    assert pointer == "/extension/always_enabled/0"


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    ((pointer, message),) = errors(f"{INSTALL}, enabled: []")
    assert pointer == "/extension/enabled"
    assert "did you mean `enable`?" in message


def test_the_settings_of_an_extension_become_variables() -> None:
    found = section(WHOLE)
    assert found.resolve_settings({"APP": "taggit"}) == {"APP": "taggit", "DEBUG": "0"}


def test_settings_of_an_extension_that_do_not_fit_are_all_named() -> None:
    with pytest.raises(InvalidSettings) as caught:
        section(WHOLE).resolve_settings({"DEBUG": "perhaps", "APPS": "x"})
    assert [error.pointer for error in caught.value.errors] == [
        "/settings/APPS",
        "/settings/APP",
        "/settings/DEBUG",
    ]
