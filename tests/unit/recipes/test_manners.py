"""What a recipe says about steps that are canceled, silent or unknown, and what it waits for."""

import pytest

from app.domain.recipe import InvalidRecipe, Recipe, parse
from app.domain.recipe_parts import Question
from app.domain.step import OnCancel, OnUnknown

SMALLEST = "name: site\nstart: {run: exec serve}\ncheck: {}\n"


def built(keys: str) -> Recipe:
    return parse(f"{SMALLEST}build:\n  - {{name: b, run: x, {keys}}}\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("repeat", OnUnknown.REPEAT),
        ("ask", OnUnknown.ASK),
        ("{probe: test -e x}", Question("test -e x")),
    ],
)
def test_an_unknown_step_is_repeated_asked_about_or_found_out(
    written: str, meant: OnUnknown | Question
) -> None:
    recipe = built(f"unknown: {written}")
    assert recipe.build[0].unknown == meant
    assert Recipe.from_document(recipe.document()) == recipe


@pytest.mark.parametrize(
    "written", ["maybe", "{probe: ''}", "{prob: x}", "{probe: x, more: y}", "[ask]", "3"]
)
def test_any_other_spelling_is_refused_with_its_line(written: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        built(f"unknown: {written}")
    (error,) = caught.value.errors
    assert (error.pointer, error.line) == ("/build/0/unknown", 5)
    assert "`repeat`, `ask` or a mapping `probe: script`" in error.message


def test_a_step_is_interrupted_or_finishes_when_the_job_is_canceled() -> None:
    assert built("on_cancel: finish").build[0].on_cancel is OnCancel.FINISH
    with pytest.raises(InvalidRecipe, match="interrupt"):
        built("on_cancel: never")


def test_silence_is_limited_only_when_the_recipe_says_so() -> None:
    assert built("silence: 30").build[0].silence == 30
    assert built("timeout: 5").build[0].silence is None
    with pytest.raises(InvalidRecipe, match="silence"):
        built("silence: 0")


def test_what_is_not_said_is_not_in_the_document() -> None:
    (step,) = built("timeout: 5").document()["build"]
    assert step == {"name": "b", "run": "x", "timeout": 5}


def test_a_wait_has_defaults_and_a_name_of_its_own() -> None:
    wait = "{name: database, command: pg_isready}"
    recipe = parse(f"{SMALLEST}preflight: {{wait_for: [{wait}]}}\n")
    (found,) = recipe.preflight.wait_for
    assert (found.every, found.longest) == (30, 3600)
    with pytest.raises(InvalidRecipe, match="used twice"):
        parse(f"{SMALLEST}preflight: {{wait_for: [{wait}, {wait}]}}\n")


def test_a_look_every_blink_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="every"):
        parse(f"{SMALLEST}preflight: {{wait_for: [{{name: d, command: x, every: 0.1}}]}}\n")
