"""docs/cli.md knows every command and every option, and every command shows an example."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli.main import app

REFERENCE = Path(__file__).parents[3] / "docs" / "cli.md"


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from commands(child, (*words, name))
        else:
            yield " ".join((*words, name)), child


ALL = dict(commands(typer.main.get_command(app)))


def section(name):
    """The part of the reference below the command's own heading."""
    _, found, rest = REFERENCE.read_text().partition(f"\n### liftlock {name}\n")
    assert found, f"docs/cli.md has no section `liftlock {name}`"
    return rest.partition("\n### ")[0].partition("\n## ")[0]


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_is_in_the_reference(name):
    text = section(name)
    options = [
        flag
        for parameter in ALL[name].params
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("-") and flag not in {"--help", "-h"}
    ]
    assert [flag for flag in options if f"`{flag}" not in text] == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_shows_an_example(name):
    assert f"liftlock {name}" in (ALL[name].help or "")


def test_the_reference_has_no_command_that_is_gone():
    lines = REFERENCE.read_text().splitlines()
    described = {line.removeprefix("### liftlock ") for line in lines if line.startswith("### ")}
    assert described == set(ALL)
