"""Our names and bytes are those of Django 6.1.3 on trees that others wrote.

Django gives up on a whole tree for one dead reference, one text that is no UTF-8, or a chain of
more than five; therefore it runs with the lenient storage of `django_collect.py`, which is Django's
code past those points. Where even that has no answer, in cycles and what leads to them, Django says
so itself: those files are counted and not compared. A file whose bytes differ only by the hash of
another differing file counts as equal.

Every difference stands in `exceptions.toml` with its reason; one that is gone must go there too.
"""

import json
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.reference import comparison
from tests.support import reference

# Django goes over a tree of 100 MB twelve times, with other tests beside it.
pytestmark = [pytest.mark.reference, pytest.mark.timeout(900)]

LISTED = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text())
# The whole of monaco with modules keeps Django busy for minutes; its modules are all in `esm`.
LEFT_OUT = [("monaco", True), ("monaco-esm", False)]
BUILDS = [
    (tree, modules)
    for tree in reference.TREES
    for modules in (False, True)
    if (tree, modules) not in LEFT_OUT
]


class Compared(NamedTuple):
    tree: str
    modules: bool
    undecided: set[str]
    ours: Path
    theirs: Path


@pytest.fixture(scope="module", params=BUILDS, ids=lambda build: "-".join(map(str, build)))
def compared(request, tmp_path_factory):
    tree, modules = request.param
    kept = comparison.by_django(tree, modules=modules)
    undecided = set(json.loads((kept / "report.json").read_text())["unresolved"])
    out = tmp_path_factory.mktemp("ours") / "static"
    comparison.by_liftlock(out, tree, modules=modules)
    return Compared(tree, modules, undecided, out, kept / "static")


def listed(tree, modules):
    files = [
        file
        for exception in LISTED["exception"]
        if exception["tree"] == tree and modules in exception["modules"]
        for file in exception["files"]
    ]
    assert len(files) == len(set(files))
    return set(files)


def test_every_difference_is_listed_and_every_listed_one_is_there(compared):
    found = comparison.differences(compared.ours, compared.theirs, compared.undecided)
    assert found == listed(compared.tree, compared.modules)


def test_what_django_leaves_undecided_is_no_more_than_listed(compared):
    most = LISTED["undecided"].get(compared.tree, 0) if compared.modules else 0
    assert len(compared.undecided) == most


def test_the_manifest_has_djangos_bytes_where_it_has_djangos_names(compared):
    names = [comparison.manifest(folder) for folder in (compared.ours, compared.theirs)]
    texts = [(folder / "staticfiles.json").read_bytes() for folder in compared[3:]]
    assert (texts[0] == texts[1]) == (names[0] == names[1])


def test_what_django_is_not_asked_for_builds_as_well(tmp_path):
    for tree, modules in LEFT_OUT:
        made = comparison.by_liftlock(tmp_path / tree, tree, modules=modules)
        assert len(comparison.manifest(made)) > 1000


def test_every_exception_has_a_reason_and_a_known_tree():
    assert all(exception["reason"] for exception in LISTED["exception"])
    assert {exception["tree"] for exception in LISTED["exception"]} <= set(reference.TREES)
