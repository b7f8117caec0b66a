"""The reference names every key that a recipe can have, and its examples work."""

import re
from pathlib import Path

import pytest

from app.domain import recipe_parts
from app.domain.recipe import Recipe, parse
from app.domain.recipe_parts import Part

REFERENCE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
PARTS = [Recipe] + [
    part
    for part in vars(recipe_parts).values()
    if isinstance(part, type) and issubclass(part, Part) and part is not Part
]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
REST = "\nname: rest\nstart: {run: x}\ncheck: {}\n"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_key_is_in_the_reference(part: type[Part]) -> None:
    assert [key for key in part.model_fields if f"`{key}`" not in REFERENCE] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_reference_is_valid(example: str) -> None:
    parse(example if example.startswith("name:") else example + REST)
