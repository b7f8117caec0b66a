"""What costs much in reading a recipe, counted: a clock would count the machine's other work."""

from collections.abc import Sequence
from difflib import get_close_matches

import pytest

from app.domain import recipe_rules


@pytest.fixture
def near_misses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words for which near misses were looked for."""
    words: list[str] = []

    def counted(word: str, known: Sequence[str], n: int, cutoff: float) -> Sequence[str]:
        words.append(word)
        return get_close_matches(word, known, n, cutoff)

    monkeypatch.setattr(recipe_rules, "get_close_matches", counted)
    return words
