"""What a user can set, meet or read is explained, and nothing is explained that is gone."""

import ast
import importlib
import re
import tomllib

from typer.main import get_command

from app.cli.main import app as cli
from app.domain.event import EventType
from app.domain.problem import CODES
from app.settings import Settings
from tests.architecture import source

VARIABLE = re.compile(r"\bLIFTLOCK_[A-Z][A-Z_]*[A-Z]\b")
#: Files whose variables a person may want to set or will see.
SETTING_FILES = (*source.PACKAGES, "recipes", "deploy", "Dockerfile", "compose.yaml", "migrations")
CATALOGUE = "app/domain/problem.py"
#: Calls whose first argument is an error code.
CODED = {"Failure", "StepFailed", "RemoteError"}


def test_every_error_code_is_explained():
    assert set(source.headings("docs/errors.md")) == set(CODES)


def test_error_codes_are_explained_once_and_in_the_order_of_the_catalogue():
    assert source.headings("docs/errors.md") == list(CODES)


def test_every_explanation_says_what_to_do():
    sections = re.split(r"^## ", source.read("docs/errors.md"), flags=re.MULTILINE)[1:]
    silent = [text.split("\n")[0] for text in sections if "**What to do.** " not in text]
    assert not silent


def test_every_explanation_begins_with_whether_it_may_pass():
    said = dict(
        re.findall(r"^## (.+)\n\*(\w+)\.\*\n", source.read("docs/errors.md"), flags=re.MULTILINE)
    )
    assert said == {code: "Transient" if row.transient else "Final" for code, row in CODES.items()}


def test_every_error_code_that_is_raised_is_in_the_catalogue():
    unknown = {
        code: place
        for place, code in used_codes()
        if code not in CODES and not place.startswith("app/cli/")
    }
    assert not unknown


def test_the_codes_that_only_the_command_line_has_are_explained():
    own = {code for _, code in used_codes() if code not in CODES}
    rows = re.findall(r"^\| `([a-z-]+)` \|", source.read("docs/errors.md"), re.MULTILINE)
    assert sorted(own) == sorted(rows)


def test_every_command_is_on_its_page():
    page = set(source.headings("docs/cli.md", level=3))
    assert {f"liftlock {name}" for name in commands(get_command(cli))} == page


def test_every_error_code_in_the_catalogue_is_raised_somewhere():
    spoken = {
        node.value
        for name in source.modules()
        if name != CATALOGUE
        for node in ast.walk(source.tree(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not set(CODES) - spoken


def test_every_event_is_explained():
    assert source.headings("docs/events.md", level=3) == [item.value for item in EventType]


def test_every_setting_is_explained():
    wanted = {f"LIFTLOCK_{name.upper()}" for name in Settings.model_fields}
    assert not wanted - explained_variables()


def test_every_variable_is_explained():
    assert not used_variables() - explained_variables()


def test_no_variable_is_explained_that_nothing_reads():
    assert not explained_variables() - used_variables()


def test_every_direct_dependency_has_its_reason():
    rows = re.findall(
        r"^\| `([A-Za-z0-9._-]+)` \|", source.read("docs/dependencies.md"), re.MULTILINE
    )
    assert sorted(rows) == sorted(set(direct_dependencies()))


def test_every_make_target_says_what_it_does():
    text = source.read("Makefile")
    targets = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE).group(1).split()
    silent = [name for name in targets if not re.search(rf"^{name}:.*## \w", text, re.MULTILINE)]
    assert not silent


def test_the_functions_that_the_architecture_names_exist():
    named = re.findall(r"\b(services|store)\.(\w+)\.(\w+)", source.read("ARCHITECTURE.md"))
    assert named
    gone = [
        f"{room}.{module}.{name}"
        for room, module, name in named
        if not hasattr(importlib.import_module(f"app.{room}.{module}"), name)
    ]
    assert not gone


def commands(group, before=""):
    for name, command in group.commands.items():
        full = f"{before}{name}"
        if hasattr(command, "commands"):
            yield from commands(command, f"{full} ")
        elif not command.hidden:
            yield full


def used_codes():
    for name in source.modules():
        if name == CATALOGUE:
            continue
        for node in ast.walk(source.tree(name)):
            for value in _code_values(node):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield f"{name}:{value.lineno}", value.value


def _code_values(node):
    """Where an error code stands: `code="…"`, the first argument of a Failure, a class's `code`."""
    if isinstance(node, ast.Call):
        yield from (word.value for word in node.keywords if word.arg == "code")
        if ast.unparse(node.func).rpartition(".")[2] in CODED:
            yield from node.args[:1]
    if isinstance(node, ast.ClassDef):
        for line in node.body:
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
                yield line.value
            if (
                isinstance(line, ast.AnnAssign)
                and ast.unparse(line.target) == "code"
                and line.value
            ):
                yield line.value


def used_variables():
    found = {f"LIFTLOCK_{name.upper()}" for name in Settings.model_fields}
    for name, text in source.text_files():
        if name.startswith(SETTING_FILES) and not name.endswith(".md"):
            found.update(VARIABLE.findall(text))
    return found


def explained_variables():
    return set(VARIABLE.findall(source.read("docs/operations.md")))


def direct_dependencies():
    project = tomllib.loads(source.read("pyproject.toml"))["project"]
    optional = [item for extra in project["optional-dependencies"].values() for item in extra]
    for requirement in (*project["dependencies"], *optional):
        yield re.match(r"[A-Za-z0-9._-]+", requirement).group()
