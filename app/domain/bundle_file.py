"""Bundle files: what `python -m worker.assets build --bundles FILE` reads."""

import json
from itertools import islice

from pydantic import ValidationError

from app.domain import recipe_source, recipe_wording
from app.domain.recipe_source import MAX_ERRORS, InvalidRecipe, Source, unstorable
from app.domain.recipe_static import Bundles, contradictions


def parse(text: str) -> Bundles:
    """Read YAML or JSON; raises InvalidRecipe with every error, its line and its key."""
    source = recipe_source.read(text)
    found = list(islice(unstorable(source.data), MAX_ERRORS))
    if found:
        message = "contains a character that cannot be stored (NUL or half a pair)"
        raise InvalidRecipe([source.error(path, message) for path in found])
    wanted = _typed(source)
    wrong = [source.error(path, message) for path, message in contradictions(wanted)]
    if wrong:
        raise InvalidRecipe(wrong)
    return wanted


def _typed(source: Source) -> Bundles:
    try:
        return Bundles.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        raise InvalidRecipe(recipe_wording.errors(Bundles, source, error)) from None
