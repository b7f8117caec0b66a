"""Recipes that cannot be used are refused with the line and the key."""

import json
from collections.abc import Sequence

import pytest
import yaml

from app.domain.recipe import InvalidRecipe, Recipe, RecipeError, parse

SMALLEST = "name: site\nstart: {run: exec serve}\ncheck: {}\n"


def errors(source: str) -> Sequence[RecipeError]:
    with pytest.raises(InvalidRecipe) as caught:
        parse(source)
    return caught.value.errors


def only_error(source: str) -> tuple[str, int | None, str]:
    (error,) = errors(source)
    return error.pointer, error.line, error.message


def test_the_smallest_recipe_has_a_start_and_a_check() -> None:
    recipe = parse(SMALLEST)
    assert (recipe.name, recipe.start.run, recipe.check.status) == ("site", "exec serve", (200,))


def test_every_missing_section_is_named() -> None:
    found = {error.pointer: error.message for error in errors("description: x\n")}
    assert found == {
        "/name": "the key `name` is missing",
        "/start": "the key `start` is missing",
        "/check": "the key `check` is missing",
    }


@pytest.mark.parametrize(
    ("source", "pointer", "line", "words"),
    [
        ("buidl: []", "/buidl", 4, "did you mean `build`?"),
        ("stop: {timout: 3}", "/stop/timout", 4, "did you mean `timeout`?"),
        ("stop: {zzz: 3}", "/stop/zzz", 4, "known here: timeout"),
        ("build:\n - name: a\n   rnu: x\n   run: x", "/build/0/rnu", 6, "did you mean `run`?"),
        ("settings:\n  A:\n    chioces: [a]", "/settings/A/chioces", 6, "did you mean `choices`?"),
        (
            "participants:\n- name: a\n  created:\n  - {name: b, run: c, tmeout: 3}",
            "/participants/0/created/0/tmeout",
            7,
            "did you mean `timeout`?",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    source: str, pointer: str, line: int, words: str
) -> None:
    found = only_error(SMALLEST + source)
    assert found[:2] == (pointer, line)
    assert words in found[2]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("build: x", "`build` wants a list, found the text 'x'"),
        ("static: no", "`static` wants a mapping of keys, found the text 'no'"),
        ("settings: [A]", "`settings` wants a mapping of names, found a list"),
        ("description: 3", "`description` wants text, found the number 3"),
        ("stop: {timeout: soon}", "`timeout` wants a number, found the text 'soon'"),
        ("preflight: {disk_mb: 1.5}", "`disk_mb` wants a whole number, found the number 1.5"),
        ("secrets: {A: {required: 'yes'}}", "`required` wants true or false, found the text 'yes'"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_wanted_and_found(source: str, message: str) -> None:
    assert only_error(SMALLEST + source)[2] == message


def test_a_key_written_twice_names_both_lines() -> None:
    pointer, line, message = only_error(SMALLEST + "name: other\n")
    assert (pointer, line) == ("/name", 4)
    assert message == "`name` is written twice, first on line 1"


def test_words_that_old_yaml_turns_into_other_things_stay_text() -> None:
    recipe = parse(SMALLEST + "settings:\n  MODE: {type: choice, choices: [on, no, 2026-01-01]}\n")
    assert recipe.settings["MODE"].choices == ("on", "no", "2026-01-01")


def test_bad_yaml_names_line_and_column() -> None:
    pointer, line, message = only_error("name: a: b\n")
    assert (pointer, line) == ("", 1)
    assert message.startswith("not YAML, column 8")


@pytest.mark.parametrize("source", ["", "- a\n", "text", "3"])
def test_a_document_that_is_no_mapping_is_refused(source: str) -> None:
    assert "wants a mapping of keys" in only_error(source)[2]


def test_tags_are_refused() -> None:
    message = only_error("!!python/object/apply:os.system ['true']\n")[2]
    assert "python/object/apply:os.system is not allowed" in message


def test_a_document_above_the_limit_is_refused() -> None:
    assert "262144 are the limit" in only_error("# " + "x" * 300_000)[2]


def test_aliases_cannot_multiply_without_end() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "more than 20000 values" in only_error("\n".join(rows))[2]


def test_an_alias_to_itself_is_refused() -> None:
    assert "40 levels" in only_error("&a [*a]\n")[2]


def test_endless_nesting_is_refused() -> None:
    assert "nested too deeply" in only_error("[" * 3000)[2]


def test_text_that_no_database_can_store_is_refused() -> None:
    pointer, line, message = only_error('name: site\nstart:\n  run: "a\\0b"\ncheck: {}\n')
    assert (pointer, line) == ("/start/run", 3)
    assert "cannot be stored" in message


def test_errors_are_in_the_order_of_the_document() -> None:
    lines = [error.line for error in errors(SMALLEST + "b: 1\nstop: 3\na: 2\n")]
    assert lines == [4, 5, 6]


def test_a_circle_of_participants_names_the_chain() -> None:
    source = SMALLEST + "participants:\n" + participants(a=["c"], b=["a"], c=["b"])
    pointer, line, message = only_error(source)
    assert (pointer, line) == ("/participants/0/after", 6)
    assert message == "participants wait for each other: a -> c -> b -> a"


def test_a_participant_after_itself_is_a_circle() -> None:
    source = SMALLEST + "participants:\n" + participants(a=["a"])
    assert only_error(source)[2].endswith("a -> a")


def test_an_unknown_participant_is_named_with_the_nearest() -> None:
    source = SMALLEST + "participants:\n" + participants(database=[], cache=["databse"])
    pointer, _, message = only_error(source)
    assert pointer == "/participants/1/after/0"
    assert message == "there is no participant `databse`; did you mean `database`?"


@pytest.mark.parametrize(
    ("source", "pointer"),
    [
        ("build: [{name: a, run: x}, {name: a, run: y}]", "/build/1/name"),
        ("participants:\n- {name: a, created: [{name: x, run: x}, {name: x, run: y}]}",
         "/participants/0/created/1/name"),
        ("participants:\n" + 2 * "- {name: a, created: [{name: x, run: x}]}\n",
         "/participants/1/name"),
    ],
)  # fmt: skip
def test_a_name_used_twice_is_refused(source: str, pointer: str) -> None:
    found = only_error(SMALLEST + source)
    assert found[0] == pointer
    assert "is used twice" in found[2]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("debug", "not a variable name"),
        ("A-B", "not a variable name"),
        ("1A", "not a variable name"),
        ("PORT", "is reserved"),
        ("RELEASE_DIR", "is reserved"),
        ("DEPLOY_KEY", "is reserved"),
        ("LIFTLOCK_BASE", "is reserved"),
        ("PATH", "is reserved"),
        ("LD_PRELOAD", "is reserved"),
        ("LD_BIND_NOW", "is reserved"),
        ("NAMES", "is reserved"),
        ("LL_STEP", "is reserved"),
        ("ll_step", "is reserved"),
        ("IFS", "is reserved"),
        ("BASH_ENV", "is reserved"),
    ],
)
def test_a_setting_with_a_bad_or_reserved_name_is_refused(name: str, words: str) -> None:
    pointer, _, message = only_error(SMALLEST + f"settings:\n  {name}: {{}}\n")
    assert pointer == f"/settings/{name}"
    assert words in message


def test_a_name_cannot_be_a_setting_and_a_secret() -> None:
    assert "is a setting already" in only_error(SMALLEST + "settings: {A: {}}\nsecrets: {A: {}}")[2]


@pytest.mark.parametrize(
    ("setting", "pointer", "words"),
    [
        ("{type: bool, default: maybe}", "/settings/A/default", "wants true or false"),
        ("{type: int, default: 1.5}", "/settings/A/default", "wants a whole number"),
        ("{default: 5}", "/settings/A/default", "wants text"),
        ("{type: choice, choices: [a], default: b}", "/settings/A/default", "wants one of a"),
        ("{type: choice}", "/settings/A/choices", "needs it"),
        ("{choices: [a]}", "/settings/A/choices", "belongs to the type `choice`"),
        ("{required: true, default: a}", "/settings/A/default", "has no default"),
    ],
)
def test_a_setting_that_contradicts_itself_is_refused(
    setting: str, pointer: str, words: str
) -> None:
    found = only_error(SMALLEST + f"settings:\n  A: {setting}\n")
    assert found[0] == pointer
    assert words in found[2]


@pytest.mark.parametrize("folder", ["../x", "a/../../b", "/etc", "a b", "-a"])
def test_a_folder_must_stay_below_its_parent(folder: str) -> None:
    found = only_error(SMALLEST + f"preflight: {{writable: ['{folder}']}}\n")
    assert found[0] == "/preflight/writable/0"


def test_a_supervised_start_needs_its_values_on_disk() -> None:
    source = "name: site\nstart: {run: x, via: systemd}\ncheck: {}\n"
    assert only_error(source)[0] == "/start/env_file"


def test_the_path_setting_must_exist() -> None:
    found = only_error(
        "name: a\nsettings: {CHECK_PATH: {}}\nstart: {run: x}\ncheck: {path_setting: CHEK_PATH}\n"
    )
    assert found[2] == "there is no setting `CHEK_PATH`; did you mean `CHECK_PATH`?"


def test_plain_data_is_checked_like_text_but_has_no_lines() -> None:
    with pytest.raises(InvalidRecipe) as caught:
        Recipe.from_document({"name": "a", "start": {"run": "x"}, "check": {}, "buidl": []})
    (error,) = caught.value.errors
    assert (error.pointer, error.line) == ("/buidl", None)
    assert str(error) == "the document, /buidl: unknown key `buidl`; did you mean `build`?"


def test_half_a_character_in_plain_data_is_refused() -> None:
    with pytest.raises(InvalidRecipe):
        Recipe.from_document({"name": "a", "start": {"run": "\ud800"}, "check": {}})


def test_two_spellings_of_one_recipe_have_one_digest() -> None:
    spelled = "check: {path: /}\nstart:\n  run: exec serve\nname: site\nbuild: []\n"
    assert parse(SMALLEST).digest == parse(spelled).digest
    assert parse(SMALLEST).digest != parse(SMALLEST + "stop: {timeout: 3}").digest


def test_a_recipe_survives_storage() -> None:
    recipe = parse(SMALLEST + "build: [{name: a, run: b, timeout: 2.5}]\nstatic: {path: x}\n")
    assert Recipe.from_document(json.loads(json.dumps(recipe.document()))) == recipe


def participants(**after: list[str]) -> str:
    return "".join(
        f"- name: {name}\n  after: {names}\n  created: [{{name: a, run: b}}]\n"
        for name, names in after.items()
    )


def actions(count: int) -> str:
    return ", ".join(f"{{name: a{number}, run: b}}" for number in range(count))


@pytest.mark.parametrize("section", ["build", "prepare"])
def test_a_list_of_actions_has_an_end(section: str) -> None:
    assert len(getattr(parse(f"{SMALLEST}{section}: [{actions(100)}]\n"), section)) == 100
    found = only_error(f"{SMALLEST}{section}: [{actions(101)}]\n")
    assert found == (f"/{section}", 4, f"`{section}` has 101 entries; 100 are the limit")


def test_there_are_at_most_a_hundred_participants() -> None:
    names = [f"p{number}" for number in range(101)]
    chain = {name: names[number - 1 : number] for number, name in enumerate(names)}
    found = only_error(SMALLEST + "participants:\n" + participants(**chain))
    assert found[::2] == ("/participants", "`participants` has 101 entries; 100 are the limit")


def test_a_document_full_of_mistakes_is_refused_at_once(near_misses: list[str]) -> None:
    """A near miss is dear to find: 30,000 mistakes cost no more of them than a message can hold."""
    names = [f"participant-{number}" for number in range(100)]
    wrong = [f"participamt-{number}" for number in range(100)]
    source = SMALLEST + "participants:\n" + participants(**dict.fromkeys(names, wrong))
    document = yaml.safe_load(source)
    with pytest.raises(InvalidRecipe):
        Recipe.from_document(document)
    unknown = {f"stpo{number}": 1 for number in range(20_000)}
    with pytest.raises(InvalidRecipe):
        Recipe.from_document({**unknown, "name": "site"})
    assert 0 < len(near_misses) < 1_000


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800": 1\n',
        'stop: {"\\ud800": 1}\n',
        '"\\ud800": 1\n"\\ud800": 2\n',
        'stop: {timeout: "\\ud800"}\n',
        '? ["\\ud800"]\n: 1\n',
    ],
)
def test_what_is_said_of_half_a_character_can_be_sent(text: str) -> None:
    for error in errors(SMALLEST + text):
        assert str(error).encode()


@pytest.mark.parametrize(
    ("static", "wanted"),
    [
        ("{publish: true}", "static/publish: an asset release needs `path`"),
        ("{publish_setting: ON}", "static/publish_setting: an asset release needs `path`"),
        ("{path: x, publish_setting: ONN}", "publish_setting: there is no setting `ONN`; did you"),
        ("{path: x, publish_setting: WORD}", "the setting `WORD` must be of type `bool`"),
        ("{path: x, manifest: a/../../b}", "static/manifest: the folder must stay below"),
    ],
)
def test_a_release_of_static_files_has_a_folder_and_a_bool_to_switch_it(
    static: str, wanted: str
) -> None:
    settings = "settings: {ON: {type: bool}, WORD: {}}\n"
    found = errors(f"{SMALLEST}{settings}static: {static}\n")
    assert any(wanted in f"{error.pointer}: {error.message}" for error in found), found


def test_the_place_of_a_release_is_no_setting() -> None:
    (error,) = errors(SMALLEST + "settings: {ASSETS_URL: {}}\n")
    assert "`ASSETS_URL` is reserved" in error.message


@pytest.mark.parametrize(
    "path", ["a\\b", "/a.css", " a.css", "a.css ", "a/", "a\nb", "a\u2028b", "a\x85b", ""]
)
def test_a_required_file_is_a_path_that_fits_on_a_line(path: str) -> None:
    static = json.dumps({"path": "x", "require": [path]})
    (error,) = errors(f"{SMALLEST}static: {static}\n")
    assert error.pointer == "/static/require/0"


@pytest.mark.parametrize("path", ["a", "a.css", "-rf", "ü/b c.png", "a" * 499])
def test_any_other_file_may_be_required(path: str) -> None:
    static = parse(SMALLEST + f"static: {json.dumps({'path': 'x', 'require': [path]})}\n").static
    assert static is not None
    assert static.require == (path,)
