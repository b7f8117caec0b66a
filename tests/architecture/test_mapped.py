"""Every test that the tests' README names is there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = re.findall(r"`([a-z0-9_/]+\.py)(?:::(test_\w+))?`", (TESTS / "README.md").read_text())


def test_the_readme_names_tests():
    assert len(NAMED) > 40


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_readme_names_exists(path, name):
    text = (TESTS / path).read_text()
    assert re.search(rf"^(async )?def {name or 'test_'}", text, re.MULTILINE)
