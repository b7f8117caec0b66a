"""Settings of an instance become environment values, or are refused with a pointer."""

from collections.abc import Mapping

import pytest

from app.domain.recipe import InvalidSettings, parse

RECIPE = parse("""
name: site
settings:
  MODULE: {required: true}
  DEBUG: {type: bool, default: false}
  WORKERS: {type: int, default: 2}
  MODE: {type: choice, choices: [fast, safe], default: safe}
  PAGE: {}
secrets:
  KEY: {required: true, generate: 50}
  TOKEN: {required: true}
  MAIL: {}
start: {run: x}
check: {path: /up, path_setting: PAGE}
""")


def refused(values: Mapping[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidSettings) as caught:
        RECIPE.resolve_settings(values)
    return {error.pointer: error.message for error in caught.value.errors}


def test_defaults_fill_in_and_an_optional_setting_without_one_is_left_out() -> None:
    assert RECIPE.resolve_settings({"MODULE": "a.b"}) == {
        "MODULE": "a.b",
        "DEBUG": "0",
        "WORKERS": "2",
        "MODE": "safe",
    }


@pytest.mark.parametrize(
    ("value", "text"), [(True, "1"), (False, "0"), ("true", "1"), ("no", "0"), ("1", "1")]
)
def test_booleans_become_one_and_zero(value: object, text: str) -> None:
    assert RECIPE.resolve_settings({"MODULE": "a", "DEBUG": value})["DEBUG"] == text


@pytest.mark.parametrize(("value", "text"), [(4, "4"), ("4", "4"), ("-04", "-4"), (0, "0")])
def test_whole_numbers_may_come_as_text(value: object, text: str) -> None:
    assert RECIPE.resolve_settings({"MODULE": "a", "WORKERS": value})["WORKERS"] == text


def test_null_means_not_given() -> None:
    assert RECIPE.resolve_settings({"MODULE": "a", "WORKERS": None})["WORKERS"] == "2"


def test_a_missing_required_setting_is_named() -> None:
    assert refused({}) == {"/settings/MODULE": "this setting is required"}


def test_an_unknown_setting_is_named_with_the_nearest() -> None:
    found = refused({"MODULE": "a", "WORKER": 3, "workers": 3})
    assert found["/settings/WORKER"] == "unknown setting; did you mean `WORKERS`?"
    assert found["/settings/workers"] == "unknown setting; did you mean `WORKERS`?"


def test_a_pointer_to_a_name_with_a_slash_is_escaped() -> None:
    assert "/settings/a~1b~0c" in refused({"MODULE": "a", "a/b~c": 1})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WORKERS", True, "wants a whole number, found true"),
        ("WORKERS", "four", "wants a whole number, found the text 'four'"),
        ("WORKERS", 1.5, "wants a whole number, found the number 1.5"),
        ("DEBUG", 2, "wants true or false, found the number 2"),
        ("MODULE", 3, "wants text, found the number 3"),
        ("MODULE", ["a"], "wants text, found a list"),
        ("MODE", "slow", "wants one of fast, safe, found the text 'slow'"),
        ("PAGE", "up", "wants a path of the site that starts with / and has no spaces"),
        ("PAGE", "/a\r\nX: y", "wants a path of the site that starts with / and has no spaces"),
    ],
)
def test_a_value_that_does_not_fit_says_why(name: str, value: object, message: str) -> None:
    assert refused({"MODULE": "a", name: value})[f"/settings/{name}"] == message


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x" * 40_000])
def test_a_value_that_no_variable_can_hold_is_refused(value: str) -> None:
    assert list(refused({"MODULE": value})) == ["/settings/MODULE"]


@pytest.mark.parametrize("value", ["v2; rm -rf /", "two\nlines", 'it\'s "quoted" $HOME `id`', ""])
def test_any_other_text_passes_unchanged(value: str) -> None:
    assert RECIPE.resolve_settings({"MODULE": value})["MODULE"] == value


def test_the_check_path_comes_from_its_setting_when_there_is_one() -> None:
    assert RECIPE.check.path_for({}) == "/up"
    assert RECIPE.check.path_for({"PAGE": "/health?x=1"}) == "/health?x=1"


def test_a_required_secret_is_missing_unless_it_can_be_made_up() -> None:
    assert RECIPE.missing_secrets([]) == ("TOKEN",)
    assert RECIPE.missing_secrets(["TOKEN"]) == ()


def test_a_secret_that_exists_is_not_made_up_again() -> None:
    assert RECIPE.secrets_to_generate([]) == {"KEY": 50}
    assert RECIPE.secrets_to_generate(["KEY"]) == {}


def test_a_flood_of_unknown_settings_are_refused_at_once(near_misses: list[str]) -> None:
    """A near miss is dear to find: 50,000 mistakes cost no more of them than a message can hold."""
    refused({f"DEBUGG{number}": 1 for number in range(50_000)})
    assert 0 < len(near_misses) < 1_000
