"""What runs only in service, what is watched, and where the data lies."""

import pytest

from app.domain.recipe import InvalidRecipe, Recipe, parse
from app.domain.recipe_parts import DataPlace

SMALLEST = "name: site\nstart: {run: exec serve}\ncheck: {}\n"
BOTH = "background: {start: [{name: worker, run: a}], stop: [{name: worker, run: b}]"


def errors(source: str) -> list[tuple[str, int | None, str]]:
    with pytest.raises(InvalidRecipe) as caught:
        parse(SMALLEST + source)
    return [(error.pointer, error.line, error.message) for error in caught.value.errors]


def test_a_recipe_without_them_has_no_background_one_page_and_its_data_on_its_host() -> None:
    recipe = parse(SMALLEST)
    assert (recipe.background, recipe.smoke, recipe.data) == (None, (), DataPlace.HOST)


def test_background_parts_do_not_overlap_unless_the_recipe_says_so() -> None:
    cold, warm = parse(f"{SMALLEST}{BOTH}}}"), parse(f"{SMALLEST}{BOTH}, overlap: true}}")
    assert cold.background is not None
    assert warm.background is not None
    assert (cold.background.overlap, warm.background.overlap) == (False, True)


def test_what_is_started_must_have_a_way_to_be_stopped() -> None:
    assert errors("background: {start: [{name: a, run: x}]}") == [
        ("/background/stop", 4, "the key `stop` is missing")
    ]
    assert errors("background: {start: [{name: a, run: x}], stop: []}") == [
        ("/background/stop", 4, "`stop` wants at least one entry")
    ]


@pytest.mark.parametrize("key", ["start", "stop"])
def test_two_parts_of_one_name_are_refused(key: str) -> None:
    lists = {"start": "[{name: a, run: x}]", "stop": "[{name: a, run: x}]"}
    lists[key] = "[{name: a, run: x}, {name: a, run: y}]"
    found = errors(f"background: {{start: {lists['start']}, stop: {lists['stop']}}}")
    assert found == [(f"/background/{key}/1/name", 4, "the name `a` is used twice")]


def test_an_unknown_key_of_the_section_is_refused_with_the_nearest_one() -> None:
    ((pointer, _, message),) = errors(f"{BOTH}, overlaps: true}}")
    assert pointer == "/background/overlaps"
    assert "did you mean `overlap`?" in message


def test_the_data_is_on_the_host_or_on_the_network() -> None:
    assert parse(f"{SMALLEST}data: network").data is DataPlace.NETWORK
    ((pointer, _, message),) = errors("data: cloud")
    assert pointer == "/data"
    assert "'host' or 'network'" in message


def test_pages_to_watch_are_paths_of_the_site() -> None:
    assert parse(f"{SMALLEST}smoke: [/basket, '/search?q=a']").smoke == ("/basket", "/search?q=a")
    ((pointer, _, _),) = errors("smoke: [/basket, 'https://example.org/']")
    assert pointer == "/smoke/1"


def test_no_more_pages_are_watched_than_a_site_bears() -> None:
    ((pointer, _, message),) = errors(f"smoke: [{', '.join(['/a'] * 21)}]")
    assert (pointer, message) == ("/smoke", "`smoke` has 21 entries; 20 are the limit")


def test_the_document_of_a_recipe_is_read_back_as_it_was() -> None:
    recipe = parse(f"{SMALLEST}{BOTH}, overlap: true}}\nsmoke: [/a]\ndata: network\n")
    assert Recipe.from_document(recipe.document()) == recipe


def test_a_recipe_of_before_keeps_its_digest() -> None:
    assert set(parse(SMALLEST).document()) == {"name", "start", "check"}
