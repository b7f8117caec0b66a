"""Documents of recipes, as they stand in their rows."""

import json
from functools import lru_cache

from app.domain.recipe import Recipe


@lru_cache(maxsize=64)
def recipe_of(document: str) -> Recipe:
    """A version never changes, and most jobs have the same few."""
    return Recipe.from_document(json.loads(document))
