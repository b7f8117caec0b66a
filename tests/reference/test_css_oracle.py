"""What Liftlock finds in CSS is what a parser finds, in packages that many sites use."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import reference
from worker.assets.readers.css import find
from worker.assets.readers.reference import Form

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).with_name("css_oracle.py")


def parsed(paths):
    """What the parser finds in each of the files."""
    command = [str(reference.css_parser()), str(SCRIPT)]
    names = "\n".join(map(str, paths))
    done = subprocess.run(command, input=names, capture_output=True, text=True, check=True)
    return map(json.loads, done.stdout.splitlines())


def found_in(path):
    text = path.read_bytes().decode(errors="replace")
    urls = [item.url for item in find(text).references if item.form is not Form.CSS_MAP]
    # A parser reads every newline as the same one.
    return [url.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n") for url in urls]


def different(paths):
    found = zip(paths, parsed(paths), strict=True)
    return {path: (ours, urls) for path, urls in found if (ours := found_in(path)) != urls}


def style_sheets(tree):
    found = {path for folder in reference.sources(tree) for path in folder.rglob("*.css")}
    return sorted(path for path in found if path.is_file())


@pytest.mark.parametrize("tree", reference.TREES)
def test_the_same_urls_are_found_as_by_a_parser(tree):
    assert different(style_sheets(tree)) == {}


def test_the_trees_name_many_files():
    assert sum(len(found_in(path)) for tree in reference.TREES for path in style_sheets(tree)) > 500
